"""An ingest that the graph holds whole is known again, and only that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from kg.config import CatalogueSource, EventsSource
from kg.erase import erase
from kg.ingest import IngestOptions, IngestReport, ingest
from kg.model import Fact, Product
from kg.testing import ColumnFacts
from kg.workspace import Workspace

CATALOGUE = "item,title,brand\np1,Tractor,LEGO\np2,Ship,LEGO\n"
EVENTS = "user,item,time\nu1,p1,2022-01-01\nu2,p2,2022-01-02\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "products.csv").write_text(CATALOGUE)
    (tmp_path / "events.csv").write_text(EVENTS)
    return tmp_path


class Reading(ColumnFacts):
    """Column facts of some version."""

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def facts(self, products: Sequence[Product]) -> Iterator[list[Fact]]:
        return super().facts(products)


def take(folder: Path, *kinds: str, digest: str = "sha256:one", **options: object) -> IngestReport:
    return ingest(
        Workspace(folder / "shop"),
        catalogue=CatalogueSource(files=(str(folder / "products.csv"),)) if not kinds or "products" in kinds else None,
        events=EventsSource(files=(str(folder / "events.csv"),)) if not kinds or "events" in kinds else None,
        fact_source=Reading(digest),
        options=IngestOptions(**options),  # type: ignore[arg-type]
    )


def was_read(report: IngestReport) -> bool:
    return bool(report.stages)


def test_the_same_files_are_not_read_again(folder: Path) -> None:
    first = take(folder)
    again = take(folder)
    assert was_read(first) and not was_read(again)
    assert (again.digest, again.nodes, again.edges, again.changes.unchanged) == (
        first.digest, first.nodes, first.edges, first.changes.new,
    )  # fmt: skip
    assert not was_read(take(folder, dry_run=True))


def test_anything_else_is_read(folder: Path) -> None:
    take(folder)
    assert was_read(take(folder, digest="sha256:another extractor"))
    assert was_read(take(folder, digest="sha256:another extractor", prune=True))
    (folder / "events.csv").write_text(EVENTS + "u3,p1,2022-01-03\n")
    assert take(folder, digest="sha256:another extractor").changes.new == 2


def test_input_of_another_kind_leaves_it_known(folder: Path) -> None:
    take(folder, "products")
    take(folder, "events")
    assert not was_read(take(folder, "products")) and not was_read(take(folder, "events"))
    (folder / "products.csv").write_text(CATALOGUE + "p3,Train,Brio\n")
    take(folder, "products")
    assert not was_read(take(folder, "events"))


def test_rows_that_were_set_aside_are_told_again(folder: Path) -> None:
    (folder / "events.csv").write_text(EVENTS + "u3,p3,2022-01-03\n")
    first = take(folder)
    again = take(folder)
    assert first.rejected == again.rejected == 1 and first.reasons == again.reasons and not was_read(again)
    (folder / "shop" / "rejects.jsonl").unlink()
    assert was_read(take(folder)) and (folder / "shop" / "rejects.jsonl").exists()
    (folder / "products.csv").write_text(CATALOGUE + "p3,Train,Brio\n")
    assert take(folder, "products").changes.new > 0
    assert take(folder, "events").changes.new == 2, "the product is there now"


def test_a_graph_that_somebody_changed_is_compared(folder: Path) -> None:
    take(folder)
    erase(Workspace(folder / "shop"), "u1")
    assert take(folder).changes.new == 2, "reading the file again brings the person back"


@pytest.mark.parametrize("damage", ["", "{", '{"graph": 1}', '{"graph": "x", "done": 7}'])
def test_a_damaged_memory_is_no_memory(folder: Path, damage: str) -> None:
    take(folder)
    (folder / "shop" / "cache" / "ingested.json").write_text(damage)
    assert was_read(take(folder)) and not was_read(take(folder))
