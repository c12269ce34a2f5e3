"""NetworkX and GraphML: a snapshot goes out and comes back the same."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg.errors import InputError
from kg.interop import from_networkx, read_graphml, to_networkx, write_graphml
from kg.model import Entity, Evidence, Fact, Price, Product
from kg.ontology import Label, Rel, relation
from kg.snapshot import GraphSnapshot
from kg.testing import snapshot_of, stated

TREE = Fact(
    "material:cotton",
    relation(Rel.KIND_OF),
    Entity(Label.MATERIAL, "plant fibre"),
    (Evidence("tree", 0, 6, "cotton", "columns", 0.5, "run-1"),),
)


def shop() -> GraphSnapshot:
    products = [
        Product("1", "A shirt", price=Price(9.99, 12.5, "EUR"), available=False),
        Product("2", "A hat \r\n with lines", price=Price(0.1 + 0.2, None)),
        Product("3", "Bare"),
    ]
    facts = [
        stated("1", "MADE_OF", "cotton", 0.3),
        stated("2", "MADE_OF", "cotton"),
        stated("1", "DIRECTED_BY", "Ada \\ \x00 Lovelace"),
        stated("1", "ALSO_BOUGHT", "2"),
        TREE,
    ]
    events = [("1", "1", 5, 2.5, "rating"), ("1", "1", 5, 1.0, "purchase"), ("1", "1", 5, 1.0, "purchase"), ("u\u202e", "2")]
    return snapshot_of(products, [*facts, stated("3", "MADE_OF", "plant fibre")], events)


def same(one: GraphSnapshot, other: GraphSnapshot) -> None:
    assert (one.digest, list(one.users), list(one.items), list(one.entities)) == (
        other.digest,
        list(other.users),
        list(other.items),
        list(other.entities),
    )
    assert one.products.to_pylist() == other.products.to_pylist()
    assert one.entity_table.to_pylist() == other.entity_table.to_pylist()
    assert list(one.edges) == list(other.edges)
    for name, edges in one.edges.items():
        for column in ("source_rows", "target_rows", "confidence"):
            assert np.array_equal(getattr(edges, column), getattr(other.edges[name], column))
            assert getattr(edges, column).dtype == getattr(other.edges[name], column).dtype
        assert edges.evidence.to_pylist() == other.edges[name].evidence.to_pylist()
    for column in ("user_rows", "item_rows", "times", "values", "kinds"):
        assert np.array_equal(getattr(one.events, column), getattr(other.events, column))
    assert (one.events.kind_names, one.events.timed) == (other.events.kind_names, other.events.timed)


def test_networkx_holds_nodes_and_edges_by_name() -> None:
    graph = to_networkx(shop())
    assert graph.nodes[("Product", "1")]["price_high"] == 12.5
    assert "price_high" not in graph.nodes[("Product", "2")]
    assert graph.edges[("Product", "1"), ("Material", "material:cotton"), "MADE_OF"]["text"] == "cotton"
    assert graph.number_of_edges(("User", "1"), ("Product", "1")) == 3
    assert nx.has_path(graph, ("User", "1"), ("Material", "material:plant-fibre"))


def test_there_and_back(tmp_path: Path) -> None:
    snapshot = shop()
    same(snapshot, from_networkx(to_networkx(snapshot)))
    write_graphml(snapshot, tmp_path / "shop.graphml")
    same(snapshot, read_graphml(tmp_path / "shop.graphml"))


def test_a_graph_of_nothing(tmp_path: Path) -> None:
    empty = snapshot_of({})
    same(empty, from_networkx(to_networkx(empty)))
    write_graphml(empty, tmp_path / "empty.graphml")
    same(empty, read_graphml(tmp_path / "empty.graphml"))


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=NAMES, key=NAMES, user=NAMES, name=NAMES, text=NAMES)
def test_any_unicode_comes_back(tmp_path: Path, title: str, key: str, user: str, name: str, text: str) -> None:
    fact = Fact(key, relation(Rel.HAS_BRAND), Entity(Label.BRAND, name), (Evidence("title", 0, len(text), text, "rules", 0.7),))
    snapshot = snapshot_of([Product(key, title)], [fact], [(user, key, 1)])
    same(snapshot, from_networkx(to_networkx(snapshot)))
    write_graphml(snapshot, tmp_path / "any.graphml")
    same(snapshot, read_graphml(tmp_path / "any.graphml"))


BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><graphml>&b;</graphml>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><graphml/>"""


@pytest.mark.parametrize("text", [BOMB, OUTSIDE])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_before_it_expands(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "bomb.graphml").write_bytes(text.encode(encoding))
    with pytest.raises(InputError, match="declares a document type"):
        read_graphml(tmp_path / "bomb.graphml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no XML"),
        ("{}", "is no XML"),
        ("<html/>", "is not GraphML that clew wrote"),
        (
            '<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="directed"><node id="a"/></graph></graphml>',
            "is not one",
        ),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "other.graphml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_graphml(tmp_path / "other.graphml")


def test_an_edge_towards_the_wrong_node_is_refused() -> None:
    graph = to_networkx(shop())
    graph.add_edge(("Product", "1"), ("User", "1"), type="MADE_OF", confidence=1.0)
    with pytest.raises(InputError, match="MADE_OF ends at the wrong kind of node"):
        from_networkx(graph)


def test_an_event_towards_the_wrong_node_is_refused() -> None:
    graph = to_networkx(shop())
    graph.add_edge(("User", "1"), ("Material", "material:cotton"), kind="purchase", value=1.0, position=9)
    with pytest.raises(InputError, match="event ends at the wrong kind of node"):
        from_networkx(graph)
