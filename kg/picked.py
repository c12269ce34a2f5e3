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
        return cls(values, np.unique(_near(values, rows)[1]))

    def mask(self, rows: pa.Table | pa.RecordBatch) -> pa.Array:
        """Which of some rows they are (boolean [n]); text may come as dictionaries."""
        near, numbers = _near(self.values, rows)
        found = np.zeros(rows.num_rows, np.bool_)
        if len(self.numbers):
            places = np.searchsorted(self.numbers, numbers).clip(max=len(self.numbers) - 1)
            found[near] = self.numbers[places] == numbers
        return pa.array(found)


def _near(values: Mapping[str, pa.Array], rows: pa.Table | pa.RecordBatch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows whose every value is one of those of its column, and a number for the combination that each has (int64 [n] each)."""
    columns = [_places(rows.column(name), among) for name, among in values.items()]
    near = np.flatnonzero(np.logical_and.reduce([(places >= 0)[codes] for places, codes in columns]))
    found = np.zeros(len(near), np.int64)
    for (places, codes), among in zip(columns, values.values(), strict=True):
        found = found * len(among) + places[codes[near]]
    return near, found


def _places(column: pa.Array | pa.ChunkedArray, among: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each distinct value of a column stands among others, −1 for nowhere, and which of the values each row has."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    coded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    places = pc.fill_null(pc.index_in(coded.dictionary, value_set=among), -1).to_numpy(zero_copy_only=False)
    codes = pc.fill_null(coded.indices, len(places)).to_numpy(zero_copy_only=False)
    return np.append(places, -1).astype(np.int64), codes
