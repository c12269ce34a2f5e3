"""A small ingest: the slice of the graph that it can touch, merged as a whole graph is, and the rows that this adds and removes.

Merging is a matter of one product, one pair of person and product, or one tree; only a few things are sums over the whole:
which products there are, what most evidence calls an entity, which categories and materials are in use, how many prices a
category has. A slice therefore holds everything that hangs on the products and pairs that came, whole trees and bands, and as
its `rest` what those sums need. Where a small ingest would reach further (a category gets price bands, or another parent),
`delta` gives up, and the whole graph is merged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from kg.align import Changes
from kg.categories import category_paths, category_tree
from kg.merge import Incoming, compare, merge
from kg.news import PAIR, news
from kg.ontology import Family, Rel, relation
from kg.picked import Picked
from kg.price_bands import amount, currency, parents_of
from kg.row_digests import difference
from kg.tables import (
    BAND_SCHEMA,
    EVENT_SCHEMA,
    EVIDENCE_SCHEMA,
    PRODUCT_SCHEMA,
    USER_SCHEMA,
    GraphTables,
    Rest,
    name_counts,
    with_related,
)
from kg.truth import BANDS, EVENTS, PRODUCTS, USERS, TableChange, Truth, stored_tables
from kg.truth_parts import READERS

_OF_REST = ("source_key", "target_key", "target_name", "target_kind", "text")  # what sums over the whole need
# Columns whose values repeat come as dictionaries: a quarter of the memory, and the first touch of memory is most of the cost.
_CODED_EVIDENCE = tuple(f.name for f in EVIDENCE_SCHEMA if pa.types.is_string(f.type) and f.name != "source_key")
_CODED_PRODUCTS = ("per", "quantity", "fields", "source")
_MAX_UNREAD = 0.05  # rows that come, as a share of those that are there, beyond which it is worth looking which of them are new
_MAX_SHARE = 0.2  # new rows, as a share, beyond which merging the whole is no slower


@dataclass(frozen=True, eq=False)
class Delta:
    """What a small ingest does.

    Args:
        tables: by name of the truth's table.
        changes: nodes and edges together, of the whole graph.
        nodes, edges: how many there then are.
    """

    tables: Mapping[str, TableChange]
    changes: Changes
    nodes: Mapping[str, int]
    edges: Mapping[str, int]


def delta(truth: Truth, incoming: Incoming, run: str) -> Delta | None:
    """What an ingest that prunes nothing does to a graph; None where it is not small, or reaches further than its slice.

    Raises:
        StateError: a part of the truth that it needs is missing or damaged.
    """
    if not _can_be_changed(truth, incoming):
        return None
    if _share(truth, incoming) > _MAX_UNREAD:
        incoming = news(truth, incoming)
    if _share(truth, incoming) > _MAX_SHARE:
        return None
    old = slice_of(truth, incoming)
    new = merge(old, incoming, run=run)
    if not new.bands.equals(old.bands) or _moved_categories(old, new):
        return None
    before, after = stored_tables(old), stored_tables(new)
    tables: dict[str, TableChange] = {}
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        schema = (was if was is not None else now).schema  # type: ignore[union-attr]
        change = TableChange(*difference(schema.empty_table() if was is None else was, schema.empty_table() if now is None else now))
        if change.added.num_rows or change.removed.num_rows:
            tables[name] = change
    if EVENTS in tables and tables[EVENTS].removed.num_rows:
        return None
    return _counted(truth, old, new, tables)


def _can_be_changed(truth: Truth, incoming: Incoming) -> bool:
    """Whether an ingest left the graph as ingests leave it, with times like those that come."""
    if not truth.exists or truth.graph_counts is None or not truth.ontology_is_the_same or not _was_ingested(truth):
        return False
    return incoming.events is None or bool(incoming.timed == truth.manifest["timed"])


def _share(truth: Truth, incoming: Incoming) -> float:
    """Rows that come, as a share of those that are there."""
    coming = [incoming.products, *(incoming.triples or {}).values(), *(incoming.events or ())]
    rows = sum(table.num_rows for table in coming if table is not None)
    return float(rows / max(sum(table["rows"] for table in truth.manifest["tables"].values()), 1))


def _was_ingested(truth: Truth) -> bool:
    """Whether the last that made the graph was an ingest: an import lays no bands and draws no trees, forgetting a person moves neither."""
    last = next((run["run"] for run in reversed(truth.runs) if run["run"] != "erase"), "")
    return str(last).startswith("sha256:")


def slice_of(truth: Truth, incoming: Incoming) -> GraphTables:
    """The part of a graph that an ingest can touch, with what it needs to know of the rest.

    Raises:
        StateError: a part of the truth is missing or damaged.
    """
    bands = truth.glance(BANDS, BAND_SCHEMA).sort_by("key").combine_chunks()
    products = truth.glance(PRODUCTS, PRODUCT_SCHEMA, coded=_CODED_PRODUCTS)
    names = list(truth.counts("evidence"))
    with ThreadPoolExecutor(READERS) as pool:
        read = pool.map(lambda name: truth.glance(f"evidence/{name}", EVIDENCE_SCHEMA, coded=_CODED_EVIDENCE), names)
        evidence = dict(zip(names, read, strict=True))
    trees = {name: table.cast(EVIDENCE_SCHEMA) for name, table in evidence.items() if relation(name).family is Family.TREE}
    facts = {name: table for name, table in evidence.items() if name not in trees}
    touched = _touched(incoming, products, facts, trees, bands)

    def inside(table: pa.Table, column: str) -> pa.ChunkedArray:
        return pc.is_in(table.column(column), value_set=touched)

    which = {name: inside(table, "source_key") for name, table in facts.items()}
    among = inside(products, "key")
    events, users = _events(truth, incoming)
    others = {name: table.select(_OF_REST).filter(pc.invert(which[name])) for name, table in facts.items()}
    counted = name_counts(with_related(others, products.column("key").combine_chunks()))
    rest = Rest(products.column("key").filter(pc.invert(among)).combine_chunks(), users, others, counted)
    mine = {name: table.filter(which[name]).cast(EVIDENCE_SCHEMA).combine_chunks() for name, table in facts.items()}
    kept = products.filter(among).cast(PRODUCT_SCHEMA).sort_by("key").combine_chunks()
    return GraphTables(kept, {**mine, **trees}, events, bool(truth.manifest["timed"]), bands, rest)


def _touched(
    incoming: Incoming, products: pa.Table, facts: Mapping[str, pa.Table], trees: Mapping[str, pa.Table], bands: pa.Table
) -> pa.Array:
    """Keys of the products whose row, evidence or edges may change."""
    sources = [table.column("source_key") for name, table in (incoming.triples or {}).items() if relation(name).family is not Family.TREE]
    given = pa.chunked_array([], pa.string()) if incoming.products is None else incoming.products.column("key")
    touched = pc.unique(pa.chunked_array([chunk for column in (given, *sources) for chunk in column.chunks], pa.string()))
    new = given.filter(pc.invert(pc.is_in(given, value_set=products.column("key").combine_chunks())))
    more = []
    if len(new):
        # A link to a product that was only mentioned becomes a link within the catalogue when the product comes.
        links = [table for name, table in facts.items() if relation(name).family is Family.LINK]
        more += [t.column("source_key").filter(pc.is_in(t.column("target_key"), value_set=new.combine_chunks())) for t in links]
    more.append(_sharing_prices(incoming, touched, products, facts, trees, bands))
    return pc.unique(pa.chunked_array([touched, *(chunk for column in more for chunk in column.chunks)], pa.string()))


def _sharing_prices(
    incoming: Incoming,
    touched: pa.Array,
    products: pa.Table,
    facts: Mapping[str, pa.Table],
    trees: Mapping[str, pa.Table],
    bands: pa.Table,
) -> pa.ChunkedArray:
    """Products with a price in categories that have no price bands yet and may now get them; there are few, by that."""
    placed = facts.get(Rel.IN_CATEGORY, EVIDENCE_SCHEMA.empty_table())
    came = [of[Rel.IN_CATEGORY] for of in (incoming.facts, incoming.triples or {}) if Rel.IN_CATEGORY in of]
    mine = pa.concat_tables([placed.filter(pc.is_in(placed.column("source_key"), value_set=touched)).cast(EVIDENCE_SCHEMA), *came])
    tree = [of[Rel.PART_OF] for of in (trees, incoming.tree, incoming.triples or {}) if Rel.PART_OF in of]
    steps = [pair for table in tree for pair in zip(*(table.column(n).to_pylist() for n in ("source_key", "target_key")), strict=True)]
    steps += [(child.key, parent.key) for child, _, parent in category_tree(category_paths(mine))]
    categories = _closure(set(pc.unique(mine.column("target_key")).to_pylist()), steps)
    coming = products.filter(pc.is_in(products.column("key"), value_set=touched)).cast(PRODUCT_SCHEMA)
    coming = coming if incoming.products is None else pa.concat_tables([coming, incoming.products])
    found = []
    for code in pc.unique(currency(coming)).to_pylist():
        banded = bands.filter(pc.equal(bands.column("currency"), code)).column("category_key").to_pylist()
        if not (without_bands := categories - set(banded)):
            continue
        below = _closure(without_bands, [(parent, child) for child, parent in steps])
        there = placed.column("source_key").filter(pc.is_in(placed.column("target_key"), value_set=pa.array(sorted(below), pa.string())))
        priced = products.filter(pc.and_(pc.is_valid(amount(products)), pc.equal(currency(products), code))).column("key")
        found += there.filter(pc.is_in(there, value_set=priced.combine_chunks())).chunks
    return pa.chunked_array(found, pa.string())


def _closure(start: set[str], steps: Iterable[tuple[str, str]]) -> set[str]:
    """Everything that steps lead to, the start too."""
    onwards: dict[str, list[str]] = {}
    for here, there in steps:
        onwards.setdefault(here, []).append(there)
    found, waiting = set(start), list(start)
    while waiting:
        for there in onwards.get(waiting.pop(), ()):
            if there not in found:
                found.add(there)
                waiting.append(there)
    return found


def _events(truth: Truth, incoming: Incoming) -> tuple[pa.Table, pa.Array]:
    """Events of the pairs of person and product that come, and those of the people who are known."""
    if not incoming.events:
        return EVENT_SCHEMA.empty_table(), pa.array([], pa.string())
    pairs = Picked.like(pa.concat_tables([table.select(PAIR) for table in incoming.events]))
    mine = truth.glance(EVENTS, EVENT_SCHEMA, pairs).combine_chunks()
    known = truth.glance(USERS, USER_SCHEMA).column("key")
    return mine, known.filter(pc.is_in(known, value_set=pairs.values["user"])).combine_chunks()


def _moved_categories(old: GraphTables, new: GraphTables) -> bool:
    """Whether a category that products of the rest lie in has another way up now: their price bands might then be others."""
    placed = old.rest.evidence.get(Rel.IN_CATEGORY, EVIDENCE_SCHEMA.empty_table())
    before, after = parents_of(old.evidence), parents_of(new.evidence)
    return any(before.get(c) != after.get(c) for c in _closure(set(pc.unique(placed.column("target_key")).to_pylist()), before.items()))


def _counted(truth: Truth, old: GraphTables, new: GraphTables, tables: Mapping[str, TableChange]) -> Delta:
    assert truth.graph_counts is not None
    counts = []
    for whole, before, after in zip(truth.graph_counts, old.counts(), new.counts(), strict=True):
        found = {name: whole.get(name, 0) + after.get(name, 0) - before.get(name, 0) for name in sorted({*whole, *after})}
        counts.append({name: n for name, n in found.items() if n})
    here = compare(old, new)
    total = sum(n for whole in truth.graph_counts for n in whole.values())
    unchanged = total - here.changed - here.removed
    return Delta(tables, Changes(here.new, here.changed, unchanged, here.removed), *counts)
