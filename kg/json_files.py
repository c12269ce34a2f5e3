"""Rows out of JSON lines and JSON. Used through `kg.readers`."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from kg.chunks import Chunk, RowChunk
from kg.errors import InputError
from kg.lines import BOM, MAX_LINE, not_utf8, numbered_lines, raw, too_long
from kg.rejects import Rejects

_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
_BLOCK = 1 << 16


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
        row = too_long(long) if long else _json_row(data)
        if isinstance(row, str):
            rejects.rows += 1
            rejects.add(name, number, row, raw(data))
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
        return not_utf8(error)
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

    An array is read element by element, each of at most `MAX_LINE` characters; a single object is read whole.

    Raises:
        InputError: empty, not UTF-8, or an array that is broken (where it goes on cannot be told).
    """
    head = b""
    while not head.removeprefix(BOM).strip():
        block = stream.read(_BLOCK)
        if not block:
            raise InputError(f"{name} is empty.", "Write it again; it holds an array of objects.")
        head += block
    head = head.removeprefix(BOM)
    if not head.lstrip().startswith(b"["):
        yield from _single_or_lines(name, head + stream.read(), rejects, size)
        return
    lines: list[int] = []
    rows: list[Mapping[str, Any]] = []
    for line, value, suspicious in _Array(name, head, stream):
        row = _object(value, suspicious)
        if isinstance(row, str):
            rejects.rows += 1
            rejects.add(name, line, row, json.dumps(value))
            continue
        lines.append(line)
        rows.append(row)
        if len(rows) >= size:
            yield RowChunk(name, lines, rows)
            lines, rows = [], []
    if rows:
        yield RowChunk(name, lines, rows)


def _single_or_lines(name: str, data: bytes, rejects: Rejects, size: int) -> Iterator[Chunk]:
    row = _json_row(data)
    if isinstance(row, str):
        yield from jsonl_chunks(name, io.BytesIO(data), rejects, size)
    else:
        yield RowChunk(name, [1], [row])


class _Array:
    """The elements of a JSON array: line, value, whether it may hold half a surrogate pair; in the memory of one element.

    Args:
        name: of the file, for messages.
        head: its beginning, with the opening bracket in it.
        stream: the rest.
    """

    def __init__(self, name: str, head: bytes, stream: BinaryIO) -> None:
        self._name = name
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._place = 0
        self._line = 1  # of `_place`
        self._bytes = 0  # that were decoded
        self._ended = False
        self._take(head)

    def __iter__(self) -> Iterator[tuple[int, Any, bool]]:
        self._skip(self._text.index("[") + 1)
        if self._next() == "]":
            return
        while True:
            self._next()
            line = self._line
            value, suspicious = self._element()
            yield line, value, suspicious
            follows = self._next()
            if follows == "]":
                return
            if follows != ",":
                what = f"{self._name}:{self._line} is not JSON: a comma or ] should follow."
                raise InputError(what, "Correct it there; the file may be cut off.")
            self._skip(self._place + 1)

    def _element(self) -> tuple[Any, bool]:
        """The value that begins here, and whether it may hold half a surrogate pair.

        Tried again with more of the file until it is whole: its end is only seen by what follows.
        """
        while True:
            why = "it is nested too deeply or holds a number that is too long"
            try:
                value, end = _DECODER.raw_decode(self._text, self._place)
            except json.JSONDecodeError as error:
                why = error.msg
            except (ValueError, RecursionError):
                self._ended = True
            else:
                # A number may go on ("1" of "1e+5"): three characters more tell.
                if end + 3 <= len(self._text) or self._ended:
                    suspicious = _SURROGATE.search(self._text, self._place, end) is not None
                    self._skip(end)
                    return value, suspicious
            wanted = 2 * (len(self._text) - self._place)
            if self._ended or wanted > 4 * MAX_LINE:
                if not self._ended:
                    why = f"{why} (within {MAX_LINE:,} characters, which an element may have)"
                raise InputError(f"{self._name}:{self._line} is not JSON: {why}.", "Correct it there, or write one object a line (.jsonl).")
            self._more(wanted)

    def _next(self) -> str:
        """The next character that is no space, and stand before it; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._place)
            assert match is not None
            self._skip(match.end())
            if self._place < len(self._text) or self._ended:
                return self._text[self._place : self._place + 1]
            self._more(1)

    def _skip(self, place: int) -> None:
        self._line += self._text.count("\n", self._place, place)
        self._place = place

    def _more(self, characters: int) -> None:
        """Forget what was read and have at least so many characters, unless the file ends."""
        self._text, self._place = self._text[self._place :], 0
        while len(self._text) < characters and not self._ended:
            self._take(self._stream.read(max(_BLOCK, characters)))

    def _take(self, block: bytes) -> None:
        waiting = len(self._decoder.getstate()[0])
        try:
            self._text += self._decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            at = self._bytes - waiting + error.start
            line = self._line + self._text.count("\n", self._place) + error.object[: error.start].count(b"\n")
            raise InputError(f"{self._name}:{line} is not UTF-8 (byte {at}).", "Save it as UTF-8.") from None
        self._bytes += len(block)
        self._ended = not block
