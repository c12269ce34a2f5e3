"""Children of ours: one that does not start, one that goes away before it has answered."""

from __future__ import annotations

import pytest

from kg.errors import EngineError
from kg.stores import child
from kg.stores.bolt_explorer import BoltExplorer
from kg.stores.bolt_session import BoltSettings
from kg.stores.frames import receive
from kg.stores.neo4j import Neo4jStore


def test_a_child_that_does_not_start_says_nothing() -> None:
    process = child.start("kg.stores.no_such_module")
    assert process.stdout is not None and receive(process.stdout) is None
    child.end(process)
    assert process.returncode == 1 and process.stdout.closed
    child.end(process)  # a second time is no error


def test_an_explorer_whose_child_does_not_start_does_not_blame_the_query(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bolt:
        settings = BoltSettings("bolt://127.0.0.1:1", "neo4j", "x")

    started = []

    def broken(module: str) -> object:
        started.append(start("kg.stores.no_such_module"))
        return started[-1]

    start = child.start
    monkeypatch.setattr(Neo4jStore, "__init__", lambda self, settings: setattr(self, "_bolt", Bolt()))
    monkeypatch.setattr(child, "start", broken)
    explorer = BoltExplorer("bolt://127.0.0.1:1", 64)
    for turn in (1, 2):
        with pytest.raises(EngineError, match="did not start"):
            explorer.run("RETURN 1 AS n")
        assert len(started) == turn and started[-1].poll() is not None
