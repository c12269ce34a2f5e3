"""What of an ingest a graph does not hold yet: a shop's whole catalogue again, in which a few rows changed, becomes those rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from kg.merge import CATALOGUE, TRIPLES, Incoming
from kg.picked import Picked
from kg.row_digests import difference
from kg.tables import EVENT_SCHEMA, EVIDENCE_SCHEMA, PRODUCT_SCHEMA, distinct_evidence
from kg.truth import EVENTS, PRODUCTS, Truth

PAIR = ("user", "item")


def news(truth: Truth, incoming: Incoming) -> Incoming:
    """An ingest without what would change nothing.

    A product stays with all that was read out of it if its row or any of that is another now; a triple stays with those of its
    product, an event with those of its person and product.

    Raises:
        StateError: a part of the truth is missing or damaged.
    """
    evidence = {name: truth.glance(f"evidence/{name}", EVIDENCE_SCHEMA) for name in truth.counts("evidence")}
    found = incoming
    if incoming.products is not None:
        keys = incoming.products.column("key").combine_chunks()
        before = {name: _among(_of(table, CATALOGUE), "source_key", keys) for name, table in evidence.items()}
        rows = difference(truth.glance(PRODUCTS, PRODUCT_SCHEMA), incoming.products)[0]
        kept = _keys([rows.column("key"), *_changed(before, incoming.facts)])
        facts = {name: _among(table, "source_key", kept) for name, table in incoming.facts.items()}
        found = replace(found, products=_among(incoming.products, "key", kept), facts=facts)
    if incoming.triples is not None:
        stated = {name: table for name, table in evidence.items() if name in incoming.triples}
        before = {name: _of(table, TRIPLES) for name, table in stated.items()}
        kept = _keys([come for name, table in incoming.triples.items() for come in _come(before.get(name), table)])
        found = replace(found, triples={name: _among(table, "source_key", kept) for name, table in incoming.triples.items()})
    if incoming.events:
        held = truth.glance(EVENTS, EVENT_SCHEMA)
        found = replace(found, events=[_new_events(held, table) for table in incoming.events])
    return found


def _of(table: pa.Table, origin: str) -> pa.Table:
    return table.filter(pc.equal(table.column("origin"), origin))


def _come(before: pa.Table | None, after: pa.Table) -> list[pa.ChunkedArray]:
    """Sources of evidence that is new, whatever run said it."""
    old = (EVIDENCE_SCHEMA.empty_table() if before is None else before).drop_columns("run")
    return [difference(old, distinct_evidence(after).drop_columns("run"))[0].column("source_key")]


def _changed(before: Mapping[str, pa.Table], after: Mapping[str, pa.Table]) -> list[pa.ChunkedArray]:
    """Sources of evidence that came or went, whatever run said it."""
    found = []
    for name in sorted({*before, *after}):
        old = before.get(name, EVIDENCE_SCHEMA.empty_table()).drop_columns("run")
        new = distinct_evidence(after.get(name, EVIDENCE_SCHEMA.empty_table())).drop_columns("run")
        found += [rows.column("source_key") for rows in difference(old, new)]
    return found


def _keys(columns: list[pa.ChunkedArray]) -> pa.Array:
    return pc.unique(pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string()))


def _among(table: pa.Table, column: str, keys: pa.Array) -> pa.Table:
    return table.filter(pc.is_in(table.column(column), value_set=keys))


def _new_events(held: pa.Table, events: pa.Table) -> pa.Table:
    come = difference(held, events.select(EVENT_SCHEMA.names).cast(EVENT_SCHEMA))[0]
    return events.filter(Picked.like(come.select(PAIR)).mask(events))
