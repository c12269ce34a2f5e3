"""Rankers fitted on a benchmark's train and tested on its tests."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kg.progress import SILENT, Progress
from recommend import metrics
from recommend.rankers import ranker
from recommend.ranking import TaskResult, run_task
from recommend.tasks import Benchmark
from recommend.training import Ranker, Training


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
        "preset": training.config.preset,
        "without": list(training.config.without),
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
