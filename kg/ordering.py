"""Orders of tables by several columns, through whole numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def ranks(column: pa.ChunkedArray | pa.Array) -> NDArray[np.int64]:
    """Each value's place among the column's distinct values (int64 [n]; strings by UTF-8 bytes, nulls −1)."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    encoded = whole.dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    place = np.empty(len(order) + 1, np.int64)
    place[order] = np.arange(len(order))
    place[-1] = -1
    found: NDArray[np.int64] = place[pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)]
    return found


def sort_order(table: pa.Table, *columns: str) -> NDArray[np.int64]:
    """Positions that sort a table by columns (nulls first; int64 [n]); a `-` before a name turns its order round."""
    return order_of([-ranks(table.column(c[1:])) if c.startswith("-") else ranks(table.column(c)) for c in columns])


def order_of(keys: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Positions that sort by several whole numbers, the first key first (int64 [n]); equal ones stay in their order."""
    folded = fold(keys)
    return np.lexsort(keys[::-1]) if folded is None else np.argsort(folded, kind="stable")


def fold(keys: Sequence[NDArray[np.int64]]) -> NDArray[np.int64] | None:
    """Several whole numbers as one that sorts like them (int64 [n]), several times quicker; None where they do not fit into 62 bits."""
    found = np.zeros(len(keys[0]), np.int64)
    room = 1
    for key in keys if len(found) else ():
        low, span = int(key.min()), int(key.max()) - int(key.min()) + 1
        room *= span
        if room >= 2**62:
            return None
        found *= span
        found += key - low
    return found
