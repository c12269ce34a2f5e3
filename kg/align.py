"""Two versions of a table side by side: which rows are the same thing, and which of those changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kg.ordering import fold, order_of, ranks


@dataclass(frozen=True, slots=True)
class Changes:
    """How many things appeared, changed, stayed and went."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0

    def __add__(self, other: Changes) -> Changes:
        return Changes(self.new + other.new, self.changed + other.changed, self.unchanged + other.unchanged, self.removed + other.removed)

    def to_dict(self) -> dict[str, int]:
        """The form of `clew graph ingest --json`."""
        return {"new": self.new, "changed": self.changed, "unchanged": self.unchanged, "removed": self.removed}


def group_ids(table: pa.Table, *columns: str) -> NDArray[np.int64]:
    """A number for each distinct combination of some columns (int64 [n])."""
    keys = [ranks(table.column(name)) for name in columns]
    folded = fold(keys)
    order = order_of(keys if folded is None else [folded])
    starts = np.zeros(table.num_rows, np.int64)
    for key in keys if folded is None else [folded]:
        placed = key[order]
        starts[1:] |= placed[1:] != placed[:-1]
    found = np.empty(table.num_rows, np.int64)
    found[order] = np.cumsum(starts)
    return found


def align(old: pa.Table, new: pa.Table, *columns: str) -> NDArray[np.int64]:
    """For each row of `new`, the row of `old` with the same values in some columns, or −1 (int64 [n_new])."""
    both = pa.concat_tables([old.select(columns), new.select(columns)])
    ids = group_ids(both, *columns)
    places = np.full(int(ids.max()) + 1 if len(ids) else 0, -1, np.int64)
    places[ids[: old.num_rows]] = np.arange(old.num_rows)
    return places[ids[old.num_rows :]]


def equal_rows(first: pa.Table, second: pa.Table, ignore: tuple[str, ...] = ()) -> NDArray[np.bool_]:
    """Where two tables of one schema say the same, row by row, two nulls being the same (bool [n])."""
    same = np.ones(first.num_rows, np.bool_)
    for name in first.column_names:
        if name in ignore or not first.num_rows:
            continue
        one, two = first.column(name), second.column(name)
        both_null = pc.and_(pc.is_null(one), pc.is_null(two))
        same &= pc.or_(pc.fill_null(pc.equal(one, two), False), both_null).to_numpy()
    return same


def changes(old: pa.Table | None, new: pa.Table | None, *columns: str) -> Changes:
    """What happened between two versions of a table whose rows are named by some columns."""
    if old is None or new is None:
        return Changes(new=new.num_rows if new is not None else 0, removed=old.num_rows if old is not None else 0)
    places = align(old, new, *columns)
    met = np.flatnonzero(places >= 0)
    same = int(equal_rows(old.take(places[met]), new.take(met)).sum())
    return Changes(new.num_rows - len(met), len(met) - same, same, old.num_rows - len(met))
