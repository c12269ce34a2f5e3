"""What catalogue, events and triples have in common: files in, filtered, joined, counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kg.chunks import Chunk
from kg.config import Join, Section, SourceFile
from kg.errors import InputError
from kg.readers import read_chunks
from kg.rejects import Rejects
from kg.values import text_list, text_of

Path_ = str | Path | SourceFile


def source_chunks(
    files: Sequence[Path_], join: Sequence[Join], rejects: Rejects, advance: Callable[[int], None] = lambda done: None
) -> Iterator[Chunk]:
    """Chunks of all files in order, rows of `where` only, joined; each chunk's rows are counted in `rejects.rows`.

    A table without rows gives one chunk without rows, so that its columns can be checked.

    Raises:
        InputError: a file that cannot be read; a column of `where` or `join` that is not there; a join that finds nothing.
    """
    tables = [_JoinTable(one) for one in join]
    for file in files:
        source = file if isinstance(file, SourceFile) else SourceFile(path=str(file))
        for table in tables:
            table.start()
        for chunk in read_chunks(source.path, rejects):
            narrowed = _where(chunk, source)
            for table in tables:
                narrowed = table.apply(narrowed)
            rejects.rows += len(narrowed)
            yield narrowed
            advance(len(chunk))
        for table in tables:
            table.finish(source.path)


def need_column(chunk: Chunk, name: str, what: str) -> None:
    """Refuse a column that the chunk does not have.

    Raises:
        InputError: no such column; the nearest is named.
    """
    names = chunk.names()
    if name in names or (not len(chunk) and not names):
        return
    from rapidfuzz import fuzz, process, utils

    near = process.extractOne(name, names, scorer=fuzz.ratio, processor=utils.default_process, score_cutoff=50)
    hint = f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(repr(n) for n in names[:20])}."
    raise InputError(f"{chunk.file} has no column {name!r} ({what}).", hint)


class Unseen:
    """Columns of the mapping that no row of a JSON file has had yet: in JSON only the end of a file tells that one is misspelt."""

    def __init__(self) -> None:
        self.file = ""
        self.columns: dict[str, str] = {}

    def start(self, chunk: Chunk, columns: Section) -> None:
        """A file begins: every column that is mapped, with its role."""
        self.file = chunk.file
        self.columns = {name: role for role, name in columns.model_dump(exclude_none=True).items() if isinstance(name, str)}

    def see(self, chunk: Chunk) -> None:
        """Strike out what these rows have."""
        if self.columns and len(chunk):
            for name in chunk.names():
                self.columns.pop(name, None)

    def refuse(self) -> None:
        """Refuse a column that no row had.

        Raises:
            InputError: names it.
        """
        for name, role in self.columns.items():
            raise InputError(f"No row of {self.file} has {name!r} ({role}).", "Correct the name, or take it out of the mapping.")


def _where(chunk: Chunk, source: SourceFile) -> Chunk:
    if not source.where:
        return chunk
    keep = set(range(len(chunk)))
    for name, wanted in source.where.items():
        need_column(chunk, name, "where")
        text = text_of(wanted)
        keep &= {place for place, value in enumerate(text_list(chunk.column(name))) if value == text}
    return chunk.take(sorted(keep)) if len(keep) < len(chunk) else chunk


class _JoinTable:
    """One join: its table in memory, and how often it found something."""

    def __init__(self, join: Join) -> None:
        self._join = join
        self._rows: dict[str, tuple[Any, ...]] = {}
        self._nothing = (None,) * len(join.take)
        self._asked = self._found = 0
        rejects = Rejects(limit=0)  # a broken row of a join table would leave others without their name
        for chunk in read_chunks(join.path, rejects):
            for name in (join.key, *join.take.values()):
                need_column(chunk, name, "join")
            keys = text_list(chunk.column(join.key))
            for key, *values in zip(keys, *(chunk.column(name) for name in join.take.values()), strict=True):
                if key is not None:
                    self._rows.setdefault(key, tuple(values))

    def start(self) -> None:
        """A new file begins."""
        self._asked = self._found = 0

    def apply(self, chunk: Chunk) -> Chunk:
        """The chunk with the joined columns; null where the table has no such key."""
        need_column(chunk, self._join.on, "join")
        keys = text_list(chunk.column(self._join.on))
        found = [self._nothing if key is None else self._rows.get(key, self._nothing) for key in keys]
        self._asked += len(keys)
        self._found += sum(row is not self._nothing for row in found)
        columns = zip(*found, strict=True) if found else ([] for _ in self._join.take)
        return chunk.adding(dict(zip(self._join.take, columns, strict=True)))

    def finish(self, path: str) -> None:
        """A file has ended.

        Raises:
            InputError: none of its rows was found in the table.
        """
        if self._asked and not self._found:
            join = self._join
            raise InputError(
                f"No {join.on!r} of {path} is a {join.key!r} of {join.path}, so the join finds nothing.",
                "Correct on or key of the join: both columns must hold the same numbers or names.",
            )
