"""One real Neo4j for all live tests of a run, held by one test file at a time (Community Edition has one database)."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kg.errors import EngineError
from kg.stores.java import fetch_jars, find_java
from kg.stores.launcher import USER, Server, start

WORKER = os.environ.get("PYTEST_XDIST_WORKER")


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
    # Under xdist the workers share it, and it ends with the process that started them all.
    owner = os.getppid() if WORKER else os.getpid()
    started = start(shared_folder / "neo4j", heap="512m", owner_pid=owner)
    yield started
    if not WORKER:
        started.stop()


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
