"""What each view is worth: one fit on a protocol, then each view taken out in turn, the other weights as they were chosen."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import DATA, HERE, save
from kg.seeds import generator
from recommend.fit import fit
from recommend.metrics import paired
from recommend.protocol import Protocol
from recommend.rankers.learned import scores_of
from recommend.ranking import run_task
from recommend.scorer import Scorer
from recommend.tasks import Task, load_benchmark
from recommend.training import Training

PEOPLE = 3000  # of each test, by lot
FIGURE = "ndcg@20"


def main(quick: bool = False, protocol: str = "beauty-item-cold") -> None:
    """Fit once, print and keep the table."""
    benchmark = load_benchmark(Protocol.load(HERE / "protocols" / f"{protocol}.toml", DATA))
    tests = [_some(task, 300 if quick else PEOPLE) for task in benchmark.test]
    with TemporaryDirectory() as folder:
        training = Training(benchmark.snapshot, benchmark.texts, benchmark.valid, cache=Path(folder))
        scorer = fit(training).scorer
    whole = _figures(scorer, tests, benchmark.k)
    lines = {"(all)": {name: {FIGURE: float(values.mean()), "people": len(values)} for name, values in whole.items()}}
    print(f"{'without':<18} " + " ".join(f"{name:>22}" for name in whole))
    print(f"{'(all)':<18} " + " ".join(f"{100 * values.mean():>22.2f}" for values in whole.values()))
    for name in scorer.views:
        less = Scorer(
            scorer.snapshot,
            [view for view in scorer.views.values() if view.name != name],
            scorer.popularity,
            scorer.weights,
            scorer.words,
            scorer.text,
        )
        found = _figures(less, tests, benchmark.k)
        changes = {test: paired({FIGURE: found[test]}, {FIGURE: whole[test]}, 0)[FIGURE] for test in whole}
        lines[name] = {test: dict(zip(("difference", "low", "high"), change, strict=True)) for test, change in changes.items()}
        cells = [f"{100 * d:+.2f} [{100 * low:.2f}, {100 * high:.2f}]" for d, low, high in changes.values()]
        print(f"{name:<18} " + " ".join(f"{cell:>22}" for cell in cells), flush=True)
    save("ablation", {"protocol": protocol, "figure": FIGURE, "weights": scorer.weights.to_dict(), "without": lines})


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
    args = parser.parse_args()
    main(args.quick, args.protocol)
