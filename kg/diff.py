"""What changed between two states of a graph: nodes, facts, events; how many, and the first of each kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kg.align import Changes, align, equal_rows, group_ids
from kg.errors import InputError
from kg.ontology import Label
from kg.tables import EVENT_ORDER, GraphTables
from kg.truth import Truth

_IGNORED = ("run",)  # says which ingest wrote a fact, not what the fact is


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that differs.

    Args:
        kind: "new", "changed" or "removed".
        key: what names the row: a node's key, the two ends of a fact, an event's person and product.
        values: for a changed row column → (before, after); for others column → value.
    """

    kind: str
    key: tuple[str, ...]
    values: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew graph diff --json`."""
        values = {n: list(v) if isinstance(v, tuple) else v for n, v in self.values.items()}
        return {"kind": self.kind, "key": list(self.key), "values": values}


@dataclass(frozen=True, slots=True)
class TableDiff:
    """What changed in one table.

    Args:
        name: "nodes/Brand", "facts/HAS_BRAND", "events".
        changes: how many rows of each kind.
        first: the first rows that differ: new ones, then changed ones, then removed ones.
    """

    name: str
    changes: Changes
    first: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew graph diff --json`."""
        return {"table": self.name, **self.changes.to_dict(), "first": [one.to_dict() for one in self.first]}


@dataclass(frozen=True, slots=True)
class GraphDiff:
    """What changed between two graphs, table by table; tables without a change count but name no row.

    Args:
        before, after: digests.
        tables: every table that one of them has.
    """

    before: str
    after: str
    tables: tuple[TableDiff, ...]

    @property
    def changes(self) -> Changes:
        """All tables together."""
        return sum((table.changes for table in self.tables), Changes())

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew graph diff --json`."""
        tables = [table.to_dict() for table in self.tables]
        return {"schema_version": 1, "before": self.before, "after": self.after, "changes": self.changes.to_dict(), "tables": tables}


def graph_folder(path: Path) -> Path:
    """Where the truth lies in a workspace, an export or a copy of either.

    Raises:
        InputError: it holds no graph.
    """
    for folder in (path / "graph", path):
        if Truth(folder).exists:
            return folder
    raise InputError(f"{path} holds no graph.", "Name a workspace, or the folder that `clew graph export --format parquet` wrote.")


def diff(before: Path, after: Path, limit: int = 5) -> GraphDiff:
    """Compare two graphs.

    Args:
        before, after: workspaces or folders of exported graphs.
        limit: rows named of each table.

    Raises:
        InputError: one of them holds no graph.
        StateError: one of them is damaged.
    """
    truths = [Truth(graph_folder(path)) for path in (before, after)]
    old, new = (truth.tables() for truth in truths)
    return GraphDiff(truths[0].digest, truths[1].digest, tuple(compare_tables(old, new, limit)))


def compare_tables(old: GraphTables, new: GraphTables, limit: int) -> Iterator[TableDiff]:
    """Differences table by table: products, users, entities, facts by relation, events."""
    yield _table_diff(f"nodes/{Label.PRODUCT}", old.products, new.products, ("key",), limit)
    yield _table_diff(f"nodes/{Label.USER}", old.users, new.users, ("key",), limit)
    for label in sorted({*old.entities, *new.entities}):
        one, two = (_bands_or(tables, label) for tables in (old, new))
        yield _table_diff(f"nodes/{label}", one, two, ("key",), limit)
    for name in sorted({*old.edges, *new.edges}):
        yield _table_diff(f"facts/{name}", old.edges.get(name), new.edges.get(name), ("source_key", "target_key"), limit)
    yield _events_diff(old, new, limit)


def _bands_or(tables: GraphTables, label: Label) -> pa.Table | None:
    """A band's borders are part of it; its row as an entity does not have them."""
    return tables.bands if label is Label.PRICE_BAND and tables.bands.num_rows else tables.entities.get(label)


def _table_diff(name: str, old: pa.Table | None, new: pa.Table | None, keys: tuple[str, ...], limit: int) -> TableDiff:
    if old is None or new is None:
        there = old if new is None else new
        assert there is not None
        old, new = (there.slice(0, 0) if one is None else one for one in (old, new))
    places = align(old, new, *keys)
    met = np.flatnonzero(places >= 0)
    same = equal_rows(old.take(places[met]), new.take(met), ignore=_IGNORED)
    changed = met[~same]
    added = np.flatnonzero(places < 0)
    gone = np.ones(old.num_rows, np.bool_)
    gone[places[met]] = False
    removed = np.flatnonzero(gone)
    rows = (
        *_stated("new", new, added, keys, limit),
        *_changed(old.take(places[changed[:limit]]), new.take(changed[:limit]), keys),
        *_stated("removed", old, removed, keys, limit),
    )
    return TableDiff(name, Changes(len(added), len(changed), int(same.sum()), len(removed)), tuple(rows[:limit]))


def _stated(kind: str, table: pa.Table, rows: NDArray[np.int64], keys: tuple[str, ...], limit: int) -> list[Difference]:
    return [
        Difference(kind, tuple(row[k] for k in keys), {n: v for n, v in row.items() if n not in (*keys, *_IGNORED) and v not in (None, "")})
        for row in table.take(rows[:limit]).to_pylist()
    ]


def _changed(old: pa.Table, new: pa.Table, keys: tuple[str, ...]) -> list[Difference]:
    return [
        Difference("changed", tuple(two[k] for k in keys), {n: (one[n], two[n]) for n in two if one[n] != two[n] and n not in _IGNORED})
        for one, two in zip(old.to_pylist(), new.to_pylist(), strict=True)
    ]


def _events_diff(old: GraphTables, new: GraphTables, limit: int) -> TableDiff:
    """Events have no name: one is new or removed; of equal ones, the surplus is."""
    both = pa.concat_tables([old.events, new.events])
    ids = group_ids(both, *EVENT_ORDER)
    sizes = [np.bincount(part, minlength=int(ids.max(initial=-1)) + 1) for part in np.split(ids, [old.events.num_rows])]
    surplus = sizes[1] - sizes[0]
    example = np.zeros(len(surplus), np.int64)
    example[ids[::-1]] = np.arange(len(ids))[::-1]
    rows = []
    for kind, groups, timed in (("new", surplus > 0, new.timed), ("removed", surplus < 0, old.timed)):
        rows += [_event(kind, row, timed) for row in both.take(example[groups][:limit]).to_pylist()]
    n_new, n_removed = int(surplus[surplus > 0].sum()), int(-surplus[surplus < 0].sum())
    return TableDiff("events", Changes(n_new, 0, int(np.minimum(*sizes).sum()), n_removed), tuple(rows[:limit]))


def _event(kind: str, row: Mapping[str, Any], timed: bool) -> Difference:
    moment = str(np.datetime64(row["time"], "s")) if timed and row["time"] is not None else row["time"]
    return Difference(kind, (row["user"], row["item"]), {"kind": row["kind"], "time": moment, "value": row["value"]})
