"""The one place where keys (text, outside) and rows (integers, inside) meet."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kg.errors import StateError, UnknownKeyError


class Vocabulary:
    """A fixed, sorted set of keys; the row of a key is its place in UTF-8 order.

    Args:
        what: what the keys name ("user", "product"), for messages.
        keys: Arrow string array, sorted by bytes, without repeats; may be memory-mapped.

    Raises:
        StateError: the keys are not sorted or not unique (checked only by `of`).
    """

    def __init__(self, what: str, keys: pa.StringArray) -> None:
        self.what = what
        self.keys = keys

    @classmethod
    def of(cls, what: str, keys: Iterable[str]) -> Vocabulary:
        """A vocabulary of any keys, sorted here.

        Raises:
            StateError: a key appears twice.
        """
        ordered = sorted(keys, key=str.encode)
        for first, second in itertools.pairwise(ordered):
            if first == second:
                raise StateError(f"The {what} key {first!r} appears twice.", "Merge the rows before they become a vocabulary.")
        return cls(what, pa.array(ordered, pa.string()))

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys.to_pylist())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.find(key) is not None

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self.keys.to_pylist())}

    def key(self, row: int) -> str:
        """The key of a row."""
        return str(self.keys[int(row)].as_py())

    def find(self, key: str) -> int | None:
        """The row of a key by binary search (no index is built), or None."""
        low, high, wanted = 0, len(self.keys), key.encode()
        while low < high:
            middle = (low + high) // 2
            if self.keys[middle].as_py().encode() < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self.keys) and self.keys[low].as_py() == key else None

    def row(self, key: str) -> int:
        """The row of a key.

        Raises:
            UnknownKeyError: no such key; the nearest are suggested.
        """
        row = self.find(key)
        if row is None:
            raise UnknownKeyError(self.what, key, self.keys.to_pylist())
        return row

    def rows(self, keys: Iterable[str]) -> NDArray[np.int32]:
        """Rows of many keys (int32), −1 for a key that is not there."""
        table = self._rows
        return np.fromiter((table.get(key, -1) for key in keys), np.int32)
