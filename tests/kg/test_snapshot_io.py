"""Snapshots from values, kept and opened again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.errors import InputError, StateError
from kg.model import Product
from kg.ontology import Rel
from kg.snapshot import GraphSnapshot
from kg.snapshot_io import build_snapshot, open_snapshot, save_snapshot, snapshot_of_tables
from kg.tables import EVENT_SCHEMA
from kg.testing import EventRow, example_tables, snapshot_of, stated

ITEMS = st.sampled_from(["p1", "p2", "p3", "é", "😀", "z\uffff"])
ENTITIES = st.sampled_from(["LEGO", "Brio", "Ünder", "木"])
FACTS = st.lists(
    st.tuples(ITEMS, st.sampled_from([Rel.HAS_BRAND, Rel.MADE_OF, "DIRECTED_BY"]), ENTITIES, st.sampled_from([0.25, 0.5, 1.0])),
    max_size=12,
    unique_by=lambda fact: fact[:3],
)
EVENTS = st.lists(st.tuples(st.sampled_from(["u1", "ü", "u\U0010ffff"]), ITEMS, st.integers(0, 9)), max_size=12)


def events_of(rows: list[EventRow]) -> pa.Table:
    columns = list(zip(*((*row, 1.0, "purchase") for row in rows), strict=True)) or [()] * 5
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, EVENT_SCHEMA, strict=True)], schema=EVENT_SCHEMA)


def same(first: GraphSnapshot, second: GraphSnapshot) -> None:
    for one, two in ((first.users, second.users), (first.items, second.items), (first.entities, second.entities)):
        assert one.keys.to_pylist() == two.keys.to_pylist()
    assert first.products.to_pylist() == second.products.to_pylist()
    assert first.entity_table.to_pylist() == second.entity_table.to_pylist()
    assert list(first.edges) == list(second.edges)
    for name, edges in first.edges.items():
        other = second.edges[name]
        assert edges.source_rows.tolist() == other.source_rows.tolist()
        assert edges.target_rows.tolist() == other.target_rows.tolist()
        assert edges.confidence.tolist() == other.confidence.tolist()
        assert edges.evidence.to_pylist() == other.evidence.to_pylist()
        assert (edges.source_rows.dtype, edges.confidence.dtype) == (np.int32, np.float32)
    assert first.events.kind_names == second.events.kind_names
    for name in ("user_rows", "item_rows", "times", "values", "kinds"):
        one, two = getattr(first.events, name), getattr(second.events, name)
        assert one.tolist() == two.tolist()
        assert one.dtype == two.dtype


@given(FACTS, EVENTS)
@settings(max_examples=60, deadline=None)
def test_vectors_and_loops_make_the_same_snapshot(facts: list[tuple[str, str, str, float]], events: list[EventRow]) -> None:
    products = [Product(key, f"Title of {key}") for key in ("p1", "p2", "p3", "é", "😀", "z\uffff")]
    listed = [stated(*fact) for fact in facts]
    same(build_snapshot(products, listed, events_of(events), timed=True), snapshot_of(products, listed, events))


def test_a_kept_snapshot_opens_as_it_was(tmp_path: Path) -> None:
    built = snapshot_of_tables(example_tables(), "sha256:example")
    save_snapshot(built, tmp_path / "kept")
    opened = open_snapshot(tmp_path / "kept", "sha256:example")
    assert opened is not None
    same(built, opened)
    assert opened.digest == "sha256:example"
    assert opened.events.timed
    save_snapshot(built, tmp_path / "kept")  # over an older one
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_an_empty_graph_can_be_kept(tmp_path: Path) -> None:
    built = build_snapshot([], [], events_of([]), "sha256:none")
    save_snapshot(built, tmp_path / "kept")
    opened = open_snapshot(tmp_path / "kept", "sha256:none")
    assert opened is not None
    assert (opened.n_items, opened.n_users, len(opened.events)) == (0, 0, 0)


def test_what_does_not_match_is_not_opened(tmp_path: Path) -> None:
    save_snapshot(snapshot_of_tables(example_tables(), "sha256:a"), tmp_path / "kept")
    assert open_snapshot(tmp_path / "kept", "sha256:b") is None
    assert open_snapshot(tmp_path / "nothing", "sha256:a") is None
    whole = (tmp_path / "kept" / "items.arrow").read_bytes()
    (tmp_path / "kept" / "items.arrow").write_bytes(whole[: len(whole) // 2])
    assert open_snapshot(tmp_path / "kept", "sha256:a") is None
    (tmp_path / "kept" / "snapshot.json").write_text("{")
    assert open_snapshot(tmp_path / "kept", "sha256:a") is None


def test_several_facts_of_a_pair_become_one_edge() -> None:
    found = build_snapshot(
        [Product("p", "P")], [stated("p", Rel.MADE_OF, "wood", 0.5), stated("p", Rel.MADE_OF, "Wood", 0.75)], events_of([])
    )
    assert found.edges[Rel.MADE_OF].confidence.tolist() == [0.75]


def test_links_stay_links_inside_the_catalogue() -> None:
    products = [Product("p", "P"), Product("q", "Q")]
    found = build_snapshot(products, [stated("p", Rel.ALSO_BOUGHT, "q"), stated("p", Rel.ALSO_BOUGHT, "zz")], events_of([]))
    assert list(found.links()) == [Rel.ALSO_BOUGHT]
    assert list(found.facts()) == ["ALSO_BOUGHT_MENTIONED"]
    assert found.entities.keys.to_pylist() == ["related_product:zz"]


def test_unknown_products_are_refused_or_dropped_as_asked() -> None:
    products, facts, events = [Product("p", "P")], [stated("nope", Rel.MADE_OF, "wood")], events_of([("u", "gone", 1)])
    with pytest.raises(InputError, match="1 of 1 MADE_OF facts name a product that is not in the catalogue, such as 'nope'"):
        build_snapshot(products, facts, events_of([]))
    with pytest.raises(InputError, match="1 of 1 events name a product that is not in the catalogue, such as 'gone'"):
        build_snapshot(products, [], events)
    dropped = build_snapshot(products, facts, events, unknown="drop")
    assert (len(dropped.edges), len(dropped.events)) == (0, 0)


def test_a_key_twice_is_refused() -> None:
    with pytest.raises(InputError, match="product key 'p' appears twice"):
        build_snapshot([Product("p", "P"), Product("q", "Q"), Product("p", "R")], [], events_of([]))


def test_a_key_of_two_labels_is_refused() -> None:
    from kg.model import Entity, Evidence, Fact
    from kg.ontology import Label, relation

    evidence = (Evidence("triples", 0, 1, "x", "triples", 1.0),)
    facts = [stated("p", Rel.HAS_BRAND, "x"), Fact("p", relation("LIKES"), Entity(Label.ENTITY, "x", "brand"), evidence)]
    with pytest.raises(StateError, match="'brand:x' names entities of two labels"):
        build_snapshot([Product("p", "P")], facts, events_of([]))


def test_the_digest_is_of_the_content() -> None:
    products = [Product("p", "P"), Product("q", "Q")]
    facts = [stated("p", Rel.MADE_OF, "wood"), stated("q", Rel.MADE_OF, "wood")]
    events = events_of([("u", "p", 1), ("u", "q", 2)])
    first = build_snapshot(products, facts, events).digest
    assert build_snapshot(products[::-1], facts[::-1], events.take([1, 0])).digest == first
    assert build_snapshot(products, facts[:1], events).digest != first
    assert build_snapshot(products, facts, events, timed=False).digest != first
