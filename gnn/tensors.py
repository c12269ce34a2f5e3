"""A snapshot as torch_geometric's HeteroData and back, and the weights Â of product → entity edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gnn.embeddings import ItemEdges
from kg.events import EventLog
from kg.ontology import EVENT_RELATIONS, Label, Rel
from kg.snapshot import GraphSnapshot

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData


def entity_idf(snapshot: GraphSnapshot, relations: tuple[str, ...]) -> NDArray[np.float32]:
    """ln((1 + n_items) / (1 + df)) of each entity in each relation (float32 [n_relations, n_entities]).

    An entity that every product has tells nothing and weighs 0.
    """
    idf = np.zeros((len(relations), snapshot.n_entities), np.float32)
    for place, name in enumerate(relations):
        frequency = np.bincount(snapshot.edges[name].target_rows, minlength=snapshot.n_entities)
        idf[place] = np.where(frequency > 0, np.log((1 + snapshot.n_items) / (1 + frequency)), 0.0)
    return idf


def row_weights(starts: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values divided by the length (L2) of their row; a row of zeros stays zero.

    Args:
        starts: int64 [n + 1], where each row begins.
        values: float32 [m].
    """
    squares = np.concatenate([[0.0], np.cumsum(values.astype(np.float64) ** 2)])
    lengths = np.sqrt(np.maximum(squares[starts[1:]] - squares[starts[:-1]], 0.0))
    return np.asarray(values / np.repeat(np.where(lengths > 1e-12, lengths, 1.0), np.diff(starts)), np.float32)


def item_edges(snapshot: GraphSnapshot, relations: tuple[str, ...], idf: NDArray[np.float32]) -> ItemEdges:
    """All product → entity edges with their weights, by product, then relation, then entity."""
    items, entities, places, weights = [], [], [], []
    for place, name in enumerate(relations):
        edges = snapshot.edges[name]
        starts = np.searchsorted(edges.source_rows, np.arange(snapshot.n_items + 1))
        items.append(edges.source_rows)
        entities.append(edges.target_rows)
        places.append(np.full(len(edges), place, np.int32))
        weights.append(row_weights(starts, idf[place, edges.target_rows]))
    item_rows = np.concatenate([np.empty(0, np.int32), *items])
    order = np.argsort(item_rows, kind="stable")
    return ItemEdges(
        starts=np.searchsorted(item_rows[order], np.arange(snapshot.n_items + 1)).astype(np.int32),
        entity_rows=np.concatenate([np.empty(0, np.int32), *entities])[order],
        relation_places=np.concatenate([np.empty(0, np.int32), *places])[order],
        weights=np.concatenate([np.empty(0, np.float32), *weights])[order],
    )


def to_hetero(snapshot: GraphSnapshot, features: NDArray[np.float32] | None = None) -> HeteroData:
    """The graph as HeteroData: node types are labels, all non-products in one type `Entity` by entity row.

    Args:
        snapshot: the graph.
        features: float32 [n_items, d], becomes `x` of the products; None leaves it out.

    Returns:
        `Product`, `Entity` and `User` with `num_nodes`; for each relation `(source, name, target).edge_index` (int64 [2, m]) and
        `edge_attr` (confidence; for events value), for events also `time`.
    """
    import torch
    from torch_geometric.data import HeteroData

    data = HeteroData()
    data[Label.PRODUCT.value].num_nodes = snapshot.n_items
    data[Label.ENTITY.value].num_nodes = snapshot.n_entities
    data[Label.USER.value].num_nodes = snapshot.n_users
    if features is not None:
        data[Label.PRODUCT.value].x = torch.from_numpy(np.array(features, np.float32))
    for name, edges in snapshot.edges.items():
        source = Label.PRODUCT if edges.relation.source is Label.PRODUCT else Label.ENTITY
        target = Label.PRODUCT if edges.relation.target is Label.PRODUCT else Label.ENTITY
        store = data[source.value, name, target.value]
        store.edge_index = torch.from_numpy(np.stack([edges.source_rows, edges.target_rows]).astype(np.int64))
        store.edge_attr = torch.from_numpy(np.array(edges.confidence))
    events = snapshot.events
    for place, kind in enumerate(events.kind_names):
        of_kind = events.kinds == place
        store = data[Label.USER.value, str(EVENT_RELATIONS.get(kind, Rel.BOUGHT)), Label.PRODUCT.value]
        store.edge_index = torch.from_numpy(np.stack([events.user_rows[of_kind], events.item_rows[of_kind]]).astype(np.int64))
        store.edge_attr = torch.from_numpy(np.array(events.values[of_kind]))
        store.time = torch.from_numpy(np.array(events.times[of_kind]))
    return data


def events_of_hetero(data: HeteroData, snapshot: GraphSnapshot) -> EventLog:
    """The event log that `to_hetero` put into the data, in the snapshot's order."""
    log = snapshot.events
    parts = []
    for place, kind in enumerate(log.kind_names):
        store = data[Label.USER.value, str(EVENT_RELATIONS.get(kind, Rel.BOUGHT)), Label.PRODUCT.value]
        users, items = store.edge_index.numpy()
        parts.append((users, items, store.time.numpy(), store.edge_attr.numpy(), np.full(len(users), place)))
    users, items, times, values, kinds = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((kinds, items, times, users))
    return EventLog(
        users[order].astype(np.int32),
        items[order].astype(np.int32),
        times[order].astype(np.int64),
        values[order].astype(np.float32),
        kinds[order].astype(np.uint8),
        log.kind_names,
        log.timed,
    )
