"""What is chosen on validation: how fast a history fades, and the fusion weights of each branch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.events import EventLog
from kg.seeds import generator
from kg.snapshot import GraphSnapshot
from recommend import fuse, pools
from recommend.profile import AGAINST_COUNTS, KNOWN_FROM, LOW_RATING, Branch, Recency
from recommend.profiles import weighted_profiles
from recommend.slices import Slice, profile_sizes, shortened
from recommend.tasks import Task
from recommend.training import Training
from recommend.usual import likeliest, shares_of, usual_weights
from recommend.views.base import View
from recommend.views.ease import EaseView, ease
from recommend.views.facts import view_name
from recommend.views.popular import popularity
from recommend.views.transitions import in_order
from recommend.weights import BranchWeights, Weights

PEOPLE = 3000  # people of a slice that weights are chosen on
LARGE = 30_000  # products beyond which fewer people choose, since each costs a score of every product
ENOUGH = 1000  # people of all slices together there; on Beauty as many choose as well as three thousand
FEW = 3  # products that a person is shortened to for the branch `few_events`
RECENCY_DAYS = (730.0, 365.0, 180.0)
RECENCY_EVENTS = (40.0, 20.0, 10.0, 5.0)
RIDGES = (20.0, 7.0, 2.0)  # of EASE; Beauty and films like the first, books the last
_RIDGE_PEOPLE, _RIDGE_PRODUCTS = 500, 7000
KIND_VALUES = (0.5, 0.25, 0.0)  # what an event of another kind than a purchase may count
AGAINST_VALUES = (-0.25, 0.0, -1.0, -2.0)  # … and one that says no
LOUDEST_KIND = "purchase"
_RECENCY_PEOPLE = 250  # of each task that recency is chosen on at most; a quarter of those for weights
_FACT_START = 0.3
_CHOSEN = (Branch.KNOWN, Branch.FEW_EVENTS)  # branches that have weights of their own


@dataclass(frozen=True, eq=False)
class Part:
    """A slice and the views of its graph."""

    slice: Slice
    views: Sequence[View]


def choose(parts: Sequence[Part], snapshot: GraphSnapshot, training: Training) -> tuple[Weights, dict[str, Any]]:
    """Fusion weights of each branch that the slices have people for, and how well they did there (JSON values)."""
    links = frozenset(name.lower() for name in snapshot.links())
    facts = {view_name(name): _FACT_START for name in snapshot.facts()}
    if not parts:
        start = fuse.branch_weights(dict(fuse.START_SEEN), {**fuse.START_UNSEEN, **facts}, 1.0, 0.0)
        training.progress.note("There are too few events to choose weights on; the defaults hold.")
        return Weights({Branch.KNOWN: start}), {"validation": None}
    recency = _recency(parts, snapshot, training, links)
    report: dict[str, Any] = {"recency": Weights({}, recency=recency).to_dict()["recency"], "branches": {}}
    branches = {}
    for branch in _CHOSEN:
        found = _tasks(parts, branch, training)
        if found:
            branches[branch], report["branches"][str(branch)] = _branch(found, recency, links)
    return Weights(branches, recency=recency), report


def ridge_of(one: Slice, training: Training) -> float:
    """λ of EASE by which the view alone finds the known products that its people had next, over the products that most people had."""
    people = _of_branch(one, Branch.KNOWN, training, PEOPLE // max(len(one.tasks), 1))
    tasks = [task.some(np.arange(min(task.n_users, _RIDGE_PEOPLE))) for task in people]
    size = one.snapshot.n_items
    nothing: sp.csr_array = sp.csr_array((size, size), dtype=np.float32)  # type: ignore[assignment]
    best, figures = RIDGES[0], np.empty(0)
    for ridge in RIDGES if tasks else ():
        view = EaseView(ease(one.snapshot.interactions, ridge, most=_RIDGE_PRODUCTS), nothing, one.snapshot.item_event_counts > 0)
        groups = [_groups(Part(one, [view]), task, Recency())[True] for task in tasks]
        found = [pools.ndcg_of(group.scores(np.array([1.0, 0.0])), group.targets, group.n_targets)[group.n_targets > 0] for group in groups]
        if ridge == RIDGES[0] or pools.better(np.concatenate(found), figures):
            best, figures = ridge, np.concatenate(found)
    return best


def asked_rows(slices: Sequence[Slice], training: Training) -> list[NDArray[np.int32]]:
    """Of each slice, the products that those had whom weights are chosen on (int32, ascending): nobody asks about the others there.

    In a large shop they are few: of 100,000 products some 20,000.
    """
    most = _most(slices)
    people = [[task for branch in _CHOSEN for task in _of_branch(one, branch, training, most)] for one in slices]
    return [np.unique(np.concatenate([np.empty(0, np.int32), *(task.history.item_rows for task in tasks)])) for tasks in people]


def _tasks(parts: Sequence[Part], branch: Branch, training: Training) -> list[tuple[Part, Task]]:
    """The people of a branch in all slices."""
    most = _most([part.slice for part in parts])
    return [(part, task) for part in parts for task in _of_branch(part.slice, branch, training, most)]


def _most(slices: Sequence[Slice]) -> int:
    """People of a task at most."""
    sizes = [task.targets.shape[1] for one in slices for task in one.tasks]
    if max(sizes, default=0) > LARGE:
        return ENOUGH // len(sizes)
    return PEOPLE // max([1, *(len(one.tasks) for one in slices)])


def _of_branch(one: Slice, branch: Branch, training: Training, most: int) -> list[Task]:
    """A slice's tasks with `most` people of a branch each. Where few people have few products, others are shortened to stand for them."""
    random = generator(training.config.seed, f"people of {branch}")
    found = []
    for task in one.tasks:
        sizes = profile_sizes(task)
        inside = np.flatnonzero((sizes >= KNOWN_FROM) if branch is Branch.KNOWN else ((sizes > 0) & (sizes < KNOWN_FROM)))
        if branch is Branch.FEW_EVENTS and len(inside) < 200:
            inside = np.flatnonzero(sizes > 0)
            task = shortened(task, FEW)
        if len(inside) > most:
            inside = np.sort(random.choice(inside, most, replace=False))
        if len(inside):
            found.append(task.some(inside))
    return found


def _profiles(part: Part, task: Task, recency: Recency) -> sp.csr_array:
    log = part.slice.snapshot.events
    now = int(log.times.max(initial=0)) if log.timed else 0
    recency = replace(recency, rating_border=part.slice.snapshot.rating_border)
    return weighted_profiles(task.history, task.n_users, part.slice.snapshot.n_items, now, recency)


def _groups(part: Part, task: Task, recency: Recency) -> dict[bool, pools.Group]:
    snapshot = part.slice.snapshot
    return pools.collect(
        part.views, popularity(snapshot.interactions), task, _profiles(part, task, recency), snapshot.item_event_counts > 0
    )


def _recency(parts: Sequence[Part], snapshot: GraphSnapshot, training: Training, links: frozenset[str]) -> Recency:
    """How loudly a history speaks, each way under the weights likeliest with it: by days where events have times, by products where they
    have an order, by the kind of event where there are several. A value is taken when it is better by more than chance than the one
    before.
    """
    tasks = _tasks(parts, Branch.KNOWN, training)
    steps = list(_steps(snapshot.events))
    if not tasks or not steps:
        return Recency()
    most = min(_RECENCY_PEOPLE, _most([part.slice for part in parts]) // 4)
    tasks = [(part, task.some(np.arange(min(task.n_users, most)))) for part, task in tasks]
    best = Recency()
    figures = _under(tasks, best, links)
    for step in steps:
        start = best
        for change in step:
            tried = change(start)
            found = _under(tasks, tried, links)
            if pools.better(found, figures):
                best, figures = tried, found
    return best


def _steps(events: EventLog) -> Iterator[list[Callable[[Recency], Recency]]]:
    """What is chosen one after the other, each from some changes."""
    if in_order(events):
        if events.timed:
            yield [partial(replace, days=days) for days in RECENCY_DAYS]
        yield [partial(replace, events=later) for later in RECENCY_EVENTS]
    rated = () if events.rating_border() is None else (LOW_RATING,)
    for kind in (*events.kind_names, *rated) if len(events.kind_names) > 1 else ():
        if kind != LOUDEST_KIND:
            values = AGAINST_VALUES if kind in AGAINST_COUNTS else KIND_VALUES
            yield [partial(_with_kind, kind=kind, value=value) for value in values]


def _with_kind(recency: Recency, kind: str, value: float) -> Recency:
    return replace(recency, kinds={**recency.kinds, kind: value})


def _under(tasks: Sequence[tuple[Part, Task]], recency: Recency, links: frozenset[str]) -> NDArray[np.float64]:
    """NDCG of each person with a target of a kind, under the weights that are likeliest with a recency."""
    groups = [_groups(part, task, recency) for part, task in tasks]
    figures = [np.empty(0)]
    for kind in (True, False):
        useful = [some for group in groups if len((some := group[kind].with_targets()).n_targets)]
        if useful:
            weights = likeliest(useful, usual_weights(useful, shares_of(useful[0].names, kind, links)))
            figures.append(pools.per_person(useful, weights))
    return np.concatenate(figures)


def _branch(found: Sequence[tuple[Part, Task]], recency: Recency, links: frozenset[str]) -> tuple[BranchWeights, dict[str, Any]]:
    groups = [_groups(part, task, recency) for part, task in found]
    (seen, seen_ndcg), (unseen, unseen_ndcg) = (
        fuse.search([group[kind] for group in groups], shares_of(groups[0][kind].names, kind, links)) for kind in (True, False)
    )
    people = [np.full(task.n_users, not part.slice.joint or task.name.split(",")[0] in part.slice.joint) for part, task in found]
    factor, delta, all_ndcg = fuse.joint([(group[True], group[False]) for group in groups], people, seen, unseen)
    weights = fuse.branch_weights(seen, unseen, factor, delta)
    figures = {"people": [task.n_users for _, task in found], "ndcg@20": {"seen": seen_ndcg, "unseen": unseen_ndcg, "all": all_ndcg}}
    return weights, {**figures, "factor": factor, "weights": weights.to_dict()}
