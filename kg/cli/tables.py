"""Rows for people: a table as wide as the terminal; and for programs: CSV."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Sequence
from typing import Any

from kg.cli.common import terminal_width
from kg.store import Edge, Node, Path, plain

_NARROWEST = 6
_RECORDS = 10  # rows that are read one below the other


def text_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None = None) -> str:
    """Rows as text: columns aligned, numbers to the right, cells cut with … until it all fits.

    Args:
        width: characters a line; the terminal's (80 in a pipe) when None.
    """
    room = width or terminal_width()
    cells = [[shown(cell) for cell in row] for row in rows]
    sizes = [max([_width(name), *(_width(row[place]) for row in cells)]) for place, name in enumerate(columns)]
    # The widest column gives way first, so that keys and figures stay whole while a title is cut.
    while sum(sizes) + 2 * (len(sizes) - 1) > room and max(sizes) > _NARROWEST:
        sizes[sizes.index(max(sizes))] -= 1
    numeric = [
        bool(rows) and all(isinstance(row[place], int | float) or row[place] is None for row in rows) for place in range(len(columns))
    ]
    lines = [_line(columns, sizes, numeric), "  ".join("─" * size for size in sizes)]
    return "\n".join([*lines, *(_line(row, sizes, numeric) for row in cells)])


def answer_text(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None = None) -> str:
    """An answer as text: a table; rows with paths that it would cut, or a few rows of too many columns, become records.

    Args:
        width: characters a line; the terminal's when None.
    """
    room = width or terminal_width()
    paths = [place for place in range(len(columns)) if any(isinstance(row[place], Path) for row in rows)]
    # A few rows of more columns than there is room for are read as records; of many rows, a table with its headings cut says more.
    narrow = sum(map(_width, columns)) + 2 * (len(columns) - 1) > room and len(rows) <= _RECORDS
    if not paths and not narrow:
        return text_table(columns, rows, room)
    sizes = [max([_width(name), *(_width(shown(row[place])) for row in rows)]) for place, name in enumerate(columns)]
    if sum(sizes) + 2 * (len(sizes) - 1) <= room:
        return text_table(columns, rows, room)
    margin = min(max(_width(name) for name in columns), 20) + 2
    return "\n\n".join("\n".join(_record(columns, row, margin, room)) for row in rows)


def _record(columns: Sequence[str], row: Sequence[Any], margin: int, room: int) -> list[str]:
    lines = []
    for name, cell in zip(columns, row, strict=True):
        drawn = draw_path(cell, room - margin) if isinstance(cell, Path) else [_fit(shown(cell), room - margin)]
        head = _fit(name, margin - 2)
        lines += [f"{head if not place else ''}{' ' * (margin - (0 if place else _width(head)))}{line}" for place, line in enumerate(drawn)]
    return lines


def draw_path(path: Path, width: int) -> list[str]:
    """A path as lines: one if it fits, else a line for each step."""
    whole = shown(path)
    if _width(whole) <= width or not path.edges:
        return [_fit(whole, width)]
    steps = zip(path.edges, path.nodes, path.nodes[1:], strict=False)
    return [_fit(line, width) for line in (shown(path.nodes[0]), *(f"  {_step(edge, before, after)}" for edge, before, after in steps))]


def csv_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows as CSV (RFC 4180 quoting, Unix line ends); nodes, edges, lists and maps as JSON."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = [plain(cell) for cell in row]
        writer.writerow([json.dumps(cell, ensure_ascii=False) if isinstance(cell, dict | list) else cell for cell in cells])
    return buffer.getvalue().rstrip("\n")


def shown(cell: Any) -> str:
    """A cell on one line; control characters, which a terminal would obey, as their escapes."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.4g}" if abs(cell) < 1 else f"{cell:.2f}"
    if isinstance(cell, Path):
        return _path(cell)
    if isinstance(cell, Node):
        return f"({cell.label} {_safe(cell.key)}{_named(cell)})"
    if isinstance(cell, Edge):
        return f"[{cell.type} {_safe(cell.source)} → {_safe(cell.target)}]"
    if isinstance(cell, list | tuple):
        return ", ".join(shown(inner) for inner in cell)
    return _safe(cell if isinstance(cell, str) else json.dumps(plain(cell), ensure_ascii=False))


def _path(path: Path) -> str:
    steps = zip(path.edges, path.nodes, path.nodes[1:], strict=False)
    return " ".join([*map(shown, path.nodes[:1]), *(_step(edge, before, after) for edge, before, after in steps)])


def _step(edge: Edge, before: Node, after: Node) -> str:
    arrow = f"─{edge.type}→" if edge.source == before.key else f"←{edge.type}─"
    return f"{arrow} {shown(after)}"


def _named(node: Node) -> str:
    name = node.properties.get("name") or node.properties.get("title")
    return f" {_safe(str(name))}" if name else ""


def _safe(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _width(text: str) -> int:
    return len(text) if text.isascii() else sum(_columns(c) for c in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _line(cells: Sequence[str], sizes: Sequence[int], numeric: Sequence[bool]) -> str:
    fitted = [_fit(cell, size) for cell, size in zip(cells, sizes, strict=True)]
    padded = [
        " " * (size - _width(cell)) + cell if right else cell + " " * (size - _width(cell))
        for cell, size, right in zip(fitted, sizes, numeric, strict=True)
    ]
    return "  ".join(padded).rstrip()


def _fit(cell: str, size: int) -> str:
    if _width(cell) <= size:
        return cell
    kept, used = "", 1
    for character in cell:
        used += _columns(character)
        if used > size:
            break
        kept += character
    return kept + "…"
