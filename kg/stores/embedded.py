"""kglite as an engine: Cypher without a server, in a child process of its own."""

from __future__ import annotations

import selectors
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kg.errors import EngineError, InputError, StateError
from kg.ontology import Label, Relation, all_labels, all_relations, relation
from kg.store import CYPHER, Counts, Edge, Limits, Node, Rows, edge_schema, node_schema
from kg.store import Path as GraphPath
from kg.stores import child
from kg.stores.frames import receive, send
from kg.whole_files import whole_file

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_DEFAULT_LIMITS = Limits()
# What the engine itself adds to a node's or relationship's properties.
_ADDED = frozenset({"id", "type"})
_GRACE = 2.0  # seconds beyond its own deadline before a child is killed


class EmbeddedStore:
    """An embedded engine, empty or opened from a file that `save` wrote.

    Args:
        path: the file; None starts empty.
        locked: load the file, then give up every right to open or write anything (exploration).
        memory_mb: what a locked engine may take beyond the loaded graph.

    Raises:
        EngineError: kglite is not installed or does not start.
        StateError: the file is not one of its own.
    """

    name = "embedded"
    capabilities = frozenset({CYPHER})

    def __init__(self, path: Path | None = None, locked: bool = False, memory_mb: int = Limits().memory_mb) -> None:
        self._digest: str | None = None
        self._held: dict[Label, set[str]] | None = {} if path is None else None
        self._locked = locked
        self._process = child.start("kg.stores.embedded_child")
        if path is not None:
            self._ask({"op": "load", "path": str(path.resolve())}, gone="The embedded engine did not start.")
        if locked:
            self._ask({"op": "lock", "memory_mb": memory_mb})

    def _ask(
        self, head: dict[str, Any], table: pa.Table | None = None, seconds: float | None = None, gone: str = "The embedded engine ended."
    ) -> tuple[dict[str, Any], pa.Table | None]:
        assert self._process.stdin is not None and self._process.stdout is not None
        if self._process.stdin.closed:
            raise EngineError("The embedded engine was closed.", "Open it again.")
        try:
            send(self._process.stdin, head, table)
            self._wait(seconds)
            answer = receive(self._process.stdout)
        except BrokenPipeError:
            answer = None
        if answer is None:
            self.close()
            raise _ended(head, gone, self._locked)
        found = answer[0]
        if "error" in found:
            raise _refused(found, seconds)
        return answer

    def _wait(self, seconds: float | None) -> None:
        if seconds is None:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
            if not selector.select(seconds + _GRACE):
                self.close()
                raise _refused({"error": "timeout"}, seconds)

    @property
    def alive(self) -> bool:
        """Whether the child is there: a question that went past its limits ends it."""
        return self._process.poll() is None

    def digest(self) -> str | None:
        """See `GraphStore`."""
        return self._digest

    def set_digest(self, digest: str | None) -> None:
        """See `GraphStore`."""
        self._digest = digest

    def prepare(self, labels: Sequence[Label], relations: Sequence[Relation]) -> None:
        """Nothing to make: kglite indexes keys by itself."""

    def save(self, path: Path) -> None:
        """Write the graph into a file that appears whole or not at all."""
        with whole_file(path) as temporary:
            self._ask({"op": "save", "path": str(temporary)})

    def counts(self) -> Counts:
        """See `GraphStore`."""
        nodes = self.run("MATCH (n) RETURN labels(n)[0] AS label, count(*) AS n", limits=Limits(10_000, 600))
        edges = self.run("MATCH ()-[r]->() RETURN type(r) AS type, count(*) AS n", limits=Limits(10_000, 600))
        return Counts({r[0]: r[1] for r in sorted(nodes.rows)}, {r[0]: r[1] for r in sorted(edges.rows)})

    def node(self, label: Label, key: str) -> Node | None:
        """See `GraphStore`."""
        found = self.run(f"MATCH (n:{label} {{key: $key}}) RETURN n", {"key": key})
        return found.rows[0][0] if found.rows else None

    def neighbours(self, label: Label, key: str, limit: int = 100) -> list[tuple[Edge, Node]]:
        """See `GraphStore`."""
        found: list[tuple[Edge, Node]] = []
        for name in sorted(self.counts().edges):
            rel = relation(name)
            for mine, pattern in ((rel.source, f"(n)-[r:{name}]->(m:{rel.target})"), (rel.target, f"(n)<-[r:{name}]-(m:{rel.source})")):
                if mine is label and len(found) < limit:
                    query = f"MATCH (n:{label} {{key: $key}}) MATCH {pattern} RETURN r, m ORDER BY m.key LIMIT $limit"
                    rows = self.run(query, {"key": key, "limit": limit - len(found)}, Limits(limit)).rows
                    found.extend((row[0], row[1]) for row in rows)
        return found

    def scan_nodes(self, label: Label) -> pa.Table:
        """See `GraphStore`."""
        schema = node_schema(label)
        columns = ", ".join(f"n.{name} AS {name}" for name in schema.names)
        return self._scan(f"MATCH (n:{label}) RETURN {columns}", schema)

    def scan_edges(self, rel: Relation) -> pa.Table:
        """See `GraphStore`."""
        schema = edge_schema(rel)
        columns = ", ".join(f"r.{name} AS {name}" for name in schema.names[2:])
        query = f"MATCH (a:{rel.source})-[r:{rel.name}]->(b:{rel.target}) RETURN a.key AS source_key, b.key AS target_key, {columns}"
        return self._scan(query, schema)

    def _scan(self, query: str, schema: pa.Schema) -> pa.Table:
        table = self._ask({"op": "scan", "query": query}, schema.empty_table())[1]
        assert table is not None
        return table

    def upsert_nodes(self, label: Label, rows: pa.Table) -> None:
        """See `GraphStore`."""
        held = self._keys(label)
        keys = rows.column("key").to_pylist()
        if not held and len(set(keys)) == len(keys):
            self._ask({"op": "add_nodes", "label": str(label)}, rows)
        else:
            sets = ", ".join(f"n.{name} = r.{name}" for name in rows.column_names if name != "key") or "n.key = r.key"
            self._ask({"op": "write", "query": f"UNWIND $rows AS r MERGE (n:{label} {{key: r.key}}) SET {sets}", "parameters": {}}, rows)
        held.update(keys)

    def upsert_edges(self, rel: Relation, rows: pa.Table, fresh: bool = False) -> None:
        """See `GraphStore`."""
        for label, column in ((rel.source, "source_key"), (rel.target, "target_key")):
            missing = set(pc.unique(rows.column(column)).to_pylist()) - self._keys(label)
            if missing:
                raise StateError(f"{rel.name} cannot end at the {label} {min(missing)!r}: there is none.", "Write nodes before edges.")
        fresh = fresh or not dict(self.counts().edges).get(str(rel.name), 0)
        if fresh and rows.group_by(["source_key", "target_key"]).aggregate([]).num_rows == rows.num_rows:
            head = {"op": "add_edges", "relation": str(rel.name), "source": str(rel.source), "target": str(rel.target)}
            report = self._ask(head, rows)[0]
            if report["stubs"] or report["created"] != rows.num_rows:
                raise StateError(f"The embedded engine made {report['created']} of {rows.num_rows} {rel.name} edges.", "Load it again.")
            return
        sets = ", ".join(f"e.{name} = r.{name}" for name in rows.column_names[2:])
        query = (
            f"UNWIND $rows AS r MATCH (a:{rel.source} {{key: r.source_key}}) MATCH (b:{rel.target} {{key: r.target_key}}) "
            f"MERGE (a)-[e:{rel.name}]->(b) SET {sets}"
        )
        self._ask({"op": "write", "query": query, "parameters": {}}, rows)

    def _keys(self, label: Label) -> set[str]:
        if self._held is None:
            self._held = {Label(name): set(self.scan_nodes(Label(name)).column("key").to_pylist()) for name in self.counts().nodes}
        return self._held.setdefault(label, set())

    def delete_nodes(self, label: Label, keys: Sequence[str]) -> None:
        """See `GraphStore`."""
        rows = pa.table({"key": pa.array(keys, pa.string())})
        self._ask({"op": "write", "query": f"UNWIND $rows AS r MATCH (n:{label} {{key: r.key}}) DETACH DELETE n", "parameters": {}}, rows)
        self._keys(label).difference_update(keys)

    def delete_edges(self, rel: Relation, pairs: Sequence[tuple[str, str]]) -> None:
        """See `GraphStore`."""
        rows = pa.table({"a": pa.array([a for a, _ in pairs], pa.string()), "b": pa.array([b for _, b in pairs], pa.string())})
        query = f"UNWIND $rows AS r MATCH (:{rel.source} {{key: r.a}})-[e:{rel.name}]->(:{rel.target} {{key: r.b}}) DELETE e"
        self._ask({"op": "write", "query": query, "parameters": {}}, rows)

    def run(self, query: str, parameters: Mapping[str, Any] = _NOTHING, limits: Limits = _DEFAULT_LIMITS) -> Rows:
        """See `GraphStore`."""
        started = time.perf_counter()
        head = {
            "op": "run",
            "query": query,
            "parameters": dict(parameters),
            "rows": limits.rows,
            "timeout_ms": int(limits.seconds * 1000),
        }
        answer, _ = self._ask(head, seconds=limits.seconds)
        _check_warnings(answer["warnings"])
        ends = {int(number): key for number, key in answer["ends"].items()}
        rows = tuple(tuple(_cell(cell, ends) for cell in row) for row in answer["rows"])
        return Rows(tuple(answer["columns"]), rows, answer["truncated"], (time.perf_counter() - started) * 1000)

    def close(self) -> None:
        """End the child process."""
        child.end(self._process)

    def __enter__(self) -> EmbeddedStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ended(head: Mapping[str, Any], gone: str, locked: bool) -> EngineError | InputError:
    if head["op"] == "run" and locked:
        return InputError("The query took more memory than it may.", "Match less, add LIMIT, or raise --memory.")
    return EngineError(gone, "Check that kglite is installed (`clew doctor`); delete the workspace's cache/ and try again.")


def _refused(answer: Mapping[str, Any], seconds: float | None) -> EngineError | InputError | StateError:
    kind, message = answer["error"], str(answer.get("message", "")).strip()
    if kind == "timeout":
        return InputError(f"The query took longer than {seconds:g} s.", "Match less, add LIMIT, or raise --timeout.")
    if kind == "memory":
        return InputError("The query took more memory than it may.", "Match less, add LIMIT, or raise --memory.")
    if kind == "query":
        return InputError(f"The embedded engine refuses the query: {message}", "Correct it; `clew cypher list` shows queries that run.")
    return EngineError(f"The embedded engine failed: {message}", "Delete the workspace's cache/ and try again.")


def _check_warnings(warnings: Sequence[str]) -> None:
    """What the engine only warns of is an error, unless it speaks of something that the ontology has and this graph does not."""
    known = _words()
    for warning in warnings:
        quoted = warning.split("'")[1::2]
        if "row_limit" in warning or "row limit" in warning or (quoted and quoted[0] in known):
            continue
        raise InputError(f"The query does not fit the graph: {warning}", "`clew graph stats` shows labels and relations.")


def _words() -> set[str]:
    """Every label, relation and property of the ontology."""
    labels, relations = all_labels(), all_relations()
    schemas = (*map(node_schema, labels), *map(edge_schema, relations.values()))
    return {str(label) for label in labels} | set(relations) | {name for schema in schemas for name in schema.names}


def _cell(cell: Any, ends: Mapping[int, str]) -> Any:
    if isinstance(cell, list):
        return [_cell(inner, ends) for inner in cell]
    if not isinstance(cell, dict):
        return cell
    if "$node" in cell:
        label = cell["label"]
        known = set(node_schema(Label(label)).names) - {"key"}
        return Node(label, cell["properties"]["key"], {n: v for n, v in cell["properties"].items() if n in known and v is not None})
    if "$edge" in cell:
        properties = {name: value for name, value in cell["properties"].items() if name not in _ADDED and value is not None}
        return Edge(cell["$edge"], ends[cell["start"]], ends[cell["end"]], properties)
    if "$path" in cell:
        return GraphPath(tuple(_cell(n, ends) for n in cell["$path"]), tuple(_cell(e, ends) for e in cell["edges"]))
    return {name: _cell(inner, ends) for name, inner in cell["$map"].items()}
