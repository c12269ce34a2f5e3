"""The defaults against settings that `clew train --tune` finds: a search on a protocol's validation, then both on its tests, once.

`python -m benchmarks.tuned --protocol open-ecommerce --trials 10 --minutes 20`; a search that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from typing import Any

from benchmarks.common import DATA, HERE, environment, save
from kg.config import PRESETS, FitSettings, TrainConfig
from recommend.evaluate import evaluate
from recommend.fit import read_texts, settled
from recommend.protocol import Protocol
from recommend.tasks import load_benchmark
from recommend.train import rehearsal
from recommend.training import Training
from recommend.tuning import search

JOURNALS = HERE.parent / "build" / "tuned"


def main(protocol: str, trials: int, minutes: float | None, preset: str = "default") -> None:
    """Search, fit both, print and keep."""
    found = Protocol.load(HERE / "protocols" / f"{protocol}.toml", DATA)
    benchmark = load_benchmark(found)
    config = TrainConfig(**{**found.train.model_dump(exclude_unset=True), "preset": preset}).spelled_out()
    training = Training(benchmark.snapshot, benchmark.texts, benchmark.valid, config)
    texts = read_texts(training, "gnn" not in config.without)

    measure = rehearsal(training, texts)

    def told(settings: FitSettings) -> float:
        figure = measure(settings)
        print(f"  {100 * figure:.2f}  {settings.model_dump(exclude_defaults=True)}", flush=True)
        return figure

    start = settled(training).config.settings
    tuned = search(told, config, JOURNALS, benchmark.snapshot.digest, trials, minutes, start=start)
    settings = config.settings.model_copy(update=dict(tuned.settings))
    both = {"default": training, "tuned": replace(training, config=config.model_copy(update={"settings": settings}))}
    documents = {name: evaluate(benchmark, "clew", one) for name, one in both.items()}
    for name, document in documents.items():
        print(f"{name:<8} " + ", ".join(f"{test} {100 * one[_deepest(one)]:.2f}" for test, one in document["tests"].items()))
    name = protocol if preset == "default" else f"{protocol} {preset}"
    _keep(name, {"search": tuned.to_dict(), **documents, "environment": environment()})


def _deepest(figures: dict[str, Any]) -> str:
    return max((name for name in figures if name.startswith("ndcg@")), key=lambda name: int(name.split("@")[1]))


def _keep(protocol: str, result: dict[str, Any]) -> None:
    path = HERE / "results" / "tuned.json"
    kept = json.loads(path.read_text(encoding="utf-8"))["protocols"] if path.exists() else {}
    save("tuned", {"protocols": {**kept, protocol: result}})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tuned", description=__doc__)
    parser.add_argument("--protocol", default="open-ecommerce")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--preset", default="default", choices=list(PRESETS))
    args = parser.parse_args()
    main(args.protocol, args.trials, args.minutes, args.preset)
