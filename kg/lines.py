"""The lines of a stream of bytes, numbered and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from kg.rejects import MAX_KEPT

# The longest line: no description of a product is a megabyte of text, so a longer one is a file without line ends or a
# picture in a cell. It is also what bounds the memory that one row can take.
MAX_LINE = 1 << 20
BOM = b"\xef\xbb\xbf"

Line = tuple[int, bytes, int]  # number from 1, content (its beginning when too long), size in bytes when too long, else 0


def numbered_lines(stream: BinaryIO) -> Iterator[Line]:
    """The lines of a stream with their numbers; never more than `MAX_LINE` bytes of one in memory. A BOM is dropped."""
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if number == 1 and line.startswith(BOM):
            line = line[len(BOM) :]
        size = 0
        if len(line) > MAX_LINE:
            size, part = len(line), line
            line = line[:MAX_KEPT]
            while part and not part.endswith(b"\n"):
                part = stream.readline(MAX_LINE)
                size += len(part)
        yield number, line, size


def too_long(size: int) -> str:
    """Why a line is no row."""
    return f"line too long: {size:,} bytes, a row may have {MAX_LINE:,}"


def not_utf8(error: UnicodeDecodeError) -> str:
    """Why bytes are no text."""
    return f"not UTF-8: byte 0x{error.object[error.start]:02x} at place {error.start + 1} of the line"


def raw(data: bytes) -> str:
    """Bytes as a reject shows them."""
    return data.decode("utf-8", "backslashreplace").rstrip("\r\n")
