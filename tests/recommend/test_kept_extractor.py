"""The rules extractor as an ingest keeps it: what comes back from disk reads the same facts."""

from __future__ import annotations

from pathlib import Path

from kg.learned import KeepingFactory
from kg.tables import products_of
from kg.testing import ColumnFacts
from kg.truth import Truth
from kg.workspace import Workspace
from recommend.extractor import fact_source


def test_what_comes_back_reads_the_same(small_shop: Path, tmp_path: Path) -> None:
    products = products_of(Truth(small_shop / "graph").tables().products)[:300]
    factory = fact_source(Workspace(tmp_path), "rules")
    assert isinstance(factory, KeepingFactory)
    made = factory(products)
    assert factory.keep(made, tmp_path / "kept")
    back = factory.recall(tmp_path / "kept")
    assert back.digest == made.digest
    assert list(back.facts_and_quantities(products)) == list(made.facts_and_quantities(products))


def test_what_cannot_be_kept_says_so(tmp_path: Path) -> None:
    assert not fact_source(Workspace(tmp_path), "rules").keep(ColumnFacts(), tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
