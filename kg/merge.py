"""What an ingest does to the graph: rows taken in replace rows of the same name, all else stays unless pruning is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kg.align import Changes, align, changes, equal_rows, group_ids
from kg.categories import category_paths, category_tree
from kg.errors import InputError
from kg.ontology import RELATIONS, Family, Rel, relation
from kg.ordering import sort_order
from kg.price_bands import ORIGIN as BANDS
from kg.price_bands import band_evidence, lay_bands
from kg.proposals import ProposingSource, proposed
from kg.tables import (
    BAND_SCHEMA,
    EVENT_ORDER,
    EVIDENCE_IDENTITY,
    EVIDENCE_SCHEMA,
    GraphTables,
    Rest,
    distinct_evidence,
    events_table,
    tree_tables,
)

CATALOGUE = "catalogue"  # read out of a catalogue row
TRIPLES = "triples"  # stated by a triples file
TREE = "tree"  # what is a kind or a part of what
CATEGORY_PATH = "category_path"  # the extractor of the tree that category paths draw
_EMPTY: Mapping[str, pa.Table] = {}


@dataclass(frozen=True, eq=False)
class Incoming:
    """What one ingest brings, read and extracted.

    Args:
        products: `PRODUCT_SCHEMA`; None when no catalogue was given.
        facts: evidence read out of those products, by relation.
        tree: evidence of trees from the vocabulary, by relation.
        triples: evidence of triples files, by relation; None when none was given.
        events: one table a file (`EVENT_SCHEMA`); None when none was given.
        timed: whether the times of these events are moments.
        proposing: says which brands may be one; None when no catalogue was read.
    """

    products: pa.Table | None = None
    facts: Mapping[str, pa.Table] = field(default_factory=dict)
    tree: Mapping[str, pa.Table] = field(default_factory=dict)
    triples: Mapping[str, pa.Table] | None = None
    events: Sequence[pa.Table] | None = None
    timed: bool = True
    proposing: ProposingSource | None = None


def merge(old: GraphTables, incoming: Incoming, prune: bool = False, move_bands: bool = False, run: str = "") -> GraphTables:
    """The graph after an ingest.

    A product that comes again replaces its row and everything read out of it; a triple that comes again replaces its
    confidence; of an event that both have, the larger number of repeats counts. With `prune`, what the given kinds of
    input no longer say is removed: products by the catalogue, triples by the triples, events by the events.

    Args:
        run: what evidence that is new or changed is marked with; evidence that says the same keeps its mark.

    Raises:
        InputError: moments and bare orders of events would be mixed.
    """
    products = merged_products(old.products, incoming.products, prune)
    keys = pa.concat_arrays([products.column("key").combine_chunks(), old.rest.product_keys])
    evidence: dict[str, list[pa.Table]] = {}
    for name, table in old.evidence.items():
        evidence.setdefault(name, []).append(_kept(table, incoming, prune))
    for found in (incoming.facts, incoming.tree, incoming.triples or _EMPTY):
        for name, table in found.items():
            evidence.setdefault(name, []).append(table)
    joined = _of_products({name: pa.concat_tables(tables) for name, tables in evidence.items()}, keys)
    joined, bands = with_derived(products, joined, old.bands, old.rest, incoming.proposing, move_bands)
    marked = {str(name): _marked(old.evidence.get(name), distinct_evidence(table), run) for name, table in joined.items()}
    events, timed = _events(old, incoming, keys, prune)
    return GraphTables(products, marked, events, timed, bands, old.rest)


def with_derived(
    products: pa.Table,
    evidence: Mapping[str, pa.Table],
    bands: pa.Table | None = None,
    rest: Rest | None = None,
    proposing: ProposingSource | None = None,
    move_bands: bool = False,
) -> tuple[dict[str, pa.Table], pa.Table]:
    """Evidence with what follows from it (category tree, the vocabulary's tree in use, proposals, price bands), and all bands.

    Args:
        products: `PRODUCT_SCHEMA`.
        evidence: by relation, as it was read.
        bands: that exist; `rest`: what is not in these tables; `proposing`, `move_bands`: as in `merge`.
    """
    held = Rest() if rest is None else rest
    joined = dict(evidence)
    joined[Rel.PART_OF] = _with_category_tree(joined, held)
    joined[Rel.KIND_OF] = _in_use(joined, held)
    joined[Rel.SAME_AS] = proposed(joined, held, proposing)
    laid = lay_bands(products, joined, BAND_SCHEMA.empty_table() if bands is None else bands, move_bands)
    joined[Rel.IN_PRICE_BAND] = pa.concat_tables(
        [joined.get(Rel.IN_PRICE_BAND, EVIDENCE_SCHEMA.empty_table()), band_evidence(products, joined, laid)]
    )
    return joined, laid


def merged_products(old: pa.Table, new: pa.Table | None, prune: bool) -> pa.Table:
    """The catalogue after an ingest (`PRODUCT_SCHEMA`, sorted by key): rows that come again replace those of their key."""
    if new is None:
        return old
    kept = old.slice(0, 0) if prune else old.filter(pc.invert(pc.is_in(old.column("key"), value_set=new.column("key").combine_chunks())))
    both = pa.concat_tables([kept, new])
    return both.take(sort_order(both, "key")).combine_chunks()


def _kept(table: pa.Table, incoming: Incoming, prune: bool) -> pa.Table:
    """Evidence that an ingest leaves alone."""
    origin = table.column("origin")
    gone = pc.equal(origin, BANDS)
    if incoming.products is not None:
        again = pc.is_in(table.column("source_key"), value_set=incoming.products.column("key").combine_chunks())
        gone = pc.or_(gone, pc.and_(pc.equal(origin, CATALOGUE), again))
        gone = pc.or_(gone, pc.equal(origin, TREE))
    if incoming.triples is not None:
        gone = pc.or_(gone, pc.and_(pc.equal(origin, TRIPLES), prune))
        if not prune and incoming.triples:
            stated = pa.concat_tables([found.select(EVIDENCE_IDENTITY) for found in incoming.triples.values()])
            gone = pc.or_(gone, pa.array(align(stated, table, *EVIDENCE_IDENTITY) >= 0) if table.num_rows else gone)
    return table.filter(pc.invert(gone))


def _of_products(evidence: Mapping[str, pa.Table], keys: pa.Array) -> dict[str, pa.Table]:
    """Without the facts of products that are gone."""
    facts = [name for name in evidence if relation(name).family is not Family.TREE]
    kept = _with_known([evidence[name] for name in facts], "source_key", keys)
    return {**evidence, **dict(zip(facts, kept, strict=True))}


def _with_known(tables: Sequence[pa.Table], column: str, keys: pa.Array) -> Sequence[pa.Table]:
    """Rows whose value is a key. The many keys are looked through once, for the distinct values of all tables."""
    values = pc.unique(pa.chunked_array([chunk for table in tables for chunk in table.column(column).chunks], pa.string()))
    known = values.filter(pc.is_in(values, value_set=keys))
    return tables if len(known) == len(values) else [t.filter(pc.is_in(t.column(column), value_set=known)) for t in tables]


def _with_category_tree(evidence: Mapping[str, pa.Table], rest: Rest) -> pa.Table:
    stated = evidence.get(Rel.PART_OF, EVIDENCE_SCHEMA.empty_table())
    stated = stated.filter(pc.not_equal(stated.column("extractor"), CATEGORY_PATH))
    placed = [of[Rel.IN_CATEGORY] for of in (evidence, rest.evidence) if Rel.IN_CATEGORY in of]
    drawn = tree_tables(category_tree(sorted({path for table in placed for path in category_paths(table)})), TREE, CATEGORY_PATH)
    return pa.concat_tables([stated, *drawn.values()])


def _in_use(evidence: Mapping[str, pa.Table], rest: Rest) -> pa.Table:
    """The part of the vocabulary's tree that some product stands under; what people stated in triples stays whole."""
    tree = evidence.get(Rel.KIND_OF, EVIDENCE_SCHEMA.empty_table())
    target = RELATIONS[Rel.KIND_OF].source
    used: set[str] = set()
    for name, table in [*evidence.items(), *rest.evidence.items()]:
        if relation(name).family is Family.FACT and relation(name).target is target:
            used |= set(pc.unique(table.column("target_key")).to_pylist())
    parents: dict[str, list[str]] = {}
    for child, parent in zip(tree.column("source_key").to_pylist(), tree.column("target_key").to_pylist(), strict=True):
        parents.setdefault(child, []).append(parent)
    waiting = list(used)
    while waiting:
        for parent in parents.get(waiting.pop(), ()):
            if parent not in used:
                used.add(parent)
                waiting.append(parent)
    wanted = pc.is_in(tree.column("source_key"), value_set=pa.array(sorted(used), pa.string()))
    return tree.filter(pc.or_(wanted, pc.not_equal(tree.column("origin"), TREE)))


def _marked(old: pa.Table | None, new: pa.Table, run: str) -> pa.Table:
    """New evidence with the run that first said it."""
    runs = np.full(new.num_rows, run, object)
    if old is not None and old.num_rows and new.num_rows:
        places = align(old, new, *EVIDENCE_IDENTITY)
        met = np.flatnonzero(places >= 0)
        same = met[equal_rows(old.take(places[met]), new.take(met), ignore=("run",))]
        runs[same] = np.array(old.column("run").to_pylist(), object)[places[same]]
    return new.set_column(new.schema.get_field_index("run"), "run", pa.array(runs, pa.string()))


def _events(old: GraphTables, incoming: Incoming, keys: pa.Array, prune: bool) -> tuple[pa.Table, bool]:
    tables = [] if prune and incoming.events is not None else [old.events]
    timed = old.timed
    if incoming.events is not None:
        if tables and old.events.num_rows and old.timed != incoming.timed:
            raise InputError(
                "Events with times and events with only an order cannot be in one graph.",
                "Map the same kind of column for all event files.",
            )
        timed = incoming.timed
        tables += [events_table(table) for table in incoming.events]
    tables = list(_with_known(tables, "item", keys))
    if not tables:
        return old.events.slice(0, 0), timed
    # The same event in two files is one event; twice in one file, it happened twice. So repeats are numbered in each file.
    numbered = pa.concat_tables([t.append_column("repeat", pa.array(_repeats(t), pa.int64())) for t in tables])
    together = numbered.group_by([*EVENT_ORDER, "repeat"], use_threads=False).aggregate([]) if len(tables) > 1 else numbered
    return events_table(together), timed


def _repeats(table: pa.Table) -> np.ndarray:
    """0 for the first event of its kind in a table, 1 for its repeat, and so on (int64 [n])."""
    ids = group_ids(table, *EVENT_ORDER)
    order = np.argsort(ids, kind="stable")
    starts = np.flatnonzero(np.diff(ids[order], prepend=-1))
    counts = np.diff(np.append(starts, len(order)))
    found = np.empty(len(ids), np.int64)
    found[order] = np.arange(len(order)) - np.repeat(starts, counts)
    return found


def compare(old: GraphTables, new: GraphTables) -> Changes:
    """What changed between two graphs, nodes and edges together (events as the edges that they make)."""
    total = changes(old.products, new.products, "key") + changes(old.users, new.users, "key")
    for label in sorted({*old.entities, *new.entities}):
        total += changes(old.entities.get(label), new.entities.get(label), "key")
    for before, after in ((old.edges, new.edges), (old.event_edges, new.event_edges)):
        for name in sorted({*before, *after}):
            total += changes(before.get(name), after.get(name), "source_key", "target_key")
    return total
