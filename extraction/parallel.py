"""Reading on several cores: every core has the extractor, products go out in batches and come back in their order.

Each worker is a fresh Python process that loads what the extractor learned from a folder, so that nothing of the parent's state (threads of
torch, open files) matters. At most two batches a worker are on their way, so a catalogue of any size passes through.

spaCy's own `nlp.pipe(…, n_process=N)` reads on several cores too (`PipelineExtractor.docs`), but writes and reads every Doc twice on its
way, which costs more than the rules do.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice, tee
from pathlib import Path

from extraction.base import Extractor, Mention, keeps, kept_extractor
from kg.errors import StateError, UsageError
from kg.model import Product

BATCH = 512
AHEAD = 2  # batches on their way for each worker
_loaded: list[Extractor] = []


def read_on_cores(extractor: Extractor, products: Iterable[Product], processes: int) -> Iterator[tuple[Product, list[Mention]]]:
    """Each product with its mentions, in their order, whatever the number of processes.

    Args:
        extractor: reads; with several processes one that can be kept (`extraction.base.keeps`).
        products: read as they come.
        processes: how many; 1 reads in this one.

    Raises:
        UsageError: several processes for an extractor that cannot be kept (one that asks a language model shares its budget).
        StateError: a process was ended from outside.
    """
    if processes == 1:
        ahead, behind = tee(products)
        yield from zip(behind, extractor.extract(ahead), strict=True)
        return
    if not keeps(extractor):
        said = f"The extractor {extractor.name} reads in one process."
        raise UsageError(said, "Leave out --processes, or name the extractor rules, tagger, trained or accurate.")
    with tempfile.TemporaryDirectory() as place:
        extractor.save(Path(place))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, context, initializer=_load, initargs=(extractor.name, place)) as pool:
            yield from _from(pool, products, processes * AHEAD)


def _from(pool: ProcessPoolExecutor, products: Iterable[Product], most: int) -> Iterator[tuple[Product, list[Mention]]]:
    rows = iter(products)
    away: deque[tuple[list[Product], Future[list[list[Mention]]]]] = deque()
    try:
        while True:
            while len(away) < most and (batch := list(islice(rows, BATCH))):
                away.append((batch, pool.submit(_read, [(p.key, p.title, dict(p.fields)) for p in batch])))
            if not away:
                return
            batch, found = away.popleft()
            yield from zip(batch, found.result(), strict=True)
    except BrokenProcessPool:
        raise StateError("A process that read titles was ended from outside.", "Give fewer --processes if memory is short.") from None
    finally:
        for _, waiting in away:
            waiting.cancel()


def _load(name: str, place: str) -> None:
    """Runs first in a worker; what the extractor brings along (torch) takes one thread, since there are as many workers as wanted."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _loaded.append(kept_extractor(name, Path(place)))


def _read(rows: Sequence[tuple[str, str, dict[str, str]]]) -> list[list[Mention]]:
    return list(_loaded[-1].extract(Product(*row) for row in rows))
