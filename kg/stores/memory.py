"""The graph in Arrow tables of this process: no server, no Cypher; what the other engines are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kg.align import align
from kg.errors import EngineError, StateError
from kg.ontology import Label, Relation, relation
from kg.store import Counts, Edge, Limits, Node, Rows, edge_schema, node_schema


class MemoryStore:
    """An engine that forgets everything when it is closed."""

    name = "memory"
    capabilities: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._nodes: dict[Label, pa.Table] = {}
        self._edges: dict[str, pa.Table] = {}
        self._digest: str | None = None

    def digest(self) -> str | None:
        """See `GraphStore`."""
        return self._digest

    def set_digest(self, digest: str | None) -> None:
        """See `GraphStore`."""
        self._digest = digest

    def prepare(self, labels: Sequence[Label], relations: Sequence[Relation]) -> None:
        """Nothing to make."""

    def counts(self) -> Counts:
        """See `GraphStore`."""
        return Counts(
            {str(label): table.num_rows for label, table in sorted(self._nodes.items()) if table.num_rows},
            {name: table.num_rows for name, table in sorted(self._edges.items()) if table.num_rows},
        )

    def node(self, label: Label, key: str) -> Node | None:
        """See `GraphStore`."""
        found = self.scan_nodes(label)
        rows = found.filter(pc.equal(found.column("key"), key)).to_pylist()
        return Node(str(label), key, _properties(rows[0], "key")) if rows else None

    def neighbours(self, label: Label, key: str, limit: int = 100) -> list[tuple[Edge, Node]]:
        """See `GraphStore`."""
        found: list[tuple[Edge, Node]] = []
        for name, table in sorted(self._edges.items()):
            rel = relation(name)
            for mine, here, other, there in (
                (rel.source, "source_key", "target_key", rel.target),
                (rel.target, "target_key", "source_key", rel.source),
            ):
                if mine is not label or len(found) >= limit:
                    continue
                rows = table.filter(pc.equal(table.column(here), key)).sort_by(other).slice(0, limit - len(found))
                for row in rows.to_pylist():
                    end = self.node(there, row[other])
                    assert end is not None  # an edge without its ends is refused when it is written
                    found.append((Edge(name, row["source_key"], row["target_key"], _properties(row, "source_key", "target_key")), end))
        return found

    def scan_nodes(self, label: Label) -> pa.Table:
        """See `GraphStore`."""
        return self._nodes.get(label, node_schema(label).empty_table())

    def scan_edges(self, rel: Relation) -> pa.Table:
        """See `GraphStore`."""
        return self._edges.get(str(rel.name), edge_schema(rel).empty_table())

    def upsert_nodes(self, label: Label, rows: pa.Table) -> None:
        """See `GraphStore`."""
        self._nodes[label] = _upserted(self.scan_nodes(label), rows, "key")

    def upsert_edges(self, rel: Relation, rows: pa.Table, fresh: bool = False) -> None:
        """See `GraphStore`."""
        for label, column in ((rel.source, "source_key"), (rel.target, "target_key")):
            inside = pc.is_in(rows.column(column), value_set=self.scan_nodes(label).column("key").combine_chunks())
            if rows.num_rows and not pc.all(inside).as_py():
                missing = rows.column(column).filter(pc.invert(inside))[0].as_py()
                raise StateError(f"{rel.name} cannot end at the {label} {missing!r}: there is none.", "Write nodes before edges.")
        self._edges[str(rel.name)] = _upserted(self.scan_edges(rel), rows, "source_key", "target_key")

    def delete_nodes(self, label: Label, keys: Sequence[str]) -> None:
        """See `GraphStore`."""
        doomed = pa.array(keys, pa.string())
        table = self.scan_nodes(label)
        self._nodes[label] = table.filter(pc.invert(pc.is_in(table.column("key"), value_set=doomed)))
        for name, edges in self._edges.items():
            rel = relation(name)
            for end, column in ((rel.source, "source_key"), (rel.target, "target_key")):
                if end is label:
                    edges = edges.filter(pc.invert(pc.is_in(edges.column(column), value_set=doomed)))
            self._edges[name] = edges

    def delete_edges(self, rel: Relation, pairs: Sequence[tuple[str, str]]) -> None:
        """See `GraphStore`."""
        table = self.scan_edges(rel)
        columns = list(zip(*pairs, strict=True)) or [(), ()]
        doomed = pa.table({"source_key": pa.array(columns[0], pa.string()), "target_key": pa.array(columns[1], pa.string())})
        self._edges[str(rel.name)] = table.filter(pa.array(align(doomed, table, "source_key", "target_key") < 0))

    def run(self, query: str, parameters: Mapping[str, Any] | None = None, limits: Limits | None = None) -> Rows:
        """Always refused: this engine runs no queries."""
        raise EngineError("The memory engine runs no Cypher.", "Use the embedded engine or Neo4j.")

    def close(self) -> None:
        """Nothing to let go of."""


def _upserted(old: pa.Table, rows: pa.Table, *keys: str) -> pa.Table:
    kept = old.filter(pa.array(align(rows, old, *keys) < 0)) if rows.num_rows else old
    # Of rows that name one thing twice, the last counts, as it would in any other engine.
    last = align(rows, rows, *keys) == np.arange(rows.num_rows)
    return pa.concat_tables([kept, rows.filter(pa.array(last)).cast(old.schema)]).combine_chunks()


def _properties(row: Mapping[str, Any], *without: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in without and value is not None}
