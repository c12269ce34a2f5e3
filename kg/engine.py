"""The embedded engine of a workspace: its file is a cache, made again whenever the truth has another digest."""

from __future__ import annotations

from pathlib import Path

from kg.errors import StateError, UsageError
from kg.progress import SILENT, Progress
from kg.store import GraphStore, Limits, engine_graph
from kg.stores.embedded import EmbeddedStore
from kg.sync import synchronise
from kg.truth import Truth
from kg.whole_files import remove_forsaken
from kg.workspace import Workspace

_BOLT = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
_WHOLE = 1 << 40  # one batch a table: the engine's bulk loader is quickest so, and smaller ones take no less memory


def open_embedded(workspace: Workspace, locked: bool = False, limits: Limits | None = None, progress: Progress = SILENT) -> EmbeddedStore:
    """The embedded engine with the workspace's graph in it.

    Args:
        workspace: whose graph; its cache takes the engine's file.
        locked: for queries of strangers: the engine can open and write nothing once the graph is loaded.
        limits: what a locked engine may take.

    Raises:
        StateError: there is no graph.
        EngineError: kglite is not there or does not start.
    """
    truth = Truth(workspace.open().graph)
    path = _file(workspace, truth.digest)
    if not path.exists():
        path = _build(truth, workspace, progress)
    _sweep(path)
    memory_mb = (limits or Limits()).memory_mb
    store = EmbeddedStore(path, locked, memory_mb)
    store.set_digest(truth.digest)
    return store


def _file(workspace: Workspace, digest: str) -> Path:
    return workspace.cache / f"embedded-{digest.removeprefix('sha256:')[:16]}.kgl"


def _build(truth: Truth, workspace: Workspace, progress: Progress) -> Path:
    graph = engine_graph(truth.tables(), truth.digest)
    workspace.cache.mkdir(parents=True, exist_ok=True)
    path = _file(workspace, truth.digest)
    with EmbeddedStore() as building:
        synchronise(building, graph, progress, batch_rows=_WHOLE)
        if building.counts() != graph.counts():
            raise StateError("The embedded engine does not hold what the truth says after loading it.", "Report this with the file.")
        building.save(path)
    return path


def _sweep(path: Path) -> None:
    """Remove the files of other states of the graph; a process that was killed between writing its own and this left one."""
    for other in path.parent.glob("embedded-*.kgl"):
        if other != path:
            other.unlink(missing_ok=True)
    remove_forsaken(path.parent)


def open_store(workspace: Workspace, address: str | None = None, progress: Progress = SILENT, explore: Limits | None = None) -> GraphStore:
    """The engine at an address, or the embedded one of a workspace.

    Args:
        address: `bolt://…`, `neo4j://…` and their encrypted forms; None or "embedded" for the workspace's own.
        explore: for questions that somebody typed: the memory that an answer may take is bounded, and an embedded engine is locked.

    Raises:
        UsageError: an address of another kind.
        EngineError: nobody answers there.
    """
    if address is None or address == EmbeddedStore.name:
        return open_embedded(workspace, explore is not None, explore, progress)
    if address.split("://")[0] in _BOLT:
        from kg.stores.bolt_explorer import BoltExplorer
        from kg.stores.neo4j import Neo4jStore

        if workspace.path.is_dir():
            workspace.open()  # labels of its own ontology
        store = Neo4jStore(address) if explore is None else BoltExplorer(address, explore.memory_mb, workspace.path)
        progress.note(store.connected)
        return store
    raise UsageError(f"{address!r} is no address of an engine.", "A server's is bolt://host:7687 or neo4j://…, also with +s and +ssc.")
