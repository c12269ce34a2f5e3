"""One stage of the graph benchmark in a process of its own, so that its memory is its own: `python -m benchmarks.graph_stages`.

Prints one JSON object. Stages: ingest, delta, arrays, embedded, networkx, neo4j, neo4j_questions, import_tool.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.common import environment
from benchmarks.graph_queries import costs
from benchmarks.graph_shop import PRODUCTS, Shop
from kg.config import CatalogueColumns, CatalogueSource, EventColumns, EventsSource, SourceFile, TripleColumns, TriplesSource
from kg.engine import open_embedded
from kg.explore import run_named
from kg.ingest import ingest
from kg.ontology import Label, Rel
from kg.paths import PathIndex
from kg.seeds import generator
from kg.snapshot import GraphSnapshot
from kg.store import GraphStore
from kg.workspace import Workspace

QUESTIONS = 300
_BUDGET = 10.0  # seconds of one kind of question to one engine; a slow one is asked fewer
_ATTRIBUTE, _ALL, _BUYERS = "paths_by_brand", "paths", "paths_by_buyers"


def _start_up() -> float:
    """CPU-seconds of this process until everything that an ingest uses is loaded: the same whatever it brings, and counted apart."""
    for name in ("kg.catalogue", "kg.triples", "kg.event_files", "kg.readers"):
        importlib.import_module(name)
    pa.array([0])  # loads pandas where it is installed
    return time.process_time()


def _ingest(workspace: Workspace, products: Path, facts: Path, events: Path) -> dict[str, Any]:
    start_up = _start_up()
    done = ingest(
        workspace,
        catalogue=CatalogueSource(
            files=(SourceFile(path=str(products)),),
            columns=CatalogueColumns(item="item", title="title", price="price", currency="currency"),
        ),
        events=EventsSource(files=(SourceFile(path=str(events)),), columns=EventColumns(user="user", item="item", time="time")),
        triples=[
            TriplesSource(files=(SourceFile(path=str(facts)),), columns=TripleColumns(item="item", relation="relation", entity="entity"))
        ],
    )
    return {
        "seconds": done.seconds,
        "cpu_seconds": time.process_time() - start_up,
        "start_up_cpu_seconds": start_up,
        "changes": done.changes.to_dict(),
        "stages": dict(done.stages),
        "parts": done.parts_written,
        "edges": sum(done.edges.values()),
    }


def _questions(snapshot: GraphSnapshot) -> Iterator[tuple[int, int]]:
    """(user row, item row): a person and a product that somebody else bought, popular ones more often."""
    rng = generator(1, "graph benchmark questions")
    log = snapshot.events
    users = rng.choice(log.user_rows, QUESTIONS)
    return zip(users.tolist(), rng.choice(log.item_rows, QUESTIONS).tolist(), strict=True)


def _timed(ask: Callable[[int, int], int], snapshot: GraphSnapshot) -> dict[str, float]:
    """Milliseconds a question, how many were asked, how many paths one finds on average. The first ten warm up and do not count."""
    pairs = list(_questions(snapshot))
    for user_row, item_row in pairs[:10]:
        ask(user_row, item_row)
    spent: list[float] = []
    found, began = 0, time.perf_counter()
    for user_row, item_row in pairs:
        started = time.perf_counter()
        found += ask(user_row, item_row)
        spent.append((time.perf_counter() - started) * 1000)
        if time.perf_counter() - began > _BUDGET:
            break
    p50, p95 = np.percentile(spent, [50, 95])
    return {"p50": round(float(p50), 4), "p95": round(float(p95), 4), "asked": len(spent), "paths": round(found / len(spent), 2)}


def _arrays(workspace: Workspace) -> dict[str, Any]:
    started = time.perf_counter()
    workspace.snapshot()
    built = time.perf_counter() - started
    started = time.perf_counter()
    snapshot = workspace.snapshot()
    opened = time.perf_counter() - started
    started = time.perf_counter()
    index = PathIndex(snapshot)
    index.attribute_paths(index.history(0), 0)
    index.shared_buyers(index.history(0), 0)
    indexed = time.perf_counter() - started
    return {
        "seconds": built,
        "open_ms": opened * 1000,
        "index_seconds": indexed,
        "attribute": _timed(lambda user, item: len(index.attribute_paths(index.history(user), item)), snapshot),
        "collaborative": _timed(lambda user, item: len(index.shared_buyers(index.history(user), item, user)), snapshot),
    }


def _asked(store: GraphStore, snapshot: GraphSnapshot) -> dict[str, Any]:
    def ask(name: str) -> Callable[[int, int], int]:
        return lambda user, item: len(run_named(store, name, {"user": snapshot.users.key(user), "item": snapshot.items.key(item)}).rows)

    found: dict[str, Any] = {
        "attribute": _timed(ask(_ATTRIBUTE), snapshot),
        "collaborative": _timed(ask(_BUYERS), snapshot),
        "every_path": _timed(ask(_ALL), snapshot),
    }
    # Of larger graphs the paths alone: many of the library's queries walk the whole graph, which is the same line at every size.
    return found | ({"queries": costs(store, snapshot)} if snapshot.n_items <= PRODUCTS else {})


def _embedded(workspace: Workspace) -> dict[str, Any]:
    snapshot = workspace.snapshot()
    started = time.perf_counter()
    open_embedded(workspace).close()
    built = time.perf_counter() - started
    load_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    started = time.perf_counter()
    with open_embedded(workspace) as store:
        opened = time.perf_counter() - started
        return {"seconds": built, "open_ms": opened * 1000, "engine_mb": load_mb, **_asked(store, snapshot)}


def _neo4j(workspace: Workspace, folder: Path) -> dict[str, Any]:
    from benchmarks.graph_neo4j import measure

    return measure(workspace, folder / "neo4j" / "bolt")


def _neo4j_questions(workspace: Workspace, folder: Path) -> dict[str, Any]:
    from benchmarks.graph_neo4j import questions

    snapshot = workspace.snapshot()
    return questions(workspace, folder / "neo4j" / "bolt", lambda store: _asked(store, snapshot))


def _import_tool(workspace: Workspace, folder: Path) -> dict[str, Any]:
    from benchmarks.graph_neo4j import import_tool

    return import_tool(workspace, folder / "offline")


def _networkx(workspace: Workspace) -> dict[str, Any]:
    from kg.interop import to_networkx

    snapshot = workspace.snapshot()
    started = time.perf_counter()
    graph = to_networkx(snapshot)
    built = time.perf_counter() - started

    def bought(user: tuple[str, str]) -> set[tuple[str, str]]:
        return set(graph.successors(user))

    def brands(item: tuple[str, str]) -> set[tuple[str, str]]:
        return {target for _, target, name in graph.out_edges(item, keys=True) if name == Rel.HAS_BRAND}

    def node(label: Label, key: str) -> tuple[str, str]:
        return str(label), key

    def attribute(user: int, item: int) -> int:
        asked = node(Label.PRODUCT, snapshot.items.key(item))
        wanted = brands(asked)
        return sum(len(brands(b) & wanted) for b in bought(node(Label.USER, snapshot.users.key(user))) if b != asked)

    def collaborative(user: int, item: int) -> int:
        me, asked = node(Label.USER, snapshot.users.key(user)), node(Label.PRODUCT, snapshot.items.key(item))
        history = bought(me) - {asked}
        counts: dict[tuple[str, str], int] = {}
        for other in {source for source in graph.predecessors(asked) if source[0] == str(Label.USER)} - {me}:
            for shared in bought(other) & history:
                counts[shared] = counts.get(shared, 0) + 1
        return len(counts)

    return {"seconds": built, "attribute": _timed(attribute, snapshot), "collaborative": _timed(collaborative, snapshot)}


def main() -> None:
    stage, folder = sys.argv[1], Path(sys.argv[2])
    workspace = Workspace(folder / "workspace")
    files = {name: folder / "files" / f"{name}.parquet" for name in ("products", "facts", "events", "products-2", "facts-2", "events-2")}
    shop = Shop(*files.values())
    stages: dict[str, Callable[[], dict[str, Any]]] = {
        "ingest": lambda: _ingest(workspace, shop.products, shop.facts, shop.events),
        "delta": lambda: _ingest(workspace, shop.later_products, shop.later_facts, shop.later_events),
        "arrays": lambda: _arrays(workspace),
        "embedded": lambda: _embedded(workspace),
        "networkx": lambda: _networkx(workspace),
        "neo4j": lambda: _neo4j(workspace, folder),
        "neo4j_questions": lambda: _neo4j_questions(workspace, folder),
        "import_tool": lambda: _import_tool(workspace, folder),
    }
    began = time.process_time()
    found = stages[stage]()
    found.setdefault("cpu_seconds", time.process_time() - began)  # of this process: on a busy machine the figure to compare
    found["environment"] = environment() | {"time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
    found["mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


if __name__ == "__main__":
    main()
