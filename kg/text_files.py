"""Rows out of CSV and TSV. Used through `kg.readers`."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from kg.chunks import Chunk, ColumnChunk, refuse_twice
from kg.errors import InputError
from kg.lines import Line, not_utf8, numbered_lines, raw, too_long
from kg.rejects import Rejects

_DELIMITERS = ",;\t|"


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
            self.wrong = self.wrong or not_utf8(error)
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
        return raw(b"".join(line[1] for line in self.record))


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
            rejects.add(name, number, too_long(size) if size else _csv_reason(error), raw(data))
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
