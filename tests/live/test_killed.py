"""A kill on either side of the wire: the next sync goes on with what is missing, and the engine verifies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kg.exchange import bring_up_to_date, graph_to_hold
from kg.store import EngineGraph
from kg.stores import launcher
from kg.stores.launcher import Server
from kg.stores.neo4j import Neo4jStore
from kg.sync import synchronise, verify
from kg.tables import GraphTables
from kg.truth import Truth

pytestmark = pytest.mark.live

NOTHING = EngineGraph("sha256:nothing", {}, {})
SLOWLY = """
import sys
from pathlib import Path
from kg.exchange import graph_to_hold
from kg.stores.neo4j import Neo4jStore
from kg.sync import synchronise
from kg.truth import Truth
synchronise(Neo4jStore(sys.argv[1]), graph_to_hold(Truth(Path(sys.argv[2]))), batch_rows=2)
"""


@pytest.fixture
def store(neo4j: Server) -> Iterator[Neo4jStore]:
    opened = Neo4jStore(neo4j.uri)
    yield opened
    opened.close()


@pytest.fixture
def truth(shop: GraphTables, tmp_path: Path) -> Truth:
    made = Truth(tmp_path / "graph")
    made.write(shop)
    return made


def until(store: Neo4jStore, some: int) -> None:
    """Wait until the server holds some of the graph's nodes and edges."""
    deadline = time.monotonic() + 60
    while sum(store.counts().nodes.values()) + sum(store.counts().edges.values()) < some:
        assert time.monotonic() < deadline, "nothing was written"
        time.sleep(0.02)


@pytest.mark.parametrize("some", [40, 300])
def test_a_killed_sync_is_taken_up(neo4j: Server, store: Neo4jStore, truth: Truth, some: int) -> None:
    graph = graph_to_hold(truth)
    synchronise(store, NOTHING)
    writing = subprocess.Popen([sys.executable, "-c", SLOWLY, neo4j.uri, str(truth.folder)])
    until(store, some)
    writing.send_signal(signal.SIGKILL)
    writing.wait()
    assert store.digest() is None
    done = bring_up_to_date(store, graph)
    assert done.unchanged >= some - 1 and done.new > 0 and done.changed == done.removed == 0
    assert verify(store, graph) == [] and store.digest() == graph.digest


@pytest.mark.long
def test_a_server_killed_while_it_is_written_to(neo4j: Server, store: Neo4jStore, truth: Truth, owner: int) -> None:
    graph = graph_to_hold(truth)
    synchronise(store, NOTHING)
    failed: list[BaseException] = []

    def write() -> None:
        try:
            synchronise(store, graph, batch_rows=2)
        except BaseException as error:
            failed.append(error)
            raise

    writing = threading.Thread(target=write)
    other = Neo4jStore(neo4j.uri)
    writing.start()
    until(other, 60)
    other.close()
    running = launcher.running(neo4j.home)
    assert running is not None
    os.killpg(running.pid, signal.SIGKILL)
    while running.alive():
        launcher.reap(running.pid)
        time.sleep(0.05)
    # At the same address again; meanwhile the driver tries.
    launcher.start(neo4j.home, bolt_port=neo4j.bolt_port, brief=True, owner_pid=owner)
    writing.join(timeout=120)
    assert not writing.is_alive() and not failed
    assert verify(store, graph) == [] and store.digest() == graph.digest


def sync_and_kill(store: Neo4jStore, uri: str, folders: list[Path], kills: int, seed: int) -> int:
    """Bring a server from one graph to the other, kill who does it at a random moment, go on. Returns how many of the kills hit."""
    rng, killed = random.Random(seed), 0
    bring_up_to_date(store, graph_to_hold(Truth(folders[0])))
    started = time.perf_counter()
    assert subprocess.Popen([sys.executable, "-c", SLOWLY, uri, str(folders[1])]).wait() == 0
    duration = time.perf_counter() - started
    for turn in range(kills):
        graph = graph_to_hold(Truth(folders[turn % 2]))
        writing = subprocess.Popen([sys.executable, "-c", SLOWLY, uri, str(folders[turn % 2])])
        time.sleep(rng.uniform(0.2, 1.0) * duration)
        writing.send_signal(signal.SIGKILL)
        killed += writing.wait() != 0
        bring_up_to_date(store, graph)
        assert verify(store, graph) == [] and store.digest() == graph.digest
    return killed


@pytest.fixture
def folders(shop: GraphTables, tmp_path: Path) -> list[Path]:
    """A graph, and one without its facts."""
    found = [tmp_path / "with", tmp_path / "without"]
    Truth(found[0]).write(shop)
    Truth(found[1]).write(GraphTables(shop.products, {}, shop.events))
    return found


def test_three_kills_of_a_sync(neo4j: Server, store: Neo4jStore, folders: list[Path]) -> None:
    assert sync_and_kill(store, neo4j.uri, folders, 3, seed=5)


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_fifty_kills_of_a_sync(neo4j: Server, store: Neo4jStore, folders: list[Path]) -> None:
    assert sync_and_kill(store, neo4j.uri, folders, 50, seed=6) > 10
