"""What an extractor learned from: the catalogue as it was then, kept so that a small change does not have everything read anew.

An extractor may learn from the whole catalogue (which words are brands, what is usual). Were it to learn again with every
change, one new product could alter what is read out of all others, and a delta would cost as much as the whole. So the
catalogue that it learned from is kept in `cache/learned/`, and it learns again when enough has changed, or when asked to.
Throwing the folder away only means that it learns again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kg.align import align, equal_rows
from kg.digest import digest_json
from kg.model import Product
from kg.progress import SILENT, Progress
from kg.staged import FactSource, FactSourceFactory, LearnedSource
from kg.tables import PRODUCT_SCHEMA, content_digest, products_of
from kg.whole_files import whole_file

Relearn = Literal["auto", "always", "never"]
_FILE = "products.parquet"
# What an extractor reads; prices move daily and teach it nothing.
_READ = ("key", "title", "fields")


@runtime_checkable
class KeepingFactory(Protocol):
    """A factory whose fact sources can be kept on disk, so that what was learned need not be learned again."""

    @property
    def learned_digest(self) -> str:
        """Digest of what decides what is learned, apart from the products: not of corrections, which hold whatever was learned."""
        ...

    def keep(self, source: FactSource, folder: Path) -> bool:
        """Write what a source learned into a new folder; False (and nothing written) where it cannot be kept."""
        ...

    def recall(self, folder: Path) -> FactSource:
        """The source that `keep` wrote."""
        ...


@dataclass(frozen=True, slots=True)
class Teaching:
    """The catalogue that an extractor learns from.

    Args:
        products: `PRODUCT_SCHEMA`.
        fresh: whether it is the catalogue as it is now, not one kept from before.
        changed: share of products that are new, changed or gone since it was kept; 0 when it is fresh.
    """

    products: pa.Table
    fresh: bool
    changed: float


def teaching(folder: Path | None, now: pa.Table, relearn: Relearn, after: float) -> Teaching:
    """Which catalogue to learn from.

    Args:
        folder: `cache/learned`; None keeps nothing.
        now: the whole catalogue as it is (`PRODUCT_SCHEMA`).
        relearn: "always" from this one; "never" from another than the kept one; "auto" by how much has changed.
        after: with "auto", the share of changed products above which it learns again.
    """
    kept = _kept(folder) if relearn != "always" else None
    if kept is None:
        return Teaching(now, True, 0.0)
    changed = share_changed(kept, now)
    if not changed:
        return Teaching(kept, False, 0.0)
    return Teaching(now, True, 0.0) if relearn == "auto" and changed > after else Teaching(kept, False, changed)


def share_changed(old: pa.Table, new: pa.Table) -> float:
    """Products that are new, gone, or say something else, as a share of the old ones."""
    places = align(old, new, "key")
    met = np.flatnonzero(places >= 0)
    same = int(equal_rows(old.take(places[met]).select(_READ), new.take(met).select(_READ)).sum())
    return float((new.num_rows - same + old.num_rows - len(met)) / max(old.num_rows, 1))


def keep_teaching(folder: Path, found: Teaching) -> None:
    """Remember a fresh catalogue, before anything is read with what it taught, so that a killed ingest goes on with the same."""
    if not found.fresh:
        return
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / _FILE) as temporary:
        pq.write_table(found.products, temporary, compression="zstd")


def _kept(folder: Path | None) -> pa.Table | None:
    if folder is None:
        return None
    try:
        found = pq.read_table(folder / _FILE, partitioning=None)
    except (OSError, pa.ArrowInvalid):
        return None  # never learned, or cut off by a power loss: it learns again
    return found if found.schema.equals(PRODUCT_SCHEMA) else None


def learned_source(factory: FactSourceFactory, found: Teaching, folder: Path | None, progress: Progress = SILENT) -> LearnedSource:
    """The fact source that a catalogue teaches, made when it is first asked.

    Args:
        factory: makes it.
        found: what to learn from.
        folder: `cache/learned`, where what was learned is kept if the factory can; None keeps nothing.
        progress: listener.
    """
    digest = digest_json([factory.digest, content_digest(found.products.select(_READ))])
    return LearnedSource(_Recalling(factory, found, folder), products_of(found.products), digest, progress)


def source_of_last(factory: FactSourceFactory, folder: Path, catalogue: Callable[[], pa.Table]) -> FactSource:
    """The fact source of the last ingest, for a product that comes after it: what was learned then is taken up where it was kept.

    Args:
        factory: makes it where nothing was kept, and then it is.
        folder: `cache/learned`.
        catalogue: `PRODUCT_SCHEMA`; what to learn from where no ingest has said.
    """
    kept = _kept(folder)
    found = Teaching(catalogue(), True, 0.0) if kept is None else Teaching(kept, False, 0.0)
    keep_teaching(folder, found)
    return _Recalling(factory, found, folder).made()


class _Recalling:
    """A factory that takes what was kept where it can, and keeps what it makes.

    Args:
        inner: the factory.
        found: what it learns from.
        folder: where states are kept; None keeps nothing.
    """

    def __init__(self, inner: FactSourceFactory, found: Teaching, folder: Path | None) -> None:
        self.name = inner.name
        self.digest = inner.digest
        self._inner = inner
        self._found = found
        self._state: Path | None = None
        if folder is not None and isinstance(inner, KeepingFactory):
            learned = digest_json([inner.learned_digest, content_digest(found.products.select(_READ))])
            self._state = folder / learned.removeprefix("sha256:")[:16]

    def made(self) -> FactSource:
        """The fact source; the products are only unpacked when they must be learned from."""
        return self._recalled() or self(products_of(self._found.products))

    def __call__(self, products: Sequence[Product]) -> FactSource:
        if (kept := self._recalled()) is not None:
            return kept
        made = self._inner(products)
        if self._state is not None and isinstance(self._inner, KeepingFactory):
            self._keep(made, self._inner, self._state)
        return made

    def _recalled(self) -> FactSource | None:
        if self._state is None or not self._state.is_dir() or not isinstance(self._inner, KeepingFactory):
            return None
        return self._inner.recall(self._state)

    @staticmethod
    def _keep(made: FactSource, factory: KeepingFactory, state: Path) -> None:
        building = state.with_name(f".{state.name}.{os.getpid()}.tmp")
        shutil.rmtree(building, ignore_errors=True)
        try:
            if factory.keep(made, building) and not state.is_dir():
                building.rename(state)
        finally:
            shutil.rmtree(building, ignore_errors=True)
        for other in state.parent.iterdir():
            if other.is_dir() and other != state:
                shutil.rmtree(other, ignore_errors=True)
