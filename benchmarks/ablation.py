"""What each view is worth: one fit on a protocol, then each view taken out in turn and the weights chosen again without it.

The whole model's weights are chosen again too, on the same people of validation, so that a row differs from it by its view alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import DATA, HERE, save
from kg.config import TrainConfig
from kg.seeds import generator
from recommend.choose import Part, choose
from recommend.fit import fit
from recommend.metrics import paired
from recommend.protocol import Protocol
from recommend.rankers.learned import scores_of
from recommend.ranking import run_task
from recommend.scorer import Scorer
from recommend.slices import Slice
from recommend.tasks import Task, load_benchmark
from recommend.training import Training
from recommend.views.base import View

PEOPLE = 3000  # of each test, by lot
VALID_PEOPLE = 1500  # that weights are chosen on
FIGURE = "ndcg@20"


def main(quick: bool = False, protocol: str = "beauty-item-cold", preset: str = "default") -> None:
    """Fit once, print and keep the table."""
    found = Protocol.load(HERE / "protocols" / f"{protocol}.toml", DATA)
    benchmark = load_benchmark(found)
    tests = [_some(task, 300 if quick else PEOPLE) for task in benchmark.test]
    config = TrainConfig(**{**found.train.model_dump(exclude_unset=True), "preset": preset}).spelled_out()
    with TemporaryDirectory() as folder:
        training = Training(benchmark.snapshot, benchmark.texts, benchmark.valid, config, cache=Path(folder))
        scorer = fit(training).scorer
    views = list(scorer.views.values())
    if not training.valid:
        raise SystemExit(f"{protocol} has no validation of its own: its views are those of slices.")
    started = time.process_time()
    base = _without(scorer, views, training, 150 if quick else VALID_PEOPLE)
    whole = _figures(base, tests, benchmark.k)
    print(f"one row takes about {time.process_time() - started:.0f} CPU-s; there are {len(views)}")
    lines = {"(all)": {name: {FIGURE: float(values.mean()), "people": len(values)} for name, values in whole.items()}}
    print(f"{'without':<18} " + " ".join(f"{name:>22}" for name in whole))
    print(f"{'(all)':<18} " + " ".join(f"{100 * values.mean():>22.2f}" for values in whole.values()), flush=True)
    for view in views:
        less = _without(scorer, [one for one in views if one is not view], training, 150 if quick else VALID_PEOPLE)
        figures = _figures(less, tests, benchmark.k)
        changes = {test: paired({FIGURE: figures[test]}, {FIGURE: whole[test]}, 0)[FIGURE] for test in whole}
        lines[view.name] = {test: dict(zip(("difference", "low", "high"), change, strict=True)) for test, change in changes.items()}
        cells = [f"{100 * d:+.2f} [{100 * low:.2f}, {100 * high:.2f}]" for d, low, high in changes.values()]
        print(f"{view.name:<18} " + " ".join(f"{cell:>22}" for cell in cells), flush=True)
        result = {"protocol": protocol, "preset": preset, "figure": FIGURE, "weights": base.weights.to_dict(), "without": lines}
        save("ablation", result)


def _without(scorer: Scorer, views: Sequence[View], training: Training, people: int) -> Scorer:
    """The same graph by some views, under weights chosen for them."""
    joint = frozenset(task.name for task in training.valid if task.candidates.all())
    tasks = tuple(_some(task, people) for task in training.valid)
    weights, _ = choose([Part(Slice(training.snapshot, tasks, joint), views)], training.snapshot, training)
    return Scorer(scorer.snapshot, views, scorer.popularity, weights, scorer.words, scorer.text)


def _some(task: Task, people: int) -> Task:
    if task.n_users <= people:
        return task
    return task.some(np.sort(generator(0, "ablation").choice(task.n_users, people, replace=False)))


def _figures(scorer: Scorer, tests: Sequence[Task], k: Sequence[int]) -> dict[str, NDArray[np.float64]]:
    return {
        task.name: run_task(task, lambda history, n: scores_of(scorer, history, n), scorer.snapshot, k).per_user[FIGURE] for task in tests
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--protocol", default="beauty-item-cold")
    parser.add_argument("--preset", default="default")
    args = parser.parse_args()
    main(args.quick, args.protocol, args.preset)
