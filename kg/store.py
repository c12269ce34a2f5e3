"""What an engine is: it holds the graph as nodes and edges, counts it, checks it, and some run Cypher over it.

Loading is the same for every engine: `synchronise` compares what the engine holds with what it should hold and passes on
tables of nodes before tables of edges. An engine only knows how to read and write such tables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kg.ontology import Family, Label, PropertyType, Rel, Relation, product_properties, relation
from kg.own_ontology import property_value
from kg.tables import EDGE_SCHEMA, GraphTables

# Capabilities of engines beyond the protocol's base.
CYPHER = "cypher"  # runs queries
FULLTEXT = "fulltext"  # has a full-text index on the titles of products, called FULLTEXT_INDEX
VECTORS = "vectors"  # takes vectors of products into an index, called VECTOR_INDEX (`VectorStore`)
FULLTEXT_INDEX = "clew_titles"
VECTOR_INDEX = "clew_embeddings"

_S, _F, _I, _B = pa.string(), pa.float64(), pa.int64(), pa.bool_()
_NAMED = (("key", _S), ("name", _S))
_NODES: dict[Label, pa.Schema] = {
    Label.PRODUCT: pa.schema(
        [("key", _S), ("title", _S), ("price_low", _F), ("price_high", _F), ("currency", _S), ("quantity", _S), ("available", _B)]
    ),
    Label.USER: pa.schema([("key", _S)]),
    Label.ENTITY: pa.schema([*_NAMED, ("kind", _S)]),
    Label.PRICE_BAND: pa.schema([*_NAMED, ("low", _F), ("high", _F), ("currency", _S)]),
}
_TYPES: dict[str, pa.DataType] = {"text": _S, "integer": _I, "number": _F, "boolean": _B, "date": _S}
_ENDS = (("source_key", _S), ("target_key", _S))
_COUNTED = (("count", _I), ("first", _S), ("last", _S))
_FACT = pa.schema([*_ENDS, *(("span_start", _I) if f.name == "span_start" else (f.name, f.type) for f in list(EDGE_SCHEMA)[2:])])


def node_schema(label: Label) -> pa.Schema:
    """Columns of nodes of a label, as engines hold them; `key` is unique."""
    if label is Label.PRODUCT:
        return pa.schema([*_NODES[label], *((each.name, _TYPES[each.type]) for each in product_properties())])
    return _NODES.get(label) or pa.schema(_NAMED)


def edge_schema(rel: Relation) -> pa.Schema:
    """Columns of edges of a relation, as engines hold them; the pair of keys is unique."""
    if rel.family is Family.EVENT:
        return pa.schema([*_ENDS, *_COUNTED, *([("value", _F)] if rel.name == Rel.RATED else [])])
    if rel.family is Family.DERIVED:
        return pa.schema([*_ENDS, ("count", _I), ("words", _S), ("derived", _B)])
    return _FACT


@dataclass(frozen=True, eq=False)
class EngineGraph:
    """A graph as engines hold it.

    Args:
        digest: of the truth.
        nodes: by label (`node_schema`), sorted by key.
        edges: by relation name (`edge_schema`), sorted by source and target.
    """

    digest: str
    nodes: Mapping[Label, pa.Table]
    edges: Mapping[str, pa.Table]

    def counts(self) -> Counts:
        """How many nodes and edges."""
        return Counts({str(label): t.num_rows for label, t in self.nodes.items()}, {name: t.num_rows for name, t in self.edges.items()})


def engine_graph(tables: GraphTables, digest: str, with_users: bool = True) -> EngineGraph:
    """The graph that an engine should hold; without users, nothing in it tells of a person."""
    nodes: dict[Label, pa.Table] = {Label.PRODUCT: with_properties(tables.products)}
    if with_users:
        nodes[Label.USER] = tables.users
    nodes |= tables.entities
    if tables.bands.num_rows:
        nodes[Label.PRICE_BAND] = tables.bands
    edges = {**(tables.event_edges if with_users else {}), **tables.edges}
    return EngineGraph(
        digest,
        {label: _shaped(table, node_schema(label)) for label, table in sorted(nodes.items()) if table.num_rows},
        {name: _shaped(table, edge_schema(relation(name))) for name, table in sorted(edges.items()) if table.num_rows},
    )


def with_properties(products: pa.Table) -> pa.Table:
    """Products (`PRODUCT_SCHEMA`) with the properties that an ontology file types, a column each, read out of the row's own text.

    What is no value of the type is null (see `kg.validate`).
    """
    properties = product_properties()
    if not properties:
        return products
    rows = [json.loads(fields) for fields in products.column("fields").to_pylist()]
    for each in properties:
        values = [value_or_none(row.get(each.column), each.type) for row in rows]
        products = products.append_column(each.name, pa.array(values, _TYPES[each.type]))
    return products


def value_or_none(text: str | None, kind: PropertyType) -> Any:
    """A typed value; None where the text is none."""
    try:
        return property_value(text, kind)
    except ValueError:
        return None


def _shaped(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return table.select(schema.names).cast(schema).combine_chunks()


@dataclass(frozen=True, slots=True)
class Counts:
    """How many nodes by label and edges by relation; what is not there is left out."""

    nodes: Mapping[str, int]
    edges: Mapping[str, int]


_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Node:
    """A node as an answer shows it: only the ontology's properties, `key` among them not repeated."""

    label: str
    key: str
    properties: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew cypher --json`."""
        return {"label": self.label, "key": self.key, "properties": dict(self.properties)}


@dataclass(frozen=True, slots=True)
class Edge:
    """A relationship as an answer shows it; `source` and `target` are keys."""

    type: str
    source: str
    target: str
    properties: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew cypher --json`."""
        return {"type": self.type, "from": self.source, "to": self.target, "properties": dict(self.properties)}


@dataclass(frozen=True, slots=True)
class Path:
    """A path as an answer shows it."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew cypher --json`."""
        return {"nodes": [n.to_dict() for n in self.nodes], "edges": [e.to_dict() for e in self.edges]}


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a query may go.

    Args:
        rows: rows that are kept; the answer says when there were more.
        seconds: wall-clock time.
        memory_mb: memory beyond the loaded graph, where the engine runs in a process of its own.
    """

    rows: int = 1_000
    seconds: float = 30.0
    memory_mb: int = 2_048


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer to a query.

    Args:
        columns: names, in order.
        rows: cells are JSON values, `Node`, `Edge`, `Path`, or lists and maps of them.
        truncated: whether there were more rows than the limit.
        ms: milliseconds that the engine took.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool
    ms: float

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew cypher run|query --json`."""
        rows = [[plain(cell) for cell in row] for row in self.rows]
        return {"schema_version": 1, "columns": list(self.columns), "rows": rows, "truncated": self.truncated, "ms": round(self.ms, 3)}


def plain(cell: Any) -> Any:
    """A cell as JSON has it."""
    if isinstance(cell, Node | Edge | Path):
        return cell.to_dict()
    if isinstance(cell, list | tuple):
        return [plain(inner) for inner in cell]
    if isinstance(cell, Mapping):
        return {key: plain(inner) for key, inner in cell.items()}
    return cell


@runtime_checkable
class VectorStore(Protocol):
    """An engine with `VECTORS`. `kg.testing.VectorContract` says what each one must hold to."""

    def vectors_digest(self) -> str | None:
        """Digest of the vectors that it holds whole; None when it holds none or not all of them any more."""
        ...

    def write_vectors(self, keys: Sequence[str], vectors: NDArray[np.float32], digest: str) -> None:
        """Give products their vectors, in an index by cosine; others lose theirs.

        Args:
            keys: of products that are there.
            vectors: float32 [n, d]; a row of zeros, which has no direction, is left out.
            digest: of all of it.
        """
        ...


@runtime_checkable
class GraphStore(Protocol):
    """An engine. `kg.testing.StoreContract` says what each one must hold to."""

    @property
    def name(self) -> str:
        """Name for people: "memory", "embedded", "neo4j"."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """What it can do beyond this protocol's base, such as `CYPHER`."""
        ...

    def digest(self) -> str | None:
        """Digest of the truth that it holds whole; None while it holds nothing or is being written."""
        ...

    def set_digest(self, digest: str | None) -> None:
        """Say what it holds now."""
        ...

    def prepare(self, labels: Sequence[Label], relations: Sequence[Relation]) -> None:
        """Make constraints and indexes for what will be written; nothing to do is fine."""
        ...

    def counts(self) -> Counts:
        """How many nodes and edges it holds, its own book-keeping not counted."""
        ...

    def node(self, label: Label, key: str) -> Node | None:
        """One node."""
        ...

    def neighbours(self, label: Label, key: str, limit: int = 100) -> list[tuple[Edge, Node]]:
        """Edges of a node in both directions with the node at the other end, by relation, direction (out first) and key."""
        ...

    def scan_nodes(self, label: Label) -> pa.Table:
        """All nodes of a label (`node_schema`), in any order."""
        ...

    def scan_edges(self, rel: Relation) -> pa.Table:
        """All edges of a relation (`edge_schema`), in any order."""
        ...

    def upsert_nodes(self, label: Label, rows: pa.Table) -> None:
        """Make nodes, or give those that exist exactly these properties (`node_schema`)."""
        ...

    def upsert_edges(self, rel: Relation, rows: pa.Table, fresh: bool = False) -> None:
        """Make edges, or give those that exist exactly these properties (`edge_schema`).

        Args:
            fresh: none of them is there yet, so that an engine need not look.

        Raises:
            StateError: an end does not exist; nothing of `rows` is half done.
        """
        ...

    def delete_nodes(self, label: Label, keys: Sequence[str]) -> None:
        """Remove nodes with all their edges; a key that is not there is fine."""
        ...

    def delete_edges(self, rel: Relation, pairs: Sequence[tuple[str, str]]) -> None:
        """Remove edges by the keys of their ends; a pair that is not there is fine."""
        ...

    def run(self, query: str, parameters: Mapping[str, Any] = _NOTHING, limits: Limits = Limits()) -> Rows:
        """Run a read query (capability `CYPHER`).

        Raises:
            InputError: the query is wrong, or went past its limits.
            EngineError: this engine runs no queries, or it is gone.
        """
        ...

    def close(self) -> None:
        """Let go of processes and connections."""
        ...
