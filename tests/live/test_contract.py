"""Neo4j holds to the contract of engines, and answers every query of the library as the embedded engine does."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from neo4j import GraphDatabase

from cypher.query import library
from kg.explore import explore, run_named
from kg.merge import CATALOGUE, Incoming, merge
from kg.model import Entity, Evidence, Fact, Price, Product
from kg.ontology import Label, Rel, relation
from kg.proposals import Likeness, Named
from kg.store import EngineGraph, GraphStore, Rows, engine_graph
from kg.stores.embedded import EmbeddedStore
from kg.stores.launcher import USER, Server
from kg.stores.neo4j import Neo4jStore
from kg.sync import synchronise
from kg.tables import EVENT_SCHEMA, GraphTables, evidence_tables, products_table
from kg.testing import ColumnFacts, StoreContract, VectorContract, example_tables

pytestmark = pytest.mark.live

NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(str.strip), min_size=1, max_size=30)


def emptied(server: Server) -> Neo4jStore:
    with GraphDatabase.driver(server.uri, auth=(USER, server.password)) as driver:
        driver.execute_query("MATCH (n) DETACH DELETE n")
    return Neo4jStore(server.uri)


class TestNeo4j(VectorContract, StoreContract):
    server: Server

    @pytest.fixture(autouse=True)
    def with_server(self, neo4j: Server) -> None:
        TestNeo4j.server = neo4j

    def make(self) -> GraphStore:
        return emptied(self.server)

    @given(NAMES)
    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    def test_any_names_come_back_the_same(self, names: list[str]) -> None:
        self.check_names(names)


def faulty_tables() -> GraphTables:
    """The example, and products for every query to find: shared colours and sizes, and faults."""
    twins = {"brand": "Hay", "color": "red", "size": "M", "material": "linen", "category": "Socks"}
    rows = [
        Product("q1", "Red socks", twins, Price(9.0, 9.0, "USD")),
        Product("q2", "Red socks", {**twins, "material": "cotton|linen"}, Price(9.5, 9.5, "USD")),
        Product("q3", "Nobody's socks", {"category": "Socks"}, Price(900.0, 900.0, "USD")),
        *(
            Product(f"q{number}", f"Pair {number}", {"brand": "H-ay", "category": "Socks"}, Price(1.0, 2.0, "USD"))
            for number in range(4, 12)
        ),
    ]
    facts = [fact for listed in ColumnFacts().facts(rows) for fact in listed]
    facts.append(Fact("q1", relation(Rel.HAS_BRAND), Entity(Label.BRAND, "Red"), (Evidence("title", 0, 3, "Red", "tagger", 0.3),)))
    log = [{"user": "u1", "item": item, "time": 1_641_340_800, "value": 1.0, "kind": "purchase"} for item in ("p2", "q1", "p4")]
    events = pa.Table.from_pylist(log, EVENT_SCHEMA)
    old = example_tables()
    both = pa.concat_tables([old.events, events])
    tree = {name: table for name, table in old.evidence.items() if name == Rel.KIND_OF}
    incoming = Incoming(products_table(rows), evidence_tables(facts, CATALOGUE), tree, None, [both], proposing=Proposes())
    return merge(old, incoming, run="sha256:faulty")


class Proposes:
    """Says that the two most and least used brands may be one."""

    def alike(self, named: Sequence[Named]) -> list[Likeness]:
        ordered = sorted(named, key=lambda brand: (brand.count, brand.key))
        return [Likeness(ordered[0], ordered[-1], 0.98)]


@pytest.fixture(scope="module")
def both(neo4j: Server) -> Iterator[tuple[GraphStore, GraphStore]]:
    """The example graph in the embedded engine and in Neo4j."""
    graph: EngineGraph = engine_graph(faulty_tables(), "sha256:faulty")
    server, embedded = emptied(neo4j), EmbeddedStore()
    for store in (server, embedded):
        synchronise(store, graph)
    yield embedded, server
    server.close()
    embedded.close()


EXPECTED = json.loads((Path(__file__).parents[1] / "cypher" / "library_rows.json").read_text(encoding="utf-8"))
VALUES: dict[str, list[Any]] = {
    "item": ["p1", "p2", "p3", "p4", "q2", "no such product"],
    "user": ["u1", "u2"],
    "brand": ["brand:lego", "brand:hay"],
    "material": ["material:plastic", "material:cotton", "material:natural-fibre"],
    "category": ["category:toys", "category:socks"],
    "entity": ["brand:lego", "material:cotton"],
    "against": ["p3", "p1"],
    "price_band": ["price_band:all:usd:0", "price_band:all:usd:2"],
    "text": ["lego", "'"],
    "key": ["brand:lego", "material:wood", "color:red"],
    "people": [1],
    "below": [0.9],
}


@pytest.mark.parametrize("name", [name for name, query in library().items() if not query.needs])
def test_a_query_of_the_library_answers_the_same(both: tuple[GraphStore, GraphStore], name: str) -> None:
    query, answered = library()[name], 0
    asked = [parameter.name for parameter in query.parameters if parameter.name in VALUES]
    cases = [dict(zip(asked, each, strict=True)) for each in itertools.product(*(VALUES[parameter] for parameter in asked))]
    for values in [*cases, EXPECTED[name]["parameters"]]:
        embedded, server = (run_named(store, name, values) for store in both)
        assert server.columns == embedded.columns == query.columns, values
        assert in_order(server) == in_order(embedded), values
        answered += len(server.rows)
    assert answered, f"{name} finds nothing in this graph: give it other values"


def in_order(found: Rows) -> list[str]:
    return sorted(
        json.dumps([round(cell, 9) if isinstance(cell, float) else cell for cell in row], sort_keys=True) for row in found.to_dict()["rows"]
    )


@pytest.mark.parametrize(
    "query",
    [
        "MATCH (p:Product)-[r:HAS_BRAND]->(b:Brand) RETURN p, r, b ORDER BY p.key",
        "MATCH path = (:User {key: 'u1'})-[:BOUGHT]->(:Product)-[:MADE_OF]->(:Material) RETURN path ORDER BY length(path)",
        "MATCH (p:Product {key: $item})--(x) RETURN count(x) AS n",
        "UNWIND $list AS x RETURN x, {a: x} AS inside",
    ],
)
def test_a_question_of_ones_own_answers_the_same(both: tuple[GraphStore, GraphStore], query: str) -> None:
    given = {name: value for name, value in {"item": "p1", "list": [1, "two", None, [3.5]]}.items() if f"${name}" in query}
    embedded, server = (explore(store, query, given) for store in both)
    assert server.columns == embedded.columns
    assert in_order(server) == in_order(embedded)
