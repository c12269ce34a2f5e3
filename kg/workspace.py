"""A workspace: one folder with configuration, truth, caches and models."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kg.errors import StateError
from kg.own_ontology import FILE_NAME, adopt_beside

if TYPE_CHECKING:
    from kg.snapshot import GraphSnapshot

_NOT_WRITABLE = (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Workspace:
    """The folder that a shop's graph and models live in.

    Args:
        path: the folder; it need not exist yet (see `open`).
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @property
    def graph(self) -> Path:
        """The truth: Parquet files and their manifest."""
        return self.path / "graph"

    @property
    def cache(self) -> Path:
        """What can be thrown away: arrays, the embedded engine's file, extraction results."""
        return self.path / "cache"

    @property
    def models(self) -> Path:
        """Trained models, one folder each."""
        return self.path / "models"

    @property
    def rejects_file(self) -> Path:
        """Every row that the last ingest did not take."""
        return self.path / "rejects.jsonl"

    @property
    def config_file(self) -> Path:
        """The configuration (may not exist: then defaults hold)."""
        return self.path / "clew.toml"

    @property
    def ontology_file(self) -> Path:
        """What this catalogue adds to the ontology (may not exist: then the core's holds)."""
        return self.path / FILE_NAME

    @property
    def corrections_file(self) -> Path:
        """What people have set right; outlives every ingest."""
        return self.path / "corrections.jsonl"

    def open(self, create: bool = False) -> Workspace:
        """Check that the folder is there, or make it; adopt its ontology file.

        Raises:
            StateError: there is no such folder (and `create` is False), or a file stands in its place.
            InputError: the ontology file is wrong.
        """
        if self.path.exists() and not self.path.is_dir():
            raise StateError(f"{self.path} is a file, not a workspace.", "Name a folder with --workspace.")
        if create:
            for folder in (self.graph, self.cache, self.models):
                folder.mkdir(parents=True, exist_ok=True)
        elif not self.path.is_dir():
            raise StateError(
                f"There is no workspace at {self.path}.",
                "Make one with `clew demo` or `clew graph ingest`, or name another with --workspace.",
            )
        adopt_beside(self.path)
        return self

    @property
    def lock_file(self) -> Path:
        """The file that the one writer holds; the writer's process id stands in it."""
        return self.path / "lock"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one writer. The kernel lets go of the lock when its process dies, so a stale one does not exist.

        Raises:
            StateError: another process is writing; its process id is named.
        """
        descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
                raise StateError(
                    f"Process {holder} is writing to {self.path}.", "Wait until it is done, or end it; readers may go on."
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def snapshot(self) -> GraphSnapshot:
        """The graph as arrays: memory-mapped from the cache, or built from the truth (and cached) when the digests differ.

        Raises:
            StateError: there is no graph, or the truth is damaged.
        """
        from kg.snapshot_io import open_snapshot, save_snapshot, snapshot_of_tables
        from kg.truth import Truth

        truth = Truth(self.graph)
        kept = open_snapshot(self._snapshot_folder(truth.digest), truth.digest)
        if kept is not None:
            return kept
        tables = truth.tables()
        digest = truth.digest  # asked again: a writer may have committed meanwhile
        folder = self._snapshot_folder(digest)
        built = snapshot_of_tables(tables, digest)
        try:
            save_snapshot(built, folder)
        except OSError as error:
            # A workspace that cannot be written to can still be read; only the next opening takes longer.
            if error.errno not in _NOT_WRITABLE:
                raise
            return built
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        return open_snapshot(folder, digest) or built

    def _snapshot_folder(self, digest: str) -> Path:
        return self.cache / "snapshot" / digest.removeprefix("sha256:")[:16]
