"""The files that a table of the truth lies in: base parts by hash of the key, and what later changes added and removed.

A change of a few rows in a hundred touches every part there is, so a small change rewrites none of them: its rows are
written beside them as a layer, one file of what it added and one of what it removed. The table is its base parts, less what
layers removed, plus what they added; when layers have grown, they are worked into the base parts.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kg.errors import StateError
from kg.picked import Picked
from kg.row_digests import without
from kg.tables import content_digest
from kg.whole_files import sync, whole_file

RESTORE = "Restore the folder from a copy, or move it away and ingest the files again."
LAYERS = ("added", "removed")
_ROWS_PER_PART = 524_288  # of 2M events, parts of 65,536 rows are half as large again and take twice as long to read: more dictionaries
_DICTIONARY_BYTES = 4 << 20  # of a column's distinct values in a part, beyond which they are spelt out in every row
_MIN_LAYERED = 4_096  # rows in layers that are never worked in for their number
_MAX_PARTS = 256
_MAX_LAYERS = 48
READERS = 2  # files read at once; each takes memory of its own
_MAX_SHARE = 0.25  # rows in layers, as a share of those in base parts, beyond which they are worked in


def read_table(
    folder: Path,
    stored: Mapping[str, Any],
    schema: pa.Schema,
    key: str,
    check: bool = True,
    where: Picked | None = None,
    coded: Sequence[str] = (),
) -> pa.Table:
    """The rows of a table.

    Args:
        folder: where its files lie.
        stored: what the manifest says of it.
        schema: of the table, or of those of its columns that are wanted, the key among them.
        key: a column that narrows down where to look for removed rows.
        check: hold every file against its digest; else only against the checksums that Parquet keeps.
        where: which rows; None for all.
        coded: text columns that come as dictionaries, for memory and speed where values repeat; not together with `where`.

    Raises:
        StateError: a file is missing, truncated, foreign or not what the manifest says.
    """
    due = pa.schema([pa.field(f.name, pa.dictionary(pa.int32(), pa.string())) if f.name in coded else f for f in schema])

    def read(part: Mapping[str, Any]) -> pa.Table:
        return _read(folder / part["file"], part, schema, check, coded) if where is None else _some(folder, part, schema, where)

    def files(*kinds: str) -> pa.Table:
        parts = [part for kind in kinds for part in stored.get(kind, ())]
        with ThreadPoolExecutor(READERS) as pool:
            found = list(pool.map(read, parts)) if len(parts) > 1 else [read(part) for part in parts]
        return pa.concat_tables([due.empty_table(), *found]).unify_dictionaries()

    held, removed = files("parts", "added"), files("removed")
    return without(held, removed, key) if removed.num_rows else held


def _some(folder: Path, part: Mapping[str, Any], schema: pa.Schema, where: Picked) -> pa.Table:
    """Some rows of one file; text is only spelt out for the rows that stay."""
    table = _read(
        folder / part["file"], part, schema, check=False, coded=[field.name for field in schema if pa.types.is_string(field.type)]
    )
    found = [chunk.filter(where.mask(chunk)) for chunk in table.to_batches()]
    return pa.Table.from_batches(found, table.schema).cast(schema)


def _read(path: Path, part: Mapping[str, Any], schema: pa.Schema, check: bool, coded: Sequence[str] = ()) -> pa.Table:
    """One file, held against what the manifest says of it; `coded` columns come as dictionaries."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=list(coded)) as file:
            found = file.read(schema.names, use_threads=False)
    except FileNotFoundError:
        raise StateError(f"{path} is missing, which the manifest names.", RESTORE) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise StateError(f"{path} is damaged and cannot be read ({str(error).splitlines()[0]}).", RESTORE) from None
    if found.schema.names != schema.names or not (coded or found.schema.equals(schema)):
        raise StateError(f"{path} is not a table of this graph: its columns are others.", RESTORE)
    if found.num_rows != part["rows"] or (check and content_digest(found) != part["digest"]):
        raise StateError(f"{path} does not hold what the manifest says.", RESTORE)
    return found


def cut(table: pa.Table, key: str) -> Iterator[tuple[dict[str, Any], pa.Table]]:
    """Base parts: the table cut by hash of a column, each with its entry for the manifest. How many depends on the rows alone."""
    count = 1
    while count < _MAX_PARTS and table.num_rows > count * _ROWS_PER_PART:
        count *= 2
    which = _key_hashes(table.column(key)) % count if count > 1 else None
    for number in range(count):
        part = table if which is None else table.filter(pa.array(which == number))
        if part.num_rows:
            yield _entry(f"{number:03d}", part), part


def layer(table: pa.Table, what: str) -> Iterator[tuple[dict[str, Any], pa.Table]]:
    """The file of what a change added or removed, with its entry for the manifest; nothing for no rows."""
    if table.num_rows:
        yield _entry(what, table), table


def _entry(prefix: str, part: pa.Table) -> dict[str, Any]:
    digest = content_digest(part)
    return {"file": f"{prefix}-{digest.removeprefix('sha256:')[:24]}.parquet", "rows": part.num_rows, "digest": digest}


def files_of(stored: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Entries of all files of a table."""
    return [*stored["parts"], *(part for what in LAYERS for part in stored.get(what, ()))]


def overgrown(stored: Mapping[str, Any]) -> bool:
    """Whether a table's layers should be worked into its base parts."""
    layers = [part for what in LAYERS for part in stored.get(what, ())]
    base = sum(part["rows"] for part in stored["parts"])
    return len(layers) > _MAX_LAYERS or sum(part["rows"] for part in layers) > max(_MAX_SHARE * base, _MIN_LAYERED)


def _key_hashes(column: pa.ChunkedArray) -> NDArray[np.uint32]:
    """CRC-32 of each key's UTF-8 bytes (uint32 [n])."""
    encoded = column.combine_chunks().dictionary_encode()
    hashes = np.array([zlib.crc32(key.encode()) for key in encoded.dictionary.to_pylist()], np.uint32)
    found: NDArray[np.uint32] = hashes[encoded.indices.to_numpy()]
    return found


class PartWriter:
    """Writes files that are not there yet: on the disk when the block ends, or none of them when it fails."""

    def __init__(self) -> None:
        self.written: list[Path] = []

    def add(self, folder: Path, parts: Iterator[tuple[dict[str, Any], pa.Table]]) -> list[dict[str, Any]]:
        """Write the parts of a table, and give their entries.

        Raises:
            OSError: the disk is full or may not be written to.
        """
        entries = []
        for entry, part in parts:
            path = folder / entry["file"]
            if not path.exists():
                _write(part, path)
                self.written.append(path)
            entries.append(entry)
        return entries

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, OSError):
            for path in self.written:
                path.unlink(missing_ok=True)
        elif kind is None:
            for folder in {path.parent for path in self.written}:
                sync(folder)


def _write(part: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        pq.write_table(part, temporary, compression="lz4", write_page_checksum=True, dictionary_pagesize_limit=_DICTIONARY_BYTES)
