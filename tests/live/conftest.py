"""One real Neo4j for all live tests of a run, held by one test file at a time (Community Edition has one database)."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from kg.errors import EngineError
from kg.model import Entity, Evidence, Fact, Price, Product
from kg.ontology import Label, Rel, relation
from kg.stores.java import fetch_jars, find_java
from kg.stores.launcher import USER, Server, running, start
from kg.tables import EVENT_SCHEMA, GraphTables, distinct_evidence, events_table, evidence_tables, products_table, tree_tables
from kg.testing import stated

WORKER = os.environ.get("PYTEST_XDIST_WORKER")
# Under xdist the workers share one server, and it ends with the process that started them all.
OWNER = os.getppid() if WORKER else os.getpid()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run see."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if WORKER else base


@pytest.fixture(scope="session")
def server(shared_folder: Path) -> Iterator[Server]:
    """The server; where Java, Maven or the artifacts are missing, the test is skipped and says so."""
    try:
        find_java()
        fetch_jars()
    except EngineError as error:
        pytest.skip(f"live Neo4j: {error.message}")
    started = start(shared_folder / "neo4j", heap="512m", owner_pid=OWNER, brief=True)
    yield started
    if not WORKER:
        (running(started.home) or started).stop()


@pytest.fixture(scope="session")
def owner() -> int:
    """The process with which a server shall end."""
    return OWNER


@pytest.fixture(scope="module")
def neo4j(server: Server, shared_folder: Path) -> Iterator[Server]:
    """The server for one test file alone, empty at the start, its credentials in the environment."""
    from neo4j import GraphDatabase

    with (shared_folder / "neo4j.lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        patch.setenv("CLEW_NEO4J_USER", USER)
        patch.setenv("CLEW_NEO4J_PASSWORD", server.password)
        patch.delenv("CLEW_NEO4J_DATABASE", raising=False)
        patch.delenv("CLEW_NEO4J_AUTH", raising=False)
        with GraphDatabase.driver(server.uri, auth=(USER, server.password)) as driver:
            driver.execute_query("MATCH (n) DETACH DELETE n")
            for record in driver.execute_query("SHOW CONSTRAINTS YIELD name").records:
                driver.execute_query(f"DROP CONSTRAINT `{record['name']}`")
        yield server


@pytest.fixture(scope="session")
def shop() -> GraphTables:
    """A small graph with every family of relation and names that are hard to carry."""
    products = [
        Product("B0/1", "A \"shirt\"\r\n'of' cotton", {"quantity": '2, or "3"'}, Price(9.99, 12.5, "EUR"), False),
        Product("2", "Hat `` \\ \x00 \u202e\u2028,;|"),
        Product("3", "\ufeffBare ' ", price=Price(0.1 + 0.2, None)),
        *(Product(f"more{number:04d}", f"One more {number}") for number in range(200)),
    ]
    read = Evidence("brand", 0, 4, "Ada®", "columns", 1 / 3)
    facts = [
        Fact("B0/1", relation(Rel.HAS_BRAND), Entity(Label.BRAND, "Ada®"), (read,)),
        Fact("2", relation(Rel.MADE_OF), Entity(Label.MATERIAL, "cotton"), (Evidence("title", 0, 0, "", "rules", 0.0),)),
        Fact("2", relation("DIRECTED_BY"), Entity(Label.ENTITY, 'Ada \r\n" Lovelace', "director"), (read,)),
        stated("B0/1", Rel.ALSO_BOUGHT, "2"),
        stated("2", Rel.ALSO_VIEWED, "a product that is only mentioned"),
    ]
    events = [("u1", "2", 1_700_000_000, 1.0, "purchase"), ("u 2\n", "3", 1_800_000_000, 4.7, "rating"), ("u1", "3", None, 1.0, "view")]
    events += [(f"many{number % 40}", f"more{number:04d}", 1_700_000_000 + number, 1.0, "purchase") for number in range(200)]
    columns = [pa.array(column, kind.type) for column, kind in zip(zip(*events, strict=True), EVENT_SCHEMA, strict=True)]
    tree = [(Entity(Label.MATERIAL, "cotton"), relation(Rel.KIND_OF), Entity(Label.MATERIAL, "plant fibre"))]
    evidence = evidence_tables(facts, "catalogue") | tree_tables(tree, "catalogue", "vocabulary")
    log = events_table(pa.table(columns, schema=EVENT_SCHEMA))
    return GraphTables(products_table(products), {name: distinct_evidence(table) for name, table in evidence.items()}, log)
