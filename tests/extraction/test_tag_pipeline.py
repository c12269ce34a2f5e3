"""The tagger behind the rules: kept, loaded, without spaCy and as a spaCy pipeline, it reads the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from extraction.base import keeps, kept_extractor
from extraction.evaluate import GoldRow
from extraction.rules import build_rules
from extraction.tag_pipeline import TaggerExtractor, tagger_of
from extraction.tag_training import Lesson, train_tagger
from extraction.testing import PRODUCTS
from kg.model import Product

SHOP = [
    Product(f"{brand}{i}", f"{brand} Steel Mug {i}, Red", {"description": "Made of steel."})
    for i in range(12)
    for brand in ("Zibb", "Acme & Co")
]
PRODUCTS_READ = [*SHOP, *PRODUCTS]


@pytest.fixture(scope="module")
def tagger() -> TaggerExtractor:
    rows = [
        GoldRow(product, {"brand": frozenset({product.title.partition(" Steel")[0]}), "material": frozenset({"Steel"})}) for product in SHOP
    ]
    return tagger_of(build_rules(SHOP).finder, train_tagger(rows, Lesson(about="made up"))[0])


def test_what_is_kept_reads_the_same(tagger: TaggerExtractor, tmp_path: Path) -> None:
    assert keeps(tagger)
    tagger.save(tmp_path / "kept")
    again = kept_extractor("tagger", tmp_path / "kept")
    assert again.digest == tagger.digest
    assert list(again.extract(PRODUCTS_READ)) == list(tagger.extract(PRODUCTS_READ))
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from extraction.base import kept_extractor\n"
        f"kept_extractor('tagger', Path({str(tmp_path / 'kept')!r}))\n"
        "assert not {'spacy', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_pipeline_reads_the_same_on_one_core_and_on_two(tagger: TaggerExtractor, tmp_path: Path) -> None:
    from extraction.pipeline import PipelineExtractor

    read = list(tagger.extract(PRODUCTS_READ))
    pipeline = PipelineExtractor(tagger.nlp)
    assert list(pipeline.extract(PRODUCTS_READ)) == read
    assert [doc._.mentions for doc in pipeline.docs(PRODUCTS_READ, processes=2)] == read
    pipeline.save(tmp_path / "nlp")
    assert list(PipelineExtractor.load(tmp_path / "nlp").extract(PRODUCTS_READ)) == read


def test_a_description_is_heard_beside_the_tagger(tagger: TaggerExtractor) -> None:
    [mentions] = tagger.extract([SHOP[0]])
    found = [(m.field, m.extractor, m.raw) for m in mentions if m.attribute == "material"]
    assert found == [("description", "rules", "steel"), ("title", "tagger", "Steel")]
