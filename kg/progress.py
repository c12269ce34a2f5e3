"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """A listener: the command line draws a bar, a library user may pass nothing."""

    def stage(self, name: str, total: int | None = None) -> AbstractContextManager[Callable[[int], None]]:
        """Open a stage of `total` units (None: unknown); call the yielded function with units done since the last call."""
        ...

    def note(self, message: str) -> None:
        """Say one sentence that a person may want to know."""
        ...


class _Silent:
    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        yield lambda done: None

    def note(self, message: str) -> None:
        pass


SILENT: Progress = _Silent()
