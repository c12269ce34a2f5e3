"""After a person was erased the model no longer fits the graph, says so, and a new one fits again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from kg.truth import Truth
from kg.workspace import Workspace
from recommend import bundle, owed

Clew = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def shop(small_shop: Path, tmp_path: Path) -> Workspace:
    """A copy of the small shop, to be written to."""
    shutil.copytree(small_shop, tmp_path / "shop")
    return Workspace(tmp_path / "shop")


def test_a_model_asks_to_be_trained_again(shop: Workspace, clew: Clew) -> None:
    events = Truth(shop.graph).tables().events.column("user").to_pylist()
    user = max(set(events), key=events.count)
    other = next(key for key in events if key != user)
    erased = json.loads(clew("graph", "erase", "--user", user, "-w", str(shop.path), "--json").stdout)
    name = bundle.bundles(shop.models)[0].name
    assert erased["models"] == [{"name": name, "current": True, "events": events.count(user)}]
    for ask in (("recommend", "--user", other), ("recommend", "--user", user), ("recommend", "--text", "bag")):
        done = clew(*ask, "-w", str(shop.path), "--json", check=False)
        assert done.returncode == 1
        error = json.loads(done.stderr)["error"]
        assert error["kind"] == "state"
        assert error["message"].startswith("The model was trained on the graph sha256:")
        assert "Train again: clew train" in error["hint"]


def test_the_state_of_a_stopped_training_goes(shop: Workspace) -> None:
    kept = shop.cache / "text" / "words.json"
    stopped = shop.cache / "text" / "known" / "gnn-0123.safetensors"
    half = shop.models / "abc.99.tmp" / "gnn" / "source.safetensors"
    for file in (kept, stopped, half):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("fitted to histories")
    assert owed.forget_unfinished(shop) == 2
    assert [file.exists() for file in (kept, stopped, half)] == [True, False, False]


def test_refit_leaves_one_model(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    before = owed.trained(shop)
    assert before == [(before[0][0], shop.snapshot().digest, True)]
    again = bundle.bundles(shop.models)[0]
    copied = shop.models / "0000000000000000"
    shutil.copytree(shop.models / again.name, copied)
    calls = []
    monkeypatch.setattr("recommend.train.train", lambda workspace, config, progress: calls.append(config.seed) or again)
    from kg.progress import SILENT

    assert owed.refit(shop, SILENT) == again.name
    assert len(calls) == 1
    assert [name for name, _, _ in owed.trained(shop)] == [again.name]
