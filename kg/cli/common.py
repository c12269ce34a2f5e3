"""What every command shares: options, output, progress, errors and exit codes."""

from __future__ import annotations

import errno
import functools
import json
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from kg.errors import ClewError
from kg.progress import Progress

_MIN_WIDTH, _MAX_WIDTH = 40, 160


def terminal_width() -> int:
    """Characters of a line of the terminal, between 40 and 160; 80 in a pipe."""
    return min(max(shutil.get_terminal_size((80, 24)).columns, _MIN_WIDTH), _MAX_WIDTH)


def folded(line: str, indent: int = 0, width: int | None = None) -> str:
    """A line broken between words where the terminal ends; what follows is indented."""
    return textwrap.fill(line, width or terminal_width(), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def error_text(error: ClewError, width: int | None = None) -> str:
    """An error for people: the sentence, and below it what to do.

    Args:
        width: characters a line; None leaves lines as long as they are (a pipe, a log).
    """
    lines = [(f"error: {error.message}", 2), *([(f"  {error.hint}", 2)] if error.hint else [])]
    return "\n".join(folded(line, indent, width) if width else line for line, indent in lines)


@dataclass(frozen=True, slots=True)
class Session:
    """How one command was called.

    Args:
        workspace: folder of the workspace.
        as_json: print one JSON document on standard output and nothing else there.
        quiet: no progress, no notes.
        verbose: a traceback with unexpected errors.
    """

    workspace: Path
    as_json: bool
    quiet: bool
    verbose: bool

    def progress(self) -> Progress:
        """A listener that writes to standard error: bars on a terminal, one line a stage in a pipe, nothing when quiet."""
        return _Terminal(self)

    def emit(self, document: Any, text: Callable[[], str]) -> None:
        """Print an answer: the document as JSON with `--json`, else the text for people."""
        if self.as_json:
            click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
        else:
            shown = text()
            if shown:
                click.echo(shown)


def command_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command the options that all share and pass them on as its first argument, a `Session`."""

    @click.option(
        "-w",
        "--workspace",
        type=click.Path(path_type=Path),
        envvar="CLEW_WORKSPACE",
        default=Path("clew-data"),
        show_default=True,
        help="Folder of the workspace.",
    )
    @click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
    @click.option("-q", "--quiet", is_flag=True, help="No progress and no notes.")
    @click.option("-v", "--verbose", is_flag=True, help="A traceback with unexpected errors.")
    @functools.wraps(function)
    def wrapper(workspace: Path, as_json: bool, quiet: bool, verbose: bool, **others: Any) -> None:
        session = Session(workspace, as_json, quiet, verbose)
        guarded(session, lambda: function(session, **others))

    return wrapper


def guarded(session: Session, work: Callable[[], Any]) -> None:
    """Run a command's body; turn errors into one sentence on standard error and the right exit code."""
    from kg.ontology import scope

    try:
        with scope():
            work()
    except ClewError as error:
        _fail(session, error)
    except KeyboardInterrupt:
        click.echo("Interrupted; work so far is kept.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if session.verbose:
            raise
        _fail(session, _from_os(error))
    except MemoryError:
        _fail(session, _state("There is not enough memory for this.", "Lower the batch or the sizes under [train] in clew.toml."))


def _state(message: str, hint: str) -> ClewError:
    from kg.errors import StateError

    return StateError(message, hint)


def _from_os(error: OSError) -> ClewError:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _state(f"The disk is full{where}; nothing was published.", "Free some space and run the command again.")
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return _state(f"Writing or reading is not allowed{where}.", "Choose another folder with --workspace, or mend its rights.")
    return _state(f"{error.strerror or error}{where}.", "Run again with --verbose to see where it happened.")


def _fail(session: Session, error: ClewError) -> None:
    if session.as_json:
        click.echo(json.dumps(error.to_dict(), ensure_ascii=False), err=True)
    else:
        click.echo(error_text(error, terminal_width() if sys.stderr.isatty() else None), err=True)
    sys.exit(error.exit_code)


class _Terminal:
    def __init__(self, session: Session) -> None:
        self._quiet = session.quiet
        self._bars = sys.stderr.isatty() and not session.quiet

    def note(self, message: str) -> None:
        if not self._quiet:
            click.echo(message, err=True)

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        if self._quiet:
            yield lambda done: None
        elif self._bars:
            with self._bar(name, total) as advance:
                yield advance
        else:
            started = time.perf_counter()
            yield lambda done: None
            click.echo(f"{name}: {time.perf_counter() - started:.1f} s", err=True)

    @contextmanager
    def _bar(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(name, total=total)
            yield lambda done: bar.advance(task, done)
