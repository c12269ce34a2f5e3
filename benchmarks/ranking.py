"""All rankers on all protocols, each in a process of its own: one table with figures, CPU-seconds and peak memory.

Rankers that learn run under three seeds (one with `--quick`, which takes the demo shop alone). Every run is kept in
results/ranking.json with the commit it was made at, so that a part can be measured again by itself:
`python -m benchmarks.ranking --protocols beauty-warm --rankers ease,clew --seeds 1`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.common import DATA, HERE, environment, save

PROTOCOLS = (
    "open-ecommerce",
    "open-ecommerce-2022-04-30",
    "open-ecommerce-2021-12-31",
    "beauty-item-cold",
    "beauty-user-cold",
    "beauty-warm",
    "beauty-warm-no-links",
    "ml1m-train",
    "ml1m-valid",
    "amazon-book",
)
SIMPLE = ("popularity", "item-knn", "text-knn", "attributes")
DENSE = ("ease",)  # a dense products × products matrix: deterministic, but it costs
LEARNT = ("lightgcn", "two-tower", "hybrid", "gnn", "clew")
WITHOUT_TEXT = {"amazon-book": {"text-knn", "attributes", "two-tower", "hybrid", "gnn", "lightgcn"}}  # nothing to read, or hours to fit


def main(quick: bool = False) -> None:
    """Run everything, print the table, keep the JSON."""
    measure(PROTOCOLS[:1] if quick else PROTOCOLS, (*SIMPLE, *DENSE, *LEARNT), 1 if quick else 3)


def measure(protocols: Sequence[str], rankers: Sequence[str], seeds: int, without: str = "") -> None:
    """Run some rankers on some protocols, keep each run as it ends, and print the table of all that are kept."""
    kept = _kept()
    for protocol in protocols:
        for ranker in rankers:
            if ranker in WITHOUT_TEXT.get(protocol, ()):
                continue
            for seed in range(seeds if ranker in LEARNT else 1):
                document = {**run(protocol, ranker, seed, without), "protocol": protocol, "environment": environment()}
                kept[_key(document)] = document
                print("\n".join(rows([document])), flush=True)
                save("ranking", {"runs": [kept[key] for key in sorted(kept)]})
    print()
    print("\n".join([HEADER, *rows(list(kept.values()))]))


def _kept() -> dict[tuple[str, str, int], dict[str, Any]]:
    path = HERE / "results" / "ranking.json"
    found = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []
    return {_key(document): document for document in found}


def _key(document: dict[str, Any]) -> tuple[str, str, int]:
    return document["protocol"], _label(document), document["seed"]


def _label(document: dict[str, Any]) -> str:
    return " −".join([document["model"], *document.get("without", [])])


def run(protocol: str, ranker: str, seed: int, without: str = "") -> dict[str, Any]:
    """One `clew evaluate`, as a person would call it, on one thread."""
    path = str(HERE / "protocols" / f"{protocol}.toml")
    arguments = ["evaluate", path, "--ranker", ranker, "--data", str(DATA), "--seed", str(seed), "--without", without, "--json", "-q"]
    code = "import sys; from recommend.cli import main; sys.argv = ['clew', *sys.argv[1:]]; main()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)
    if done.returncode:
        return {"name": protocol, "model": ranker, "seed": seed, "error": done.stderr.strip()[-500:], "tests": {}}
    document: dict[str, Any] = json.loads(done.stdout)
    return document


_FIGURES = f"{'people':>6} {'recall':>7} {'ndcg':>6}  {'95 %':<15} {'sd':>5} {'fit':>6} {'all':>6} {'MB':>6}"
HEADER = f"{'protocol':<26} {'test':<11} {'ranker':<16} {_FIGURES}"


def rows(documents: Sequence[dict[str, Any]]) -> list[str]:
    """One line a test: figures in % at the deepest k, over seeds their mean and the NDCG's standard deviation; CPU-seconds."""
    lines, groups = [], dict[tuple[str, str], list[dict[str, Any]]]()
    for document in documents:
        if "error" in document:
            lines.append(f"{document['protocol']}: {document['model']} failed: {document['error']}")
        groups.setdefault((document["protocol"], _label(document)), []).append(document)
    for (protocol, model), found in groups.items():
        for test, first in found[0]["tests"].items():
            last = max(int(name.split("@")[1]) for name in first if name.startswith("ndcg@"))
            ndcg = [100 * one["tests"][test][f"ndcg@{last}"] for one in found]
            recall = statistics.fmean(100 * one["tests"][test][f"recall@{last}"] for one in found)
            low, high = (100 * end for end in first["ci95"][f"ndcg@{last}"])
            spread = f"{statistics.stdev(ndcg):.2f}" if len(ndcg) > 1 else ""
            fit, whole, memory = (statistics.fmean(one[name] for one in found) for name in ("fit_cpu_seconds", "cpu_seconds", "peak_mb"))
            head = f"{protocol:<26} {test:<11} {model:<16} {first['users']:>6} {recall:>7.2f} {statistics.fmean(ndcg):>6.2f}"
            lines.append(f"{head}  {f'[{low:.2f}, {high:.2f}]':<15} {spread:>5} {fit:>6.0f} {whole:>6.0f} {memory:>6.0f}")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking", description=__doc__)
    parser.add_argument("--protocols", default=",".join(PROTOCOLS))
    parser.add_argument("--rankers", default=",".join((*SIMPLE, *DENSE, *LEARNT)))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--without", default="", help="parts of clew to leave out: gnn is `fast`, ease,gnn is `fastest`")
    args = parser.parse_args()
    measure(args.protocols.split(","), args.rankers.split(","), args.seeds, args.without)
