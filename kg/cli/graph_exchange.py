"""`clew graph export`, `import` and `sync`: the graph leaves a workspace, or comes into one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kg.cli.common import Session, command_options

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from kg.progress import Progress
    from kg.store import GraphStore
    from kg.workspace import Workspace

    Derived = Callable[[Workspace, Progress], Mapping[str, pa.Table]]
    # A workspace → keys of its products and their vectors (float32 [n, d]), by the model in use
    Vectors = Callable[[Workspace], tuple[Sequence[str], NDArray[np.float32]]]


@click.command(name="export")
@click.option("--format", "formats", default="parquet", show_default=True, help="Some of parquet, neo4j-csv, graphml, ttl, nt, jsonld.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("clew-export"), show_default=True, help="Folder to write into.")
@click.option("--without-users", is_flag=True, help="Leave people and their events out.")
@command_options
def export_command(session: Session, formats: str, out: Path, without_users: bool) -> None:
    """Write the graph in other formats; nothing of it is lost in parquet, ttl, nt and jsonld."""
    from kg.exchange import export_graph
    from kg.workspace import Workspace

    names = [name.strip() for name in formats.split(",") if name.strip()]
    written = export_graph(Workspace(session.workspace), names, out, not without_users, session.progress())

    def told() -> str:
        lines = [f"{one.format}: {one.path}" for one in written]
        lines += [f"Load it into a stopped Neo4j, from {one.path}:\n  {one.load}" for one in written if one.load]
        return "\n".join(lines)

    session.emit({"schema_version": 1, "written": [one.to_dict() for one in written]}, told)


@click.command(name="import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--replace", "replace_graph", is_flag=True, help="Put it in the place of the graph that is there.")
@command_options
def import_command(session: Session, path: Path, replace_graph: bool) -> None:
    """Bring in a graph that was exported: the parquet folder, or a .ttl, .nt or .jsonld file."""
    from kg.exchange import import_graph
    from kg.workspace import Workspace

    done = import_graph(Workspace(session.workspace), path, replace_graph, session.progress())
    counted = ", ".join(f"{n:,} {word}" for word, n in done.changes.to_dict().items())
    session.emit(done.to_dict(), lambda: f"Nodes and edges: {counted}\n{done.digest[:19]}…")


def make_sync_command(derived: Derived | None, vectors: Vectors | None = None) -> click.Command:
    """The command `sync`.

    Args:
        derived: edges that the workspace's model found, by relation; None where there are no models (then --with-model is refused).
        vectors: of products by that model, for engines with an index of vectors.
    """

    @click.command(name="sync")
    @click.option("--to", "address", required=True, help="bolt://host:7687, neo4j://…, also +s and +ssc.")
    @click.option(
        "--with-model",
        is_flag=True,
        help="Also what the model found: edges between products (CO_BOUGHT, SIMILAR_TEXT, …) and their text vectors, in an index.",
    )
    @click.option("--without-users", is_flag=True, help="A graph that carries no person; takes out those that are there.")
    @command_options
    def sync(session: Session, address: str, with_model: bool, without_users: bool) -> None:
        """Bring a Neo4j server up to date; only what differs is written, the second time nothing."""
        import time

        from kg.engine import open_store
        from kg.errors import UsageError
        from kg.exchange import bring_up_to_date, graph_to_hold, with_derived
        from kg.truth import Truth
        from kg.workspace import Workspace

        if address == "embedded":
            raise UsageError("The embedded engine follows the graph by itself.", "Give the address of a server: --to bolt://host:7687.")
        workspace = Workspace(session.workspace).open()
        graph = graph_to_hold(Truth(workspace.graph), not without_users)
        if with_model:
            if derived is None:
                raise UsageError("There are no models here.", "Leave --with-model out.")
            graph = with_derived(graph, derived(workspace, session.progress()))
        store = open_store(workspace, address, session.progress())
        started = time.perf_counter()
        try:
            changes = bring_up_to_date(store, graph, session.progress())
            n_vectors = _write_vectors(store, vectors(workspace), session.progress()) if with_model and vectors is not None else 0
        finally:
            store.close()
        seconds = time.perf_counter() - started
        document = {
            "schema_version": 1,
            "digest": graph.digest,
            "engine": address,
            "changes": changes.to_dict(),
            "vectors": n_vectors,
            "seconds": round(seconds, 3),
        }
        counted = ", ".join(f"{n:,} {word}" for word, n in changes.to_dict().items())
        more = f"\nVectors written: {n_vectors:,}" if n_vectors else ""
        session.emit(document, lambda: f"Nodes and edges: {counted}  ({seconds:.1f} s){more}")

    return sync


def _write_vectors(store: GraphStore, found: tuple[Sequence[str], NDArray[np.float32]], progress: Progress) -> int:
    """Give an engine with an index of vectors those of a model; how many were written."""
    from kg.digest import digest_arrays
    from kg.store import VECTORS, VectorStore

    keys, vectors = found
    if not vectors.shape[1]:
        progress.note("The model has no text vectors, so none were written.")
        return 0
    if VECTORS not in store.capabilities or not isinstance(store, VectorStore):
        progress.note(f"The {store.name} engine has no index of vectors, so none were written.")
        return 0
    digest = digest_arrays([vectors])
    if store.vectors_digest() == digest:
        return 0
    with progress.stage("writing vectors", len(keys)) as advance:
        store.write_vectors(keys, vectors, digest)
        advance(len(keys))
    return len(keys)
