"""Rows that were not taken: each with its file, line, reason and the row itself, so that nothing is lost in silence."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from kg.errors import InputError
from kg.whole_files import put_in_place

# A row of 10 MB is kept by its beginning: the file that it came from is named, and still has the rest.
MAX_KEPT = 4_096


class Rejects:
    """The rejects of one run, written to `rejects.jsonl`.

    Use it as a context manager: the file appears (whole, in the place of the last run's) when the block ends without an
    error, and also when input was at fault, since then it is what the user needs to read. Any other error, and ctrl-C,
    leaves the last run's file alone.

    Args:
        path: where to write; None keeps only the counts and the first rows (a dry run, a protocol file).
        limit: more rejects than this raise; None is no limit.

    Attributes:
        count: rows set aside.
        rows: rows read, those set aside included; readers of catalogue, events and triples add to it.
        left_out: rows that the configuration leaves out on purpose (a relation that is not mapped); not among `rows`.
        repeats: rows that said again what an earlier row had said; they are neither taken nor rejected.
        reasons: how many rows for each kind of reason (the reason up to its first colon).
        first: the first 20 rejects.
    """

    def __init__(self, path: Path | None = None, limit: int | None = None) -> None:
        self.path = path
        self.limit = limit
        self.count = 0
        self.rows = 0
        self.repeats = 0
        self.left_out = 0
        self.reasons: dict[str, int] = {}
        self.first: list[dict[str, Any]] = []
        self._file: IO[str] | None = None

    @property
    def taken(self) -> int:
        """Rows that were taken."""
        return self.rows - self.count - self.repeats

    def add(self, file: str | Path, line: int, reason: str, row: Mapping[str, Any] | str) -> None:
        """Set a row aside.

        Args:
            file: the file it came from.
            line: its line (text files, from 1 with the header) or its row (Parquet, from 1).
            reason: why, one sentence without a full stop; up to its first colon it is the kind of reason.
            row: the row as a mapping, or its raw text where it could not be taken apart.

        Raises:
            InputError: there are more rejects than the limit.
        """
        entry = {"file": str(file), "line": line, "reason": reason, "row": _plain(row)}
        self.count += 1
        kind = reason.partition(":")[0]
        self.reasons[kind] = self.reasons.get(kind, 0) + 1
        if len(self.first) < 20:
            self.first.append(entry)
        if self.path is not None:
            if self._file is None:
                self._file = self._temporary.open("w", encoding="utf-8")
            self._file.write(json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n")
        if self.limit is not None and self.count > self.limit:
            raise _TooManyError(self)

    @property
    def _temporary(self) -> Path:
        assert self.path is not None
        # One name for all runs (the workspace has one writer): what a killed run left is written over by the next.
        return self.path.with_name(f".{self.path.name}.tmp")

    def publish(self) -> None:
        """Put the file in the place of the last run's; an empty file when no row was set aside."""
        if self.path is None:
            return
        file = self._file or self._temporary.open("w", encoding="utf-8")
        self._file = None
        try:
            with file:
                file.flush()
            put_in_place(self._temporary, self.path)
        finally:
            self._temporary.unlink(missing_ok=True)

    def discard(self) -> None:
        """Forget what was written; the last run's file stays."""
        if self._file is None:
            return
        file, self._file = self._file, None
        with contextlib.suppress(OSError):  # a full disk: what cannot be flushed is thrown away anyway
            file.close()
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Rejects:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None or (isinstance(error, InputError) and self.count):
            self.publish()
        else:
            self.discard()


class _TooManyError(InputError):
    """More rejects than the limit."""

    def __init__(self, rejects: Rejects) -> None:
        reason, n = max(rejects.reasons.items(), key=lambda item: item[1])
        last = rejects.first[0]
        super().__init__(
            f"More than {rejects.limit} rows were rejected, so nothing was published; most often ({n}): {reason}"
            f" (first: {last['file']}:{last['line']}).",
            f"Read {rejects.path or 'the rejects'}, mend the rows or the mapping, or raise --max-rejects.",
        )


def _plain(value: Any) -> Any:
    """The value as strict JSON can hold it: long text cut, lone surrogates escaped, NaN and foreign types as text."""
    if isinstance(value, str):
        text = value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= MAX_KEPT else f"{text[:MAX_KEPT]}… ({len(text):,} characters)"
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value[:100]]
    if isinstance(value, bytes):
        return _plain(value[: MAX_KEPT + 1].decode("utf-8", "backslashreplace"))
    return str(value)
