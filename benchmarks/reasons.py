"""Reasons put to the test on protocols A, C and J, and what an explanation costs beside its recommendation."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import DATA, HERE, save

PROTOCOLS = ("open-ecommerce", "beauty-item-cold", "beauty-warm")
FIGURES = ("true", "leak", "coverage", "share_of_three", "share_latent", "stable")


def main(quick: bool = False, workspace: str = "clew-demo") -> None:
    """Print and save the tables; `--quick` takes the demo shop alone, few people and no second fit."""
    documents = [put_to_test(name, 50 if quick else 300, None if quick else 1) for name in (PROTOCOLS[:1] if quick else PROTOCOLS)]
    result: dict[str, Any] = {"documents": documents}
    if Path(workspace).is_dir():
        result["milliseconds"] = cost(workspace, 30 if quick else 150)
        print("milliseconds of an explanation on top of its recommendation: ", result["milliseconds"])
    else:
        print(f"no workspace {workspace}: run `make demo` to time explanations")
    save("reasons", result)


def put_to_test(protocol: str, people: int, refit_seed: int | None) -> dict[str, Any]:
    """One `clew evaluate --explanations`, as a person would call it, on one thread."""
    arguments = [
        "evaluate",
        str(HERE / "protocols" / f"{protocol}.toml"),
        "--data",
        str(DATA),
        "--explanations",
        str(people),
        "--json",
        "-q",
    ]
    arguments += [] if refit_seed is None else ["--refit-seed", str(refit_seed)]
    code = "import sys; from recommend.cli import main; sys.argv = ['clew', *sys.argv[1:]]; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    if done.returncode:
        raise SystemExit(f"{protocol}: {done.stderr}")
    document: dict[str, Any] = json.loads(done.stdout)
    for test, found in document["explanations"].items():
        told = [f"{name} {found[name].get('median', found[name].get('mean')):.2f}" for name in FIGURES if name in found]
        told += [f"without {what} {trial['strongest_of_all']['dropped']:.2f}" for what, trial in found["deletion"].items()]
        print(f"{document['name']:<20} {test:<6} " + " · ".join(told), flush=True)
    return document


def cost(workspace: str, people: int, times: int = 3) -> dict[str, float]:
    """CPU-milliseconds of one explanation in a list of ten: the list with reasons less the same list without, a person at a time."""
    from recommend.coldstart import question
    from recommend.request import Request
    from recommend.service import Recommender

    shop = Recommender.open(workspace)
    keys = np.random.default_rng(0).choice(list(shop.snapshot.users), people, replace=False).tolist()
    limits, _ = shop.allowed(Request(user_key=keys[0]))
    each = []
    for key in keys:
        request = Request(user_key=key, k=10)
        whole, ranked = [], []
        for _ in range(times):
            started = time.process_time()
            shop.recommend(user=key, k=10)
            whole.append(time.process_time() - started)
            started = time.process_time()
            asked = question(request, shop.scorer)
            shop.best(asked.scored, limits, asked.owned, request, history=asked.history)
            ranked.append(time.process_time() - started)
        each.append((min(whole) - min(ranked)) * 1000 / request.k)
    return {"median": round(statistics.median(each), 3), "p95": round(float(np.quantile(each, 0.95)), 3), "people": len(each)}


if __name__ == "__main__":
    main()
