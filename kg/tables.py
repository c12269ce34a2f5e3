"""The graph as Arrow tables: one row a product, a piece of evidence, an event. Everything else is derived from them.

Entities, edges and users are never stored by hand: an entity exists because some evidence points to it, its name is the
one that most evidence uses, and an edge is all evidence of one pair with the strongest on top. So no order of arrival,
no retry and no removal can leave a stale node behind.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kg.canon import bounded_key
from kg.errors import InputError
from kg.event_edges import event_edges
from kg.model import Entity, Fact, Price, Product
from kg.ontology import Family, Label, Relation, relation
from kg.ordering import ranks, sort_order

PRODUCT_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("title", pa.string()),
        ("price_low", pa.float64()),
        ("price_high", pa.float64()),
        ("currency", pa.string()),
        ("was", pa.float64()),
        ("per", pa.string()),
        ("count", pa.int64()),
        ("quantity", pa.string()),
        ("available", pa.bool_()),
        ("fields", pa.string()),  # JSON object of the row's other text
        ("source", pa.string()),  # the file it came from, without the line
    ]
)
EVIDENCE_SCHEMA = pa.schema(
    [
        ("source_key", pa.string()),
        ("target_key", pa.string()),
        ("source_name", pa.string()),  # trees only: the name of the child
        ("target_name", pa.string()),  # null for links
        ("target_kind", pa.string()),
        ("origin", pa.string()),  # which input vouches for it: catalogue, triples, bands
        ("field", pa.string()),
        ("span_start", pa.int32()),
        ("span_end", pa.int32()),
        ("text", pa.string()),
        ("extractor", pa.string()),
        ("confidence", pa.float64()),
        ("run", pa.string()),
    ]
)
EVENT_SCHEMA = pa.schema(
    [("user", pa.string()), ("item", pa.string()), ("time", pa.int64()), ("value", pa.float32()), ("kind", pa.string())]
)
ENTITY_SCHEMA = pa.schema([("key", pa.string()), ("name", pa.string()), ("kind", pa.string())])
BAND_SCHEMA = pa.schema(
    [*ENTITY_SCHEMA, ("low", pa.float64()), ("high", pa.float64()), ("currency", pa.string()), ("category_key", pa.string())]
)
USER_SCHEMA = pa.schema([("key", pa.string())])
EDGE_SCHEMA = pa.schema(
    [
        ("source_key", pa.string()),
        ("target_key", pa.string()),
        ("confidence", pa.float64()),
        ("extractor", pa.string()),
        ("field", pa.string()),
        ("span_start", pa.int32()),
        ("span_end", pa.int32()),
        ("text", pa.string()),
        ("run", pa.string()),
        ("evidence_count", pa.int64()),
    ]
)
# What makes two pieces of evidence the same piece, whatever their confidence and run.
EVIDENCE_IDENTITY = ("source_key", "target_key", "origin", "field", "span_start", "span_end", "extractor")
EVENT_ORDER = ("user", "time", "item", "kind", "value")
RELATED_KIND = "related_product"
_RELATED_SUFFIX = "_MENTIONED"
_BASE = hashlib.sha256(b"clew table 1").digest()
_NAMED_SCHEMA = pa.schema([*ENTITY_SCHEMA, ("count_all", pa.int64())])
_NO_TABLES: Mapping[Any, pa.Table] = MappingProxyType({})


def products_table(products: Iterable[Product]) -> pa.Table:
    """Products as a table in order of key (`PRODUCT_SCHEMA`)."""
    rows = sorted(products, key=lambda p: p.key.encode())
    prices = [p.price or Price(None, None) for p in rows]
    columns = [
        [p.key for p in rows],
        [p.title for p in rows],
        [p.low for p in prices],
        [p.high for p in prices],
        [p.currency for p in prices],
        [p.was for p in prices],
        [p.per for p in prices],
        [p.count for p in prices],
        [p.fields.get("quantity") for p in rows],
        [p.available for p in rows],
        [json.dumps(dict(p.fields), sort_keys=True, ensure_ascii=False) for p in rows],
        [p.source.rpartition(":")[0] or p.source for p in rows],
    ]
    return pa.table([pa.array(values, kind.type) for values, kind in zip(columns, PRODUCT_SCHEMA, strict=True)], schema=PRODUCT_SCHEMA)


def products_of(table: pa.Table) -> list[Product]:
    """The `Product`s of a products table, in its order."""
    found = []
    for row in table.to_pylist():
        price = Price(row["price_low"], row["price_high"], row["currency"], row["was"], row["per"], row["count"])
        empty = price.low is None and price.high is None
        found.append(
            Product(row["key"], row["title"], json.loads(row["fields"]), None if empty else price, row["available"], row["source"])
        )
    return found


def evidence_tables(facts: Iterable[Fact], origin: str, run: str = "") -> dict[str, pa.Table]:
    """All evidence of some facts by relation (`EVIDENCE_SCHEMA`), repeats kept."""
    rows: dict[str, list[tuple[object, ...]]] = {}
    for fact in facts:
        of_relation = rows.setdefault(str(fact.relation.name), [])
        target = fact.target
        name, kind = (None, None) if isinstance(target, str) else (target.name, target.kind)
        ends = (fact.source_key, fact.target_key, None, name, kind, origin)
        of_relation.extend((*ends, e.field, e.start, e.end, e.text, e.extractor, e.confidence, e.run or run) for e in fact.evidence)
    return {relation_name: _table(listed, EVIDENCE_SCHEMA) for relation_name, listed in rows.items()}


def tree_tables(tree: Iterable[tuple[Entity, Relation, Entity]], origin: str, extractor: str, run: str = "") -> dict[str, pa.Table]:
    """Evidence of a tree, (child, relation, parent) triples, by relation; the quoted text is the child's name."""
    rows: dict[str, list[tuple[object, ...]]] = {}
    for child, joined, parent in tree:
        if joined.family is not Family.TREE or child.label is not joined.source or parent.label is not joined.target:
            raise InputError(f"{joined.name} does not join {child.label} to {parent.label}.")
        ends = (child.key, parent.key, child.name, parent.name, parent.kind, origin)
        rows.setdefault(str(joined.name), []).append((*ends, "tree", 0, len(child.name), child.name, extractor, 1.0, run))
    return {name: _table(listed, EVIDENCE_SCHEMA) for name, listed in rows.items()}


def _table(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(values, kind.type) for values, kind in zip(columns, schema, strict=True)], schema=schema)


def first_of_groups(table: pa.Table, *columns: str) -> NDArray[np.bool_]:
    """In a table sorted by columns, which rows begin a new group (bool [n])."""
    start = np.zeros(table.num_rows, np.bool_)
    start[:1] = True
    for name in columns:
        codes = ranks(table.column(name))
        start[1:] |= codes[1:] != codes[:-1]
    return start


def distinct_evidence(table: pa.Table) -> pa.Table:
    """Evidence sorted for storage, one row an identity; of repeats, the most confident."""
    ordered = table.take(sort_order(table, *EVIDENCE_IDENTITY, "-confidence", "text", "target_name", "run"))
    return ordered.filter(pa.array(first_of_groups(ordered, *EVIDENCE_IDENTITY)))


def edges_table(evidence: pa.Table) -> pa.Table:
    """One edge a pair with its strongest evidence on top (`EDGE_SCHEMA`, sorted by source and target)."""
    ordered = evidence.take(sort_order(evidence, "source_key", "target_key", "-confidence", "field", "span_start", "extractor", "span_end"))
    starts = np.flatnonzero(first_of_groups(ordered, "source_key", "target_key"))
    counts = np.diff(np.append(starts, ordered.num_rows))
    top = ordered.take(starts).select(EDGE_SCHEMA.names[:-1])
    return top.append_column("evidence_count", pa.array(counts, pa.int64())).cast(EDGE_SCHEMA)


def with_related(evidence: Mapping[str, pa.Table], product_keys: pa.Array) -> dict[str, pa.Table]:
    """Links towards products that the catalogue lacks, turned into facts towards an `Entity` of kind "related_product".

    `ALSO_BOUGHT` to such a product becomes `ALSO_BOUGHT_MENTIONED`: a relation of its own, because its other end is one.
    """
    found: dict[str, pa.Table] = {}
    for name, table in evidence.items():
        if relation(name).family is not Family.LINK:
            found[name] = table
            continue
        inside = pc.is_in(table.column("target_key"), value_set=product_keys)
        found[name] = table.filter(inside)
        outside = table.filter(pc.invert(inside))
        if outside.num_rows:
            keys = outside.column("target_key").to_pylist()
            columns = {
                "target_key": pa.array([bounded_key(f"{RELATED_KIND}:{key}") for key in keys], pa.string()),
                "target_name": pa.array(keys, pa.string()),
                "target_kind": pa.array([RELATED_KIND] * len(keys), pa.string()),
            }
            for column, values in columns.items():
                outside = outside.set_column(outside.schema.get_field_index(column), column, values)
            found[name + _RELATED_SUFFIX] = outside
    return {name: table for name, table in found.items() if table.num_rows}


def name_counts(evidence: Mapping[str, pa.Table]) -> dict[Label, pa.Table]:
    """How often evidence uses a name and kind for an entity (key, name, kind, count), by label; a row for each relation that does."""
    named: dict[Label, list[pa.Table]] = {}
    for name, table in evidence.items():
        ends = relation(name)
        if ends.target in (Label.PRODUCT, Label.USER):
            continue
        kind = pc.fill_null(table.column("target_kind"), "")
        named.setdefault(ends.target, []).append(_counted(table.column("target_key"), table.column("target_name"), kind))
        if ends.family is Family.TREE:
            blank = pa.chunked_array([pa.array([""] * table.num_rows, pa.string())])
            named.setdefault(ends.source, []).append(_counted(table.column("source_key"), table.column("source_name"), blank))
    return {label: pa.concat_tables(tables) for label, tables in named.items()}


def _counted(keys: pa.ChunkedArray, names: pa.ChunkedArray, kinds: pa.ChunkedArray) -> pa.Table:
    named = pa.table({"key": keys, "name": names, "kind": kinds}).unify_dictionaries()
    counted = named.group_by(["key", "name", "kind"]).aggregate([([], "count_all")]).cast(_NAMED_SCHEMA)
    # A name that nobody states (a tree's child known only by its key) must lose against any that is stated.
    stated = pc.if_else(pc.is_null(counted.column("name")), pa.scalar(0, pa.int64()), counted.column("count_all"))
    return counted.select(["key", "name", "kind"]).append_column("count", stated)


def entity_tables(evidence: Mapping[str, pa.Table], more: Mapping[Label, pa.Table] = _NO_TABLES) -> dict[Label, pa.Table]:
    """All entities that evidence points to (`ENTITY_SCHEMA`, sorted by key), each with the name that most evidence uses.

    Args:
        evidence: by relation.
        more: `name_counts` of further evidence.
    """
    found: dict[Label, list[pa.Table]] = {}
    for counts in (name_counts(evidence), more):
        for label, table in counts.items():
            found.setdefault(label, []).append(table)
    return {label: _most_used(pa.concat_tables(tables)) for label, tables in sorted(found.items())}


def _most_used(counts: pa.Table) -> pa.Table:
    counted = counts.group_by(["key", "name", "kind"]).aggregate([("count", "sum")])
    ordered = counted.take(sort_order(counted, "key", "-count_sum", "name", "kind"))
    best = ordered.filter(pa.array(first_of_groups(ordered, "key")))
    unnamed = pc.replace_substring_regex(best.column("key"), "^[^:]*:", "")
    names = pc.coalesce(best.column("name"), unnamed)
    return pa.table({"key": best.column("key"), "name": names, "kind": best.column("kind")}).cast(ENTITY_SCHEMA)


def events_table(rows: pa.Table) -> pa.Table:
    """Events sorted for storage (`EVENT_SCHEMA`; by user, time, item, kind, value), repeats kept."""
    table = rows.select(EVENT_SCHEMA.names).cast(EVENT_SCHEMA)
    return table.take(sort_order(table, *EVENT_ORDER))


def content_digest(table: pa.Table) -> str:
    """Digest of names, types and values, in order; blind to chunks, buffers, dictionaries and what lies under a null."""
    state = hashlib.sha256(_BASE)
    state.update(table.num_rows.to_bytes(8, "little"))
    for described in table.schema:
        column = table.column(described.name)
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        state.update(f"{described.name}:{described.type};".encode())
        if array.null_count:
            state.update(b"null" + np.packbits(pc.is_null(array).to_numpy(zero_copy_only=False)).tobytes())
            array = pc.fill_null(array, "" if pa.types.is_string(described.type) else False if pa.types.is_boolean(described.type) else 0)
        if pa.types.is_string(described.type):
            state.update(pc.binary_length(array).to_numpy().tobytes())
            offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1] if len(array) else [0, 0]
            data = array.buffers()[2]
            state.update(memoryview(data)[offsets[0] : offsets[-1]] if data is not None else b"")
        else:
            state.update(np.ascontiguousarray(array.to_numpy(zero_copy_only=False)).tobytes())
    return f"sha256:{state.hexdigest()}"


@dataclass(frozen=True, eq=False)
class Rest:
    """What of a graph is not in its tables, because an ingest leaves it alone; it still counts in sums over the whole.

    Args:
        product_keys: of the other products.
        users: those of the people looked at who have events elsewhere.
        evidence: of the other products, by relation (facts and links); of `EVIDENCE_SCHEMA`'s columns the ends, target_name,
            target_kind and text, as text or dictionaries.
        names: `name_counts` of that evidence.
    """

    product_keys: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    users: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    evidence: Mapping[str, pa.Table] = field(default_factory=dict)
    names: Mapping[Label, pa.Table] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class GraphTables:
    """A whole graph in tables, or the slice of one that a small ingest works on.

    Args:
        products: `PRODUCT_SCHEMA`, sorted by key, one row a key.
        evidence: by relation, `EVIDENCE_SCHEMA`, as `distinct_evidence` leaves it; links may point outside the catalogue.
        events: `EVENT_SCHEMA`, as `events_table` leaves it.
        bands: `BAND_SCHEMA`, the price bands with their borders, sorted by key.
        timed: whether event times are moments (seconds since 1970 UTC) and not only an order.
        rest: what is not in these tables; nothing for a whole graph. Trees and bands always are.
    """

    products: pa.Table
    evidence: Mapping[str, pa.Table]
    events: pa.Table
    timed: bool = True
    bands: pa.Table = field(default_factory=BAND_SCHEMA.empty_table)
    rest: Rest = field(default_factory=Rest)

    def __post_init__(self) -> None:
        kept = {name: table for name, table in sorted(self.evidence.items()) if table.num_rows}
        object.__setattr__(self, "evidence", MappingProxyType(kept))

    @classmethod
    def empty(cls) -> GraphTables:
        """A graph of nothing."""
        return cls(PRODUCT_SCHEMA.empty_table(), {}, EVENT_SCHEMA.empty_table())

    @cached_property
    def product_keys(self) -> pa.Array:
        """Keys of the catalogue, sorted."""
        return self.products.column("key").combine_chunks()

    @cached_property
    def all_product_keys(self) -> pa.Array:
        """Keys of the catalogue, those outside these tables too, in no order."""
        return pa.concat_arrays([self.product_keys, self.rest.product_keys])

    @cached_property
    def related(self) -> Mapping[str, pa.Table]:
        """Evidence with links that leave the catalogue turned into facts (`with_related`)."""
        return with_related(self.evidence, self.all_product_keys)

    @cached_property
    def entities(self) -> Mapping[Label, pa.Table]:
        """Entities by label (`ENTITY_SCHEMA`), those of the rest too; price bands also where no product lies in one."""
        found = entity_tables(self.related, self.rest.names)
        if self.bands.num_rows:
            found[Label.PRICE_BAND] = self.bands.select(ENTITY_SCHEMA.names)
        return dict(sorted(found.items()))

    @cached_property
    def edges(self) -> Mapping[str, pa.Table]:
        """Edges by relation (`EDGE_SCHEMA`)."""
        return {name: edges_table(table) for name, table in self.related.items()}

    @cached_property
    def users(self) -> pa.Table:
        """Users that have an event (`USER_SCHEMA`, sorted)."""
        keys = pc.unique(pa.concat_arrays([self.events.column("user").combine_chunks(), self.rest.users]))
        return pa.table({"key": keys.take(pc.sort_indices(keys))}, schema=USER_SCHEMA)

    @cached_property
    def event_edges(self) -> Mapping[str, pa.Table]:
        """Events counted into edges by relation (`kg.event_edges.EVENT_EDGE_SCHEMA`)."""
        return event_edges(self.events, self.timed)

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """How many nodes by label and edges by relation, events as the edges that they make; what is not there is left out."""
        nodes = {str(Label.PRODUCT): self.products.num_rows, str(Label.USER): self.users.num_rows}
        nodes |= {str(label): table.num_rows for label, table in self.entities.items()}
        edges = {name: table.num_rows for name, table in {**self.event_edges, **self.edges}.items()}
        return {name: n for name, n in nodes.items() if n}, {name: n for name, n in sorted(edges.items()) if n}
