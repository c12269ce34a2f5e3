"""The recommender at size: a generated shop at 0.1×, 1×, 3× and 10× of 100k products, 20k users and 2M events.

For each size: the fit by stages and its peak memory, the bundle, opening it, ten products and the best one with their paths (p50, p95 in
CPU-milliseconds), and a thousand one after the other. Each stage runs in a process of its own, on one thread. CLEW_BENCH_SIZES=0.1,1
chooses other sizes, CLEW_BENCH_WITHOUT=ease,gnn leaves parts of the model out, CLEW_BENCH_EFFORT=0.1 runs the GNN for a tenth of its
steps; figures of other sizes and models stay in the results.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import HERE, environment, save
from benchmarks.graph_shop import make_shop
from kg.config import (
    CatalogueColumns,
    CatalogueSource,
    EventColumns,
    EventsSource,
    FitSettings,
    SourceFile,
    TrainConfig,
    TripleColumns,
    TriplesSource,
)
from kg.ingest import ingest
from kg.seeds import generator
from kg.workspace import Workspace
from recommend.request import Request
from recommend.service import Recommender
from recommend.train import train

QUESTIONS, AT_ONCE = 300, 1000
_WARM_UP = 10
GOAL = (3.0, 10.0)  # ms, p50 and p95 of one recommendation with paths at size 1


class Stages:
    """A listener that keeps the seconds of each stage, and how high memory had risen when it ended (MB)."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.peaks: dict[str, int] = {}
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        started = time.perf_counter()
        yield lambda done: None
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - started, 2)
        self.peaks[name] = peak_mb()


def peak_mb() -> int:
    """The most memory that this process has held so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _fit(folder: Path) -> dict[str, Any]:
    workspace = Workspace(folder / "workspace")
    files = {name: (SourceFile(path=str(folder / "files" / f"{name}.parquet")),) for name in ("products", "facts", "events")}
    columns = CatalogueColumns(item="item", title="title", price="price", currency="currency")
    ingest(
        workspace,
        catalogue=CatalogueSource(files=files["products"], columns=columns),
        events=EventsSource(files=files["events"], columns=EventColumns(user="user", item="item", time="time")),
        triples=[TriplesSource(files=files["facts"], columns=TripleColumns(item="item", relation="relation", entity="entity"))],
    )
    snapshot = workspace.snapshot()
    stages = Stages()
    started, cpu = time.perf_counter(), time.process_time()
    without = tuple(name for name in os.environ.get("CLEW_BENCH_WITHOUT", "").split(",") if name)
    settings: dict[str, Any] = {"gnn_effort": float(effort)} if (effort := os.environ.get("CLEW_BENCH_EFFORT")) else {}
    made = train(workspace, TrainConfig(without=without, settings=FitSettings(**settings)), stages)
    return {
        "products": snapshot.n_items,
        "users": snapshot.n_users,
        "events": len(snapshot.events),
        "without": without,
        "settings": settings,
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "stages": stages.seconds,
        "peaks_mb": stages.peaks,
        "likeness": made.report.get("likeness", {"pairs": "all", "recall": 1.0}),
        "bundle_mb": round(made.bytes / 2**20),
    }


def _ask(folder: Path) -> dict[str, Any]:
    workspace = Workspace(folder / "workspace")
    started = time.perf_counter()
    recommender = Recommender.open(workspace)
    opened = time.perf_counter() - started
    users = list(recommender.snapshot.users)
    chosen = generator(1, "growth questions").choice(len(users), QUESTIONS, replace=len(users) < QUESTIONS)
    scorer, spent = recommender.scorer, dict[str, list[float]]()
    with_paths = 0  # of people: who has few products may be answered by what is popular
    for place, row in enumerate(chosen.tolist()):
        answer, took = _timed(recommender.recommend, user=users[row], k=10, explain=3)
        with_paths += bool(answer.items and answer.items[0].explanation.paths)
        _, best = _timed(recommender.recommend, user=users[row], k=1, explain=3)
        _, scores = _timed(scorer.score, scorer.user_profile(recommender.snapshot.users.row(users[row])))
        if place >= _WARM_UP:
            for name, value in (("with_paths", took), ("best_with_paths", best), ("scores", scores)):
                spent.setdefault(name, []).append(value)
    started, cpu = time.perf_counter(), time.process_time()
    many = sum(1 for _ in recommender.ask_all(Request(user_key="", k=10, explain=0), users[:AT_ONCE]))
    return {
        "open_ms": round(opened * 1000, 1),
        "share_with_paths": round(with_paths / QUESTIONS, 3),
        **{name: [round(float(value), 2) for value in np.percentile(found, [50, 95])] for name, found in spent.items()},
        "at_once": {"people": many, "seconds": round(time.perf_counter() - started, 2), "cpu_seconds": round(time.process_time() - cpu, 2)},
    }


def _timed(call: Callable[..., Any], *args: Any, **settings: Any) -> tuple[Any, float]:
    """What a call gives, and its milliseconds of one thread: what a quiet machine's clock says, whatever else runs on this one."""
    started = time.process_time()
    return call(*args, **settings), (time.process_time() - started) * 1000


def _stage(name: str, folder: Path) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.growth", name, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, env=environment)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def tell(size: float, found: dict[str, Any]) -> None:
    """The table of one size."""
    fit, ask = found["fit"], found["ask"]
    print(f"\nsize {size:g}: {fit['products']:,} products, {fit['users']:,} users, {fit['events']:,} events")
    print(f"  fit     {fit['cpu_seconds']:8.0f} CPU-s  {fit['mb']:6.0f} MB  bundle {fit['bundle_mb']} MB")
    print("  where it goes: " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in fit["stages"].items() if seconds >= 1))
    risen, before = [], 0
    for name, peak in fit["peaks_mb"].items():
        if peak > max(1.1 * before, 300):
            risen.append(f"{name} {peak:,} MB")
        before = max(before, peak)
    print("  peak memory, by the end of: " + ", ".join(risen))
    print(f"  likeness of texts: pairs {fit['likeness']['pairs']}, recall {fit['likeness']['recall']:.3f}")
    print(f"  open    {ask['open_ms']:8.0f} ms     {ask['mb']:6.0f} MB")
    print(f"  one recommendation of ten with paths: p50 {ask['with_paths'][0]:.1f} CPU-ms, p95 {ask['with_paths'][1]:.1f}", end="")
    print(f" (scores alone {ask['scores'][0]:.1f} / {ask['scores'][1]:.1f}; goal at size 1: {GOAL[0]:g} / {GOAL[1]:g}),")
    best = ask["best_with_paths"]
    print(f"  of which {ask['share_with_paths']:.0%} have a path; the best one alone {best[0]:.1f} / {best[1]:.1f}")
    once = ask["at_once"]
    print(f"  {once['people']:,} people at once: {once['cpu_seconds']:.1f} CPU-s")


def slopes(results: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Exponent of growth between the smallest and the largest size; 1 is linear."""
    small, large = (choose(results, key=lambda found: found["size"]) for choose in (min, max))
    figures: dict[str, Callable[[dict[str, Any]], float]] = {
        "fit, CPU-seconds": lambda found: found["fit"]["cpu_seconds"],
        "fit, memory": lambda found: found["fit"]["mb"],
        "one recommendation, p50": lambda found: found["ask"]["with_paths"][0],
        "a thousand": lambda found: found["ask"]["at_once"]["cpu_seconds"],
    }
    ratio = math.log(large["size"] / small["size"])
    return {name: round(math.log(of(large) / of(small)) / ratio, 2) for name, of in figures.items()}


def _model(run: dict[str, Any]) -> str:
    """What was fitted, in words."""
    settings = [f"{name} {value:g}" for name, value in run["fit"]["settings"].items()]
    return ", ".join(["whole", *(f"without {part}" for part in run["fit"]["without"]), *settings])


def keep(size: float, found: dict[str, Any]) -> dict[str, Any]:
    """Add a size to results/growth.json, where those of other sizes and of other models stay; gives the whole."""
    path = HERE / "results" / "growth.json"
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []
    made = {"size": size, **found, "environment": environment()}
    same = [run for run in runs if (run["size"], _model(run)) != (size, _model(made))]
    runs = sorted([*same, made], key=lambda run: (_model(run), run["size"]))
    models = dict[str, list[dict[str, Any]]]()
    for run in runs:
        models.setdefault(_model(run), []).append(run)
    grown = {name: slopes(some) for name, some in models.items() if len(some) > 1}
    save("growth", {"runs": runs, "slopes": grown})
    return grown


def main(quick: bool = False) -> None:
    """Print the tables, keep the figures."""
    chosen = os.environ.get("CLEW_BENCH_SIZES")
    sizes = [float(size) for size in chosen.split(",")] if chosen else [0.1] if quick else [0.1, 1.0, 3.0, 10.0]
    grown: dict[str, Any] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="clew-growth-") as name:
            folder = Path(name)
            make_shop(folder / "files", size, tastes=True)
            found = {stage: _stage(stage, folder) for stage in ("fit", "ask")}
        tell(size, found)
        grown = keep(size, found)
    for model, exponents in grown.items():
        print(f"\ngrowth of {model} (exponent; 1 is linear):")
        print("\n".join(f"  {name:32} {slope:5.2f}" for name, slope in exponents.items()))


if __name__ == "__main__":
    result = {"fit": _fit, "ask": _ask}[sys.argv[1]](Path(sys.argv[2]))
    result["mb"] = peak_mb()
    print(json.dumps(result))
