"""The process that asks a Neo4j server what somebody typed: one row may be as large as the server makes it, this process may not.

The connection's details come over the pipe, so that no password stands on a command line or in an environment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import IO, Any

from kg.errors import ClewError
from kg.own_ontology import adopt_beside
from kg.store import Edge, Limits, Node, Path
from kg.stores.bolt_session import BoltSettings
from kg.stores.child import bound_memory, serve_alone
from kg.stores.frames import receive, send
from kg.stores.neo4j import Neo4jStore

_SHARE = 8  # an answer's text may be this part of the memory: whoever reads it makes several times as much of it


def encoded(cell: Any) -> Any:
    """A cell as JSON from which `kg.stores.bolt_explorer.decoded` makes the same cell."""
    if isinstance(cell, Node):
        return {"$node": cell.label, "key": cell.key, "properties": dict(cell.properties)}
    if isinstance(cell, Edge):
        return {"$edge": cell.type, "from": cell.source, "to": cell.target, "properties": dict(cell.properties)}
    if isinstance(cell, Path):
        return {"$path": [encoded(node) for node in cell.nodes], "edges": [encoded(edge) for edge in cell.edges]}
    if isinstance(cell, list | tuple):
        return [encoded(inner) for inner in cell]
    if isinstance(cell, Mapping):
        return {"$map": {name: encoded(inner) for name, inner in cell.items()}}
    return cell


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Connect as the first message says, then answer one question a message until the other side closes the pipe."""
    message = receive(requests)
    if message is None:
        return
    head = message[0]
    try:
        if head["ontology"]:
            adopt_beside(FilePath(head["ontology"]))
        store = Neo4jStore(BoltSettings(**head["settings"]))
    except ClewError as error:
        send(answers, _told(error))
        return
    bound_memory(head["memory_mb"])
    send(answers, {})
    most = (head["memory_mb"] << 20) // _SHARE
    while (message := receive(requests)) is not None:
        send(answers, _answer(store, message[0], most))


def _answer(store: Neo4jStore, head: Mapping[str, Any], most: int) -> dict[str, Any]:
    try:
        found = store.run(head["query"], head["parameters"], Limits(head["rows"], head["seconds"]))
        answer = {
            "columns": list(found.columns),
            "rows": [[encoded(cell) for cell in row] for row in found.rows],
            "truncated": found.truncated,
            "ms": found.ms,
        }
        return answer if len(json.dumps(answer, ensure_ascii=False)) <= most else {"error": "memory"}
    except ClewError as error:
        return _told(error)
    except MemoryError:
        return {"error": "memory"}


def _told(error: ClewError) -> dict[str, Any]:
    return {"error": type(error).__name__, "message": error.message, "hint": error.hint}


if __name__ == "__main__":
    serve_alone(serve)
