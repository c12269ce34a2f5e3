"""The embedded engine of a workspace: its file is a cache, made again whenever the truth has another digest."""

from __future__ import annotations

from kg.errors import StateError
from kg.progress import SILENT, Progress
from kg.store import Limits, engine_graph
from kg.stores.embedded import EmbeddedStore
from kg.sync import synchronise
from kg.truth import Truth
from kg.workspace import Workspace

_WHOLE = 1 << 40  # one batch a table: the engine's bulk loader is quickest so


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
    digest = truth.digest
    path = workspace.cache / f"embedded-{digest.removeprefix('sha256:')[:16]}.kgl"
    if not path.exists():
        _build(truth, workspace, digest, progress)
    memory_mb = (limits or Limits()).memory_mb
    store = EmbeddedStore(path, locked, memory_mb)
    store.set_digest(digest)
    return store


def _build(truth: Truth, workspace: Workspace, digest: str, progress: Progress) -> None:
    graph = engine_graph(truth.tables(), digest)
    workspace.cache.mkdir(parents=True, exist_ok=True)
    path = workspace.cache / f"embedded-{digest.removeprefix('sha256:')[:16]}.kgl"
    with EmbeddedStore() as building:
        synchronise(building, graph, progress, batch_rows=_WHOLE)
        if building.counts() != graph.counts():
            raise StateError("The embedded engine does not hold what the truth says after loading it.", "Report this with the file.")
        building.save(path)
    for other in workspace.cache.glob("embedded-*.kgl"):
        if other != path:
            other.unlink(missing_ok=True)
