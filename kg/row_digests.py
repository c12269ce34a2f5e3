"""Rows as numbers: 128 bits a row, and what a table holds as the sum of its rows, whatever their order.

A sum can be brought up to date by what was added and removed, where a digest of a whole table needs the whole table. The
hash guards against accidents and mistakes, not against somebody who looks for two rows of one number.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Rows = NDArray[np.uint64]  # [2, n]
_ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)
_FINAL = np.array([0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53], np.uint64)
_HALF = np.uint64(32)
_ROOM = 2**62


def row_digests(table: pa.Table) -> Rows:
    """A number for each row: names and types of the columns, and its values, decide it (uint64 [2, n])."""
    found = np.empty((2, table.num_rows), np.uint64)
    found[:] = _words(str([(field.name, str(field.type)) for field in table.schema]).encode())[:, None]
    for name in table.column_names:
        for rows, values, odd in zip(found, _lanes(table.column(name)), _ODD, strict=True):
            rows ^= values
            rows *= odd
            rows ^= rows >> _HALF
    return found


def _lanes(column: pa.ChunkedArray) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    whole = column.combine_chunks()
    if pa.types.is_string(whole.type):
        coded = whole.dictionary_encode()
        words = coded.dictionary.cast(pa.binary()).to_pylist()
        numbers = np.frombuffer(b"".join([hashlib.blake2b(word, digest_size=16).digest() for word in words]) + bytes(16), np.uint64)
        codes = pc.fill_null(coded.indices, len(words)).to_numpy(zero_copy_only=False)
        return numbers[0::2][codes], numbers[1::2][codes]
    wide = whole.cast(pa.float64() if pa.types.is_floating(whole.type) else pa.int64())
    values = pc.fill_null(wide, 0).to_numpy(zero_copy_only=False).view(np.uint64)
    if whole.null_count:
        values = values ^ (pc.is_null(whole).to_numpy(zero_copy_only=False).astype(np.uint64) * _FINAL[0])
    return values, values


def _words(data: bytes) -> NDArray[np.uint64]:
    return np.frombuffer(hashlib.blake2b(data, digest_size=16).digest(), np.uint64)


def row_sum(table: pa.Table) -> str:
    """The sum of a table's rows, as 32 hex digits; the same for the same rows in any order."""
    return _text(row_digests(table).sum(1, dtype=np.uint64))


def moved_sum(before: str, added: pa.Table, removed: pa.Table) -> str:
    """The sum after rows were added and others removed."""
    change = row_digests(added).sum(1, dtype=np.uint64) - row_digests(removed).sum(1, dtype=np.uint64)
    return _text(np.frombuffer(bytes.fromhex(before), np.uint64) + change)


def _text(total: NDArray[np.uint64]) -> str:
    return total.tobytes().hex()


def difference(old: pa.Table, new: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Rows of `new` that `old` lacks, and rows of `old` that `new` lacks; a row that stands twice counts twice."""
    ids, repeats = _numbered(_row_numbers(pa.concat_tables([old, new])), old.num_rows)
    kinds = int(ids.max()) + 1 if len(ids) else 0
    in_old, in_new = np.bincount(ids[: old.num_rows], minlength=kinds), np.bincount(ids[old.num_rows :], minlength=kinds)
    gone = repeats[: old.num_rows] >= in_new[ids[: old.num_rows]]
    come = repeats[old.num_rows :] >= in_old[ids[old.num_rows :]]
    return new.filter(pa.array(come)), old.filter(pa.array(gone))


def without(table: pa.Table, removed: pa.Table, key: str) -> pa.Table:
    """The rows of a table less those of another; of a row that stands twice, one goes for each time that it is removed.

    Args:
        key: a column that narrows down where to look.
    """
    looked_at = pc.is_in(table.column(key), value_set=pc.unique(removed.column(key).combine_chunks()))
    candidates = table.filter(looked_at)
    return pa.concat_tables([table.filter(pc.invert(looked_at)), difference(removed, candidates)[0]])


def _row_numbers(table: pa.Table) -> NDArray[np.int64]:
    """A number for each row, the same for rows that say the same (int64 [n]). Numbers mean nothing outside this table."""
    found = np.zeros(table.num_rows, np.int64)
    room = 1
    for column in table.columns:
        codes, count = _codes(column)
        if count <= 1:
            continue
        if room > _ROOM // count:
            kinds, found = np.unique(found, return_inverse=True)
            room = len(kinds)
        found *= count
        found += codes
        room *= count
    return found


def _codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], int]:
    """Each value's number among the column's distinct values, null being one (int64 [n]), and how many there are."""
    whole = column.combine_chunks()
    if pa.types.is_floating(whole.type):
        bits = pc.fill_null(whole, 0).cast(pa.float64()).to_numpy(zero_copy_only=False).view(np.int64)
        whole = pa.array(bits, mask=pc.is_null(whole).to_numpy(zero_copy_only=False))
    coded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    count = len(coded.dictionary)
    codes = pc.fill_null(coded.indices, count).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, count + bool(coded.null_count)


def _numbered(rows: NDArray[np.int64], split: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A number for each distinct row, and how many of the same stand before it on its side of `split` (int64 [n] each)."""
    n = len(rows)
    order = np.argsort(rows, kind="stable")  # what stands before `split` stays before what stands after it
    placed, side = rows[order], order >= split
    starts = np.ones(n, np.bool_)
    starts[1:] = placed[1:] != placed[:-1]
    ids = np.empty(n, np.int64)
    ids[order] = np.cumsum(starts) - 1
    starts[1:] |= side[1:] != side[:-1]
    begins = np.flatnonzero(starts)
    repeats = np.empty(n, np.int64)
    repeats[order] = np.arange(n) - np.repeat(begins, np.diff(np.append(begins, n)))
    return ids, repeats
