"""What a graph that an engine holds is made of: the words that a question about it can use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kg.ontology import Label, relation
from kg.store import GraphStore, edge_schema, node_schema


@dataclass(frozen=True, slots=True)
class LiveSchema:
    """Labels, relations and properties of a graph.

    Args:
        nodes: number of nodes by label.
        edges: number of edges by relation.
        node_properties: names by label.
        edge_properties: names by relation.
    """

    nodes: Mapping[str, int]
    edges: Mapping[str, int]
    node_properties: Mapping[str, tuple[str, ...]]
    edge_properties: Mapping[str, tuple[str, ...]]

    @property
    def properties(self) -> tuple[str, ...]:
        """Every name of a property, once."""
        names = [name for listed in (*self.node_properties.values(), *self.edge_properties.values()) for name in listed]
        return tuple(sorted(set(names)))


def live_schema(store: GraphStore) -> LiveSchema:
    """The schema of what an engine holds now."""
    held = store.counts()
    return LiveSchema(
        held.nodes,
        held.edges,
        {name: tuple(node_schema(Label(name)).names) for name in held.nodes},
        {name: tuple(edge_schema(relation(name)).names[2:]) for name in held.edges},
    )
