"""What the Neo4j driver answers, as the values that every engine of clew answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import neo4j.graph

from kg.ontology import all_labels, relation
from kg.store import Edge, Node, Path, edge_schema, node_schema


def ends_to_look_up(cells: Iterable[Any]) -> set[str]:
    """Element ids of relationship ends whose key the answer does not hold."""
    found: set[str] = set()
    waiting = list(cells)
    while waiting:
        cell = waiting.pop()
        if isinstance(cell, neo4j.graph.Path):
            continue
        if isinstance(cell, neo4j.graph.Relationship):
            found |= {end.element_id for end in cell.nodes if end is not None and "key" not in end}
        elif isinstance(cell, Mapping):
            waiting.extend(cell.values())
        elif isinstance(cell, list):
            waiting.extend(cell)
    return found


def cell(value: Any, keys: Mapping[str, str]) -> Any:
    """One cell as JSON values, `Node`, `Edge` and `Path`.

    Args:
        value: what the driver gave.
        keys: keys of nodes by element id, for ends that `ends_to_look_up` named.
    """
    if isinstance(value, neo4j.graph.Node):
        return node(value)
    if isinstance(value, neo4j.graph.Relationship):
        return edge(value, keys)
    if isinstance(value, neo4j.graph.Path):
        return Path(tuple(node(n) for n in value.nodes), tuple(edge(r, keys) for r in value.relationships))
    if isinstance(value, Mapping):
        return {str(name): cell(inner, keys) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [cell(inner, keys) for inner in value]
    return scalar(value)


def scalar(value: Any) -> Any:
    """A value without parts: dates as ISO text, numbers that JSON lacks as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    iso = getattr(value, "iso_format", None)
    return str(iso()) if iso else str(value)


def node(found: neo4j.graph.Node) -> Node:
    """A node with the ontology's properties only; a label that is not ours is shown as it is."""
    labels = {str(label): label for label in all_labels()}
    ours = sorted(name for name in found.labels if name in labels)
    label = (ours or sorted(found.labels) or [""])[0]
    known = node_schema(labels[label]).names if label in labels else list(found)
    properties = {name: scalar(found[name]) for name in known if name != "key" and found.get(name) is not None}
    return Node(label, str(found.get("key", "")), properties)


def edge(found: neo4j.graph.Relationship, keys: Mapping[str, str]) -> Edge:
    """A relationship with the ontology's properties only, its ends by key."""
    source, target = (_end_key(end, keys) for end in found.nodes)
    known = [name for name in edge_schema(relation(found.type)).names if name not in ("source_key", "target_key")]
    return Edge(found.type, source, target, {name: scalar(found[name]) for name in known if found.get(name) is not None})


def _end_key(end: neo4j.graph.Node | None, keys: Mapping[str, str]) -> str:
    if end is None:
        return ""
    return str(end["key"]) if "key" in end else keys.get(end.element_id, "")
