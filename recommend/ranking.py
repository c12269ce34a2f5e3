"""Full ranking of the whole catalogue, never of sampled candidates, in blocks of people."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kg.errors import StateError
from kg.events import EventLog
from kg.ontology import Rel
from kg.progress import SILENT, Progress
from kg.snapshot import GraphSnapshot
from recommend import metrics
from recommend.tasks import Task

_CELLS = 20_000_000  # scores held at once


@dataclass(frozen=True, eq=False)
class TaskResult:
    """Figures of one ranker on one task.

    Args:
        name: of the task.
        users: people ranked for.
        skipped: people left out, having no history.
        candidates: products ranked.
        per_user: figures a person by name ("ndcg@20"), float64 [users].
        overall: figures of all lists together ("coverage@20").
        lists: int32 [users, max k], item rows of the lists, −1 where there were too few candidates.
    """

    name: str
    users: int
    skipped: int
    candidates: int
    per_user: Mapping[str, NDArray[np.float64]]
    overall: Mapping[str, float]
    lists: NDArray[np.int32]

    def to_dict(self, seed: int = 0) -> dict[str, Any]:
        """The form of `clew evaluate`."""
        figures = {name: float(values.mean()) if len(values) else 0.0 for name, values in self.per_user.items()}
        intervals = {name: list(metrics.bootstrap(values, seed)) for name, values in self.per_user.items() if name.startswith("ndcg")}
        head = {"users": self.users, "skipped_users": self.skipped, "candidates": self.candidates}
        return {**head, **figures, **self.overall, "ci95": intervals}


def tie_order(keys: Sequence[str]) -> NDArray[np.int64]:
    """Places of products in the order that breaks ties: by a hash of the key, because the keys themselves may tell (int64 [n_items]).

    Where numbers were given by popularity, or keys grow with time, an order by key would rank for free.
    """
    digests = [hashlib.blake2b(key.encode(), digest_size=8).digest() for key in keys]
    return np.array(sorted(range(len(keys)), key=digests.__getitem__), np.int64)


def top(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Places of the k highest of each row, best first, ties by place; −1 where a row has fewer that are above −inf."""
    k_there = min(k, scores.shape[1])
    found = np.full((len(scores), k), -1, np.int64)
    if not k_there:
        return found
    edge = np.partition(scores, scores.shape[1] - k_there, axis=1)[:, scores.shape[1] - k_there]
    for row, (values, low) in enumerate(zip(scores, edge, strict=True)):
        above = np.flatnonzero(values > low)
        best = np.concatenate([above, np.flatnonzero(values == low)[: k_there - len(above)]])
        best = best[np.lexsort((best, -values[best]))]
        best = best[values[best] > -np.inf]
        found[row, : len(best)] = best
    return found


def run_task(
    task: Task,
    score: Callable[[EventLog, int], NDArray[np.float32]],
    snapshot: GraphSnapshot,
    k: Sequence[int],
    progress: Progress = SILENT,
) -> TaskResult:
    """Rank all candidates for everybody of a task."""
    order = tie_order(list(snapshot.items))
    order = order[task.candidates[order]]
    deepest = max([*k, *(metrics.parse_metric(name)[1] for name in task.metrics)])
    size = max(1, min(1024, _CELLS // max(snapshot.n_items, 1)))
    lists = np.full((task.n_users, deepest), -1, np.int32)
    with progress.stage(f"ranking {task.name}", task.n_users) as advance:
        for start in range(0, task.n_users, size):
            people = np.arange(start, min(start + size, task.n_users))
            part = task.some(people)
            scores = _checked(score(part.history, len(people)), (len(people), snapshot.n_items))
            rows = np.repeat(np.arange(len(people)), np.diff(part.masked.indptr))
            scores[rows, part.masked.indices] = -np.inf
            best = top(scores[:, order], deepest)
            lists[people] = np.where(best >= 0, order[np.maximum(best, 0)], -1)
            advance(len(people))
    return _result(task, lists, snapshot, k)


def _checked(scores: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    if scores.shape != shape or np.isnan(scores).any():
        raise StateError("A ranker gave scores of the wrong shape or NaN.", "Report it: this is a fault of the ranker.")
    return scores.copy() if not scores.flags.writeable else scores


def _result(task: Task, lists: NDArray[np.int32], snapshot: GraphSnapshot, k: Sequence[int]) -> TaskResult:
    n_targets = np.diff(task.targets.indptr).astype(np.int64)
    hits = hits_of(task, lists)
    wanted = [f"{name}@{cut}" for cut in k for name in metrics.LIST_METRICS] + list(task.metrics)
    per_user = {}
    for name in dict.fromkeys(wanted):
        metric, cut = metrics.parse_metric(name)
        per_user[name] = metric.compute(hits[:, :cut], n_targets)
    deepest = max(k)
    people = np.bincount(snapshot.interactions.indices, minlength=snapshot.n_items).astype(np.int64)
    shown = lists[:, :deepest]
    novel, diverse = metrics.novelty(shown, people, snapshot.n_users), metrics.diversity(shown, kinds_of(snapshot))
    overall = {
        f"coverage@{deepest}": metrics.coverage(shown, int(task.candidates.sum())),
        f"novelty@{deepest}": float(novel.mean()) if len(novel) else 0.0,
        f"diversity@{deepest}": float(diverse.mean()) if len(diverse) else 0.0,
    }
    return TaskResult(task.name, task.n_users, task.skipped, int(task.candidates.sum()), per_user, overall, lists)


def hits_of(task: Task, lists: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which places of the lists hold a target (bool [users, k])."""
    width = task.targets.shape[1] + 1
    users = np.repeat(np.arange(task.n_users), np.diff(task.targets.indptr))
    targets = users.astype(np.int64) * width + task.targets.indices
    asked = np.arange(task.n_users, dtype=np.int64)[:, None] * width + lists
    return np.isin(np.where(lists >= 0, asked, -1), targets)


def kinds_of(snapshot: GraphSnapshot) -> NDArray[np.int64]:
    """The first category of each product, else its first brand, else −1 (int64 [n_items]); what diversity counts."""
    kinds = np.full(snapshot.n_items, -1, np.int64)
    for relation in (Rel.HAS_BRAND, Rel.IN_CATEGORY):
        edges = snapshot.edges.get(relation)
        if edges is not None:
            kinds[edges.source_rows[::-1]] = edges.target_rows[::-1]
    return kinds
