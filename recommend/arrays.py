"""Sparse matrices as named arrays, and the few kernels that serving needs on them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

_FEW_ROWS = 500  # up to which rows are copied one by one


def csr(values: NDArray[Any], columns: NDArray[np.integer], starts: NDArray[np.integer], shape: tuple[int, int]) -> sp.csr_array:
    """A CSR matrix on the memory of its values and columns (int32); given starts of 64 bits, scipy would copy the columns into as many."""
    narrow = starts.astype(np.int32, copy=False) if starts[-1] <= np.iinfo(np.int32).max else starts
    matrix: sp.csr_array = sp.csr_array((values, columns, narrow), shape=shape)
    return matrix


def pack(name: str, matrix: sp.csr_array) -> Arrays:
    """The three arrays of a CSR matrix, and its width, under a common name."""
    return {
        f"{name}.indptr": matrix.indptr.astype(np.int32, copy=False),
        f"{name}.indices": matrix.indices.astype(np.int32, copy=False),
        f"{name}.data": matrix.data,
        f"{name}.width": np.array([matrix.shape[1]], np.int64),
    }


def unpack(name: str, arrays: Mapping[str, NDArray[Any]]) -> sp.csr_array:
    """The CSR matrix that `pack` took apart, on the same memory."""
    indptr = arrays[f"{name}.indptr"]
    shape = (len(indptr) - 1, int(arrays[f"{name}.width"][0]))
    matrix: sp.csr_array = sp.csr_array(shape, dtype=arrays[f"{name}.data"].dtype)
    # Set, not passed: the constructor would copy what is memory-mapped.
    matrix.data, matrix.indices, matrix.indptr = arrays[f"{name}.data"], arrays[f"{name}.indices"], indptr
    return matrix


def transposed(matrix: sp.csr_array) -> sp.csr_array:
    """The transpose as CSR, columns sorted."""
    turned: sp.csr_array = sp.csr_array(matrix.T.tocsr())
    turned.sort_indices()
    return turned


def places(indptr: NDArray[np.integer], rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of all entries of some rows of a CSR matrix, and how many each row has."""
    starts = indptr[rows]
    lengths = indptr[np.asarray(rows) + 1] - starts
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths), lengths


@dataclass(frozen=True, slots=True, eq=False)
class PickedRows:
    """Some rows of a CSR matrix, one after the other; scipy's own way checks more than it picks where rows are few.

    Args:
        lengths: int64, entries of each row.
        columns: int32, of all entries.
        values: float32, of all entries.
        width: columns of the matrix.
    """

    lengths: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    width: int

    @classmethod
    def of(cls, matrix: sp.csr_array, rows: NDArray[np.integer]) -> PickedRows:
        """Pick rows (any integers, as often as they are named)."""
        if len(rows) > _FEW_ROWS:
            part = matrix[rows]
            return cls(np.diff(part.indptr).astype(np.int64), part.indices, part.data, matrix.shape[1])
        low, high = matrix.indptr[rows], matrix.indptr[np.asarray(rows) + 1]
        ends = list(zip(low.tolist(), high.tolist(), strict=True))
        parts = [[array[start:end] for start, end in ends] or [array[:0]] for array in (matrix.indices, matrix.data)]
        return cls((high - low).astype(np.int64), np.concatenate(parts[0]), np.concatenate(parts[1]), matrix.shape[1])

    @property
    def starts(self) -> NDArray[np.int64]:
        """Place of the row of each entry (int64)."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def among(self, columns: NDArray[np.integer] | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Entries, of some columns alone or all: place of the row (int64), column (int64), value (float64)."""
        if columns is None:
            return self.starts, self.columns.astype(np.int64), self.values.astype(np.float64)
        wanted = np.zeros(self.width, bool)
        wanted[columns] = True
        kept = np.flatnonzero(wanted[self.columns])
        starts = np.searchsorted(np.cumsum(self.lengths), kept, side="right")
        return starts.astype(np.int64), self.columns[kept].astype(np.int64), self.values[kept].astype(np.float64)

    def summed(self, weights: NDArray[np.floating]) -> NDArray[np.float64]:
        """Σ_k weights[k] · row k (float64 [width])."""
        values = self.values * np.repeat(np.asarray(weights, np.float64), self.lengths)
        return np.asarray(np.bincount(self.columns, values, minlength=self.width), np.float64)

    def times(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """⟨row k, vector⟩ of each row (float64 [width] → float64 [rows])."""
        values = self.values * vector[self.columns]
        return np.asarray(np.bincount(self.starts, values, minlength=len(self.lengths)), np.float64)


def weighted_rows(matrix: sp.csr_array, rows: NDArray[np.integer], weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Σ_k weights[k] · matrix[rows[k], :] as a dense float64 vector, touching only the entries of those rows."""
    return PickedRows.of(matrix, rows).summed(weights)


def mostly(matrix: sp.csr_array, rows: NDArray[np.integer]) -> bool:
    """Whether some rows hold so much of a matrix that going through all of it costs less than picking them out."""
    return 4 * int((matrix.indptr[rows + 1] - matrix.indptr[rows]).sum()) > matrix.nnz


def entries(matrix: sp.csr_array, row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Columns and values of one row."""
    low, high = int(matrix.indptr[row]), int(matrix.indptr[row + 1])
    return matrix.indices[low:high], matrix.data[low:high]


def entry(matrix: sp.csr_array, row: int, column: int) -> float:
    """One value (columns of a row are sorted), 0 where there is none."""
    columns, values = entries(matrix, row)
    place = int(np.searchsorted(columns, column))
    return float(values[place]) if place < len(columns) and columns[place] == column else 0.0


def meeting(first: NDArray[np.integer], second: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of what two ascending arrays without repeats have in common (int64, as many in each)."""
    if not len(first) or not len(second):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    where = np.searchsorted(second, first)
    where[where == len(second)] = 0
    left = np.flatnonzero(second[where] == first)
    return left, where[left]


def at_rows(part: sp.csr_array, rows: NDArray[np.integer], shape: tuple[int, int]) -> sp.csr_array:
    """A matrix of a shape whose rows `rows` (ascending) are those of `part`, and whose other rows are empty."""
    lengths = np.zeros(shape[0], np.int64)
    lengths[rows] = np.diff(part.indptr)
    return csr(part.data, part.indices, np.concatenate([[0], np.cumsum(lengths)]), shape)


def strongest_per_row(matrix: sp.csr_array, cap: int) -> sp.csr_array:
    """Keep the `cap` largest entries of each row (of equals, the first columns), sorted by column."""
    matrix = matrix.copy()
    matrix.sort_indices()
    lengths = np.diff(matrix.indptr)
    if lengths.max(initial=0) <= cap:
        return matrix
    keep = np.ones(matrix.nnz, bool)
    for row in np.flatnonzero(lengths > cap):
        low, high = matrix.indptr[row], matrix.indptr[row + 1]
        order = np.argsort(-matrix.data[low:high], kind="stable")
        keep[low + order[cap:]] = False
    rows = np.repeat(np.arange(matrix.shape[0]), lengths)[keep]
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=matrix.shape[0]))])
    return csr(matrix.data[keep], matrix.indices[keep], starts, matrix.shape)


class RowStack:
    """Row blocks of a sparse matrix, put one below the other as they come.

    Args:
        width: columns.
        scratch: a folder; the entries are written to files there that have no name and go with the last who reads them, so that memory
            holds as much of them as there is room for. None: in memory.
    """

    def __init__(self, width: int, scratch: Path | None = None) -> None:
        self._width = width
        self._starts, self._entries = [np.zeros(1, np.int64)], 0
        self._columns, self._values = (Growing(np.dtype(kind), scratch) for kind in (np.int32, np.float32))

    def add(self, block: sp.csr_array) -> None:
        """Put rows below those that are there; they are sorted by column.

        Raises:
            OSError: the disk is full.
        """
        block.sort_indices()
        self._starts.append(block.indptr[1:].astype(np.int64) + self._entries)
        self._entries += block.nnz
        self._columns.add(block.indices)
        self._values.add(block.data)

    def matrix(self) -> sp.csr_array:
        """All rows (CSR float32, no row without blocks), once."""
        starts = np.concatenate(self._starts)
        return csr(self._values.array(), self._columns.array(), starts, (len(starts) - 1, self._width))


class Growing:
    """An array of one dimension that grows at its end.

    Args:
        kind: its dtype.
        scratch: a folder for a file without a name that it lies in, read-only once it is whole; None: in memory.
    """

    def __init__(self, kind: np.dtype[Any], scratch: Path | None) -> None:
        self._kind = kind
        self._parts: list[NDArray[Any]] = []
        self._file = None if scratch is None else _nameless(scratch)

    def add(self, part: NDArray[Any]) -> None:
        """Put values behind those that are there.

        Raises:
            OSError: the disk is full.
        """
        part = np.ascontiguousarray(part, self._kind)
        if self._file is None:
            self._parts.append(part)
        else:
            self._file.write(part.data)

    def array(self) -> NDArray[Any]:
        """All values ([n] of its dtype), once."""
        if self._file is None:
            found = np.concatenate([np.empty(0, self._kind), *self._parts])
            self._parts.clear()
            return found
        self._file.flush()
        empty = self._file.tell() == 0  # nothing can be mapped of an empty file
        return np.empty(0, self._kind) if empty else np.asarray(np.memmap(self._file, self._kind, "r"))


def _nameless(folder: Path) -> IO[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


def stack(blocks: Iterable[sp.csr_array], width: int, scratch: Path | None = None) -> sp.csr_array:
    """Row blocks one below the other (an empty list gives no rows), float32, columns sorted; `scratch`: as for `RowStack`."""
    rows = RowStack(width, scratch)
    for block in blocks:
        rows.add(block)
    return rows.matrix()
