"""Rows of a table that agree with one of some other rows: the events of the pairs of person and product that came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Picked:
    """What rows to pick: those that have, in some text columns together, the values of one of these rows.

    Args:
        values: the distinct values by column.
        numbers: of the combinations wanted (int64 [n], ascending).
    """

    values: Mapping[str, pa.Array]
    numbers: NDArray[np.int64]

    @classmethod
    def like(cls, rows: pa.Table) -> Picked:
        """Those that agree with one of `rows` in all of its (text) columns."""
        values = {name: pc.unique(rows.column(name).combine_chunks()) for name in rows.column_names}
        return cls(values, np.unique(_numbers(values, rows)))

    def mask(self, rows: pa.Table | pa.RecordBatch) -> pa.Array:
        """Which of some rows they are (boolean [n]); text may come as dictionaries."""
        numbers = _numbers(self.values, rows)
        found = np.zeros(len(numbers), np.bool_)
        near = np.flatnonzero(numbers >= 0)
        places = np.searchsorted(self.numbers, numbers[near])
        places[places == len(self.numbers)] = 0
        found[near] = self.numbers[places] == numbers[near] if len(self.numbers) else False
        return pa.array(found)


def _numbers(values: Mapping[str, pa.Array], rows: pa.Table | pa.RecordBatch) -> NDArray[np.int64]:
    """One number for each combination of values, negative where one of them is none of those (int64 [n])."""
    found = np.zeros(rows.num_rows, np.int64)
    for name, among in values.items():
        places = _places(rows.column(name), among)
        found = np.where((found < 0) | (places < 0), -1, found * len(among) + places)
    return found


def _places(column: pa.Array | pa.ChunkedArray, among: pa.Array) -> NDArray[np.int64]:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(whole.type):
        places = pc.index_in(whole.dictionary, value_set=among).take(whole.indices)
    else:
        places = pc.index_in(whole, value_set=among)
    found: NDArray[np.int64] = pc.fill_null(places, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return found
