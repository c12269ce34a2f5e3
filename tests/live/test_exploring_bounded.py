"""A question to a server is answered within its memory, whatever one row of the answer holds; and doctor on files of the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kg.errors import EngineError, InputError
from kg.explore import explore
from kg.store import Edge, Limits, Node, Path
from kg.stores.bolt_explorer import BoltExplorer
from kg.stores.launcher import Server
from kg.stores.server_settings import file_import
from recommend.doctor import examine

pytestmark = pytest.mark.live
LIMITS = Limits(rows=1_000, seconds=60.0, memory_mb=64)


@pytest.fixture(scope="module")
def store(neo4j: Server) -> Iterator[BoltExplorer]:
    explorer = BoltExplorer(neo4j.uri, LIMITS.memory_mb)
    yield explorer
    explorer.close()


@pytest.mark.parametrize(
    "query",
    [
        "RETURN [x IN range(1, 1500000) | x] AS huge",
        "UNWIND range(1, 900) AS i RETURN [x IN range(1, 20000) | x] AS large",
        "RETURN reduce(t = 'x', i IN range(1, 24) | t + t) AS text",
    ],
)
def test_an_answer_that_takes_too_much_memory_is_refused(store: BoltExplorer, query: str) -> None:
    with pytest.raises(InputError, match="took more memory than it may"):
        explore(store, query, {}, LIMITS)
    assert explore(store, "RETURN 1 AS n", {}, LIMITS).rows == ((1,),), "the next question is answered"


def test_cells_come_through_whole(store: BoltExplorer) -> None:
    with store._bolt.session(write=True) as session:
        session.run(
            "MERGE (a:Product {key: 'x1', title: 'A'})-[:ALSO_BOUGHT {confidence: 0.5}]->(b:Product {key: 'x2', title: 'B'})"
        ).consume()
    query = "MATCH q = (a:Product {key: 'x1'})-[r:ALSO_BOUGHT]->(b) RETURN a, r, q, {n: [1, null, {m: date('2024-02-29')}]} AS m"
    a, b = Node("Product", "x1", {"title": "A"}), Node("Product", "x2", {"title": "B"})
    r = Edge("ALSO_BOUGHT", "x1", "x2", {"confidence": 0.5})
    assert explore(store, query, {}, LIMITS).rows == ((a, r, Path((a, b), (r,)), {"n": [1, None, {"m": "2024-02-29"}]}),)


def test_errors_keep_their_kind_and_words(store: BoltExplorer) -> None:
    with pytest.raises(InputError, match="Neo4j cannot run this query: Variable `m` not defined"):
        explore(store, "MATCH (n) RETURN m", {}, LIMITS)
    with pytest.raises(InputError, match=r"The query (took longer than 1 s|was stopped)"):
        explore(store, "UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b RETURN count(a + b) AS n", {}, Limits(10, 1.0, 64))
    assert explore(store, "RETURN 2 AS n", {}, LIMITS).rows == ((2,),)


def test_what_doctor_says_of_the_servers_files(neo4j: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert file_import(neo4j.uri).allowed is False
    monkeypatch.setenv("CLEW_NEO4J_URI", neo4j.uri)
    finding = next(found for found in examine() if found.name == "neo4j files")
    assert (finding.status, finding.detail) == ("ok", "no query can read the server's files")
    monkeypatch.setenv("CLEW_NEO4J_PASSWORD", "wrong")
    finding = next(found for found in examine() if found.name == "neo4j files")
    assert finding.status == "warning" and "could not be read: Neo4j at" in finding.detail and "neo4j.conf" in finding.fix
    with pytest.raises(EngineError, match="refuses the user"):
        BoltExplorer(neo4j.uri, 64)


@pytest.mark.long
def test_doctor_warns_of_a_server_that_lets_queries_read_files(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path as FilePath

    from kg.stores.launcher import start

    open_server = start(FilePath(str(tmp_path)) / "neo4j", settings={"dbms.security.allow_csv_import_from_file_urls": "true"}, brief=True)
    try:
        monkeypatch.setenv("CLEW_NEO4J_URI", open_server.uri)
        monkeypatch.setenv("CLEW_NEO4J_PASSWORD", open_server.password)
        finding = next(found for found in examine() if found.name == "neo4j files")
        assert finding.status == "warning" and "may read files below" in finding.detail
    finally:
        open_server.stop()
