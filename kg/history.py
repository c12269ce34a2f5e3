"""The questions that were asked in the shell, kept in the workspace's cache so that they can be called up again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kg.whole_files import write_whole
from kg.workspace import Workspace

_MARK = "# "


def history_file(workspace: Workspace) -> Path:
    """Where the questions lie (in the form of prompt_toolkit: `# time`, then each line behind a `+`)."""
    return workspace.cache / "questions"


def forget_in_history(workspace: Workspace, names: Callable[[str], bool], dry_run: bool = False) -> int:
    """Take the questions out that name a person; returns how many.

    Args:
        workspace: whose history.
        names: whether a text names the person.
        dry_run: only count.
    """
    path = history_file(workspace)
    if not path.is_file():
        return 0
    entries = _entries(path.read_text(encoding="utf-8", errors="replace"))
    kept = [entry for entry in entries if not names(_question(entry))]
    if len(kept) < len(entries) and not dry_run:
        write_whole(path, "".join(kept))
    return len(entries) - len(kept)


def _entries(text: str) -> list[str]:
    found: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(_MARK) or not found:
            found.append("")
        found[-1] += line
    return found


def _question(entry: str) -> str:
    return "\n".join(line.removeprefix("+") for line in entry.splitlines() if not line.startswith(_MARK))
