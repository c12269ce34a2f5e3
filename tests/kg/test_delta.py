"""A small ingest touches a slice of the graph, and ends exactly where one that merges the whole ends."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg.config import CatalogueSource, EventsSource, TriplesSource
from kg.ingest import IngestOptions, IngestReport, ingest
from kg.testing import ColumnFacts
from kg.truth import Truth
from kg.workspace import Workspace

ITEMS = [f"p{n}" for n in range(9)]
CATEGORIES = ["", "Toys", "Toys > Bricks", "toys > bricks", "Toys > Trains", "Books > Old > Rare", "Bricks"]
RELATIONS = ["MADE_BY", "ALSO_BOUGHT", "PART_OF", "HAS_BRAND"]

product = st.tuples(
    st.sampled_from(ITEMS),
    st.sampled_from(["Tractor", "tractor", "Ship"]),
    st.sampled_from(["", "LEGO", "Lego", "Brio"]),
    st.sampled_from(CATEGORIES),
    st.sampled_from(["", "5", "20", "21.5"]),
    st.sampled_from(["USD", "EUR"]),
)
event = st.tuples(st.sampled_from(["u1", "u2", "u3"]), st.sampled_from(ITEMS), st.sampled_from(["2022-01-01", "2022-01-02"]))
triple = st.tuples(
    st.sampled_from(ITEMS), st.sampled_from(RELATIONS[:2] + RELATIONS[3:]), st.sampled_from(["p1", "p8", "p99", "lego", "Ole"])
)


@st.composite
def steps(draw: st.DrawFn) -> list[dict[str, object]]:
    """Some ingests: rows of each kind of file (None leaves the file out), and whether it prunes."""
    found: list[dict[str, object]] = []
    for number in range(draw(st.integers(2, 4))):
        rows = draw(st.lists(product, min_size=1, max_size=9 if number == 0 else 3, unique_by=lambda row: row[0]))
        found.append(
            {
                "products": rows if number == 0 or draw(st.booleans()) else None,
                "events": draw(st.one_of(st.none(), st.lists(event, max_size=6))),
                "triples": draw(st.one_of(st.none(), st.lists(triple, max_size=4))),
                "prune": number > 0 and draw(st.integers(0, 4)) == 0,
            }
        )
    return found


def write(path: Path, header: str, rows: list[tuple[str, ...]]) -> str:
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return str(path)


def take(folder: Path, name: str, step: dict[str, object], dry_run: bool = False) -> IngestReport:
    files = {kind: step[kind] for kind in ("products", "events", "triples") if step[kind]}
    headers = {"products": "item,title,brand,category,price,currency", "events": "user,item,time", "triples": "item,relation,entity"}
    paths = {kind: write(folder / f"{kind}.csv", headers[kind], rows) for kind, rows in files.items()}  # type: ignore[arg-type]
    return ingest(
        Workspace(folder / name),
        catalogue=CatalogueSource(files=(paths["products"],)) if "products" in paths else None,
        events=EventsSource(files=(paths["events"],)) if "events" in paths else None,
        triples=(TriplesSource(files=(paths["triples"],)),) if "triples" in paths else (),
        fact_source=ColumnFacts(),
        options=IngestOptions(prune=bool(step["prune"]), dry_run=dry_run),
    )


ALWAYS = patch("kg.delta._MAX_SHARE", 1e9)
NEVER = patch("kg.delta._MAX_SHARE", -1)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps())
def test_small_ingests_end_where_whole_ones_end(asked: list[dict[str, object]]) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        for step in asked:
            with NEVER:
                whole = take(folder, "whole", step)
            with ALWAYS:
                planned = take(folder, "small", step, dry_run=True)
                small = take(folder, "small", step)
            for found in (planned, small):
                assert found.digest == whole.digest
                assert found.changes == whole.changes
                assert (found.nodes, found.edges) == (whole.nodes, whole.edges)
                assert found.rejected == whole.rejected
            Truth(folder / "small" / "graph").check_files()
