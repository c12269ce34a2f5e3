"""The graph at size: load, load again, a delta of 1 %, memory, disk and path questions, per engine, at 0.1×, 1× and 3× (`--scale`).

At size 1: 100k products, 20k users, 2M events, 300k facts. Every stage runs in a process of its own; what loading the libraries takes
is a figure of its own. With `--neo4j` a Neo4j that the benchmark starts takes part up to size 1, and so does NetworkX (beyond that it
wants more memory than a laptop has). A delta is a file of the 1 % of products that changed with their facts, and 1 % more events; it is
the median of three, each on a copy. The engines' files are not part of it: arrays and embedded engine are made again when they are next
asked for (their lines say how long that takes). `--only` runs some stages and keeps the figures of the others, `--folder` keeps the shop
for that.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from benchmarks import graph_queries
from benchmarks.common import HERE, save
from benchmarks.graph_shop import make_shop

_NETWORKX_UP_TO = _NEO4J_UP_TO = 1.0
_ENGINES = ("arrays", "embedded", "neo4j", "networkx")
_STAGES = ("first", "second", *_ENGINES, "neo4j_questions", "import_tool", "delta")
_DELTAS = 3


def _stage(name: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.graph_stages", name, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def measure(size: float, folder: Path, stages: Collection[str], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Some stages at one size.

    Args:
        folder: the shop's; what lies there already is used.
        earlier: figures of the other stages.
    """
    workspace = folder / "workspace"
    if not (folder / "files").exists():
        make_shop(folder / "files", size)
    found: dict[str, Any] = {**earlier, "engines": dict(earlier.get("engines", {}))}
    if "first" in stages:
        shutil.rmtree(workspace, ignore_errors=True)
    for name in _STAGES:
        if name not in stages:
            continue
        print(f"size {size:g}: {name}", file=sys.stderr)
        if name in _ENGINES:
            if name == "neo4j":
                shutil.rmtree(folder / "neo4j", ignore_errors=True)
            found["engines"][name] = _stage(name, folder)
        elif name == "neo4j_questions":
            found["engines"]["neo4j"] |= _stage(name, folder)
        elif name == "delta":
            found["delta"] = _delta(folder)
        else:
            found[name] = _stage("ingest" if name in ("first", "second") else name, folder)
    found["disk_mb"] = {
        "files": _mb(folder / "files"),
        "truth": _mb(workspace / "graph"),
        "arrays": _mb(workspace / "cache" / "snapshot"),
        "embedded": sum(path.stat().st_size for path in (workspace / "cache").glob("*.kgl")) / 2**20,
    }
    return found


def _delta(folder: Path) -> dict[str, Any]:
    """The middle one of several, each on a copy of the graph."""
    found = []
    for turn in range(_DELTAS):
        copy = folder / f"delta-{turn}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder / "workspace", copy / "workspace", ignore=shutil.ignore_patterns("cache"))
        (copy / "files").symlink_to(folder.absolute() / "files")
        found.append(_stage("delta", copy))
        shutil.rmtree(copy)
    middle = sorted(found, key=lambda one: one["cpu_seconds"])[_DELTAS // 2]
    return {**middle, "seconds": sorted(one["seconds"] for one in found)[_DELTAS // 2]}


def _takes_part(stage: str, size: float, neo4j: bool) -> bool:
    small = size <= _NEO4J_UP_TO
    return {"neo4j": neo4j and small, "neo4j_questions": neo4j and small, "import_tool": neo4j, "networkx": size <= _NETWORKX_UP_TO}.get(
        stage, True
    )


def tell(size: float, found: dict[str, Any]) -> None:
    """The table of one size."""
    first, second, delta = found["first"], found["second"], found["delta"]
    print(f"\nsize {size:g}: {first['edges']:,} edges")
    cpu = {name: found[name]["cpu_seconds"] for name in ("first", "second", "delta")}
    told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in cpu.items())
    print(f"  CPU-seconds: {told} ({cpu['delta'] / cpu['first']:.1%} of the first); start-up {delta['start_up_cpu_seconds']:.2f}")
    print(f"  first load   {first['seconds']:8.1f} s  {first['mb']:7.0f} MB")
    print(f"  second load  {second['seconds']:8.1f} s  {second['mb']:7.0f} MB  {second['parts']} parts written")
    print(f"  1 % delta    {delta['seconds']:8.1f} s  {delta['seconds'] / first['seconds']:7.1%} of the first load, {delta['changes']}")
    print("  where a delta's time goes: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in delta["stages"].items()))
    print("  on disk      " + ", ".join(f"{name} {mb:.0f} MB" for name, mb in found["disk_mb"].items()))
    print(f"  {'':10} {'load s':>8} {'MB':>7}  {'attribute p50 / p95 ms':>24} {'ratio':>7}  {'collaborative p50 / p95':>24} {'ratio':>7}")
    base = found["engines"]["arrays"]
    asked = {name: one for name, one in found["engines"].items() if "attribute" in one}
    for name, one in asked.items():
        cells = "".join(
            f"  {one[kind]['p50']:>13.3f} / {one[kind]['p95']:>8.3f} {one[kind]['p50'] / base[kind]['p50']:>7.1f}"
            for kind in ("attribute", "collaborative")
        )
        print(f"  {name:10} {one['seconds']:8.1f} {max(one['mb'], one.get('engine_mb', 0)):7.0f}{cells}")
    for name in ("embedded", "neo4j"):
        if name in asked:
            every = found["engines"][name]["every_path"]
            print(f"  {name}: every explanation path of a pair in one query {every['p50']:.2f} / {every['p95']:.2f} ms")
    if "neo4j" in found["engines"]:
        one = found["engines"]["neo4j"]
        print(f"  neo4j: Bolt {one['edges_per_second']:,} edges/s with nodes and indexes; again {one['second_seconds']:.1f} s")
        print("  neo4j, in turn on one warm server (edges a second, edges a CPU-second of both sides):")
        for name, way in one["ways"].items():
            print(f"    {name:18} {way['edges_per_second']:>8,} {way['edges_per_cpu_second']:>8,}")
    if "import_tool" in found:
        tool = found["import_tool"]
        imported = f"import {tool['seconds']:.1f} s ({tool['edges_per_second']:,} edges/s)"
        print(f"  neo4j offline: export {tool['export_seconds']:.1f} s, {imported}" + "".join(f"; {fault}" for fault in tool["faults"]))
    graph_queries.tell({name: one["queries"] for name, one in found["engines"].items() if "queries" in one})


def slopes(results: Mapping[float, dict[str, Any]]) -> dict[str, float]:
    """Exponent of growth between the smallest and the largest size that have a figure; 1 is linear, 0 does not grow."""
    figures: dict[str, Callable[[dict[str, Any]], float]] = {
        "first load, CPU": lambda r: r["first"]["cpu_seconds"],
        "second load": lambda r: r["second"]["seconds"],
        "delta, CPU": lambda r: r["delta"]["cpu_seconds"],
        "memory of the first load": lambda r: r["first"]["mb"],
        "embedded load, CPU": lambda r: r["engines"]["embedded"]["cpu_seconds"],
        "embedded memory": lambda r: r["engines"]["embedded"]["engine_mb"],
        "arrays": lambda r: r["engines"]["arrays"]["seconds"],
        "attribute paths, arrays": lambda r: r["engines"]["arrays"]["attribute"]["p50"],
        "collaborative paths, arrays": lambda r: r["engines"]["arrays"]["collaborative"]["p50"],
        "attribute paths, embedded": lambda r: r["engines"]["embedded"]["attribute"]["p50"],
        "collaborative paths, embedded": lambda r: r["engines"]["embedded"]["collaborative"]["p50"],
    }
    found = {}
    for name, of in figures.items():
        measured = {}
        for size, result in results.items():
            with contextlib.suppress(KeyError):  # a stage that was not run there
                measured[size] = of(result)
        if len(measured) > 1:
            small, large = min(measured), max(measured)
            found[name] = round(math.log(measured[large] / measured[small]) / math.log(large / small), 2)
    return found


def main(quick: bool = False, neo4j: bool = False, scale: str = "", only: str = "", folder: str = "") -> None:
    """Print the tables, save the figures.

    Args:
        neo4j: whether Neo4j takes part.
        scale: sizes, with commas between them.
        only: stages, with commas between them (first, second, arrays, embedded, neo4j, networkx, neo4j_questions,
            import_tool, delta); all when empty.
        folder: where the shops are kept; nowhere when empty.
    """
    sizes = [float(size) for size in scale.split(",")] if scale else [0.1, 1.0] if quick else [0.1, 1.0, 3.0]
    results: dict[float, dict[str, Any]] = {}
    for size in sizes:
        stages = only.split(",") if only else [name for name in _STAGES if _takes_part(name, size, neo4j)]
        with tempfile.TemporaryDirectory(prefix="clew-graph-") as temporary:
            place = Path(folder or temporary) / f"size-{size:g}"
            results[size] = measure(size, place, stages, _kept({}).get(size, {}) if only else {})
        save("graph", _document(_kept(results)))  # a long run that is cut off has measured something
        tell(size, results[size])
    results = _kept(results)
    grown = slopes(results) if len(results) > 1 else {}
    if grown:
        print(f"\ngrowth from size {min(results):g} to {max(results):g} (exponent; 1 is linear):")
        print("\n".join(f"  {name:32} {slope:5.2f}" for name, slope in grown.items()))


def _document(results: Mapping[float, dict[str, Any]]) -> dict[str, Any]:
    return {"sizes": {str(size): results[size] for size in sorted(results)}, "slopes": slopes(results) if len(results) > 1 else {}}


def _kept(results: Mapping[float, dict[str, Any]]) -> dict[float, dict[str, Any]]:
    """These figures, and those of other sizes from earlier runs; each size says from where and when it is."""
    path = HERE / "results" / "graph.json"
    earlier = json.loads(path.read_text(encoding="utf-8"))["sizes"] if path.exists() else {}
    return {float(size): found for size, found in earlier.items()} | dict(results)
