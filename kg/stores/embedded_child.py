"""The process that kglite lives in: started clean, spoken to over a pipe, locked down for exploration.

kglite cannot be imported beside spaCy, its read-only mode still reads files, and a query of a stranger may want all memory
there is. So it gets a process that has nothing to lose: after the graph is loaded, a locked child can open no file, no
socket and no pipe (its limit of open descriptors is zero), write no byte to a disk, and take only so much memory.
"""

from __future__ import annotations

import datetime
import math
import resource
from collections.abc import Callable, Mapping
from typing import IO, Any

import kglite
import pyarrow as pa

from kg.stores.child import bound_memory, serve_alone
from kg.stores.frames import receive, send


class _Child:
    def __init__(self) -> None:
        self.graph = kglite.KnowledgeGraph()

    def load(self, head: Mapping[str, Any], table: pa.Table | None) -> dict[str, Any]:
        """Open a file that a child like this one saved."""
        self.graph = kglite.load(head["path"])
        return {}

    def lock(self, head: Mapping[str, Any], table: pa.Table | None) -> dict[str, Any]:
        """From here on: no new file, socket or pipe, no byte written to a disk, and only so much more memory."""
        self.run({"query": "MATCH (n) RETURN n LIMIT 1", "parameters": {}, "rows": 1, "timeout_ms": 10_000}, None)
        bound_memory(int(head["memory_mb"]))
        for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NOFILE):
            resource.setrlimit(kind, (0, 0))
        return {}

    def save(self, head: Mapping[str, Any], table: pa.Table | None) -> dict[str, Any]:
        """Write the graph into a file."""
        self.graph.save(head["path"])
        return {}

    def add_nodes(self, head: Mapping[str, Any], table: pa.Table | None) -> dict[str, Any]:
        """Nodes of a label that holds none yet."""
        assert table is not None
        title = "title" if "title" in table.column_names else "name" if "name" in table.column_names else "key"
        self.graph.add_nodes(table.to_pandas(), head["label"], "key", title, column_types=_types(table))
        return {}

    def add_edges(self, head: Mapping[str, Any], table: pa.Table | None) -> dict[str, Any]:
        """Edges of a relation that holds none yet; their ends have been checked."""
        assert table is not None
        report = self.graph.add_relationships(
            table.to_pandas(), head["relation"], head["source"], "source_key", head["target"], "target_key", column_types=_types(table)
        )
        return {"stubs": report["stubs_vivified"], "created": report["connections_created"]}

    def write(self, head: Mapping[str, Any], table: pa.Table | None) -> dict[str, Any]:
        """A statement of ours for every row of a table (`$rows`)."""
        rows = [] if table is None else table.to_pylist()
        self.graph.cypher(head["query"], params={"rows": rows, **head["parameters"]})
        return {}

    def scan(self, head: Mapping[str, Any], table: pa.Table | None) -> tuple[dict[str, Any], pa.Table]:
        """All rows of a query of ours as a table; the columns' types are those of the (empty) table that came with it."""
        assert table is not None
        found: Any = self.graph.cypher(head["query"], timeout_ms=0)
        columns = [pa.array(found.column(name), kind.type) for name, kind in zip(found.columns, table.schema, strict=True)]
        return {}, pa.table(columns, schema=table.schema)

    def run(self, head: Mapping[str, Any], table: pa.Table | None) -> dict[str, Any]:
        """A query; its cells come back as JSON, nodes and relationships marked."""
        limit = int(head["rows"])
        found: Any = self.graph.cypher(head["query"], params=head["parameters"], timeout_ms=int(head["timeout_ms"]), row_limit=limit + 1)
        columns = list(found.columns)
        # `column` keeps two columns of one name apart no better than a dictionary does; kglite refuses such a query.
        cells = [found.column(name) for name in columns]
        rows = [[_cell(value) for value in row] for row in zip(*cells, strict=True)] if columns else []
        ends = _ends(rows, {})
        unknown = [str(end) for end, node in ends.items() if node is None]
        if unknown:
            query = "UNWIND $ids AS i MATCH (n) WHERE elementId(n) = i RETURN i, n.key AS key"
            named: Any = self.graph.cypher(query, params={"ids": unknown})
            ends.update({int(row["i"]): row["key"] for row in named.to_list()})
        diagnostics = found.diagnostics or {}
        return {
            "columns": columns,
            "rows": rows[:limit],
            "truncated": len(rows) > limit,
            "ends": {str(end): key for end, key in ends.items()},
            "warnings": list(found.warnings),
            "ms": diagnostics.get("elapsed_ms", 0),
        }


def _types(table: pa.Table) -> dict[str, str]:
    kinds = {pa.string(): "string", pa.int64(): "integer", pa.float64(): "float"}
    return {field.name: kinds[field.type] for field in table.schema if field.type in kinds}


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_cell(inner) for inner in value]
    if isinstance(value, dict):
        names = set(value)
        if names == {"id", "labels", "properties"}:
            return {"$node": value["id"], "label": value["labels"][0], "properties": _properties(value["properties"])}
        if names == {"id", "start", "end", "type", "properties"}:
            ends = {"start": value["start"], "end": value["end"]}
            return {"$edge": value["type"], **ends, "properties": _properties(value["properties"])}
        if names == {"nodes", "relationships"}:
            return {"$path": _cell(value["nodes"]), "edges": _cell(value["relationships"])}
        return {"$map": {str(name): _cell(inner) for name, inner in value.items()}}
    return str(value)


def _properties(found: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): _cell(value) for name, value in found.items()}


def _ends(cell: Any, found: dict[int, str | None]) -> dict[int, str | None]:
    """Internal number → key of the nodes in some cells, None for those that only an edge names."""
    if isinstance(cell, list):
        for inner in cell:
            _ends(inner, found)
    elif isinstance(cell, dict):
        if "$node" in cell:
            found[cell["$node"]] = cell["properties"]["key"]
        elif "$edge" in cell:
            for end in (cell["start"], cell["end"]):
                found.setdefault(end, None)
        else:
            for inner in cell["$map"].values() if "$map" in cell else (cell["$path"], cell["edges"]):
                _ends(inner if isinstance(inner, list) else [inner], found)
    return found


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer until the other side closes the pipe."""
    child = _Child()
    operations: dict[str, Callable[..., Any]] = {
        name: getattr(child, name) for name in ("load", "lock", "save", "add_nodes", "add_edges", "write", "scan", "run")
    }
    while (message := receive(requests)) is not None:
        head, table = message
        try:
            answer = operations[head["op"]](head, table)
        except kglite.CypherTimeoutError:
            answer = {"error": "timeout", "message": ""}
        except (kglite.CypherError, kglite.ArgumentError, ValueError, TypeError, OverflowError, RecursionError) as error:
            answer = {"error": "query", "message": str(error)}
        except MemoryError:
            answer = {"error": "memory", "message": ""}
        except (kglite.KgError, OSError, RuntimeError) as error:
            answer = {"error": "engine", "message": f"{type(error).__name__}: {error}"}
        if isinstance(answer, tuple):
            send(answers, *answer)
        else:
            send(answers, answer)


if __name__ == "__main__":
    kglite.set_query_warning_policy("silent")
    serve_alone(serve)
