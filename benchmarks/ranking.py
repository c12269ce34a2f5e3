"""All rankers on all protocols, each in a process of its own: one table with figures, CPU-seconds and peak memory.

Rankers that learn run under three seeds (one with `--quick`, which takes the demo shop alone).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.common import DATA, HERE, save

PROTOCOLS = ("open-ecommerce", "beauty-item-cold", "beauty-user-cold", "beauty-warm", "beauty-warm-no-links", "ml1m-train", "ml1m-valid")
SIMPLE = ("popularity", "item-knn", "text-knn", "attributes")
LEARNT = ("gnn", "clew")
DENSE = ("ease",)  # a dense products × products matrix: deterministic, but it costs
SEEDS = (0, 1, 2)


def main(quick: bool = False) -> None:
    """Run everything, print the table, keep the JSON."""
    documents = []
    for name in PROTOCOLS[:1] if quick else PROTOCOLS:
        path = HERE / "protocols" / f"{name}.toml"
        if not path.exists():
            continue
        for ranker in (*SIMPLE, *DENSE, *LEARNT):
            for seed in SEEDS if ranker in LEARNT and not quick else SEEDS[:1]:
                documents.append(run(str(path), ranker, seed))
                print("\n".join(rows(documents[-1:])), flush=True)
    print()
    print("\n".join([HEADER, *rows(documents)]))
    save("ranking", {"documents": documents})


def run(protocol: str, ranker: str, seed: int) -> dict[str, Any]:
    """One `clew evaluate`, as a person would call it, on one thread."""
    arguments = ["evaluate", protocol, "--ranker", ranker, "--data", str(DATA), "--seed", str(seed), "--json", "-q"]
    code = "import sys; from recommend.cli import main; sys.argv = ['clew', *sys.argv[1:]]; main()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)
    if done.returncode:
        return {"name": protocol, "model": ranker, "seed": seed, "error": done.stderr.strip()[-500:], "tests": {}}
    document: dict[str, Any] = json.loads(done.stdout)
    return document


HEADER = f"{'protocol':<22} {'test':<12} {'ranker':<11} {'seed':>4} {'recall@20':>9} {'ndcg@20':>8}  {'95 %':<14} {'CPU-s':>7} {'MB':>6}"


def rows(documents: list[dict[str, Any]]) -> list[str]:
    """One line a test; figures in %."""
    lines = []
    for document in documents:
        if "error" in document:
            lines.append(f"{document['name']}: {document['model']} failed: {document['error']}")
        for test, figures in document["tests"].items():
            last = max(int(name.split("@")[1]) for name in figures if name.startswith("ndcg@"))
            low, high = (100 * end for end in figures["ci95"][f"ndcg@{last}"])
            head = f"{document['name']:<22} {test:<12} {document['model']:<11} {document['seed']:>4}"
            figure = f"{100 * figures[f'recall@{last}']:>9.2f} {100 * figures[f'ndcg@{last}']:>8.2f}  [{low:.2f}, {high:.2f}]"
            lines.append(f"{head} {figure:<34} {document['cpu_seconds']:>7.0f} {document['peak_mb']:>6.0f}")
    return lines


if __name__ == "__main__":
    main()
