"""Tables: what is derived from evidence, and digests of content."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.align import Changes, align, changes, equal_rows, group_ids
from kg.errors import InputError
from kg.model import Entity, Evidence, Fact, Price, Product
from kg.ontology import Label, Rel, relation
from kg.tables import (
    EVIDENCE_SCHEMA,
    GraphTables,
    content_digest,
    distinct_evidence,
    edges_table,
    entity_tables,
    events_table,
    evidence_tables,
    products_of,
    products_table,
    ranks,
    tree_tables,
    with_related,
)
from kg.testing import example_tables, stated

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def brand(item: str, name: str, confidence: float, field: str = "title", extractor: str = "rules") -> Fact:
    return Fact(item, relation(Rel.HAS_BRAND), Entity(Label.BRAND, name), (Evidence(field, 0, len(name), name, extractor, confidence),))


def test_products_come_back_as_they_were() -> None:
    rows = [
        Product("b", "Title\n'two'", {"brand": "X", "about": "é😀"}, Price(1.0, 2.0, "EUR", 3.0, "100 g", 2), False, "a.csv"),
        Product("a", "One"),
    ]
    assert products_of(products_table(rows)) == [rows[1], rows[0]]


def test_the_line_of_a_source_is_not_kept() -> None:
    assert products_table([Product("a", "One", source="shop.csv:17")]).column("source").to_pylist() == ["shop.csv"]


def test_an_edge_carries_its_strongest_evidence() -> None:
    facts = [brand("p", "X", 0.5), brand("p", "X", 0.9, field="brand"), brand("p", "X", 0.9, field="about"), brand("q", "X", 0.1)]
    edges = edges_table(evidence_tables(facts, "catalogue")[Rel.HAS_BRAND]).to_pylist()
    assert [(e["source_key"], e["confidence"], e["field"], e["evidence_count"]) for e in edges] == [
        ("p", 0.9, "about", 3),
        ("q", 0.1, "title", 1),
    ]


def test_the_same_evidence_twice_is_one_and_the_surer_stays() -> None:
    table = evidence_tables([brand("p", "X", 0.5), brand("p", "X", 0.8), brand("p", "X", 0.8)], "catalogue")[Rel.HAS_BRAND]
    assert distinct_evidence(table).column("confidence").to_pylist() == [0.8]


def test_an_entity_goes_by_the_name_that_most_evidence_uses() -> None:
    facts = [brand("p", "LEGO", 1.0), brand("q", "Lego", 1.0), brand("r", "LEGO", 1.0), brand("s", "zz", 1.0), brand("t", "ZZ", 1.0)]
    names = entity_tables(evidence_tables(facts, "catalogue"))[Label.BRAND].to_pylist()
    assert [(row["key"], row["name"]) for row in names] == [("brand:lego", "LEGO"), ("brand:zz", "ZZ")]


def test_a_child_known_by_its_key_alone_has_a_name() -> None:
    parent = Entity(Label.MATERIAL, "Fibre")
    fact = Fact("material:cotton", relation(Rel.KIND_OF), parent, (Evidence("triples", 0, 1, "x", "triples", 1.0),))
    names = entity_tables(evidence_tables([fact], "triples"))[Label.MATERIAL].to_pylist()
    assert [(row["key"], row["name"]) for row in names] == [("material:cotton", "cotton"), ("material:fibre", "Fibre")]


def test_a_tree_joins_what_its_relation_joins() -> None:
    with pytest.raises(InputError, match="KIND_OF does not join Brand to Material"):
        tree_tables([(Entity(Label.BRAND, "x"), relation(Rel.KIND_OF), Entity(Label.MATERIAL, "y"))], "tree", "vocabulary")


def test_a_link_out_of_the_catalogue_becomes_a_fact_about_what_is_only_mentioned() -> None:
    evidence = evidence_tables([stated("p", Rel.ALSO_BOUGHT, "q"), stated("p", Rel.ALSO_BOUGHT, "far away")], "triples")
    found = with_related(evidence, pa.array(["p", "q"]))
    assert found[Rel.ALSO_BOUGHT].column("target_key").to_pylist() == ["q"]
    mentioned = found["ALSO_BOUGHT_MENTIONED"].to_pylist()[0]
    assert (mentioned["target_key"], mentioned["target_name"], mentioned["target_kind"]) == (
        "related_product:far away", "far away", "related_product",
    )  # fmt: skip


def test_evidence_is_a_row() -> None:
    (row,) = evidence_tables([brand("p", "X", 0.25)], "catalogue", run="r")[Rel.HAS_BRAND].to_pylist()
    assert row == {
        "source_key": "p", "target_key": "brand:x", "source_name": None, "target_name": "X", "target_kind": "", "origin": "catalogue",
        "field": "title", "span_start": 0, "span_end": 1, "text": "X", "extractor": "rules", "confidence": 0.25, "run": "r",
    }  # fmt: skip


@given(st.lists(st.tuples(TEXT, st.none() | st.floats(allow_nan=False), st.none() | TEXT, st.booleans()), max_size=12), st.integers(0, 12))
def test_a_digest_is_of_content_only(rows: list[tuple[str, float | None, str | None, bool]], cut: int) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    arrays = [pa.array(c, t) for c, t in zip(columns, (pa.string(), pa.float64(), pa.string(), pa.bool_()), strict=True)]
    table = pa.table(dict(zip("abcd", arrays, strict=True)))
    chunked = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    padded = pa.concat_tables([table, table]).slice(table.num_rows)
    assert content_digest(table) == content_digest(chunked) == content_digest(padded)
    if rows:
        changed = table.set_column(0, "a", pa.array([rows[0][0] + "x", *columns[0][1:]]))
        assert content_digest(changed) != content_digest(table)
        assert content_digest(table.slice(1)) != content_digest(table)


def test_a_digest_sees_what_only_moved() -> None:
    def digest(first: list[str | None], second: list[str | None]) -> str:
        return content_digest(pa.table({"a": pa.array(first, pa.string()), "b": pa.array(second, pa.string())}))

    assert (
        len({digest(["ab", "c"], ["", ""]), digest(["a", "bc"], ["", ""]), digest(["ab", ""], ["c", ""]), digest(["ab", None], ["c", ""])})
        == 4
    )


@given(st.lists(st.none() | TEXT, max_size=30))
def test_ranks_follow_bytes(values: list[str | None]) -> None:
    found = ranks(pa.array(values, pa.string()))
    order = {value: place for place, value in enumerate(sorted({v for v in values if v is not None}, key=str.encode))}
    assert found.tolist() == [-1 if value is None else order[value] for value in values]


def test_rows_of_two_versions_meet() -> None:
    old = pa.table({"k": ["a", "b", "c"], "v": pa.array([1, None, 3])})
    new = pa.table({"k": ["c", "b", "d"], "v": pa.array([4, None, 5])})
    assert align(old, new, "k").tolist() == [2, 1, -1]
    assert equal_rows(old.take([2, 1]), new.slice(0, 2)).tolist() == [False, True]
    assert changes(old, new, "k") == Changes(new=1, changed=1, unchanged=1, removed=1)
    assert changes(None, new, "k") == Changes(new=3)
    assert changes(old, None, "k") == Changes(removed=3)
    assert len(np.unique(group_ids(pa.table({"a": ["x", "x", "y"], "b": [1, 1, 1]}), "a", "b"))) == 2


def test_events_become_edges() -> None:
    found = {name: table.to_pylist() for name, table in example_tables().event_edges.items()}
    assert found[Rel.BOUGHT][0] == {
        "source_key": "u1", "target_key": "p1", "count": 2, "first": "2022-01-01", "last": "2022-01-02", "value": None,
    }  # fmt: skip
    assert [row["value"] for row in found[Rel.RATED]] == [4.0]
    assert len(found[Rel.BOUGHT]) == 6


def test_an_order_is_no_date() -> None:
    rows = pa.table(
        {"user": ["u"], "item": ["i"], "time": pa.array([7], pa.int64()), "value": pa.array([1.0], pa.float32()), "kind": ["purchase"]}
    )
    tables = GraphTables(products_table([Product("i", "I")]), {}, events_table(rows), timed=False)
    assert tables.event_edges[Rel.BOUGHT].to_pylist()[0]["first"] is None


def test_a_kind_without_a_relation_is_refused() -> None:
    rows = pa.table(
        {"user": ["u"], "item": ["i"], "time": pa.array([7], pa.int64()), "value": pa.array([1.0], pa.float32()), "kind": ["wish"]}
    )
    with pytest.raises(InputError, match="'wish' have no relation"):
        GraphTables(products_table([Product("i", "I")]), {}, events_table(rows)).event_edges  # noqa: B018


def test_an_empty_graph_has_empty_tables() -> None:
    assert GraphTables.empty().entities == {}
    assert GraphTables.empty().users.num_rows == 0
    assert edges_table(EVIDENCE_SCHEMA.empty_table()).num_rows == 0
