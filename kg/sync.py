"""Bringing an engine up to date with the truth, and checking that it is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from kg.align import Changes, align, equal_rows
from kg.ontology import Label, relation
from kg.ordering import sort_order
from kg.progress import SILENT, Progress
from kg.store import EngineGraph, GraphStore, edge_schema, node_schema
from kg.tables import content_digest

BATCH_ROWS = 10_000


def synchronise(store: GraphStore, graph: EngineGraph, progress: Progress = SILENT, batch_rows: int = BATCH_ROWS) -> Changes:
    """Make an engine hold exactly a graph; only what differs is written, nodes before edges.

    A kill leaves an engine without a digest, and the next call goes on with what is still missing.

    Args:
        batch_rows: rows a call to the engine (a transaction, where it has them).
    """
    if store.digest() == graph.digest:
        n = sum(graph.counts().nodes.values()) + sum(graph.counts().edges.values())
        return Changes(unchanged=n)
    held = store.counts()
    store.set_digest(None)
    labels = [Label(name) for name in sorted({*held.nodes, *map(str, graph.nodes)})]
    relations = [relation(name) for name in sorted({*held.edges, *graph.edges})]
    store.prepare(labels, relations)
    total = Changes()
    doomed: dict[Label, list[str]] = {}
    with progress.stage("writing nodes", sum(t.num_rows for t in graph.nodes.values())) as advance:
        for label in labels:
            schema = node_schema(label)
            old = store.scan_nodes(label) if str(label) in held.nodes else schema.empty_table()
            new = graph.nodes.get(label, schema.empty_table())
            write, gone, found = _difference(old, new, "key")
            for rows in _batches(write, batch_rows):
                store.upsert_nodes(label, rows)
            advance(new.num_rows)
            doomed[label] = gone.column("key").to_pylist()
            total += found
    with progress.stage("writing edges", sum(t.num_rows for t in graph.edges.values())) as advance:
        for rel in relations:
            schema = edge_schema(rel)
            old = store.scan_edges(rel) if rel.name in held.edges else schema.empty_table()
            new = graph.edges.get(rel.name, schema.empty_table())
            write, gone, found = _difference(old, new, "source_key", "target_key")
            for rows in _batches(gone, batch_rows):
                pairs = zip(rows.column("source_key").to_pylist(), rows.column("target_key").to_pylist(), strict=True)
                store.delete_edges(rel, list(pairs))
            for rows in _batches(write, batch_rows):
                store.upsert_edges(rel, rows, fresh=not old.num_rows)
                advance(rows.num_rows)
            advance(new.num_rows - write.num_rows)
            total += found
    for label, keys in doomed.items():
        for start in range(0, len(keys), batch_rows):
            store.delete_nodes(label, keys[start : start + batch_rows])
    store.set_digest(graph.digest)
    return total


def _difference(old: pa.Table, new: pa.Table, *keys: str) -> tuple[pa.Table, pa.Table, Changes]:
    """Rows to write, rows to remove, and how many of each kind."""
    if not old.num_rows:
        return new, old, Changes(new=new.num_rows)
    places = align(old, new, *keys)
    met = np.flatnonzero(places >= 0)
    same = equal_rows(old.take(places[met]), new.take(met))
    write = np.ones(new.num_rows, np.bool_)
    write[met[same]] = False
    gone = np.ones(old.num_rows, np.bool_)
    gone[places[met]] = False
    found = Changes(new.num_rows - len(met), int((~same).sum()), int(same.sum()), int(gone.sum()))
    return new.filter(pa.array(write)), old.filter(pa.array(gone)), found


def _batches(table: pa.Table, size: int) -> list[pa.Table]:
    return [table.slice(start, size) for start in range(0, table.num_rows, size)]


def checksums(nodes: Mapping[Label, pa.Table], edges: Mapping[str, pa.Table]) -> dict[str, str]:
    """Digest of the content by label and relation, whatever the order of rows."""
    found = {f"nodes/{label}": content_digest(_sorted(table, "key")) for label, table in nodes.items()}
    return found | {f"edges/{name}": content_digest(_sorted(table, "source_key", "target_key")) for name, table in edges.items()}


def store_checksums(store: GraphStore) -> dict[str, str]:
    """Digest of what an engine really holds, by label and relation."""
    held = store.counts()
    nodes = {Label(name): store.scan_nodes(Label(name)) for name in held.nodes}
    return checksums(nodes, {name: store.scan_edges(relation(name)) for name in held.edges})


def verify(store: GraphStore, graph: EngineGraph) -> list[str]:
    """Where an engine does not hold what the truth says, one sentence each; empty when it does."""
    held, due = store.counts(), graph.counts()
    faults = []
    for what, have, want in (("nodes", held.nodes, due.nodes), ("edges", held.edges, due.edges)):
        faults += [
            f"{name}: {have.get(name, 0)} {what}, the truth has {want.get(name, 0)}."
            for name in sorted({*have, *want})
            if have.get(name, 0) != want.get(name, 0)
        ]
    mine, its = checksums(graph.nodes, graph.edges), store_checksums(store)
    faults += [f"{name}: the content differs from the truth." for name in sorted({*mine} & {*its}) if mine[name] != its[name]]
    return faults


def _sorted(table: pa.Table, *columns: str) -> pa.Table:
    return table.take(sort_order(table, *columns))
