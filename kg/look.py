"""Looking at the graph: figures of the whole, one node with its edges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow.compute as pc

from kg.errors import UnknownKeyError
from kg.ontology import EVENT_RELATIONS, Family, Label, relation
from kg.snapshot import GraphSnapshot
from kg.store import engine_graph
from kg.stores.memory import MemoryStore
from kg.tables import GraphTables
from kg.truth import Truth
from kg.workspace import Workspace

_LOOKED_FOR = (Label.PRODUCT, Label.USER)


def graph_stats(workspace: Workspace) -> dict[str, Any]:
    """What `clew graph stats --json` prints.

    Raises:
        StateError: there is no graph.
    """
    truth = Truth(workspace.open().graph)
    snapshot = workspace.snapshot()
    edges = {name: len(found) for name, found in snapshot.edges.items()} | _event_pairs(snapshot)
    rejected = 0
    if workspace.rejects_file.exists():
        with workspace.rejects_file.open("rb") as file:
            rejected = sum(1 for _ in file)
    return {
        "schema_version": 1,
        "digest": truth.digest,
        "nodes": truth.counts("nodes"),
        "edges": dict(sorted(edges.items())),
        "rejected": rejected,
        "engine": "embedded",
    }


def _event_pairs(snapshot: GraphSnapshot) -> dict[str, int]:
    log = snapshot.events
    pairs = log.user_rows.astype(np.int64) * max(snapshot.n_items, 1) + log.item_rows
    found = {EVENT_RELATIONS[kind]: len(np.unique(pairs[log.kinds == place])) for place, kind in enumerate(log.kind_names)}
    return {str(name): n for name, n in found.items() if n}


def show(workspace: Workspace, key: str, limit: int = 20) -> list[dict[str, Any]]:
    """Every node that has a key (a product and a user may share one), each with its edges and, for facts, all evidence.

    Args:
        key: exact key.
        limit: edges shown of each node; `truncated` says when there are more.

    Raises:
        UnknownKeyError: no node has the key; near ones are suggested.
    """
    truth = Truth(workspace.open().graph)
    tables = truth.tables()
    store = MemoryStore()
    graph = engine_graph(tables, truth.digest)
    for label, nodes in graph.nodes.items():
        store.upsert_nodes(label, nodes)
    for name, edges in graph.edges.items():
        store.upsert_edges(relation(name), edges)
    found = []
    for label in (*_LOOKED_FOR, *(label for label in graph.nodes if label not in _LOOKED_FOR)):
        node = store.node(label, key)
        if node is not None:
            around = store.neighbours(label, key, limit + 1)
            edges_shown = [
                {
                    "type": edge.type,
                    "direction": "out" if edge.source == key and relation(edge.type).source is label else "in",
                    "node": {"label": other.label, "key": other.key, "name": other.properties.get("name") or other.properties.get("title")},
                    "properties": dict(edge.properties),
                    "evidence": list(_evidence(tables, edge.type, edge.source, edge.target)),
                }
                for edge, other in around[:limit]
            ]
            found.append({"node": node.to_dict(), "edges": edges_shown, "truncated": len(around) > limit})
    if not found:
        keys = [k for nodes in graph.nodes.values() for k in nodes.column("key").to_pylist()]
        raise UnknownKeyError("node", key, keys)
    return found


def _evidence(tables: GraphTables, name: str, source: str, target: str) -> Iterator[dict[str, Any]]:
    if relation(name).family is Family.EVENT or name not in tables.related:
        return
    table = tables.related[name]
    rows = table.filter(pc.and_(pc.equal(table.column("source_key"), source), pc.equal(table.column("target_key"), target)))
    for row in rows.sort_by([("confidence", "descending"), ("field", "ascending"), ("span_start", "ascending")]).to_pylist():
        yield {
            "field": row["field"], "start": row["span_start"], "end": row["span_end"], "text": row["text"],
            "extractor": row["extractor"], "confidence": row["confidence"], "origin": row["origin"], "run": row["run"],
        }  # fmt: skip
