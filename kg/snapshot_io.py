"""How a snapshot is made from tables, kept as Arrow files and opened memory-mapped."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kg.digest import digest_json
from kg.errors import InputError, StateError
from kg.events import NO_TIME, EventLog
from kg.model import Fact, Product
from kg.ontology import PROPOSED, Family, Label, relation
from kg.ordering import ranks
from kg.snapshot import Edges, GraphSnapshot
from kg.store import node_schema, with_properties
from kg.tables import (
    BAND_SCHEMA,
    ENTITY_SCHEMA,
    GraphTables,
    content_digest,
    distinct_evidence,
    events_table,
    evidence_tables,
    products_table,
)
from kg.vocabulary import Vocabulary

SNAPSHOT_VERSION = 1
_EVIDENCE_COLUMNS = ("field", "span_start", "span_end", "text", "extractor", "run", "evidence_count")


def build_snapshot(
    products: Iterable[Product],
    facts: Iterable[Fact],
    events: pa.Table,
    digest: str = "",
    timed: bool | None = None,
    unknown: Literal["refuse", "drop"] = "refuse",
    derived: bool = False,
) -> GraphSnapshot:
    """A snapshot straight from values, without a workspace.

    Args:
        products: the catalogue; one product a key.
        facts: facts about them; several facts of one pair become one edge with all their evidence. A link to a product
            that the catalogue lacks becomes a fact towards a related-product entity.
        events: table with user, item (string), time (int64, null), value (float32), kind (string).
        digest: what to call it; a digest of the content when empty.
        timed: whether times are moments and not only an order; by default what `kg.event_files.read_events` noted in the
            table's metadata, else whether any time is there.
        unknown: what to do with a fact or event of a product that is not in `products`.
        derived: draw the tree of category paths and lay price bands too, as an ingest does.

    Raises:
        InputError: two products share a key, or something names an unknown product and `unknown` is "refuse".
    """
    table = products_table(products)
    keys = table.column("key").combine_chunks()
    if len(pc.unique(keys)) != len(keys):
        repeated = keys.to_numpy(zero_copy_only=False)
        again = str(repeated[:-1][repeated[:-1] == repeated[1:]][0])
        raise InputError(f"The product key {again!r} appears twice.", "Merge the rows before they become a graph.")
    if timed is None:
        from kg.event_files import TIMED, is_timed

        noted = TIMED in (events.schema.metadata or {})
        timed = is_timed(events) if noted else events.column("time").null_count < events.num_rows
    stated = {
        name: _of_known(found, "source_key", keys, f"{name} fact", unknown) if relation(name).family is not Family.TREE else found
        for name, found in evidence_tables(facts, "catalogue").items()
    }
    bands = BAND_SCHEMA.empty_table()
    if derived:
        from kg.merge import with_derived

        stated, bands = with_derived(table, stated)
    evidence = {name: distinct_evidence(found) for name, found in stated.items()}
    log = events_table(_of_known(events, "item", keys, "event", unknown))
    tables = GraphTables(table, evidence, log, timed, bands)
    if not digest:
        parts = {name: content_digest(found) for name, found in tables.evidence.items()}
        digest = digest_json({"products": content_digest(table), "evidence": parts, "events": content_digest(log), "timed": timed})
    return snapshot_of_tables(tables, digest)


def _of_known(rows: pa.Table, column: str, keys: pa.Array, what: str, unknown: str) -> pa.Table:
    inside = pc.is_in(rows.column(column).cast(pa.string()), value_set=keys)
    missing = rows.num_rows - int(pc.sum(inside).as_py() or 0)
    if missing and unknown == "refuse":
        example = rows.filter(pc.invert(inside)).column(column)[0].as_py()
        raise InputError(
            f"{missing} of {rows.num_rows} {what}s name a product that is not in the catalogue, such as {example!r}.",
            "Add the products or leave those rows out.",
        )
    return rows.filter(inside) if missing else rows


def snapshot_of_tables(tables: GraphTables, digest: str) -> GraphSnapshot:
    """The snapshot of a graph in tables, under a digest."""
    items = Vocabulary("product", tables.product_keys)
    users = Vocabulary("user", tables.users.column("key").combine_chunks())
    entities, entity_table = _entities(tables)
    ends = {Family.FACT: (items, entities), Family.LINK: (items, items), Family.TREE: (entities, entities)}
    edges = {name: _edges(name, table, *ends[relation(name).family]) for name, table in tables.edges.items() if name not in PROPOSED}
    return GraphSnapshot(
        digest=digest,
        users=users,
        items=items,
        products=with_properties(tables.products).select(_product_columns()).combine_chunks(),
        entities=entities,
        entity_table=entity_table,
        edges=edges,
        events=_log(tables, users, items),
    )


def _product_columns() -> list[str]:
    """What a snapshot holds of products beside their keys: what engines hold."""
    return list(node_schema(Label.PRODUCT).names[1:])


def _rows(column: pa.ChunkedArray, vocabulary: Vocabulary) -> NDArray[np.int32]:
    found = pc.index_in(column.combine_chunks(), value_set=vocabulary.keys)
    if found.null_count:
        missing = column.filter(pc.is_null(found))[0].as_py()
        raise StateError(f"An edge or event ends at the {vocabulary.what} {missing!r}, which the graph does not hold.")
    return np.asarray(found.to_numpy(), np.int32)


def _entities(tables: GraphTables) -> tuple[Vocabulary, pa.Table]:
    labelled = [
        table.append_column("label", pa.array([str(label)] * table.num_rows, pa.string())) for label, table in tables.entities.items()
    ]
    schema = ENTITY_SCHEMA.append(pa.field("label", pa.string()))
    whole = pa.concat_tables([schema.empty_table(), *labelled]).combine_chunks()
    places = ranks(whole.column("key"))
    if len(places) and int(places.max()) + 1 != len(places):
        twice = int(np.flatnonzero(np.bincount(places) > 1)[0])
        key = whole.column("key")[int(np.flatnonzero(places == twice)[0])].as_py()
        raise StateError(f"The key {key!r} names entities of two labels.", "Give the custom relation's entities another kind.")
    whole = whole.take(np.argsort(places)).combine_chunks()
    return Vocabulary("entity", whole.column("key").combine_chunks()), whole.select(["label", "name", "kind"])


def _edges(name: str, table: pa.Table, sources: Vocabulary, targets: Vocabulary) -> Edges:
    # Tables are sorted by keys and vocabularies are too, so rows come out sorted by source, then target.
    return Edges(
        relation(name),
        _rows(table.column("source_key"), sources),
        _rows(table.column("target_key"), targets),
        table.column("confidence").to_numpy().astype(np.float32),
        table.select(_EVIDENCE_COLUMNS).combine_chunks(),
    )


def _log(tables: GraphTables, users: Vocabulary, items: Vocabulary) -> EventLog:
    events = tables.events
    kinds = tuple(sorted(k for k in pc.unique(events.column("kind")).to_pylist())) or ("purchase",)
    return EventLog(
        _rows(events.column("user"), users),
        _rows(events.column("item"), items),
        pc.fill_null(events.column("time"), int(NO_TIME)).to_numpy(),
        events.column("value").to_numpy().astype(np.float32),
        pc.index_in(events.column("kind"), value_set=pa.array(kinds, pa.string())).to_numpy().astype(np.uint8),
        kinds,
        tables.timed,
    )


def save_snapshot(snapshot: GraphSnapshot, folder: Path) -> None:
    """Keep a snapshot in a folder that appears whole or not at all (written beside it, then renamed)."""
    building = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(building, ignore_errors=True)
    try:
        building.mkdir(parents=True)
        for name, table in _files(snapshot).items():
            with pa.ipc.new_file(building / f"{name}.arrow", table.schema) as writer:
                writer.write_table(table.combine_chunks(), max_chunksize=max(table.num_rows, 1))
        meta = {
            "version": SNAPSHOT_VERSION,
            "digest": snapshot.digest,
            "edges": {name: f"edges-{place}" for place, name in enumerate(snapshot.edges)},
            "kinds": snapshot.events.kind_names,
            "timed": snapshot.events.timed,
        }
        (building / "snapshot.json").write_text(json.dumps(meta), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _files(snapshot: GraphSnapshot) -> dict[str, pa.Table]:
    log = snapshot.events
    files = {
        "users": pa.table({"key": snapshot.users.keys}),
        "items": pa.table({"key": snapshot.items.keys, **_columns(snapshot.products)}),
        "entities": pa.table({"key": snapshot.entities.keys, **_columns(snapshot.entity_table)}),
        "events": pa.table(
            {"user_row": log.user_rows, "item_row": log.item_rows, "time": log.times, "value": log.values, "kind": log.kinds}
        ),
    }
    for place, edges in enumerate(snapshot.edges.values()):
        rows = {"source_row": edges.source_rows, "target_row": edges.target_rows, "confidence": edges.confidence}
        files[f"edges-{place}"] = pa.table({**rows, **_columns(edges.evidence)})
    return files


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(table.column_names, table.columns, strict=True))


def open_snapshot(folder: Path, digest: str) -> GraphSnapshot | None:
    """The snapshot kept in a folder, memory-mapped; None when there is none, it is of another digest or version, or damaged."""
    try:
        meta = json.loads((folder / "snapshot.json").read_text(encoding="utf-8"))
        if meta["digest"] != digest or meta["version"] != SNAPSHOT_VERSION:
            return None
        return _opened(folder, meta)
    except (FileNotFoundError, NotADirectoryError, pa.ArrowInvalid, json.JSONDecodeError, KeyError):
        return None


def _opened(folder: Path, meta: Mapping[str, object]) -> GraphSnapshot:
    users, items, entities, events = (_mapped(folder / f"{name}.arrow") for name in ("users", "items", "entities", "events"))
    names = meta["edges"]
    kinds = meta["kinds"]
    assert isinstance(names, dict) and isinstance(kinds, list)
    edges = {}
    for name, stem in names.items():
        table = _mapped(folder / f"{stem}.arrow")
        arrays = [_array(table, column) for column in ("source_row", "target_row", "confidence")]
        edges[name] = Edges(relation(name), arrays[0], arrays[1], arrays[2], table.select(_EVIDENCE_COLUMNS))
    users_at, items_at, times, values, kind_places = (_array(events, c) for c in ("user_row", "item_row", "time", "value", "kind"))
    log = EventLog(users_at, items_at, times, values, kind_places, tuple(kinds), bool(meta["timed"]))
    return GraphSnapshot(
        digest=str(meta["digest"]),
        users=Vocabulary("user", _one(users.column("key"))),
        items=Vocabulary("product", _one(items.column("key"))),
        products=items.select(_product_columns()),
        entities=Vocabulary("entity", _one(entities.column("key"))),
        entity_table=entities.select(["label", "name", "kind"]),
        edges=edges,
        events=log,
    )


def _mapped(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _array(table: pa.Table, name: str) -> Any:
    # Not `to_numpy`: that imports pandas wherever it is installed, which takes longer than everything else here.
    return np.from_dlpack(_one(table.column(name)))
