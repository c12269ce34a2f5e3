"""What may be one is proposed with a score, follows the brands that are there, and is in no snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kg.config import CatalogueSource
from kg.ingest import ingest
from kg.model import Fact, Product
from kg.ontology import Rel
from kg.proposals import EXTRACTOR, Likeness, Named, named_brands
from kg.testing import ColumnFacts
from kg.truth import Truth
from kg.workspace import Workspace


class Proposing(ColumnFacts):
    """Column facts; proposes that every brand is the most used one."""

    def __init__(self, digest: str = "sha256:1", apart: str = "") -> None:
        self.apart = apart
        self.digest = digest  # type: ignore[misc]

    def facts(self, products: Sequence[Product]) -> Iterator[list[Fact]]:
        return super().facts(products)

    def alike(self, named: Sequence[Named]) -> list[Likeness]:
        first = max(named, key=lambda brand: brand.count)
        return [Likeness(brand, first, 0.9) for brand in named if brand not in (first,) and brand.key != self.apart]


def take(folder: Path, rows: str, source: ColumnFacts | None) -> Truth:
    file = folder / "shop.csv"
    file.write_text("item,title,brand\n" + rows)
    ingest(Workspace(folder / "shop"), catalogue=CatalogueSource(files=(str(file),)), fact_source=source)
    return Truth(Workspace(folder / "shop").graph)


def pairs(truth: Truth) -> list[tuple[str, str, float, str]]:
    edges = truth.tables().edges
    rows = edges[Rel.SAME_AS].to_pylist() if Rel.SAME_AS in edges else []
    return [(r["source_key"], r["target_key"], r["confidence"], r["extractor"]) for r in rows]


ROWS = "a,Mug,Anker\nb,Cup,Anker\nc,Pot,Ankr\nd,Pan,Zibb\n"
MORE = "".join(f"x{i},Thing {i},Anker\n" for i in range(60))


def test_proposals_follow_the_brands_and_what_a_person_says(tmp_path: Path) -> None:
    first = take(tmp_path, ROWS + MORE, Proposing())
    assert pairs(first) == [("brand:ankr", "brand:anker", 0.9, EXTRACTOR), ("brand:zibb", "brand:anker", 0.9, EXTRACTOR)]
    assert [(b.key, b.count) for b in named_brands(first.tables().evidence)] == [("brand:anker", 62), ("brand:ankr", 1), ("brand:zibb", 1)]
    apart = take(tmp_path, ROWS + MORE, Proposing("sha256:2", apart="brand:zibb"))
    assert pairs(apart) == [("brand:ankr", "brand:anker", 0.9, EXTRACTOR)]
    small = take(tmp_path, "c,Pot,Anker\n", Proposing("sha256:2", apart="brand:zibb"))
    assert pairs(small) == []


def test_a_small_ingest_proposes_for_the_whole(tmp_path: Path) -> None:
    take(tmp_path, ROWS + MORE, Proposing())
    small = take(tmp_path, "e,Box,Anka\n", Proposing())
    assert [pair[0] for pair in pairs(small)] == ["brand:anka", "brand:ankr", "brand:zibb"]


def test_a_proposal_is_no_path(tmp_path: Path) -> None:
    take(tmp_path, ROWS, Proposing())
    snapshot = Workspace(tmp_path / "shop").snapshot()
    assert Rel.HAS_BRAND in snapshot.edges and Rel.SAME_AS not in snapshot.edges


def test_without_a_source_that_proposes_what_was_proposed_stays_while_its_brands_do(tmp_path: Path) -> None:
    take(tmp_path, ROWS + MORE, Proposing())
    assert len(pairs(take(tmp_path, ROWS + MORE, ColumnFacts()))) == 2
    assert [pair[0] for pair in pairs(take(tmp_path, "d,Pan,Ankr\n", ColumnFacts()))] == ["brand:ankr"]
