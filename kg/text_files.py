"""Rows out of text: CSV and TSV, JSON lines, JSON. Used through `kg.readers`."""

from __future__ import annotations

import csv
import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from kg.errors import InputError
from kg.readers import Chunk, ColumnChunk, RowChunk, refuse_twice
from kg.rejects import MAX_KEPT, Rejects

# The longest line: no description of a product is a megabyte of text, so a longer one is a file without line ends or a
# picture in a cell. It is also what bounds the memory that one row can take.
MAX_LINE = 1 << 20
_BOM = b"\xef\xbb\xbf"
_DELIMITERS = ",;\t|"
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

Line = tuple[int, bytes, int]  # number from 1, content (its beginning when too long), size in bytes when too long, else 0


def numbered_lines(stream: BinaryIO) -> Iterator[Line]:
    """The lines of a stream with their numbers; never more than `MAX_LINE` bytes of one in memory. A BOM is dropped."""
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if number == 1 and line.startswith(_BOM):
            line = line[len(_BOM) :]
        size = 0
        if len(line) > MAX_LINE:
            size, part = len(line), line
            line = line[:MAX_KEPT]
            while part and not part.endswith(b"\n"):
                part = stream.readline(MAX_LINE)
                size += len(part)
        yield number, line, size


def _too_long(size: int) -> str:
    return f"line too long: {size:,} bytes, a row may have {MAX_LINE:,}"


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"not UTF-8: byte 0x{error.object[error.start]:02x} at place {error.start + 1} of the line"


def _raw(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace").rstrip("\r\n")


class _LongLineError(Exception):
    """A line above `MAX_LINE` came in the middle of a record."""


class _CsvFeed:
    """Feeds `csv.reader` and remembers the lines of the record under way, so that those after a broken one can be put back."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._again: deque[Line] = deque()
        self.record: list[Line] = []
        self.wrong: str = ""

    def __iter__(self) -> _CsvFeed:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.record.append(line)
        if line[2]:
            raise _LongLineError
        try:
            return line[1].decode()
        except UnicodeDecodeError as error:
            self.wrong = self.wrong or _not_utf8(error)
            return line[1].decode("utf-8", "surrogateescape")

    def begin(self) -> None:
        self.record.clear()
        self.wrong = ""

    def put_back(self) -> Line:
        """Keep the record's first line as the culprit; the others are read again as records of their own."""
        first, *rest = self.record
        self._again.extendleft(reversed(rest))
        return first

    def raw(self) -> str:
        return _raw(b"".join(line[1] for line in self.record))


def _csv_records(name: str, feed: _CsvFeed, delimiter: str, rejects: Rejects) -> Iterator[tuple[int, list[str]]]:
    """Records with the line that each starts at; broken ones are set aside.

    Strict: a lenient parser would change `"12" Ruler"` in silence and, after a quote that is never closed, swallow the rest of the file.
    """
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.begin()
        try:
            values = next(reader)
        except StopIteration:
            return
        except (csv.Error, _LongLineError) as error:
            number, data, size = feed.put_back()
            rejects.rows += 1
            rejects.add(name, number, _too_long(size) if size else _csv_reason(error), _raw(data))
            continue
        if feed.wrong:
            rejects.rows += 1
            rejects.add(name, feed.record[0][0], feed.wrong, feed.raw())
        elif values:
            yield feed.record[0][0], values


def _csv_reason(error: Exception) -> str:
    text = str(error)
    if "expected after" in text:
        return 'broken quotes: text follows a closing quote; inside quotes, write "" for a quote'
    if "field limit" in text:
        return f"broken quotes: a quote is not closed within {csv.field_size_limit():,} characters, the most that a cell may have"
    if "unexpected end" in text or isinstance(error, _LongLineError):
        return "broken quotes: a quote is never closed"
    return f"broken row: {text}"


def _csv_start(name: str, stream: BinaryIO, delimiter: str | None) -> tuple[_CsvFeed, str, list[str]]:
    """The feed after the header, the delimiter and the names of the columns."""
    lines = numbered_lines(stream)
    first = next((line for line in lines if line[2] or line[1].strip()), None)
    if first is None:
        raise InputError(f"{name} is empty.", "Write it again; a table has at least a header.")
    text = first[1].decode("utf-8", "replace")
    if first[2] or "\r" in text.rstrip("\r\n"):
        raise InputError(f"The header of {name} has no end.", "Save the file with line ends of Unix or Windows.")
    if delimiter is None and text.lower().startswith("sep=") and len(text.strip()) == 5:  # Excel's own first line
        delimiter, first = text[4], next(lines, first)
        text = first[1].decode("utf-8", "replace")
    if delimiter is None:
        bare = re.sub(r'"[^"]*"', "", text)
        delimiter = max(_DELIMITERS, key=bare.count)
    feed = _CsvFeed(lines)
    feed._again.append(first)
    try:
        header = next(csv.reader(feed, delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration, _LongLineError) as error:
        raise InputError(f"The header of {name} cannot be read: {_csv_reason(error)}.", "Correct its first line.") from None
    if feed.wrong:
        raise InputError(f"The header of {name} is {feed.wrong}.", "Save the file as UTF-8.")
    return feed, delimiter, _column_names(name, header)


def _column_names(name: str, header: list[str]) -> list[str]:
    names = [cell.strip() or f"column_{place}" for place, cell in enumerate(header, 1)]
    refuse_twice(name, names)
    return names


def csv_header(name: str, stream: BinaryIO, delimiter: str | None) -> list[str]:
    """Names of the columns of a CSV stream.

    Raises:
        InputError: no header, or one that cannot be read.
    """
    return _csv_start(name, stream, delimiter)[2]


def csv_chunks(name: str, stream: BinaryIO, rejects: Rejects, delimiter: str | None, size: int) -> Iterator[Chunk]:
    """Rows of a CSV stream; the delimiter (`,` `;` tab `|`) is the one that the header has most of, unless given.

    Raises:
        InputError: no header, or one that cannot be read.
    """
    feed, delimiter, names = _csv_start(name, stream, delimiter)
    lines: list[int] = []
    rows: list[list[str]] = []
    # A table without rows still tells its columns, so that a wrong mapping is found.
    yield ColumnChunk(name, [], {column: [] for column in names})
    for line, values in _csv_records(name, feed, delimiter, rejects):
        if len(values) != len(names):
            rejects.rows += 1
            rejects.add(name, line, f"ragged row: it has {len(values)} cells, the header {len(names)}", feed.raw())
            continue
        lines.append(line)
        rows.append(values)
        if len(rows) >= size:
            yield ColumnChunk(name, lines, dict(zip(names, zip(*rows, strict=True), strict=True)))
            lines, rows = [], []
    if rows:
        yield ColumnChunk(name, lines, dict(zip(names, zip(*rows, strict=True), strict=True)))


def jsonl_chunks(name: str, stream: BinaryIO, rejects: Rejects, size: int) -> Iterator[Chunk]:
    """Rows of a stream of JSON lines; blank lines are no rows.

    Raises:
        InputError: there is no line that is not blank.
    """
    lines: list[int] = []
    rows: list[Mapping[str, Any]] = []
    blank = True
    for number, data, long in numbered_lines(stream):
        if not long and not data.strip():
            continue
        blank = False
        row = _too_long(long) if long else _json_row(data)
        if isinstance(row, str):
            rejects.rows += 1
            rejects.add(name, number, row, _raw(data))
            continue
        lines.append(number)
        rows.append(row)
        if len(rows) >= size:
            yield RowChunk(name, lines, rows)
            lines, rows = [], []
    if blank:
        raise InputError(f"{name} is empty.", "Write it again, one JSON object a line.")
    if rows:
        yield RowChunk(name, lines, rows)


def _json_row(data: bytes) -> Mapping[str, Any] | str:
    """The object of one line, or why there is none."""
    try:
        value = json.loads(data.decode())
    except UnicodeDecodeError as error:
        return _not_utf8(error)
    except json.JSONDecodeError as error:
        place = min(error.pos, len(error.doc.rstrip("\r\n"))) + 1
        return f"not JSON: {error.msg} at place {place} of the line"
    except (ValueError, RecursionError) as error:
        return f"not JSON: {'nested too deeply' if isinstance(error, RecursionError) else 'a number is too long'}"
    return _object(value, bool(_ESCAPED_SURROGATE.search(data)))


def _object(value: Any, suspicious: bool) -> Mapping[str, Any] | str:
    if not isinstance(value, dict):
        return f"not an object: a row is {{…}}, this is {_json_type(value)}"
    if suspicious and _has_surrogate(value):
        return "not Unicode: half of a surrogate pair (such as \\ud83d alone)"
    return value


def _json_type(value: Any) -> str:
    names = {list: "an array", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _has_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, dict):
        return any(_has_surrogate(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_has_surrogate(part) for part in value)


def json_chunks(name: str, stream: BinaryIO, rejects: Rejects, size: int) -> Iterator[Chunk]:
    """Rows of a `.json` file: an array of objects, or one object, or (as many write them) JSON lines after all.

    Raises:
        InputError: empty, not UTF-8, or an array that is broken (where it goes on cannot be told).
    """
    data = stream.read()
    if data.startswith(_BOM):
        data = data[len(_BOM) :]
    if not data.strip():
        raise InputError(f"{name} is empty.", "Write it again; it holds an array of objects.")
    if not data.lstrip().startswith(b"["):
        yield from _single_or_lines(name, data, rejects, size)
        return
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{name}:{line} is not UTF-8 (byte {error.start}).", "Save it as UTF-8.") from None
    lines: list[int] = []
    rows: list[Mapping[str, Any]] = []
    for line, value in _array_items(name, text):
        row = _object(value, True)
        if isinstance(row, str):
            rejects.rows += 1
            rejects.add(name, line, row, json.dumps(value))
            continue
        lines.append(line)
        rows.append(row)
    for start in range(0, len(rows), size):
        yield RowChunk(name, lines[start : start + size], rows[start : start + size])


def _single_or_lines(name: str, data: bytes, rejects: Rejects, size: int) -> Iterator[Chunk]:
    import io

    row = _json_row(data)
    if isinstance(row, str):
        yield from jsonl_chunks(name, io.BytesIO(data), rejects, size)
    else:
        yield RowChunk(name, [1], [row])


def _array_items(name: str, text: str) -> Iterator[tuple[int, Any]]:
    """Elements of a JSON array with the line that each starts at."""
    decoder, space = json.JSONDecoder(), re.compile(r"\s*")
    place, line, counted = space.match(text, text.index("[") + 1).end(), 1, 0  # type: ignore[union-attr]
    if text.startswith("]", place):
        return
    while True:
        line += text.count("\n", counted, place)
        counted = place
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            why = getattr(error, "msg", "it is nested too deeply or holds a number that is too long")
            raise InputError(f"{name}:{line} is not JSON: {why}.", "Correct it there, or write one object a line (.jsonl).") from None
        yield line, value
        place = space.match(text, place).end()  # type: ignore[union-attr]
        if text.startswith(",", place):
            place = space.match(text, place + 1).end()  # type: ignore[union-attr]
        elif text.startswith("]", place):
            return
        else:
            line += text.count("\n", counted, place)
            raise InputError(f"{name}:{line} is not JSON: a comma or ] should follow.", "Correct it there; the file may be cut off.")
