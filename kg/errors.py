"""The one error tree of clew.

ClewError                 anything that clew tells its user; carries a message and a hint
├── InputError            a file, row or value from outside is at fault          exit 1
│   └── UnknownKeyError   a key or name that does not exist; near ones suggested  exit 1
├── StateError            the workspace, graph or model is not in a usable state  exit 1
├── UsageError            the command line is at fault                            exit 2
└── EngineError           an engine, network or optional part is not there        exit 3
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class ClewError(Exception):
    """Base of all errors that clew raises on purpose.

    Args:
        message: what went wrong and where, one sentence.
        hint: what to do about it, one sentence; empty when there is nothing to do.
    """

    kind: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def to_dict(self) -> dict[str, dict[str, str]]:
        """The JSON form that `--json` prints on standard error."""
        return {"error": {"kind": self.kind, "message": self.message, "hint": self.hint}}


class InputError(ClewError):
    """A file, a row or a value that came from outside is at fault."""

    kind = "input"


class UnknownKeyError(InputError):
    """A name that does not exist, with the nearest ones that do.

    Args:
        what: the kind of thing, such as "user" or "extractor".
        name: the name that was asked for.
        known: all names that exist; the nearest are suggested.
    """

    kind = "unknown_key"

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        # Imported here: an error path must not slow the start of the command.
        from rapidfuzz import fuzz, process

        near = [match for match, _, _ in process.extract(name, list(known), scorer=fuzz.ratio, limit=3, score_cutoff=50)]
        hint = f"Did you mean {' or '.join(near)}?" if near else f"No {what} is called anything like it."
        super().__init__(f"There is no {what} {name!r}.", hint)
        self.near = near


class StateError(ClewError):
    """The workspace, the graph or a model is not in a state that can answer."""

    kind = "state"


class UsageError(ClewError):
    """The command line is at fault."""

    kind = "usage"
    exit_code = 2


class EngineError(ClewError):
    """An engine, a network address or an optional part is not there."""

    kind = "engine"
    exit_code = 3
