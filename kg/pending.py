"""What an ingest was asked to do, kept until it is done, so that `--resume` after a kill needs no more words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kg.errors import ClewError, StateError
from kg.whole_files import write_whole
from kg.workspace import Workspace

_FILE = "ingest.json"


@contextmanager
def pending(workspace: Workspace, asked: Mapping[str, Any]) -> Iterator[None]:
    """Keep `asked` while the block runs; it stays when the process dies, is interrupted or finds the disk full.

    Args:
        asked: JSON values, whatever makes the same call again.
    """
    path = workspace.cache / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(asked, ensure_ascii=False))
    try:
        yield
    except ClewError:
        path.unlink(missing_ok=True)  # the input or the state is at fault: going on would only meet it again
        raise
    path.unlink(missing_ok=True)


def interrupted(workspace: Workspace) -> dict[str, Any]:
    """What the interrupted ingest was asked to do.

    Raises:
        StateError: no ingest was interrupted here.
    """
    try:
        found: dict[str, Any] = json.loads((workspace.cache / _FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        raise StateError(
            f"There is no interrupted ingest in {workspace.path}.", "Start one with `clew graph ingest --catalogue FILE`."
        ) from None
    return found
