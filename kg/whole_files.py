"""Files that appear whole or not at all, and with what they hold on the disk."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FORSAKEN = 86_400  # seconds


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write a file: beside it, from where it takes its name when the block has ended well.

    Whoever reads `path` meanwhile, or after a kill, a full disk or a power cut, finds what was there before. A link is followed, a
    device or a pipe is written to as it is, and the permissions of a file that is replaced stay.

    Raises:
        OSError: the file cannot be written; what was there is there still.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    target = path.resolve()
    temporary = beside(target)
    try:
        yield temporary
        put_in_place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a file of UTF-8 text; see `whole_file`."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def beside(path: Path) -> Path:
    """A hidden name beside a file, of this process's own."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def put_in_place(temporary: Path, target: Path) -> None:
    """Have a file on the disk, and then under another name of the same folder; what it holds is there before the name says so."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    if target.exists():
        shutil.copymode(target, temporary)
    temporary.replace(target)


def remove_forsaken(folder: Path) -> None:
    """Remove the halves that killed processes left in a folder: what `beside` names and nobody has written to for a day."""
    for path in folder.glob(".*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _FORSAKEN:
                path.unlink()


def sync(folder: Path) -> None:
    """Have a folder's entries on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
