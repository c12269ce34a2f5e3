"""Checking the truth: against itself, against the ontology, and each piece of evidence against the words it quotes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kg.canon import MAX_KEY_BYTES
from kg.errors import InputError, StateError
from kg.merge import CATALOGUE
from kg.ontology import EVENT_RELATIONS, Family, Label, product_properties, relation
from kg.store import value_or_none
from kg.tables import GraphTables
from kg.truth import Truth
from kg.workspace import Workspace

_SHOWN = 5  # faults of one kind that are told one by one


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that must not be.

    Args:
        where: the table, and the row by its keys.
        message: what is wrong, one sentence.
    """

    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Validation:
    """What was checked and what was found.

    Args:
        digest: of the graph; empty when it cannot be read at all.
        checked: rows by table.
        faults: the first of each kind.
        n_faults: how many there are in all.
    """

    digest: str
    checked: dict[str, int]
    faults: tuple[Fault, ...]
    n_faults: int

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew graph validate --json`."""
        faults = [{"where": fault.where, "message": fault.message} for fault in self.faults]
        return {"schema_version": 1, "digest": self.digest, "checked": self.checked, "faults": faults, "n_faults": self.n_faults}


def validate(workspace: Workspace) -> Validation:
    """Check the graph of a workspace.

    Raises:
        StateError: there is no graph at all (a damaged one is a fault).
    """
    truth = Truth(workspace.open().graph)
    if not truth.exists:
        _ = truth.manifest  # says what is missing
    try:
        truth.check_files()
        tables = truth.tables()
    except StateError as error:
        return Validation("", {}, (Fault(str(truth.folder), error.message),), 1)
    return validate_tables(tables, truth.digest)


def with_faults(found: Validation, more: list[Fault]) -> Validation:
    """A validation with what another check found beside it."""
    return Validation(found.digest, found.checked, (*found.faults, *more[: 4 * _SHOWN]), found.n_faults + len(more))


def validate_tables(tables: GraphTables, digest: str) -> Validation:
    """Check a graph in tables."""
    faults: list[Fault] = []
    n_faults = 0
    for kind in (_products(tables), _properties(tables), _entities(tables), _events(tables), *_relations(tables)):
        listed = list(islice(kind, _SHOWN))
        faults += listed
        n_faults += len(listed) + sum(1 for _ in kind)
    checked = {str(Label.PRODUCT): tables.products.num_rows, "events": tables.events.num_rows}
    checked |= {str(label): table.num_rows for label, table in tables.entities.items()}
    checked |= {name: table.num_rows for name, table in tables.evidence.items()}
    return Validation(digest, checked, tuple(faults), n_faults)


def _products(tables: GraphTables) -> Iterator[Fault]:
    columns = ("key", "title", "price_low", "price_high")
    for key, title, low, high in zip(*(tables.products.column(c).to_pylist() for c in columns), strict=True):
        where = f"{Label.PRODUCT} {key}"
        if not key or len(key.encode()) > MAX_KEY_BYTES:
            yield Fault(where, f"A key has 1 to {MAX_KEY_BYTES} bytes.")
        if not title.strip():
            yield Fault(where, "The title is blank.")
        if any(price is not None and not 0 <= price < float("inf") for price in (low, high)):
            yield Fault(where, "A price is negative or infinite.")
        if low is not None and high is not None and low > high:
            yield Fault(where, "The price range is upside down.")


def _properties(tables: GraphTables) -> Iterator[Fault]:
    """Typed properties of the ontology file, in rows that were taken before it typed them."""
    properties = product_properties()
    columns = (tables.products.column(c).to_pylist() for c in ("key", "fields")) if properties else ([], [])
    for key, fields in zip(*columns, strict=True):
        row = json.loads(fields)
        for each in properties:
            text = row.get(each.column)
            if text is None and each.required:
                yield Fault(f"{Label.PRODUCT} {key}", f"It has no {each.name}.")
            if text is not None and value_or_none(text, each.type) is None:
                yield Fault(f"{Label.PRODUCT} {key}", f"Its {each.name}, {text[:40]!r}, is no {each.type}.")


def _entities(tables: GraphTables) -> Iterator[Fault]:
    seen: dict[str, Label] = {}
    for label, table in tables.entities.items():
        for key, name in zip(table.column("key").to_pylist(), table.column("name").to_pylist(), strict=True):
            where = f"{label} {key}"
            if len(key.encode()) > MAX_KEY_BYTES:
                yield Fault(where, f"A key has 1 to {MAX_KEY_BYTES} bytes.")
            if not name.strip():
                yield Fault(where, "The name is blank.")
            if seen.setdefault(key, label) is not label:
                yield Fault(where, f"{seen[key]} has the same key.")


def _events(tables: GraphTables) -> Iterator[Fault]:
    for item in pc.unique(tables.events.column("item").filter(_outside(tables.events.column("item"), tables.product_keys))).to_pylist():
        yield Fault(f"events of {item}", "There is no such product.")
    for kind in sorted(set(pc.unique(tables.events.column("kind")).to_pylist()) - set(EVENT_RELATIONS)):
        yield Fault("events", f"No relation stands for the kind {kind!r}.")


def _relations(tables: GraphTables) -> Iterator[Iterator[Fault]]:
    fields = _fields(tables)
    for name, table in tables.evidence.items():
        try:
            family = relation(name).family
        except InputError as error:
            yield iter([Fault(f"evidence/{name}", error.message)])
            continue
        if family is not Family.TREE:
            yield _lost(name, table, tables.product_keys)
        yield _quotes(name, table, fields)


def _lost(name: str, table: pa.Table, keys: pa.Array) -> Iterator[Fault]:
    for source in pc.unique(table.column("source_key").filter(_outside(table.column("source_key"), keys))).to_pylist():
        yield Fault(f"{name} of {source}", "There is no such product.")


def _outside(column: pa.ChunkedArray, keys: pa.Array) -> pa.ChunkedArray:
    return pc.invert(pc.is_in(column, value_set=keys))


def _quotes(name: str, table: pa.Table, fields: dict[str, dict[str, str]]) -> Iterator[Fault]:
    columns = ("source_key", "target_key", "origin", "field", "span_start", "span_end", "text", "confidence")
    for source, target, origin, field, start, end, text, confidence in zip(*(table.column(c).to_pylist() for c in columns), strict=True):
        where = f"{name} {source} → {target}"
        if not 0.0 <= confidence <= 1.0:
            yield Fault(where, f"The confidence is {confidence}.")
        # Only what was read out of a row's own text can be held against it; a correction and a vocabulary quote themselves.
        words = fields.get(source, {}).get(field) if origin == CATALOGUE else None
        if words is not None and words[start:end] != text:
            yield Fault(where, f"The {field} does not read {text!r} at {start}..{end}.")


def _fields(tables: GraphTables) -> dict[str, dict[str, str]]:
    columns = (tables.products.column(c).to_pylist() for c in ("key", "title", "fields"))
    return {key: {**json.loads(fields), "title": title} for key, title, fields in zip(*columns, strict=True)}
