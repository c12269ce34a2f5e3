"""What changed between two states of a graph."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.cli.graph_diff import diff_command
from kg.diff import compare_tables, diff
from kg.errors import InputError
from kg.exchange import export_graph
from kg.tables import EVENT_SCHEMA, GraphTables, events_table
from kg.testing import example_tables
from kg.truth import Truth
from kg.workspace import Workspace


def changed_tables() -> GraphTables:
    """The example with a product dearer, one gone with its facts, an event more and one repeat less."""
    old = example_tables()
    keep = pc.not_equal(old.products.column("key"), "p5")
    dearer = pc.if_else(pc.equal(old.products.column("key"), "p1"), 25.0, old.products.column("price_high"))
    products = old.products.set_column(old.products.schema.get_field_index("price_high"), "price_high", dearer).filter(keep)
    evidence = {name: table.filter(pc.not_equal(table.column("source_key"), "p5")) for name, table in old.evidence.items()}
    rows = old.events.to_pylist()
    rows.append({"user": "u9", "item": "p1", "time": rows[0]["time"], "value": 1.0, "kind": "purchase"})
    events = events_table(pa.Table.from_pylist(rows, EVENT_SCHEMA))
    return replace(old, products=products, evidence=evidence, events=events)


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A workspace, and an exported folder of its later state."""
    folder = tmp_path_factory.mktemp("states")
    Truth(Workspace(folder / "one").open(create=True).graph).write(example_tables())
    later = Workspace(folder / "later").open(create=True)
    Truth(later.graph).write(changed_tables())
    export_graph(later, ["parquet"], folder / "two")
    return folder / "one", folder / "two"


def test_every_kind_of_change_is_counted_and_named(states: tuple[Path, Path]) -> None:
    done = CliRunner().invoke(diff_command, [*map(str, states), "--json"], catch_exceptions=False)
    found = json.loads(done.stdout)
    tables = {table.pop("table"): table for table in found["tables"]}
    product = tables["nodes/Product"]
    assert {n: product[n] for n in ("new", "changed", "unchanged", "removed")} == {"new": 0, "changed": 1, "unchanged": 5, "removed": 1}
    assert product["first"][0] == {"kind": "changed", "key": ["p1"], "values": {"price_high": [20.0, 25.0]}}
    assert (product["first"][1]["kind"], product["first"][1]["key"]) == ("removed", ["p5"])
    assert tables["nodes/User"]["first"] == [{"kind": "new", "key": ["u9"], "values": {}}]
    assert tables["facts/MADE_OF"]["first"][0]["key"] == ["p5", "material:linen"]
    assert tables["events"]["first"] == [
        {"kind": "new", "key": ["u9", "p1"], "values": {"kind": "purchase", "time": "2022-01-01T00:00:00", "value": 1.0}}
    ]
    assert found["before"] == Truth(states[0] / "graph").digest
    assert found["changes"]["new"] == sum(table["new"] for table in tables.values())


def test_people_read_it(states: tuple[Path, Path]) -> None:
    told = CliRunner().invoke(diff_command, [*map(str, states)], catch_exceptions=False).stdout
    assert "  ~ p1  (price_high 20.00 → 25.00)" in told
    assert "  - p5 → material:linen" in told
    assert "  + u9" in told
    assert "facts/IN_CATEGORY" not in told
    short = CliRunner().invoke(diff_command, [*map(str, states), "--limit", "0"], catch_exceptions=False).stdout
    assert "nodes/Product" in short
    assert "p1" not in short


def test_the_same_graph_has_no_difference_whoever_wrote_it(tmp_path: Path) -> None:
    tables = example_tables()
    other = {
        name: table.set_column(table.schema.get_field_index("run"), "run", pa.array(["sha256:later"] * table.num_rows, pa.string()))
        for name, table in tables.evidence.items()
    }
    for name, state in (("a", tables), ("b", replace(tables, evidence=other))):
        Truth(Workspace(tmp_path / name).open(create=True).graph).write(state)
    assert diff(tmp_path / "a", tmp_path / "b").before != diff(tmp_path / "a", tmp_path / "b").after
    told = CliRunner().invoke(diff_command, [str(tmp_path / "a"), str(tmp_path / "b")], catch_exceptions=False).stdout
    assert told.startswith("No difference in ")


def test_a_folder_without_a_graph_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no graph"):
        diff(tmp_path, tmp_path)


_EVENTS = st.lists(st.tuples(st.sampled_from("uvw"), st.sampled_from(["p1", "p2"]), st.sampled_from([None, 0, 5])), max_size=8)


@settings(deadline=None, max_examples=60)
@given(_EVENTS, _EVENTS)
def test_events_are_compared_as_bags(one: list[tuple[str, str, int | None]], two: list[tuple[str, str, int | None]]) -> None:
    def state(rows: list[tuple[str, str, int | None]]) -> GraphTables:
        listed = [{"user": u, "item": i, "time": t, "value": 1.0, "kind": "purchase"} for u, i, t in rows]
        return GraphTables(example_tables().products, {}, events_table(pa.Table.from_pylist(listed, EVENT_SCHEMA)))

    from collections import Counter

    a, b = Counter(one), Counter(two)
    found = next(table for table in compare_tables(state(one), state(two), 100) if table.name == "events").changes
    assert (found.new, found.removed, found.unchanged) == ((b - a).total(), (a - b).total(), (a & b).total())
