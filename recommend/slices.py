"""Parts of train that play test, so that weights are chosen without it: slices of time, or products and events hidden by lot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.events import NO_TIME, EventLog
from kg.seeds import generator
from kg.snapshot import GraphSnapshot
from recommend.profiles import profiles_of
from recommend.tasks import Task

MIN_NEW = 50  # targets without an event that slices of time must hold together
TIMES = 2  # slices of time that a shop of many people gets: chance asks for no more, but one may be a season of its own


@dataclass(frozen=True, eq=False)
class Slice:
    """A graph with less events, and what its people did in those that were taken out.

    Args:
        snapshot: what may be learnt from.
        tasks: who should find what; together they hold new and known products.
        joint: names of the tasks on which the scale between new and known products is chosen; all when empty.
    """

    snapshot: GraphSnapshot
    tasks: tuple[Task, ...]
    joint: frozenset[str] = frozenset()


def slices_of(snapshot: GraphSnapshot, fraction: float, n_slices: int, seed: int, enough: int) -> list[Slice]:
    """Validation cut from train alone.

    Slices of time are what the future will ask, so they come first; but where they hold hardly any product that was new then,
    nothing could be said about new products, and products hidden by lot take their place.

    Args:
        snapshot: the graph with all of train.
        fraction: share of events in the held-out part of each slice.
        n_slices: how many slices of time at most; without times there is one, drawn by lot.
        seed: of the lot.
        enough: people with whom the latest `TIMES` are enough: each slice costs a model.

    Returns:
        The latest slice first; none when there are too few events to take any away.
    """
    if len(snapshot.events) < 10:
        return []
    if snapshot.events.timed and (snapshot.events.times != NO_TIME).all():
        kept: list[Slice] = []
        for place in range(n_slices):
            people = sum(task.n_users for one in kept for task in one.tasks)
            if len(kept) >= TIMES and people >= enough and _news(kept):
                break
            found = _time_slice(snapshot, fraction, place)
            if found is not None:
                kept.append(found)
        if _news(kept):
            return kept
    return [_lot_slice(snapshot, fraction, seed)]


def _news(slices: Sequence[Slice]) -> bool:
    """Whether slices say enough about new products."""
    new = [(one.snapshot.item_event_counts == 0)[task.targets.indices].sum() for one in slices for task in one.tasks]
    return sum(map(int, new)) >= MIN_NEW


def _time_slice(snapshot: GraphSnapshot, fraction: float, place: int) -> Slice | None:
    times = np.sort(snapshot.events.times)
    end = len(times) - int(len(times) * fraction * place)
    start = end - int(len(times) * fraction)
    if start < len(times) // 3 or end <= start:
        return None
    first, last = int(times[start - 1]), int(times[end - 1])
    early = snapshot.upto(first)
    late = snapshot.events.after(first)
    late = late.take(late.times <= last)
    task = task_of(early, late, f"time {place}")
    return Slice(early, (task,)) if task.n_users else None


def _lot_slice(snapshot: GraphSnapshot, fraction: float, seed: int) -> Slice:
    """Hide a share of the products whole, and of each person's other events the last ones (or some by lot where nothing has an order)."""
    random = generator(seed, "validation")
    events = snapshot.events
    hidden = np.zeros(snapshot.n_items, bool)
    known = np.flatnonzero(snapshot.item_event_counts)
    hidden[random.choice(known, max(1, int(len(known) * fraction)), replace=False)] = True
    late = hidden[events.item_rows]
    order = np.lexsort((random.random(len(events)), events.times, events.user_rows))
    users = events.user_rows[order]
    ends = np.searchsorted(users, users, side="right")
    sizes = ends - np.searchsorted(users, users)
    last = np.zeros(len(events), bool)
    last[order] = np.arange(len(events)) >= ends - np.maximum(1, (sizes * fraction).astype(np.int64))
    enough = np.zeros(len(events), bool)
    enough[order] = sizes >= 3
    held = late | (last & enough)
    early = snapshot.with_events(events.take(~held), f"validation {seed} {fraction}")
    return Slice(early, (task_of(early, events.take(held), "lot"),))


def task_of(early: GraphSnapshot, late: EventLog, name: str) -> Task:
    """Who of the graph should find what of some later events; products that they had before are no targets."""
    n_items = early.n_items
    wanted = profiles_of(late.take(~late.against(early.rating_border)), early.n_users, n_items)
    had = profiles_of(early.events, early.n_users, n_items)
    wanted = sp.csr_array(wanted - wanted.multiply(had))
    wanted.eliminate_zeros()
    wanted.sort_indices()
    people = np.flatnonzero((np.diff(wanted.indptr) > 0) & (np.diff(had.indptr) > 0))
    whole = Task(
        name,
        tuple(early.users),
        early.events,
        wanted,
        np.ones(n_items, bool),
        had,
    )
    return whole.some(people)


def shortened(task: Task, keep: int) -> Task:
    """The same task, each person having only the last `keep` products (what was before is no candidate either)."""
    log = task.history
    ends = np.searchsorted(log.user_rows, log.user_rows, side="right")
    last = log.take(np.arange(len(log)) >= ends - keep)
    return Task(f"{task.name}, last {keep}", task.keys, last, task.targets, task.candidates, task.masked, task.metrics, task.skipped)


def profile_sizes(task: Task) -> NDArray[np.int64]:
    """Distinct products of each person's history (int64 [people])."""
    return np.diff(profiles_of(task.history, task.n_users, task.targets.shape[1]).indptr).astype(np.int64)
