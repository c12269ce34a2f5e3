"""All rankers on all protocols, each in a process of its own: one table with figures, CPU-seconds and peak memory.

What runs is a list in order of what matters: ours under one seed everywhere, the rankers that only count, ours under more seeds, rankers
that learn. Every run is kept in results/ranking.json with the commit it was made at as soon as it ends; a run that is kept from this very
commit is not made again, so that what was stopped goes on, and two processes may share the work (`--part 1/2`, `--part 2/2`). A part by
itself: `python -m benchmarks.ranking --protocols beauty-warm --rankers ease,clew,clew:fast --seeds 1`. A preset stands behind a colon.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.common import DATA, HERE, environment, locked, save

A, B, C, C_LESS, E = "beauty-item-cold", "beauty-user-cold", "beauty-warm", "beauty-warm-no-links", "amazon-book"
D = ("ml1m-train", "ml1m-valid")
J = ("open-ecommerce", "open-ecommerce-2022-04-30", "open-ecommerce-2021-12-31")
PROTOCOLS = (A, *J, C, C_LESS, B, *D, E)
SIMPLE = ("popularity", "item-knn", "text-knn", "attributes")
DENSE = ("ease",)  # a dense products × products matrix: deterministic, but it costs
LEARNT = ("lightgcn", "two-tower", "hybrid", "gnn")
OURS = ("clew", "clew:fast", "clew:best")
SEEDED = (*LEARNT, *OURS)
SEEDS = 3
_SLOW = "hours of one core at 70,591 people and 24,915 products"
# What is left out, and why.
SKIPPED: dict[tuple[str, str], str] = {
    **{(E, name): "its products have neither title nor facts" for name in ("text-knn", "attributes")},
    **{(E, name): _SLOW for name in ("lightgcn", "two-tower", "hybrid", "gnn", "clew", "clew:best")},
    **{(name, "text-knn"): "its films' texts are their titles alone" for name in D},
}
_GUESS = 150.0  # CPU-seconds of a run that nobody has made yet


@dataclass(frozen=True, slots=True)
class Job:
    """One run: a ranker (and ours with a preset) under a seed on a protocol."""

    protocol: str
    ranker: str
    seed: int

    @property
    def label(self) -> str:
        """As the table names it."""
        return self.ranker.replace(":", " ")


def jobs(quick: bool = False) -> list[Job]:
    """Everything, what matters most first."""
    if quick:
        return [Job(J[0], name, 0) for name in (*SIMPLE, *DENSE, *LEARNT, "clew", "clew:fast")]
    found = [Job(name, "clew:fast" if name == E else "clew", 0) for name in PROTOCOLS]
    found += [Job(name, ranker, 0) for name in PROTOCOLS for ranker in SIMPLE]
    found += [Job(A, "clew:fast", 0), Job(C, "clew:fast", 0), Job(A, "clew:best", 0)]
    found += [Job(name, "clew", seed) for seed in range(1, SEEDS) for name in (A, *J, B, C)]
    found += [Job(name, ranker, 0) for ranker in (*DENSE, *LEARNT) for name in (A, C)]
    found += [Job(name, ranker, seed) for seed in range(1, SEEDS) for ranker in LEARNT for name in (A, C)]
    found += [Job(name, ranker, 0) for name in PROTOCOLS for ranker in (*DENSE, *LEARNT)]
    found += [Job(name, "clew", seed) for seed in range(1, SEEDS) for name in (C_LESS, *D)]
    return list(dict.fromkeys(found))


def main(quick: bool = False) -> None:
    """Run everything, print the table, keep the JSON."""
    measure(jobs(quick))


def measure(wanted: Sequence[Job], without: str = "", minutes: float | None = None) -> None:
    """Run some jobs, keep each as it ends, and print the table of all that are kept.

    Args:
        wanted: in order.
        without: parts of clew to leave out.
        minutes: CPU-minutes after which no further job begins; None: no limit.
    """
    spent = 0.0
    for job in _open_jobs(wanted, without):
        if minutes is not None and spent > 60 * minutes:
            print(f"not begun: {job.protocol} {job.label}, seed {job.seed} (time is up)")
            continue
        document = {**run(job, without), "protocol": job.protocol, "environment": environment()}
        spent += document.get("cpu_seconds", _GUESS)
        _keep(document)
        print("\n".join(rows([document])), flush=True)
    print("\n".join(["", HEADER, *rows(list(kept().values()))]))


def _open_jobs(wanted: Sequence[Job], without: str) -> Iterator[Job]:
    """Those that can be made and are not kept from this commit."""
    commit = environment()["commit"]
    for job in wanted:
        reason = SKIPPED.get((job.protocol, job.ranker))
        if reason is not None:
            print(f"left out: {job.protocol} {job.label}: {reason}")
            continue
        made = kept().get((job.protocol, " −".join([job.label, *filter(None, without.split(","))]), job.seed))
        if made is None or made["environment"]["commit"] != commit or "error" in made:
            yield job


def estimate(wanted: Sequence[Job]) -> float:
    """CPU-seconds of some jobs, from runs that are kept (of any seed) or a guess."""
    known: dict[tuple[str, str], float] = {key[:2]: found["cpu_seconds"] for key, found in kept().items() if "cpu_seconds" in found}
    return sum(known.get((job.protocol, job.label), 3.0 if job.ranker in SIMPLE else _GUESS) for job in _open_jobs(wanted, ""))


def kept() -> dict[tuple[str, str, int], dict[str, Any]]:
    """Runs by protocol, label and seed."""
    path = HERE / "results" / "ranking.json"
    found = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []
    return {_key(document): document for document in found}


def _keep(document: dict[str, Any]) -> None:
    with locked(HERE / "results" / ".ranking.lock"):  # another process may keep one too
        found = {**kept(), _key(document): document}
        save("ranking", {"runs": [found[key] for key in sorted(found)]})


def _key(document: dict[str, Any]) -> tuple[str, str, int]:
    return document["protocol"], _label(document), document["seed"]


def _label(document: dict[str, Any]) -> str:
    preset, without = document.get("preset", "default"), document.get("without", [])
    if preset == "default":
        return " −".join([document["model"], *without])
    return " −".join([f"{document['model']} {preset}", *(part for part in without if preset != "fast" or part != "gnn")])


def run(job: Job, without: str = "") -> dict[str, Any]:
    """One `clew evaluate`, as a person would call it, on one thread."""
    path = str(HERE / "protocols" / f"{job.protocol}.toml")
    ranker, _, preset = job.ranker.partition(":")
    arguments = ["evaluate", path, "--ranker", ranker, "--data", str(DATA), "--seed", str(job.seed), "--without", without, "--json", "-q"]
    arguments += ["--preset", preset] if preset else []
    code = "import sys; from recommend.cli import main; sys.argv = ['clew', *sys.argv[1:]]; main()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)
    if done.returncode:
        failed = {"model": ranker, "preset": preset or "default", "seed": job.seed, "error": done.stderr.strip()[-500:]}
        return {"name": job.protocol, **failed, "tests": {}}
    document: dict[str, Any] = json.loads(done.stdout)
    return document


_FIGURES = f"{'people':>6} {'recall':>7} {'ndcg':>6}  {'95 %':<15} {'sd':>5} {'seeds':>5} {'fit':>6} {'all':>6} {'MB':>6}"
HEADER = f"{'protocol':<26} {'test':<11} {'ranker':<16} {_FIGURES}"


def rows(documents: Sequence[dict[str, Any]]) -> list[str]:
    """One line a test: figures in % at the deepest k, over seeds their mean and the NDCG's standard deviation; CPU-seconds."""
    lines, groups = [], dict[tuple[str, str], list[dict[str, Any]]]()
    for document in documents:
        if "error" in document:
            lines.append(f"{document['protocol']}: {document['model']}, seed {document['seed']}, failed: {document['error']}")
            continue
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
            tail = f"{f'[{low:.2f}, {high:.2f}]':<15} {spread:>5} {len(ndcg):>5} {fit:>6.0f} {whole:>6.0f} {memory:>6.0f}"
            lines.append(f"{head}  {tail}")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking", description=__doc__)
    parser.add_argument("--protocols", help="names, joined by commas; all by default")
    parser.add_argument("--rankers", help="names, joined by commas; ours with a preset: clew:fast")
    parser.add_argument("--seeds", type=int, help="0 to this; of rankers that have any")
    parser.add_argument("--without", default="", help="parts of clew to leave out")
    parser.add_argument("--part", default="1/1", help="which of how many processes that share the work: 1/2")
    parser.add_argument("--minutes", type=float, help="CPU-minutes after which no further run begins")
    parser.add_argument("--estimate", action="store_true", help="say what it would cost, and stop")
    args = parser.parse_args()
    chosen = jobs()
    if args.protocols or args.rankers or args.seeds:
        protocols = args.protocols.split(",") if args.protocols else PROTOCOLS
        rankers = args.rankers.split(",") if args.rankers else (*SIMPLE, *DENSE, *LEARNT, "clew")
        seeds = args.seeds or SEEDS
        chosen = [Job(name, one, s) for name in protocols for one in rankers for s in range(seeds if one in SEEDED else 1)]
    part, parts = map(int, args.part.split("/"))
    chosen = chosen[part - 1 :: parts]
    if args.estimate:
        print(f"about {estimate(chosen) / 60:.0f} CPU-minutes")
    else:
        measure(chosen, args.without, args.minutes)
