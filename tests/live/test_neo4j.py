"""What Neo4j adds to the contract of stores: credentials, refusals, any text, queries that only read."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from neo4j import GraphDatabase

from kg.errors import EngineError, InputError, StateError
from kg.ontology import Label, relation
from kg.store import Edge, Limits, Node, Path, edge_schema, node_schema
from kg.stores.bolt_session import BoltSettings
from kg.stores.launcher import Server
from kg.stores.neo4j import Neo4jStore

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def store(neo4j: Server) -> Iterator[Neo4jStore]:
    opened = Neo4jStore(neo4j.uri)
    opened.prepare([Label.PRODUCT, Label.USER, Label.BRAND], [relation("BOUGHT"), relation("HAS_BRAND")])
    opened.upsert_nodes(Label.PRODUCT, rows(node_schema(Label.PRODUCT), {"key": "p1", "title": "A hat", "price_low": 1.5}))
    opened.upsert_nodes(Label.USER, rows(node_schema(Label.USER), {"key": "u1"}))
    opened.upsert_edges(relation("BOUGHT"), rows(edge_schema(relation("BOUGHT")), {"source_key": "u1", "target_key": "p1", "count": 2}))
    yield opened
    opened.close()


@pytest.fixture
def configured(neo4j: Server) -> BoltSettings:
    return BoltSettings.from_environment(neo4j.uri)


def rows(schema: pa.Schema, *found: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(found), schema=schema)


def test_wrong_password(configured: BoltSettings) -> None:
    with pytest.raises(EngineError, match=r"refuses the user 'neo4j': the name or the password is wrong") as caught:
        Neo4jStore(replace(configured, password="wrong"))
    assert "CLEW_NEO4J_PASSWORD" in caught.value.hint and "wrong'" not in caught.value.message.replace("is wrong", "")


def test_no_such_database(configured: BoltSettings) -> None:
    with pytest.raises(EngineError, match="has no database 'nowhere'"):
        Neo4jStore(replace(configured, database="nowhere"))


def test_an_encrypted_address_of_a_plain_server(configured: BoltSettings) -> None:
    with pytest.raises(EngineError, match="no encrypted connection"):
        Neo4jStore(replace(configured, uri=configured.uri.replace("bolt:", "bolt+s:")))


def test_a_routing_address_works_too(configured: BoltSettings) -> None:
    opened = Neo4jStore(replace(configured, uri=configured.uri.replace("bolt:", "neo4j:")))
    assert opened.run("RETURN 1 AS one").rows == ((1,),)
    opened.close()


def test_cells_of_every_kind(store: Neo4jStore) -> None:
    query = (
        "MATCH path = (u:User)-[r:BOUGHT]->(i:Product) "
        "RETURN u, r, path, [r, {item: i}] AS inside, date('2020-02-03') AS day, 0.0 / 0.0 AS nothing, 1.5 AS number"
    )
    found = store.run(query)
    user, product = Node("User", "u1"), Node("Product", "p1", {"title": "A hat", "price_low": 1.5})
    edge = Edge("BOUGHT", "u1", "p1", {"count": 2})
    assert found.columns == ("u", "r", "path", "inside", "day", "nothing", "number")
    assert found.rows == ((user, edge, Path((user, product), (edge,)), [edge, {"item": product}], "2020-02-03", None, 1.5),)


def test_the_ends_of_a_relationship_alone_are_looked_up(store: Neo4jStore) -> None:
    assert store.run("MATCH (:User)-[r:BOUGHT]->() RETURN r").rows == ((Edge("BOUGHT", "u1", "p1", {"count": 2}),),)


def test_parameters_and_limits(store: Neo4jStore) -> None:
    found = store.run("UNWIND range(1, $n) AS x RETURN x", {"n": 50}, Limits(rows=10))
    assert (len(found.rows), found.truncated) == (10, True)
    assert not store.run("UNWIND range(1, $n) AS x RETURN x", {"n": 10}, Limits(rows=10)).truncated
    with pytest.raises(InputError, match="was stopped") as caught:
        store.run("UNWIND range(1, 100000000) AS x UNWIND range(1, 1000) AS y RETURN sum(x * y)", {}, Limits(seconds=0.5))
    assert "Ask for less" in caught.value.hint


@pytest.mark.parametrize(
    "query",
    [
        "CREATE (n:Product {key: 'x'})",
        "MATCH (n) DETACH DELETE n",
        "MATCH (n:Product) SET n.title = 'x' RETURN n",
        "MATCH (n:Product) CALL { WITH n CREATE (x) } RETURN 1",
        "CALL db.createLabel('Evil')",
        "CREATE CONSTRAINT FOR (n:Product) REQUIRE n.title IS UNIQUE",
        "DROP CONSTRAINT clew_product_key",
        "SHOW USERS",
        "FOREACH (x IN [1] | CREATE (:Product {key: 'y'}))",
    ],
)
def test_queries_that_would_write_are_refused(store: Neo4jStore, query: str) -> None:
    before = store.counts()
    with pytest.raises(InputError, match="would write"):
        store.run(query)
    assert store.counts() == before


@pytest.mark.parametrize("address", ["file:///etc/passwd", "http://127.0.0.1:1/"])
def test_no_query_reads_a_file_or_an_address(store: Neo4jStore, address: str) -> None:
    with pytest.raises(InputError, match="reads a file or an address"):
        store.run("MATCH (n) WITH n LIMIT 1 LOAD CSV FROM $address AS line RETURN line", {"address": address})


@pytest.mark.parametrize("query", ["RETURN", "RETURN 1; RETURN 2", "PROFILE RETURN 1", "RETURN $missing", "CALL no.such.procedure()"])
def test_queries_that_are_wrong(store: Neo4jStore, query: str) -> None:
    with pytest.raises(InputError, match="Neo4j cannot run this query"):
        store.run(query)


def test_half_a_character_is_refused(store: Neo4jStore) -> None:
    with pytest.raises(InputError, match="Neo4j cannot take this value"):
        store.run("RETURN $x", {"x": "\ud800"})


def test_data_that_breaks_the_constraint(store: Neo4jStore, neo4j: Server) -> None:
    with GraphDatabase.driver(neo4j.uri, auth=("neo4j", neo4j.password)) as driver:
        driver.execute_query("CREATE (:Color {key: 'same'}), (:Color {key: 'same'})")
        with pytest.raises(StateError, match="already breaks a constraint"):
            store.prepare([Label.COLOR], [])
        driver.execute_query("MATCH (n:Color) DELETE n")


def test_values_that_clew_did_not_write(store: Neo4jStore, neo4j: Server) -> None:
    with GraphDatabase.driver(neo4j.uri, auth=("neo4j", neo4j.password)) as driver:
        driver.execute_query("CREATE (:Size {key: 1, name: 'odd'}), (:Stranger)-[:`is odd`]->(:Stranger)")
        with pytest.raises(StateError, match="holds values that clew did not write"):
            store.scan_nodes(Label.SIZE)
        assert "is odd" not in store.counts().edges and "Stranger" not in store.counts().nodes
        driver.execute_query("MATCH (n:Size) DELETE n")
        driver.execute_query("MATCH (n:Stranger) DETACH DELETE n")


def test_a_broken_connection_is_tried_again(store: Neo4jStore, configured: BoltSettings) -> None:
    proxy = Proxy(configured)
    opened = Neo4jStore(replace(configured, uri=proxy.uri))
    proxy.cut()
    opened.upsert_nodes(Label.USER, rows(node_schema(Label.USER), {"key": "u2"}))
    assert store.node(Label.USER, "u2") == Node("User", "u2")
    opened.close()
    store.delete_nodes(Label.USER, ["u2"])


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=NAMES, name=NAMES)
@example("`", "'); MATCH (n) DETACH DELETE n //")
@example("\x00", '"\\`\r\n\u202e\u2028')
@example("k" * 512, "\U0010ffff")
def test_any_text_comes_back(store: Neo4jStore, key: str, name: str) -> None:
    schema = node_schema(Label.BRAND)
    store.upsert_nodes(Label.BRAND, rows(schema, {"key": key, "name": name}))
    assert store.node(Label.BRAND, key) == Node("Brand", key, {"name": name})
    ends = {"source_key": "p1", "target_key": key, "text": name, "confidence": 0.1}
    store.upsert_edges(relation("HAS_BRAND"), rows(edge_schema(relation("HAS_BRAND")), ends))
    [(edge, node)] = [found for found in store.neighbours(Label.PRODUCT, "p1") if found[0].type == "HAS_BRAND"]
    assert (edge.target, edge.properties["text"], node.key) == (key, name, key)
    store.delete_nodes(Label.BRAND, [key])
    assert store.node(Label.BRAND, key) is None


def test_a_title_of_a_megabyte(store: Neo4jStore) -> None:
    title = "€" * 350_000
    store.upsert_nodes(Label.PRODUCT, rows(node_schema(Label.PRODUCT), {"key": "long", "title": title}))
    found = store.node(Label.PRODUCT, "long")
    assert found is not None and found.properties["title"] == title
    store.delete_nodes(Label.PRODUCT, ["long"])


class Proxy:
    """Passes bytes on to the server; `cut` breaks all connections that are open."""

    def __init__(self, settings: BoltSettings) -> None:
        self._target = int(settings.uri.rpartition(":")[2])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"bolt://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            far = socket.create_connection(("127.0.0.1", self._target))
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            return

    def cut(self) -> None:
        while self._open:
            self._open.pop().shutdown(socket.SHUT_RDWR)
