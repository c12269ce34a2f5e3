"""Exploration: a locked engine answers questions and can do nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kg.engine import open_embedded, open_store
from kg.errors import EngineError, InputError, StateError, UnknownKeyError, UsageError
from kg.explore import Explorer, explore, named_query, run_named
from kg.model import Product
from kg.ontology import Label
from kg.store import Limits, Node, Rows, engine_graph
from kg.store import Path as GraphPath
from kg.stores.embedded import EmbeddedStore
from kg.sync import verify
from kg.tables import EVENT_SCHEMA, GraphTables, products_table
from kg.testing import example_tables
from kg.truth import Truth
from kg.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("shop")).open(create=True)
    Truth(made.graph).write(example_tables())
    return made


@pytest.fixture(scope="module")
def locked(workspace: Workspace) -> Iterator[EmbeddedStore]:
    with open_embedded(workspace, locked=True) as store:
        yield store


def test_the_engines_file_is_a_cache(workspace: Workspace) -> None:
    with open_embedded(workspace) as store:
        assert store.digest() == Truth(workspace.graph).digest
        assert verify(store, engine_graph(example_tables(), "x")) == []
    kept = list(workspace.cache.glob("embedded-*.kgl"))
    assert len(kept) == 1
    written = kept[0].stat().st_mtime_ns
    open_embedded(workspace).close()
    assert kept[0].stat().st_mtime_ns == written
    kept[0].unlink()
    open_embedded(workspace).close()
    assert kept[0].exists()


def test_another_truth_makes_another_file(tmp_path: Path) -> None:
    shop = Workspace(tmp_path).open(create=True)
    tables = example_tables()
    Truth(shop.graph).write(tables)
    open_embedded(shop).close()
    Truth(shop.graph).write(GraphTables(tables.products, {}, tables.events))
    with open_embedded(shop) as store:
        assert set(store.counts().edges) == {"BOUGHT", "VIEWED", "RATED"}
    assert len(list(shop.cache.glob("embedded-*.kgl"))) == 1


def test_a_question_is_answered(locked: EmbeddedStore) -> None:
    found = explore(
        locked, "MATCH p=(u:User {key: 'u1'})-[:BOUGHT]->(x) WHERE x.key = $item RETURN p, x.title = 'x' AS same", {"item": "p3"}
    )
    path = found.rows[0][0]
    assert isinstance(path, GraphPath)
    assert [node.key for node in path.nodes] == ["u1", "p3"]
    assert (path.edges[0].source, path.edges[0].target) == ("u1", "p3")
    assert found.to_dict()["rows"][0][1] is False
    assert explore(locked, "RETURN 'it''s' = 'x'".replace("''", "\\'"), {}).columns == ("'it's' = 'x'",)


def test_values_come_as_json_has_them(locked: EmbeddedStore) -> None:
    found = explore(locked, "RETURN 0.0/0.0 AS nan, date('2020-01-02') AS day, [1, null] AS l, {a: {b: true}} AS m, 'é' AS t", {})
    assert found.to_dict()["rows"] == [[None, "2020-01-02", [1, None], {"a": {"b": True}}, "é"]]


def test_an_edge_alone_knows_its_ends(locked: EmbeddedStore) -> None:
    found = explore(locked, "MATCH (:Product {key: 'p1'})-[r:HAS_BRAND]->() RETURN r", {})
    assert (found.rows[0][0].source, found.rows[0][0].target) == ("p1", "brand:lego")


def test_only_the_ontologys_properties_are_shown(locked: EmbeddedStore) -> None:
    found = explore(locked, "MATCH (n:Brand {key: 'brand:lego'}) RETURN n", {})
    assert found.rows[0][0] == Node("Brand", "brand:lego", {"name": "LEGO"})


def test_rows_have_a_limit_and_it_is_told(locked: EmbeddedStore) -> None:
    found = explore(locked, "MATCH (n:Product) RETURN n.key", {}, Limits(rows=3))
    assert (len(found.rows), found.truncated) == (3, True)
    assert not explore(locked, "MATCH (n:Product) RETURN n.key", {}, Limits(rows=7)).truncated


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("MATCH (n) DELETE n", "DELETE is not for exploration"),
        ("MATCH (n) RETURN $missing", "needs the parameter missing"),
        ("MATCH (n:Nonsense) RETURN n", "does not fit the graph"),
        ("MATCH (n:Product) RETURN n.nonsense", "does not fit the graph"),
        ("MATCH (n) RETURN", "refuses the query"),
    ],
)
def test_what_cannot_be_answered_is_told(locked: EmbeddedStore, query: str, says: str) -> None:
    with pytest.raises(InputError, match=says.replace("$", "\\$")) as told:
        explore(locked, query, {})
    assert told.value.hint


def test_what_the_ontology_has_and_the_graph_has_not_is_no_error(tmp_path: Path) -> None:
    shop = Workspace(tmp_path).open(create=True)
    Truth(shop.graph).write(GraphTables(products_table([Product("p", "P")]), {}, EVENT_SCHEMA.empty_table()))
    with open_embedded(shop) as store:
        assert run_named(store, "also_bought", {"item": "p"}).rows == ()
        assert run_named(store, "also_bought", {"item": "p"}).columns == ("other", "title", "people")


BARRED = [
    "LOAD CSV FROM 'file:///etc/passwd' AS l RETURN l",
    "LOAD CSV FROM 'file:///proc/self/environ' AS l RETURN l",
    "LOAD CSV FROM 'http://127.0.0.1:9/x' AS l RETURN l",
]


@pytest.mark.parametrize("query", BARRED)
def test_behind_the_guard_the_process_itself_can_open_nothing(locked: EmbeddedStore, query: str) -> None:
    with pytest.raises((InputError, EngineError)):
        locked.run(query)
    assert locked.run("RETURN 1 AS x").rows == ((1,),)


def test_behind_the_guard_nothing_is_kept(workspace: Workspace) -> None:
    before = {path: path.stat().st_mtime_ns for path in workspace.path.rglob("*")}
    with open_embedded(workspace, locked=True) as store:
        store.run("CREATE (n:Brand {key: 'x', name: 'X'}) RETURN n.key")
    assert {path: path.stat().st_mtime_ns for path in workspace.path.rglob("*")} == before
    with open_embedded(workspace) as store:
        assert store.node(Label.BRAND, "x") is None


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    shop = Workspace(tmp_path_factory.mktemp("large")).open(create=True)
    rows = [Product(f"p{n}", f"Title {n}") for n in range(3_000)]
    Truth(shop.graph).write(GraphTables(products_table(rows), {}, EVENT_SCHEMA.empty_table()))
    return shop


def ask(workspace: Workspace, query: str, limits: Limits) -> Rows:
    explorer = Explorer(lambda: open_embedded(workspace, locked=True, limits=limits), limits)
    try:
        return explorer.ask(query, {})
    finally:
        explorer.close()


def test_a_query_that_takes_too_long_is_ended(large: Workspace) -> None:
    started = time.perf_counter()
    with pytest.raises(InputError, match=r"took longer than 0\.5 s"):
        ask(large, "MATCH (a:Product), (b:Product), (c:Product) RETURN count(*), max(a.key + b.key + c.key)", Limits(10, 0.5))
    assert time.perf_counter() - started < 20


def test_a_query_that_takes_too_much_memory_is_ended(large: Workspace) -> None:
    with pytest.raises(InputError, match="took more memory than it may"):
        ask(large, "MATCH (a:Product), (b:Product) RETURN collect(a.title + b.title + a.key) AS all", Limits(10, 120, 64))


def test_names_are_told(workspace: Workspace) -> None:
    with pytest.raises(UnknownKeyError, match="There is no query 'also_bougt'") as told:
        named_query("also_bougt")
    assert "also_bought" in told.value.hint
    with open_embedded(workspace) as store, pytest.raises(InputError, match="needs the parameter item"):
        run_named(store, "also_bought", {})
    with pytest.raises(UsageError, match="is no address of an engine"):
        open_store(workspace, "http://x")


def test_a_broken_engine_file_is_told(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "x.kgl").write_bytes(b"no graph")
    with pytest.raises((EngineError, InputError)) as told:
        EmbeddedStore(tmp_path / "x.kgl")
    assert told.value.hint
    with pytest.raises(StateError, match="There is no workspace"):
        open_embedded(Workspace(tmp_path / "nothing"))


def test_an_engine_that_ended_is_told(workspace: Workspace) -> None:
    store = open_embedded(workspace)
    store.close()
    with pytest.raises(EngineError, match="was closed"):
        store.run("RETURN 1")
