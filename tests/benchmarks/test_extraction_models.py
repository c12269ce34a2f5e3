"""A model that the benchmark keeps goes by what made it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import extraction_models
from benchmarks.extraction_models import name_of, sources


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    sources.cache_clear()
    yield
    sources.cache_clear()


def test_its_sources_are_those_that_training_runs() -> None:
    found = sources()
    assert {"accurate", "tag_training", "encoder_net", "crf", "gazetteer", "brand_features", "materials.json"} <= set(found)
    assert not {"llm", "hybrid", "review", "trained"} & set(found)


def test_other_settings_data_or_code_make_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for shop in extraction_models.CORE:
        (tmp_path / shop).mkdir()
        (tmp_path / shop / "train.jsonl").write_text("{}\n")
    monkeypatch.setattr(extraction_models, "DATA", tmp_path)
    first = name_of("oa-mine", "accurate", 0)
    assert first.startswith("oa-mine-accurate-0-") and first == name_of("oa-mine", "accurate", 0)
    others = {name_of("ae-110k", "accurate", 0), name_of("oa-mine", "tagger", 0), name_of("oa-mine", "accurate", 1)}
    (tmp_path / "oa-mine" / "train.jsonl").write_text("{} \n")
    others.add(name_of("oa-mine", "accurate", 0))
    monkeypatch.setattr(extraction_models, "sources", lambda: {"accurate": "another"})
    others.add(name_of("oa-mine", "accurate", 0))
    assert len(others | {first}) == 6
