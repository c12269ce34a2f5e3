"""A small ingest touches a slice of the graph, and ends exactly where one that merges the whole ends."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg.config import CatalogueSource, EventsSource, TriplesSource
from kg.delta import Delta, delta
from kg.ingest import IngestOptions, IngestReport, ingest
from kg.ontology import Rel
from kg.testing import ColumnFacts
from kg.truth import Truth
from kg.workspace import Workspace

ITEMS = [f"p{n}" for n in range(9)]
CATEGORIES = ["", "Toys", "Toys > Bricks", "toys > bricks", "Toys > Trains", "Books > Old > Rare", "Bricks"]
RELATIONS = ["MADE_BY", "ALSO_BOUGHT", "HAS_BRAND"]

product = st.tuples(
    st.sampled_from(ITEMS),
    st.sampled_from(["Tractor", "tractor", "Ship"]),
    st.sampled_from(["", "LEGO", "Lego", "Brio"]),
    st.sampled_from(CATEGORIES),
    st.sampled_from(["", "5", "20", "21.5"]),
    st.sampled_from(["USD", "EUR"]),
)
rows_of_products = st.lists(product, min_size=1, max_size=4, unique_by=lambda row: row[0])
event = st.tuples(st.sampled_from(["u1", "u2", "u3"]), st.sampled_from(ITEMS), st.sampled_from(["2022-01-01", "2022-01-02"]))
triple = st.tuples(st.sampled_from(ITEMS), st.sampled_from(RELATIONS), st.sampled_from(["p1", "p8", "p99", "lego", "Ole"]))


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


ALWAYS = patch.multiple("kg.delta", _MAX_SHARE=1e9, _MAX_UNREAD=1e9)
NEVER = patch("kg.delta._MAX_SHARE", -1)
LOOKED_AT = patch("kg.delta._MAX_UNREAD", -1.0)  # what is new is looked for first


def test_small_ingests_end_where_whole_ones_end() -> None:
    taken: list[bool] = []

    def noted(*arguments: Any) -> Delta | None:
        found = delta(*arguments)
        taken.append(found is not None)
        return found

    with patch("kg.ingest.delta", noted):
        _small_ingests_end_where_whole_ones_end()
    assert sum(taken) > len(taken) / 3  # the rest are the first of each graph, those that prune, and those that reach further


# The same examples every time: how many of them take the small path is counted.
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(steps())
def _small_ingests_end_where_whole_ones_end(asked: list[dict[str, object]]) -> None:
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for step in asked:
            with NEVER:
                whole = take(folder, "whole", step)
            with ALWAYS:
                planned = take(folder, "small", step, dry_run=True)
                small = take(folder, "small", step)
            with ALWAYS, LOOKED_AT:
                looked_at = take(folder, "looked at", step)
            for found in (planned, small, looked_at):
                assert found.digest == whole.digest
                assert found.changes == whole.changes
                assert (found.nodes, found.edges) == (whole.nodes, whole.edges)
                assert found.rejected == whole.rejected
            for name in ("small", "looked at"):
                Truth(folder / name / "graph").check_files()


def said(folder: Path) -> dict[str, pa.Table]:
    """What a graph says, apart from which run said it first and from price bands, whose borders depend on what came first."""
    tables = Truth(folder / "graph").tables()
    evidence = {name: table.drop_columns("run") for name, table in tables.evidence.items() if name != Rel.IN_PRICE_BAND}
    return {"products": tables.products, "events": tables.events, **evidence}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(product, min_size=1, max_size=4, unique_by=lambda row: row[0]), min_size=2, max_size=4), st.lists(event, max_size=8)
)
def test_a_sequence_of_small_ingests_says_what_its_end_state_says(states: list[list[tuple[str, ...]]], log: list[tuple[str, ...]]) -> None:
    everything = {item: (item, "First", "LEGO", "Toys", "5", "USD") for item in ITEMS}
    half = len(log) // 2
    with TemporaryDirectory() as name:
        folder = Path(name)
        first: dict[str, object] = {"products": list(everything.values()), "events": log[:half], "triples": None, "prune": False}
        with ALWAYS:
            take(folder, "steps", first)
            for rows in states:
                everything.update({row[0]: row for row in rows})
                take(folder, "steps", {"products": rows, "events": log, "triples": None, "prune": False})
        take(folder, "fresh", {"products": list(everything.values()), "events": log, "triples": None, "prune": False})
        steps, fresh = said(folder / "steps"), said(folder / "fresh")
        assert set(steps) == set(fresh)
        assert all(steps[name].equals(fresh[name]) for name in fresh)


BASE: dict[str, object] = {
    "products": [(f"p{n}", f"Thing {n}", f"Brand {n % 5}", f"Toys > {n % 3}", str(5 + n), "USD") for n in range(60)],
    "events": [(f"u{n % 7}", f"p{n % 60}", "2022-01-01") for n in range(200)],
    "triples": [(f"p{n}", "ALSO_BOUGHT", f"p{n + 1}") for n in range(59)],
    "prune": False,
}
LATER: dict[str, object] = {
    "products": [("p3", "Thing 3 anew", "Brand 1", "Toys > 0", "7", "USD")],
    "events": [("u1", "p3", "2022-02-01"), ("u99", "p4", "2022-02-01")],
    "triples": None,
    "prune": False,
}


def test_a_change_is_written_beside_what_is_there(tmp_path: Path) -> None:
    take(tmp_path, "shop", BASE)
    graph = tmp_path / "shop" / "graph"
    before = {path: path.stat().st_mtime_ns for path in graph.rglob("*.parquet")}
    done = take(tmp_path, "shop", LATER)
    after = {path: path.stat().st_mtime_ns for path in graph.rglob("*.parquet")}
    assert before.items() <= after.items()
    assert (done.parts_written, len(after) - len(before)) == (len(after) - len(before),) * 2
    assert {path.name.split("-")[0] for path in after.keys() - before.keys()} == {"added", "removed"}
    # New: a person, what they bought, another brand; changed: the product, its band's evidence, what u1 bought again.
    assert (done.changes.new, done.changes.changed, done.changes.removed) == (3, 3, 1)


def test_layers_are_worked_in_when_they_have_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kg.truth_parts._MAX_LAYERS", 4)
    take(tmp_path, "shop", BASE)
    for price in range(8, 14):
        take(tmp_path, "shop", {**LATER, "products": [("p3", "Thing 3", "Brand 1", "Toys > 0", str(price), "USD")]})
        truth = Truth(tmp_path / "shop" / "graph")
        truth.check_files()
        assert all(len(t.get("added", ())) + len(t.get("removed", ())) <= 4 for t in truth.manifest["tables"].values())


def test_rows_that_come_and_go_are_counted(tmp_path: Path) -> None:
    """The same layer file is named twice when a row goes back to what it was."""
    take(tmp_path, "shop", BASE)
    for price in ("8", "9", "8", "9", "8"):
        rows = [("p3", "Thing 3", "Brand 1", "Toys > 0", price, "USD")]
        take(tmp_path, "shop", {"products": rows, "events": None, "triples": None, "prune": False})
        truth = Truth(tmp_path / "shop" / "graph")
        truth.check_files()
        assert truth.tables().products.filter(pc.equal(truth.tables().products.column("key"), "p3")).column("price_low").to_pylist() == [
            float(price)
        ]


def test_forgetting_a_person_leaves_no_layer(tmp_path: Path) -> None:
    from kg.erase import erase

    take(tmp_path, "shop", BASE)
    take(tmp_path, "shop", LATER)
    workspace = Workspace(tmp_path / "shop")
    erase(workspace, "u99")
    truth = Truth(workspace.graph)
    truth.check_files()
    assert not any("added" in table for table in truth.manifest["tables"].values())
    assert b"u99" not in b"".join(path.read_bytes() for path in workspace.graph.rglob("*.parquet"))


def test_a_graph_of_the_first_format_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    """Its manifest has digests of parts where there are sums now, and neither counts nor a check of its own."""
    import json

    from kg.digest import digest_json

    take(tmp_path, "shop", BASE)
    path = tmp_path / "shop" / "graph" / "manifest.json"
    manifest = json.loads(path.read_text())
    for name in ("check", "counts"):
        del manifest[name]
    for table in manifest["tables"].values():
        del table["sum"]
    parts = {name: [part["digest"] for part in table["parts"]] for name, table in manifest["tables"].items()}
    path.write_text(json.dumps({**manifest, "version": 1, "digest": digest_json({"timed": True, "tables": parts})}))
    old = Truth(tmp_path / "shop" / "graph")
    assert old.tables().products.num_rows == 60 and old.graph_counts is None
    take(tmp_path, "shop", LATER)
    assert Truth(tmp_path / "shop" / "graph").manifest["version"] == 2
