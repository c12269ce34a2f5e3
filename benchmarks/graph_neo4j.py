"""Neo4j in the graph benchmark: a server of the benchmark's own, loaded over Bolt, by LOAD CSV and by its offline import tool."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from kg.exchange import bring_up_to_date, graph_to_hold
from kg.interop_csv import write_import_files
from kg.ontology import Label, Rel, relation
from kg.seeds import generator
from kg.store import EngineGraph
from kg.stores import launcher
from kg.stores.bolt_session import BoltSettings
from kg.stores.neo4j import Neo4jStore
from kg.sync import BATCH_ROWS, verify
from kg.truth import Truth
from kg.workspace import Workspace

_SAMPLE = 50_000  # edges a way of loading and round, in the comparison with LOAD CSV
_ROUNDS = 3
_HEAP = "1500m"
_DIMENSIONS, _VECTORS = 256, "graph benchmark"
_WAYS = ("BENCH_FIRST", "BENCH_MERGE", "BENCH_CSV")
_FORGET = "MATCH (:User)-[r:{name}]->() CALL {{ WITH r DELETE r }} IN TRANSACTIONS OF 20000 ROWS"


@contextmanager
def server(home: Path) -> Iterator[tuple[launcher.Server, Neo4jStore]]:
    """A server that ends with this process, and a store on it."""
    home.mkdir(parents=True, exist_ok=True)
    settings = {"dbms.security.allow_csv_import_from_file_urls": "true"}  # LOAD CSV is what Bolt is compared with
    started = launcher.start(home, heap=_HEAP, owner_pid=os.getpid(), settings=settings)
    store = Neo4jStore(BoltSettings(started.uri, launcher.USER, started.password))
    try:
        yield started, store
    finally:
        store.close()
        started.stop()


def measure(workspace: Workspace, folder: Path) -> dict[str, Any]:
    """Load, load again, compare with LOAD CSV.

    Args:
        folder: for the server's files, which stay for `questions`.
    """
    graph = graph_to_hold(Truth(workspace.graph))
    n_edges = sum(graph.counts().edges.values())
    with server(folder) as (started, store):
        began = time.perf_counter()
        bring_up_to_date(store, graph)
        found: dict[str, Any] = {"seconds": time.perf_counter() - began}
        found["edges_per_second"] = round(n_edges / found["seconds"])
        began = time.perf_counter()
        bring_up_to_date(store, graph)
        found["second_seconds"] = time.perf_counter() - began
        found["ways"] = _ways(started, store, graph, folder / "import")
        found["server_mb"] = _resident_mb(started.pid)
    found["disk_mb"] = sum(path.stat().st_size for path in (folder / "data").rglob("*") if path.is_file()) / 2**20
    return found


def questions(workspace: Workspace, folder: Path, asked: Callable[[Neo4jStore], dict[str, Any]]) -> dict[str, Any]:
    """Give the products of the server that `measure` loaded vectors, and ask.

    Args:
        asked: the questions that every engine is asked.
    """
    graph = graph_to_hold(Truth(workspace.graph))
    with server(folder) as (_, store):
        # Edges that the comparison of ways left are of none of the ontology's relations, but a query that walks all would meet them.
        with store._bolt.session(write=True) as session:
            for name in _WAYS:
                session.run(_FORGET.format(name=name)).consume()
        began = time.perf_counter()
        _write_vectors(store, graph)
        return {"vectors_seconds": time.perf_counter() - began, **asked(store)}


def _write_vectors(store: Neo4jStore, graph: EngineGraph) -> None:
    """Vectors at random, as many and as wide as a model's: what an index of them costs does not hang on what they mean."""
    if store.vectors_digest() == _VECTORS:
        return
    keys = graph.nodes[Label.PRODUCT].column("key").to_pylist()
    vectors = generator(0, "graph benchmark vectors").standard_normal((len(keys), _DIMENSIONS), np.float32)
    store.write_vectors(keys, vectors, _VECTORS)


def _ways(started: launcher.Server, store: Neo4jStore, graph: EngineGraph, folder: Path) -> dict[str, dict[str, float]]:
    """Edges a second by ways of loading, in turn on one warm server over the nodes that are there: the best round, and edges per
    CPU-second of client and server over all rounds (on a busy machine the figure to compare)."""
    edges = graph.edges[str(Rel.BOUGHT)]
    names = ["bolt, first load", "bolt, merge", "LOAD CSV, merge"]
    best, cpu = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    place = 0
    for turn in range(_ROUNDS + 1):
        for name in names[turn % 3 :] + names[: turn % 3]:
            rows = edges.slice(place % max(edges.num_rows - _SAMPLE, 1), _SAMPLE)
            place += _SAMPLE
            began, spent = time.perf_counter(), _cpu_seconds(started.pid)
            if name == "LOAD CSV, merge":
                _load_csv(store, rows, folder)
            else:
                rel = replace(relation(Rel.BOUGHT), name="BENCH_FIRST" if "first" in name else "BENCH_MERGE")
                for start in range(0, rows.num_rows, BATCH_ROWS):
                    store.upsert_edges(rel, rows.slice(start, BATCH_ROWS), fresh="first" in name)
            if turn:  # the first round warms up
                best[name] = max(best[name], rows.num_rows / (time.perf_counter() - began))
                cpu[name] += _cpu_seconds(started.pid) - spent
    n = _ROUNDS * min(_SAMPLE, edges.num_rows)
    return {name: {"edges_per_second": round(best[name]), "edges_per_cpu_second": round(n / cpu[name])} for name in names}


def _cpu_seconds(group: int) -> float:
    """CPU time of a process group and of this process."""
    ticks = 0
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and os.getpgid(int(process.name)) == group:
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        except (ProcessLookupError, FileNotFoundError, PermissionError):
            continue
    return ticks / os.sysconf("SC_CLK_TCK") + time.process_time()


def _load_csv(store: Neo4jStore, rows: pa.Table, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    pyarrow.csv.write_csv(rows, folder / "edges.csv")
    query = (
        "LOAD CSV WITH HEADERS FROM 'file:///edges.csv' AS row CALL { WITH row MATCH (a:User {key: row.source_key}) "
        "MATCH (b:Product {key: row.target_key}) MERGE (a)-[r:BENCH_CSV]->(b) "
        "SET r.count = toInteger(row.count), r.first = row.first, r.last = row.last } IN TRANSACTIONS OF 5000 ROWS"
    )
    with store._bolt.session(write=True) as session:
        session.run(query).consume()


def import_tool(workspace: Workspace, folder: Path) -> dict[str, Any]:
    """The way of `clew graph export --format neo4j-csv` and the one line that it prints, into a database of its own."""
    graph = graph_to_hold(Truth(workspace.graph))
    files = folder / "neo4j-csv"
    shutil.rmtree(folder, ignore_errors=True)
    files.mkdir(parents=True)
    began = time.perf_counter()
    arguments = write_import_files(graph, files)
    written = time.perf_counter() - began
    home = folder / "imported"
    began = time.perf_counter()
    launcher.admin(home, *arguments, heap=_HEAP, folder=files)
    seconds = time.perf_counter() - began
    with server(home) as (_, store):
        faults = verify(store, graph) if sum(graph.counts().edges.values()) < 500_000 else _miscounted(store, graph)
    edges = sum(graph.counts().edges.values())
    return {"export_seconds": written, "seconds": seconds, "edges_per_second": round(edges / seconds), "faults": faults}


def _miscounted(store: Neo4jStore, graph: EngineGraph) -> list[str]:
    return [] if store.counts() == graph.counts() else ["the counts differ"]


def _resident_mb(pid: int) -> float:
    """Most memory that a process of a server's group had."""
    peaks = [0.0]
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and os.getpgid(int(process.name)) == pid:
                lines = (process / "status").read_text().splitlines()
                peaks += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
        except (ProcessLookupError, FileNotFoundError, PermissionError):
            continue
    return max(peaks)
