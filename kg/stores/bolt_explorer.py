"""A Neo4j server for questions that somebody typed: they are asked from a process whose memory is bounded (`kg.stores.bolt_child`)."""

from __future__ import annotations

import dataclasses
import selectors
import subprocess
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, NoReturn

from kg.errors import ClewError, EngineError, InputError, StateError, UsageError
from kg.store import Edge, Limits, Node, Path, Rows
from kg.stores import child
from kg.stores.bolt_session import BoltSettings
from kg.stores.frames import receive, send
from kg.stores.neo4j import Neo4jStore

_START_SECONDS = 60.0
_GRACE = 5.0  # seconds beyond a question's own before its process is ended
_NOT_STARTED = ("The process that asks Neo4j did not start.", "Check the installation (`clew doctor`) and try again.")
_MEMORY = ("The query took more memory than it may.", "Match less, return less of it, add LIMIT, or raise --memory.")


class BoltExplorer(Neo4jStore):
    """See `kg.store.GraphStore`; `run` is bounded in memory.

    Args:
        settings: see `Neo4jStore`.
        memory_mb: what an answer may take here.
        ontology: folder whose ontology file names own labels.

    Raises:
        EngineError: no server, wrong password, too old.
    """

    def __init__(self, settings: BoltSettings | str, memory_mb: int, ontology: FilePath | None = None) -> None:
        super().__init__(settings)
        self._memory_mb = memory_mb
        self._ontology = ontology
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, query: str, parameters: Mapping[str, Any] | None = None, limits: Limits = Limits()) -> Rows:  # noqa: B008
        """See `Neo4jStore.run`.

        Raises:
            InputError: as there, or the answer takes more memory than it may.
        """
        head = {"query": query, "parameters": dict(parameters or {}), "rows": limits.rows, "seconds": limits.seconds}
        answer = self._ask(head, limits.seconds)
        rows = tuple(tuple(decoded(cell) for cell in row) for row in answer["rows"])
        return Rows(tuple(answer["columns"]), rows, answer["truncated"], answer["ms"])

    def _ask(self, head: dict[str, Any], seconds: float) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            self._start()
        late = InputError(f"The query took longer than {seconds:g} s.", "Match less, add LIMIT, or raise --timeout.")
        # A process that ends without an answer had no memory left for what it was reading.
        return self._exchange(head, seconds + _GRACE, late, InputError(*_MEMORY))

    def _start(self) -> None:
        self._end()
        self._process = child.start("kg.stores.bolt_child")
        ontology = str(self._ontology.absolute()) if self._ontology else None
        head = {"settings": dataclasses.asdict(self._bolt.settings), "memory_mb": self._memory_mb, "ontology": ontology}
        try:
            self._exchange(head, _START_SECONDS, EngineError(*_NOT_STARTED), EngineError(*_NOT_STARTED))
        except ClewError:
            self._end()  # it is about to go by itself, and no question must meet it on its way
            raise

    def _exchange(self, head: dict[str, Any], seconds: float, late: ClewError, gone: ClewError) -> dict[str, Any]:
        """Its answer; raises `late` where there is none in time, `gone` where the process ends without one."""
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            send(process.stdin, head)
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                if not selector.select(seconds):
                    self._end()
                    raise late
            message = receive(process.stdout)
        except BrokenPipeError:
            message = None
        if message is None:
            self._end()
            raise gone
        if "error" in message[0]:
            _refuse(message[0])
        return message[0]

    def close(self) -> None:
        """See `GraphStore`."""
        self._end()
        super().close()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            child.end(process)


def decoded(cell: Any) -> Any:
    """The cell that `kg.stores.bolt_child.encoded` made JSON of."""
    if isinstance(cell, list):
        return [decoded(inner) for inner in cell]
    if not isinstance(cell, dict):
        return cell
    if "$node" in cell:
        return Node(cell["$node"], cell["key"], cell["properties"])
    if "$edge" in cell:
        return Edge(cell["$edge"], cell["from"], cell["to"], cell["properties"])
    if "$path" in cell:
        return Path(tuple(decoded(node) for node in cell["$path"]), tuple(decoded(edge) for edge in cell["edges"]))
    return {name: decoded(inner) for name, inner in cell["$map"].items()}


def _refuse(answer: Mapping[str, Any]) -> NoReturn:
    if answer["error"] == "memory":
        raise InputError(*_MEMORY)
    kinds: dict[str, type[ClewError]] = {"EngineError": EngineError, "StateError": StateError, "UsageError": UsageError}
    kind = kinds.get(answer["error"], InputError)
    raise kind(answer["message"], answer["hint"])
