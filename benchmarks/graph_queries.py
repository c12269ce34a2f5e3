"""What every query of the library costs on an engine, and the figures in the queries' own headers.

`python -m benchmarks.graph_queries` writes the figures of results/graph.json at size 1 into the headers (`@cost`).
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import HERE
from cypher.query import NamedQuery, library
from kg.errors import InputError
from kg.explore import run_named
from kg.ontology import Rel
from kg.seeds import generator
from kg.snapshot import GraphSnapshot
from kg.store import GraphStore, Limits

_TIMES = 15
_SECONDS = 1.0  # of one query; a slow one is asked fewer times, once at least
_LIMIT = 30.0
_LIBRARY = HERE.parent / "cypher" / "library"


def costs(store: GraphStore, snapshot: GraphSnapshot) -> dict[str, dict[str, Any]]:
    """p50 and p95 in ms, times asked and mean rows of every query that the engine can run; none where it does not end."""
    queries = [query for query in library().values() if set(query.needs) <= store.capabilities]
    return {query.name: _cost(store, query, snapshot) for query in queries}


def _cost(store: GraphStore, query: NamedQuery, snapshot: GraphSnapshot) -> dict[str, Any]:
    values = [_values(query, snapshot, turn) for turn in range(_TIMES + 1)]
    spent: list[float] = []
    rows, began = 0, time.perf_counter()
    try:
        for turn, given in enumerate(values):
            started = time.perf_counter()
            found = run_named(store, query.name, given, Limits(rows=10_000, seconds=_LIMIT))
            if turn:  # the first question is planned
                spent.append((time.perf_counter() - started) * 1000)
                rows += len(found.rows)
            if spent and time.perf_counter() - began > _SECONDS:
                break
    except InputError:
        if not spent:
            return {"p50": None, "p95": None, "asked": 0, "rows": 0}
    p50, p95 = np.percentile(spent, [50, 95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "asked": len(spent), "rows": round(rows / len(spent), 1)}


def _values(query: NamedQuery, snapshot: GraphSnapshot, turn: int) -> dict[str, Any]:
    """A person, a product that somebody bought, and names of entities, for those parameters that have no default."""
    rng = generator(turn, "graph benchmark queries")
    log, products = snapshot.events, snapshot.items
    place = int(rng.integers(len(log)))

    def entity(name: Rel) -> str:
        rows = snapshot.edges[name].target_rows if name in snapshot.edges else np.zeros(1, np.int32)
        return str(snapshot.entities.key(int(rows[int(rng.integers(len(rows)))])))

    values = {
        "user": snapshot.users.key(int(log.user_rows[place])),
        "item": products.key(int(log.item_rows[int(rng.integers(len(log)))])),
        "brand": entity(Rel.HAS_BRAND),
        "material": entity(Rel.MADE_OF),
        "category": entity(Rel.IN_CATEGORY),
        "price_band": entity(Rel.IN_PRICE_BAND),
        "text": "thing 3",
    }
    values |= {"entity": values["brand"], "key": values["brand"], "against": products.key(int(log.item_rows[place]))}
    return {each.name: values[each.name] for each in query.parameters if each.required and each.name in values}


def tell(found: dict[str, dict[str, dict[str, Any]]]) -> None:
    """The table of queries × engines (engine → query → figures)."""
    engines = sorted(found)
    print(f"\n  {'query':28}" + "".join(f"{engine + ' p50 / p95 ms':>28}" for engine in engines))
    for name in sorted({name for of in found.values() for name in of}):
        print(f"  {name:28}" + "".join(f"{_cell(found[engine].get(name)):>28}" for engine in engines))


def _cell(one: dict[str, Any] | None) -> str:
    if one is None:
        return "–"
    return f"over {_LIMIT:g} s" if one["p50"] is None else f"{one['p50']:.2f} / {one['p95']:.2f}"


def _said(figures: dict[str, Any], engine: str) -> str:
    def words(ms: float) -> str:
        return f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms" if ms >= 1 else f"{ms:.2f} ms"

    if figures["p50"] is None:
        return f"{_LIMIT:g} s {engine} (cut off)"
    return f"{words(figures['p50'])} {engine} (p95 {words(figures['p95'])})"


def write_headers(found: dict[str, dict[str, dict[str, Any]]]) -> int:
    """Put the figures into the headers of the queries; returns how many changed."""
    changed = 0
    for path in sorted(_LIBRARY.rglob("*.cypher")):
        figures = {engine: of[path.stem] for engine, of in found.items() if path.stem in of}
        if not figures:
            continue
        shown = {"embedded": "embedded", "neo4j": "Neo4j"}
        cost = ", ".join(_said(figures[engine], name) for engine, name in shown.items() if engine in figures)
        text = path.read_text(encoding="utf-8")
        line = f"// @cost {cost}\n"
        bare = re.sub(r"// @cost .*\n", "", text)
        new = re.sub(r"(// @columns .*\n)", rf"\1{line}", bare)
        if new != text:
            path.write_text(new, encoding="utf-8")
            changed += 1
    return changed


def main() -> None:
    figures = json.loads(Path(HERE / "results" / "graph.json").read_text(encoding="utf-8"))["sizes"]["1.0"]["engines"]
    print(f"{write_headers({name: of['queries'] for name, of in figures.items() if 'queries' in of})} headers written")


if __name__ == "__main__":
    main()
