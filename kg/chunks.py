"""Some rows of one file, as mappings (JSON) or as columns (CSV, Parquet)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pyarrow as pa

from kg.errors import InputError


class Chunk:
    """Some rows of one file.

    Args:
        file: the file, as it was named.
        lines: line of each row (text, from 1 with the header) or its number (Parquet, from 1).
    """

    def __init__(self, file: str, lines: Sequence[int]) -> None:
        self.file = file
        self.lines = lines

    def __len__(self) -> int:
        return len(self.lines)

    def names(self) -> list[str]:
        """Names of the columns; of JSON, of those that these rows have."""
        raise NotImplementedError

    def column(self, name: str) -> Sequence[Any]:
        """Values of a column as Python has them; None where a row has none, or where there is no such column."""
        raise NotImplementedError

    def arrow(self, name: str) -> pa.Array | None:
        """The column as an Arrow array, where the file has types; None for text formats."""
        return None

    def row(self, place: int) -> Mapping[str, Any]:
        """One row, whole."""
        raise NotImplementedError

    def take(self, places: Sequence[int]) -> Chunk:
        """The rows at these places."""
        raise NotImplementedError

    def adding(self, columns: Mapping[str, Sequence[Any]]) -> Chunk:
        """The same rows with further columns."""
        raise NotImplementedError


class RowChunk(Chunk):
    """Rows that are mappings (JSON)."""

    def __init__(self, file: str, lines: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(file, lines)
        self.rows = rows

    def names(self) -> list[str]:
        """Names that these rows have."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def column(self, name: str) -> Sequence[Any]:
        """Values of a column."""
        return [row.get(name) for row in self.rows]

    def row(self, place: int) -> Mapping[str, Any]:
        """One row, whole."""
        return self.rows[place]

    def take(self, places: Sequence[int]) -> RowChunk:
        """The rows at these places."""
        return RowChunk(self.file, [self.lines[place] for place in places], [self.rows[place] for place in places])

    def adding(self, columns: Mapping[str, Sequence[Any]]) -> RowChunk:
        """The same rows with further columns."""
        added = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return RowChunk(self.file, self.lines, [{**row, **more} for row, more in zip(self.rows, added, strict=True)])


class ColumnChunk(Chunk):
    """Rows that are columns of text (CSV) or of Arrow types (Parquet)."""

    def __init__(self, file: str, lines: Sequence[int], columns: Mapping[str, Sequence[Any] | pa.Array]) -> None:
        super().__init__(file, lines)
        self.columns = columns

    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self.columns)

    def column(self, name: str) -> Sequence[Any]:
        """Values of a column."""
        values = self.columns.get(name)
        if values is None:
            return [None] * len(self)
        if not isinstance(values, pa.Array):
            return values
        try:
            return cast("list[Any]", values.to_pylist())
        except (ValueError, OverflowError):
            return [_cell(value) for value in values]

    def arrow(self, name: str) -> pa.Array | None:
        """The column as an Arrow array, if it is one."""
        values = self.columns.get(name)
        return values if isinstance(values, pa.Array) else None

    def row(self, place: int) -> Mapping[str, Any]:
        """One row, whole."""
        return {name: _cell(values[place]) for name, values in self.columns.items()}

    def take(self, places: Sequence[int]) -> ColumnChunk:
        """The rows at these places."""
        at = pa.array(places, pa.int64())
        columns = {
            name: values.take(at) if isinstance(values, pa.Array) else [values[place] for place in places]
            for name, values in self.columns.items()
        }
        return ColumnChunk(self.file, [self.lines[place] for place in places], columns)

    def adding(self, columns: Mapping[str, Sequence[Any]]) -> ColumnChunk:
        """The same rows with further columns."""
        return ColumnChunk(self.file, self.lines, {**self.columns, **columns})


def _cell(value: Any) -> Any:
    if not isinstance(value, pa.Scalar):
        return value
    try:
        return value.as_py()
    except (ValueError, OverflowError):
        return str(value.cast(pa.int64()).as_py())  # a moment that Python's datetime does not reach


def refuse_twice(file: str, names: Sequence[str]) -> None:
    """Refuse two columns of one name: nobody could tell which of them is meant.

    Raises:
        InputError: a name stands there twice.
    """
    twice = next((name for name, n in Counter(names).items() if n > 1), None)
    if twice is not None:
        raise InputError(f"{file} names the column {twice!r} twice.", "Rename one of them.")
