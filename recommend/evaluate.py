"""Full ranking of the whole catalogue, never of sampled candidates, in blocks of people."""

from __future__ import annotations

import hashlib
import resource
import time
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
from recommend.rankers import Ranker, Training, ranker
from recommend.tasks import Benchmark, Task

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


def evaluate(benchmark: Benchmark, name: str, training: Training, seed: int = 0, progress: Progress = SILENT) -> dict[str, Any]:
    """Fit one ranker and test it.

    Args:
        benchmark: the loaded protocol.
        name: of the ranker.
        training: what it learns from.
        seed: of the bootstrap.
        progress: who listens.

    Returns:
        The JSON of `clew evaluate`.
    """
    document, _ = evaluate_with_lists(benchmark, name, training, seed, progress)
    return document


def evaluate_with_lists(
    benchmark: Benchmark, name: str, training: Training, seed: int = 0, progress: Progress = SILENT
) -> tuple[dict[str, Any], dict[str, TaskResult]]:
    """The same, with the figures of each person, for paired comparisons."""
    started, cpu = time.perf_counter(), time.process_time()
    fitted = ranker(name)
    fitted.fit(training)
    fit_seconds, fit_cpu = time.perf_counter() - started, time.process_time() - cpu
    results = {task.name: run_task(task, fitted.scores, benchmark.snapshot, benchmark.k, progress) for task in benchmark.test}
    document = {
        "name": benchmark.name,
        "model": name,
        "seed": training.config.seed,
        "tests": {task: result.to_dict(seed) for task, result in results.items()},
        "seconds": {"fit": fit_seconds, "rank": time.perf_counter() - started - fit_seconds},
        "cpu_seconds": time.process_time() - cpu,
        "fit_cpu_seconds": fit_cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **_details(fitted),
    }
    return document, results


def compare(
    benchmark: Benchmark, names: Sequence[str], training: Training, seed: int = 0, progress: Progress = SILENT
) -> list[dict[str, Any]]:
    """Several rankers on one benchmark; each document but the last says how much the last one is ahead (`against`, NDCG at the deepest k).

    The difference has its paired bootstrap interval: the same people under both.
    """
    made = [evaluate_with_lists(benchmark, name, training, seed, progress) for name in names]
    documents = [document for document, _ in made]
    figure = f"ndcg@{max(benchmark.k)}"
    last = made[-1][1]
    for document, results in made[:-1]:
        document["against"] = {
            task: dict(
                zip(("difference", "low", "high"), metrics.paired(_only(last[task], figure), _only(one, figure), seed)[figure], strict=True)
            )
            for task, one in results.items()
        }
    return documents


def _only(result: TaskResult, figure: str) -> dict[str, NDArray[np.float64]]:
    return {figure: result.per_user[figure]}


def _details(fitted: Ranker) -> dict[str, Any]:
    found = getattr(fitted, "details", None)
    return {"settings": found} if found else {}
