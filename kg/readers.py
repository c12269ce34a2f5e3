"""Files of rows, whatever their format: CSV, TSV, JSON lines, JSON, Parquet, each also `.gz` or `.zst`; `-` is standard input.

Rows come in chunks, so that a million of them never lie in memory at once (a compressed Parquet file is the exception: it cannot
be read in pieces). A row that cannot be read is set aside with its line; a file that
cannot be read at all raises.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from kg.chunks import Chunk, ColumnChunk, refuse_twice
from kg.errors import InputError
from kg.json_files import json_chunks, jsonl_chunks
from kg.rejects import Rejects
from kg.text_files import csv_chunks, csv_header

STDIN = "-"
FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_CODECS = {".gz": "gzip", ".zst": "zstd"}
_MAGIC = {
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "compressed with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"%PDF": "a PDF",
}
_CHUNK_ROWS = {"parquet": 65_536, "csv": 16_384, "jsonl": 8_192}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file's name says: a format of `FORMATS` and the codec around it."""

    format: str
    codec: str | None


def kind_of(path: str | Path) -> Kind:
    """Format and codec by extension.

    Raises:
        InputError: an extension that is none of ours, of a file that is there.
    """
    if str(path) == STDIN:
        return Kind("jsonl", None)
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    codec = _CODECS.get(suffixes[-1]) if suffixes else None
    suffix = (suffixes[-2:-1] if codec else suffixes[-1:]) or [""]
    if suffix[0] not in FORMATS:
        existing_file(path)  # a missing file or a directory is the nearer reason
        extra = " Save the sheet as CSV." if suffix[0] in (".xlsx", ".xls", ".ods") else ""
        known = "csv, tsv, jsonl, json or parquet, also .gz or .zst"
        raise InputError(f"{path} has no extension that tells its format.", f"Name it {known}.{extra}")
    return Kind(FORMATS[suffix[0]], codec)


def existing_file(path: str | Path) -> Path:
    """The path, if a file is there.

    Raises:
        InputError: nothing is there (the nearest name is told), or a directory is.
    """
    path = Path(path)
    if path.is_dir():
        inside = sorted(p.name for p in path.iterdir() if p.suffix.lower() in {*FORMATS, *_CODECS})[:5]
        raise InputError(f"{path} is a directory, not a file.", f"Name a file in it{': ' if inside else ''}{', '.join(inside)}.")
    if not path.exists():
        from rapidfuzz import fuzz, process

        folder = next(p for p in [*path.parents, Path("/")] if p.is_dir())
        if folder != path.parent:
            raise InputError(f"There is no file {path}: the folder {path.parent} does not exist.", "Correct the path.")
        names = [p.name for p in folder.iterdir()]
        near = process.extractOne(path.name, names, scorer=fuzz.ratio, score_cutoff=50)
        raise InputError(f"There is no file {path}.", f"Did you mean {folder / near[0]}?" if near else "Correct the path.")
    return path


@contextmanager
def open_bytes(path: str | Path) -> Iterator[BinaryIO]:
    """The bytes of a file, decompressed, as a buffered stream; what it holds is checked by its first bytes.

    Raises:
        InputError: missing, a directory, empty, not what its name says, or compressed data that is cut off.
    """
    if str(path) == STDIN:
        yield sys.stdin.buffer
        return
    kind = kind_of(path)
    file = existing_file(path)
    if file.is_file() and file.stat().st_size == 0:
        raise InputError(f"{path} is empty.", "Write it again; a table has at least a header.")
    with file.open("rb") as raw:
        if kind.codec is None:
            stream: BinaryIO = io.BufferedReader(raw, 1 << 20)
            _check_magic(path, kind, stream.peek(4)[:4])  # type: ignore[attr-defined]
            yield stream
            return
        with _codec_errors(path, kind.codec):
            stream = io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw, "r"), kind.codec), 1 << 20)
            first = stream.peek(4)[:4]
        if not first:
            raise InputError(f"{path} is empty.", "Write it again; a table has at least a header.")
        _check_magic(path, kind, first)
        with _codec_errors(path, kind.codec):
            yield stream


@contextmanager
def _codec_errors(path: str | Path, codec: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        if getattr(error, "errno", None) is not None:
            raise  # the disk's own trouble, not the file's
        raise InputError(f"{path} is not whole {codec} data: {error}.", "Copy or compress it again.") from None


def _check_magic(path: str | Path, kind: Kind, first: bytes) -> None:
    for magic, what in _MAGIC.items():
        if first.startswith(magic) and not (kind.format == "parquet" and magic == b"PAR1"):
            hint = "Save it as UTF-8." if "UTF" in what else "Give it the extension that tells what it is, or save it as CSV."
            raise InputError(f"{path} is {what}, not {kind.format.upper()}.", hint)


def read_chunks(path: str | Path, rejects: Rejects) -> Iterator[Chunk]:
    """The rows of a file, in chunks, in order.

    Args:
        path: the file, or `-`.
        rejects: takes rows that cannot be read (and counts them in `rejects.rows`).

    Raises:
        InputError: the file as a whole cannot be read, or there are too many rejects.
    """
    kind = kind_of(path)
    if kind.format == "parquet":
        yield from _parquet_chunks(path, kind, rejects)
        return
    with open_bytes(path) as stream:
        name = "standard input" if str(path) == STDIN else str(path)
        if kind.format in ("csv", "tsv"):
            yield from csv_chunks(name, stream, rejects, "\t" if kind.format == "tsv" else None, _CHUNK_ROWS["csv"])
        elif kind.format == "jsonl":
            yield from jsonl_chunks(name, stream, rejects, _CHUNK_ROWS["jsonl"])
        else:
            yield from json_chunks(name, stream, rejects, _CHUNK_ROWS["jsonl"])


def read_rows(path: str | Path, rejects: Rejects) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of a file one by one: line (or row number) and column → value.

    Raises:
        InputError: as `read_chunks`.
    """
    for chunk in read_chunks(path, rejects):
        for place, line in enumerate(chunk.lines):
            yield line, chunk.row(place)


def sample(path: str | Path, n: int = 200) -> tuple[list[str], list[Mapping[str, Any]]]:
    """Column names and the first rows of a file; rows that cannot be read are passed over here.

    A file of JSON has the columns of those rows.

    Raises:
        InputError: the file cannot be read, or has no columns.
    """
    if str(path) == STDIN:
        raise InputError("Standard input can be read only once, so its columns cannot be guessed.", "Give columns in clew.toml.")
    names: dict[str, None] = {}
    rows: list[Mapping[str, Any]] = []
    for name in _header(path):
        names[name] = None
    for chunk in read_chunks(path, Rejects()):
        for place in range(min(len(chunk), n - len(rows))):
            rows.append(chunk.row(place))
            names.update(dict.fromkeys(rows[-1]))
        if len(rows) >= n:
            break
    if not names:
        raise InputError(f"{path} has no columns.", "A CSV file starts with a header; a JSON line is an object.")
    return list(names), rows


def _header(path: str | Path) -> list[str]:
    """Names in a file's own header, rows or no rows; empty for JSON."""
    kind = kind_of(path)
    if kind.format == "parquet":
        with _parquet(path, kind) as file:
            return [str(name) for name in file.schema_arrow.names]
    if kind.format in ("csv", "tsv"):
        with open_bytes(path) as stream:
            return csv_header(str(path), stream, "\t" if kind.format == "tsv" else None)
    return []


@contextmanager
def _parquet(path: str | Path, kind: Kind) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with open_bytes(path) as stream:
        try:
            # Parquet is read from its end, which a compressed stream does not have: it is unpacked in memory.
            yield pq.ParquetFile(pa.BufferReader(stream.read()) if kind.codec else str(path))
        except (pa.ArrowException, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise
            text = str(error).split("\n")[0].rstrip(".")
            raise InputError(f"{path} is not a whole Parquet file: {text}.", "Copy it again, or write it again.") from None


def _parquet_chunks(path: str | Path, kind: Kind, rejects: Rejects) -> Iterator[Chunk]:
    with _parquet(path, kind) as file:
        names = [str(name) for name in file.schema_arrow.names]
        refuse_twice(str(path), names)
        if not file.metadata.num_rows:
            yield ColumnChunk(str(path), [], {name: [] for name in names})
        start = 1
        for batch in file.iter_batches(batch_size=_CHUNK_ROWS["parquet"]):
            lines: Sequence[int] = range(start, start + batch.num_rows)
            start += batch.num_rows
            columns = {name: _plain_array(batch.column(place)) for place, name in enumerate(names)}
            yield _without_broken_text(str(path), lines, columns, rejects)


def _plain_array(array: pa.Array) -> pa.Array:
    """The array as the rest of clew can use it: categories as their text, no half floats, no nanoseconds.

    Python has no nanoseconds (Arrow would need pandas to hand them out), and Arrow computes little with half floats.
    """
    if pa.types.is_dictionary(array.type):
        return _plain_array(array.dictionary_decode())
    if pa.types.is_float16(array.type):
        return array.cast(pa.float32())
    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        return array.cast(pa.timestamp("us", array.type.tz), safe=False)
    return array


def _without_broken_text(file: str, lines: Sequence[int], columns: dict[str, pa.Array], rejects: Rejects) -> ColumnChunk:
    """Rows whose text is not UTF-8 are set aside (Parquet does not check what a writer puts into a string column)."""
    broken: dict[int, str] = {}
    for name, array in columns.items():
        if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
            continue
        try:
            array.validate(full=True)
        except pa.ArrowInvalid:
            columns[name] = array.cast(pa.large_binary())
            for place, data in enumerate(columns[name].to_pylist()):
                try:
                    (data or b"").decode()
                except UnicodeDecodeError:
                    broken.setdefault(place, name)
    if not broken:
        return ColumnChunk(file, lines, columns)
    whole = ColumnChunk(file, lines, columns)
    for place, name in broken.items():
        rejects.rows += 1
        rejects.add(file, lines[place], f"not UTF-8: column {name}", whole.row(place))
    kept = whole.take([place for place in range(len(lines)) if place not in broken])
    text: dict[str, Any] = {name: _as_text(array) for name, array in kept.columns.items()}
    return ColumnChunk(file, kept.lines, text)


def _as_text(array: Any) -> Any:
    return array.cast(pa.large_string()) if pa.types.is_large_binary(array.type) else array
