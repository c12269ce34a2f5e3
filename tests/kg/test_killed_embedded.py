"""Kills while the embedded engine's file is made: what is there afterwards is whole, and verifies."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kg.engine import open_embedded
from kg.exchange import held_graph
from kg.sync import verify
from kg.tables import GraphTables
from kg.testing import example_tables
from kg.truth import Truth
from kg.workspace import Workspace

OPEN = "import sys; from kg.engine import open_embedded; from kg.workspace import Workspace; open_embedded(Workspace(sys.argv[1])).close()"


def opening(workspace: Workspace) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", OPEN, str(workspace.path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_while_it_is_made(folder: Path, kills: int, seed: int) -> int:
    """Change the truth, kill who makes the engine's file at a random moment, open it: `kills` times. Returns how many met their mark."""
    workspace = Workspace(folder).open(create=True)
    truth, tables = Truth(workspace.graph), example_tables()
    states = [tables, GraphTables(tables.products, {}, tables.events)]
    truth.write(tables)
    started = time.perf_counter()
    assert opening(workspace).wait() == 0
    duration = time.perf_counter() - started
    rng, killed = random.Random(seed), 0
    for turn in range(kills):
        truth.write(states[(turn + 1) % 2])
        process = opening(workspace)
        time.sleep(rng.uniform(0.3, 1.0) * duration)
        process.kill()
        killed += process.wait() != 0
        with open_embedded(workspace) as store:
            assert store.digest() == truth.digest
            assert verify(store, held_graph(store, truth)) == []
        assert len(list(workspace.cache.glob("embedded-*.kgl"))) == 1
    return killed


def test_three_kills_while_the_engine_is_made(tmp_path: Path) -> None:
    assert kill_while_it_is_made(tmp_path, 3, seed=3)


def test_the_file_of_another_state_does_not_stay(tmp_path: Path) -> None:
    """A process that is killed between writing its own file and removing the other leaves both."""
    workspace = Workspace(tmp_path).open(create=True)
    Truth(workspace.graph).write(example_tables())
    open_embedded(workspace).close()
    other = workspace.cache / "embedded-0123456789abcdef.kgl"
    other.write_bytes(b"of another state")
    open_embedded(workspace).close()
    assert [path for path in workspace.cache.glob("embedded-*.kgl") if path == other] == []
    assert len(list(workspace.cache.glob("embedded-*.kgl"))) == 1


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_fifty_kills_while_the_engine_is_made(tmp_path: Path) -> None:
    assert kill_while_it_is_made(tmp_path, 50, seed=4) > 10
