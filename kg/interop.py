"""A snapshot as a NetworkX graph or a GraphML file, and back without loss.

Nodes are `(label, key)` pairs with the graph's properties; a property without a value is absent. Facts, links and trees are
edges keyed by their relation, with the strongest evidence on them; every event is an edge of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

import numpy as np
import pyarrow as pa

from kg.errors import InputError
from kg.events import NO_TIME, EventLog
from kg.ontology import EVENT_RELATIONS, Family, Label, relation
from kg.snapshot import Edges, GraphSnapshot
from kg.store import node_schema
from kg.vocabulary import Vocabulary
from kg.whole_files import whole_file

if TYPE_CHECKING:
    import networkx as nx

_EVIDENCE_TYPES = {
    "field": pa.string(),
    "span_start": pa.int32(),
    "span_end": pa.int32(),
    "text": pa.string(),
    "extractor": pa.string(),
    "run": pa.string(),
    "evidence_count": pa.int64(),
}
_ENTITY_COLUMNS = ("label", "name", "kind")

# XML 1.0 has no place for these, or does not give them back as they were; the backslash marks what stands for them.
_NOT_XML = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\\\\")
_ESCAPED = re.compile(r"\\(\\|e|u\{([0-9a-f]+)\})")
_EMPTY = "\\e"


def to_networkx(snapshot: GraphSnapshot) -> nx.MultiDiGraph:
    """The snapshot as a NetworkX graph.

    Graph attributes: digest, timed, kind_names, relations. Nodes: (label, key), with `label`, `key` and their properties.
    Edges: `type`, `confidence` and evidence for facts, links and trees; `type`, `kind`, `time` (seconds, or the order within
    a user), `value` and `position` (place in the log) for events.
    """
    import networkx as nx

    log = snapshot.events
    graph = nx.MultiDiGraph(
        digest=snapshot.digest, timed=log.timed, kind_names=tuple(log.kind_names), relations=tuple(str(name) for name in snapshot.edges)
    )
    users = [(str(Label.USER), key) for key in snapshot.users]
    items = [(str(Label.PRODUCT), key) for key in snapshot.items]
    entities = list(zip(snapshot.entity_table.column("label").to_pylist(), snapshot.entities, strict=True))
    rows: list[dict[str, Any]] = [{} for _ in users] + snapshot.products.to_pylist() + snapshot.entity_table.to_pylist()
    for node, row in zip([*users, *items, *entities], rows, strict=True):
        graph.add_node(node, **{**_present(row), "label": node[0], "key": node[1]})
    for name, edges in snapshot.edges.items():
        sources = entities if edges.relation.family is Family.TREE else items
        targets = items if edges.relation.family is Family.LINK else entities
        evidence = edges.evidence.select(list(_EVIDENCE_TYPES)).to_pylist()
        columns = (edges.source_rows.tolist(), edges.target_rows.tolist(), edges.confidence.tolist(), evidence)
        for source_row, target_row, confidence, row in zip(*columns, strict=True):
            graph.add_edge(sources[source_row], targets[target_row], key=str(name), type=str(name), confidence=confidence, **_present(row))
    _add_events(graph, log, users, items)
    return graph


def _present(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _add_events(graph: nx.MultiDiGraph, log: EventLog, users: list[tuple[str, str]], items: list[tuple[str, str]]) -> None:
    columns = (log.user_rows.tolist(), log.item_rows.tolist(), log.times.tolist(), log.values.tolist(), log.kinds.tolist())
    for position, (user_row, item_row, time, value, kind) in enumerate(zip(*columns, strict=True)):
        name = log.kind_names[kind]
        attributes = {"type": str(EVENT_RELATIONS.get(name, name)), "kind": name, "value": value, "position": position}
        if time != NO_TIME:
            attributes["time"] = time
        graph.add_edge(users[user_row], items[item_row], key=f"event {position}", **attributes)


def from_networkx(graph: nx.MultiDiGraph) -> GraphSnapshot:
    """The snapshot that `to_networkx` made this graph of, the same to the last bit.

    Raises:
        InputError: an attribute is missing, or an edge ends at the wrong kind of node.
    """
    try:
        return _snapshot(graph)
    except (KeyError, TypeError, ValueError, OverflowError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise InputError(
            f"The graph is not one that clew wrote: {type(error).__name__} {str(error)[:200]}.",
            "Write it with to_networkx, or ingest files.",
        ) from error


def _snapshot(graph: nx.MultiDiGraph) -> GraphSnapshot:
    nodes: dict[str, dict[str, Mapping[str, Any]]] = {"user": {}, "product": {}, "entity": {}}
    rooms: dict[Any, tuple[str, str]] = {}
    for node, row in graph.nodes(data=True):
        room = {Label.USER: "user", Label.PRODUCT: "product"}.get(Label(row["label"]), "entity")
        nodes[room][row["key"]] = row
        rooms[node] = (room, row["key"])
    users, items, entities = (Vocabulary.of(what, nodes[what]) for what in ("user", "product", "entity"))
    products = [nodes["product"][key] for key in items]
    named = [nodes["entity"][key] for key in entities]
    stated: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {name: [] for name in graph.graph["relations"]}
    events = []
    for source, target, row in graph.edges(data=True):
        if "position" in row:
            events.append((row["position"], rooms[source][1], rooms[target][1], row))
        else:
            stated.setdefault(row["type"], []).append((rooms[source][1], rooms[target][1], row))
    return GraphSnapshot(
        digest=graph.graph["digest"],
        users=users,
        items=items,
        products=pa.table({f.name: pa.array([row.get(f.name) for row in products], f.type) for f in list(node_schema(Label.PRODUCT))[1:]}),
        entities=entities,
        entity_table=pa.table({name: pa.array([row.get(name, "") for row in named], pa.string()) for name in _ENTITY_COLUMNS}),
        edges={name: _edges(name, rows, items, entities) for name, rows in stated.items()},
        events=_log(sorted(events, key=lambda e: int(e[0])), users, items, tuple(graph.graph["kind_names"]), bool(graph.graph["timed"])),
    )


def _edges(name: str, rows: list[tuple[str, str, Mapping[str, Any]]], items: Vocabulary, entities: Vocabulary) -> Edges:
    ends = relation(name)
    sources = entities if ends.family is Family.TREE else items
    targets = items if ends.family is Family.LINK else entities
    source_rows = sources.rows(row[0] for row in rows)
    target_rows = targets.rows(row[1] for row in rows)
    if (source_rows < 0).any() or (target_rows < 0).any():
        raise InputError(f"An edge {name} ends at the wrong kind of node.", f"It leads from {ends.source} to {ends.target}.")
    order = np.lexsort([target_rows, source_rows])
    ordered = [rows[place][2] for place in order]
    return Edges(
        ends,
        source_rows[order],
        target_rows[order],
        np.array([row["confidence"] for row in ordered], np.float32),
        pa.table(
            {
                column: pa.array([row.get(column, "" if kind == pa.string() else None) for row in ordered], kind)
                for column, kind in _EVIDENCE_TYPES.items()
            }
        ),
    )


def _log(
    events: list[tuple[Any, str, str, Mapping[str, Any]]], users: Vocabulary, items: Vocabulary, kinds: tuple[str, ...], timed: bool
) -> EventLog:
    user_rows, item_rows = users.rows(event[1] for event in events), items.rows(event[2] for event in events)
    if (user_rows < 0).any() or (item_rows < 0).any():
        raise InputError("An event ends at the wrong kind of node.", f"It leads from {Label.USER} to {Label.PRODUCT}.")
    rows = [event[3] for event in events]
    return EventLog(
        user_rows,
        item_rows,
        np.array([row.get("time", NO_TIME) for row in rows], np.int64),
        np.array([row["value"] for row in rows], np.float32),
        np.array([kinds.index(row["kind"]) for row in rows], np.uint8),
        kinds,
        timed,
    )


def write_graphml(snapshot: GraphSnapshot, path: Path) -> None:
    """Write the snapshot as GraphML: any Unicode text goes in, what XML cannot hold as `\\u{…}`, a backslash doubled."""
    import networkx as nx

    graph = to_networkx(snapshot)
    places = {node: f"n{place}" for place, node in enumerate(graph)}
    plain = nx.MultiDiGraph(
        digest=snapshot.digest,
        timed=snapshot.events.timed,
        **{k: " ".join(map(_escape, graph.graph[k])) for k in ("kind_names", "relations")},
    )
    for node, row in graph.nodes(data=True):
        plain.add_node(places[node], **_escaped(row))
    for source, target, key, row in graph.edges(keys=True, data=True):
        plain.add_edge(places[source], places[target], key=key, **_escaped(row))
    with whole_file(path) as temporary:
        nx.write_graphml_xml(plain, temporary)


def read_graphml(path: Path) -> GraphSnapshot:
    """The snapshot of a GraphML file that `write_graphml` wrote.

    Raises:
        InputError: it is no such file, or declares a document type (which could name other files or expand without end).
    """
    import networkx as nx

    refuse_doctype(path)
    try:
        graph = nx.read_graphml(path, node_type=str, edge_key_type=str, force_multigraph=True)
        _unescape_in_place(graph)
    except (nx.NetworkXException, SyntaxError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not GraphML that clew wrote: {str(error)[:200]}.", "Write it with clew graph export.") from error
    return from_networkx(graph)


def refuse_doctype(path: Path) -> None:
    """Refuse XML with a document type declaration before anything of it is expanded; reads up to the first element.

    Raises:
        InputError: there is one, or it is no XML.
    """
    found: list[str] = []

    def doctype(*_: object) -> None:
        found.append("doctype")
        raise _SeenEnoughError

    def element(*_: object) -> None:
        raise _SeenEnoughError

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler, parser.StartElementHandler = doctype, element
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except _SeenEnoughError:
        pass
    except expat.ExpatError as error:
        raise InputError(f"{path} is no XML: {error}.", "Write it with clew graph export.") from error
    if found:
        raise InputError(f"{path} declares a document type, which clew does not read.", "Take the <!DOCTYPE …> out of it.")


class _SeenEnoughError(Exception):
    pass


def _escape(text: str) -> str:
    return _NOT_XML.sub(lambda m: "\\\\" if m[0] == "\\" else f"\\u{{{ord(m[0]):x}}}", text) or _EMPTY


def _unescape(text: str) -> str:
    one: Callable[[re.Match[str]], str] = lambda m: chr(int(m[2], 16)) if m[2] else "" if m[1] == "e" else "\\"  # noqa: E731
    return _ESCAPED.sub(one, text)


def _escaped(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _escape(value) if isinstance(value, str) else value for name, value in row.items()}


def _unescape_in_place(graph: nx.MultiDiGraph) -> None:
    rows = [*(row for _, row in graph.nodes(data=True)), *(row for *_, row in graph.edges(data=True))]
    for row in rows:
        row.update({name: _unescape(value) for name, value in row.items() if isinstance(value, str)})
    for name in ("kind_names", "relations"):
        graph.graph[name] = tuple(_unescape(word) for word in str(graph.graph.get(name) or "").split())
