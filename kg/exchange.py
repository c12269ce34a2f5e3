"""Taking the graph out of a workspace and bringing one in: files in several formats, a server brought up to date."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from kg.align import Changes
from kg.digest import digest_bytes
from kg.errors import InputError, StateError, UsageError
from kg.merge import compare
from kg.ontology import Family, Label, relation
from kg.own_ontology import FILE_NAME, adopt_beside
from kg.progress import SILENT, Progress
from kg.store import EngineGraph, GraphStore, engine_graph
from kg.sync import synchronise
from kg.tables import GraphTables, content_digest
from kg.truth import Truth, stored_tables
from kg.workspace import Workspace

# Format → the file or folder that it becomes.
FORMATS: Final = {
    "parquet": "graph",
    "neo4j-csv": "neo4j-csv",
    "graphml": "graph.graphml",
    "ttl": "graph.ttl",
    "nt": "graph.nt",
    "jsonld": "graph.jsonld",
}
_RDF_SUFFIXES = {".ttl": "ttl", ".nt": "nt", ".jsonld": "jsonld"}
_READABLE = "clew reads back the parquet folder and .ttl, .nt and .jsonld files that it exported."


@dataclass(frozen=True, slots=True)
class Exported:
    """One format that was written: its name, where it lies, and for neo4j-csv the line that loads it."""

    format: str
    path: Path
    load: str = ""

    def to_dict(self) -> dict[str, str]:
        """The form of `clew graph export --json`."""
        return {"format": self.format, "path": str(self.path)} | ({"load": self.load} if self.load else {})


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: the digest of the graph there is now, and what changed."""

    digest: str
    changes: Changes

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew graph import --json`."""
        return {"schema_version": 1, "digest": self.digest, "changes": self.changes.to_dict()}


def without_users(tables: GraphTables) -> GraphTables:
    """The graph with nothing in it that tells of a person."""
    return replace(tables, events=tables.events.slice(0, 0))


def graph_to_hold(truth: Truth, with_users: bool = True) -> EngineGraph:
    """What an engine should hold of the truth; without users it goes by a digest of its own, so that the two are never taken for one."""
    return engine_graph(truth.tables(), truth.digest if with_users else _bare(truth.digest), with_users)


def _bare(digest: str) -> str:
    return digest_bytes(digest.encode(), b"without users")


def with_derived(graph: EngineGraph, derived: Mapping[str, pa.Table]) -> EngineGraph:
    """The graph with edges that a model found; its digest speaks of both."""
    parts = [part.encode() for name, table in sorted(derived.items()) for part in (name, content_digest(table))]
    return EngineGraph(digest_bytes(graph.digest.encode(), *parts), graph.nodes, {**graph.edges, **derived})


def held_graph(store: GraphStore, truth: Truth) -> EngineGraph:
    """What an engine should hold, for `verify`: with or without users as it is; of what a model found, the truth says nothing."""
    held, digest = store.counts(), store.digest()
    # With edges of a model, the digest is one that the truth cannot know: then what is there decides.
    bare = digest == _bare(truth.digest) or (digest not in (None, truth.digest) and str(Label.USER) not in held.nodes)
    graph = graph_to_hold(truth, with_users=not bare)
    derived = [relation(name) for name in held.edges if relation(name).family is Family.DERIVED]
    return EngineGraph(graph.digest, graph.nodes, {**graph.edges, **{rel.name: store.scan_edges(rel) for rel in derived}})


def bring_up_to_date(store: GraphStore, graph: EngineGraph, progress: Progress = SILENT) -> Changes:
    """Make a server hold the graph, its constraints too where an offline import has laid none."""
    store.prepare([Label(name) for name in graph.nodes], [relation(name) for name in graph.edges])
    return synchronise(store, graph, progress)


def export_graph(
    workspace: Workspace, formats: Sequence[str], folder: Path, with_users: bool = True, progress: Progress = SILENT
) -> list[Exported]:
    """Write the graph of a workspace in some formats.

    Args:
        workspace: whose graph.
        formats: names from `FORMATS`.
        folder: made when missing; what it holds of the same formats is replaced.
        with_users: False leaves people and their events out.
        progress: listener.

    Raises:
        UsageError: no such format.
        StateError: there is no graph.
    """
    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"There is no format {name!r}.", f"Those that exist: {', '.join(FORMATS)}.")
    truth = Truth(workspace.open().graph)
    tables = truth.tables()
    tables = tables if with_users else without_users(tables)
    folder.mkdir(parents=True, exist_ok=True)
    _take_ontology_along(workspace.path, folder)
    return [_exported(name, folder / FORMATS[name], tables, truth, with_users, progress) for name in dict.fromkeys(formats)]


def _take_ontology_along(source: Path, target: Path) -> None:
    """A graph is read with the ontology file beside it, so that file goes where the graph goes."""
    path = source / FILE_NAME
    if path.is_file():
        (target / FILE_NAME).write_bytes(path.read_bytes())
    else:
        (target / FILE_NAME).unlink(missing_ok=True)


def _exported(name: str, path: Path, tables: GraphTables, truth: Truth, with_users: bool, progress: Progress) -> Exported:
    if name == "parquet":
        Truth(path).write(tables)
    elif name == "neo4j-csv":
        from kg.interop_csv import command_line, write_import_files

        command = command_line(write_import_files(graph_to_hold(truth, with_users), path, progress))
        return Exported(name, path, command)
    elif name == "graphml":
        from kg.interop import write_graphml
        from kg.snapshot_io import snapshot_of_tables

        with progress.stage(f"writing {path.name}"):
            write_graphml(snapshot_of_tables(tables, graph_to_hold(truth, with_users).digest), path)
    else:
        from kg.rdf import write_rdf

        write_rdf(tables, path, name, progress=progress)
    return Exported(name, path)


def import_graph(workspace: Workspace, path: Path, replace_graph: bool = False, progress: Progress = SILENT) -> Imported:
    """Make an exported graph the graph of a workspace.

    Args:
        workspace: made if it does not exist.
        path: the parquet folder, or a .ttl, .nt or .jsonld file, that `export_graph` wrote.
        replace_graph: let it take the place of another graph.
        progress: listener.

    Raises:
        InputError: the file is missing, damaged, or of a format that does not hold the whole graph.
        StateError: another graph is there and may not be replaced.
    """
    beside = path.absolute().parent
    # A workspace without a graph takes over the ontology that was exported with this one; otherwise the two must be the same.
    brings = (beside / FILE_NAME).is_file() and not (workspace.ontology_file.exists() or Truth(workspace.graph).exists)
    there = adopt_beside(beside if brings else workspace.path)
    if (beside / FILE_NAME).is_file() and adopt_beside(beside).structure() != there.structure():
        raise StateError(f"{path} was made with another {FILE_NAME} than {workspace.path} has.", "Import it into a workspace of its own.")
    tables = _read(path, progress)
    workspace.open(create=True)
    if brings:
        _take_ontology_along(beside, workspace.path)
    with workspace.lock():
        truth = Truth(workspace.graph)
        old = truth.tables() if truth.exists else GraphTables.empty()
        changes = compare(old, tables)
        if truth.exists and not replace_graph and _contents(old) != _contents(tables):
            raise StateError(f"There is another graph in {workspace.path} already.", "Add --replace to put this one in its place.")
        record = {"run": f"import {path.name}", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "changes": changes.to_dict()}
        return Imported(truth.write(tables, record).digest, changes)


def _contents(tables: GraphTables) -> dict[str, str]:
    return {name: content_digest(table) for name, table in stored_tables(tables).items()}


def _read(path: Path, progress: Progress) -> GraphTables:
    if not path.exists():
        raise InputError(f"There is no {path}.", _READABLE)
    if path.is_dir():
        truth = Truth(path)
        if not truth.exists:
            raise InputError(f"The folder {path} holds no graph of clew.", "Name the folder with manifest.json in it.")
        return truth.tables()
    if path.suffix in _RDF_SUFFIXES:
        from kg.rdf_read import read_rdf

        return read_rdf(path, _RDF_SUFFIXES[path.suffix], progress)
    if path.suffix == ".graphml":
        raise InputError(f"{path} cannot be imported: GraphML carries only the strongest evidence of a fact.", _READABLE)
    raise InputError(f"{path} cannot be imported: {path.suffix or 'a file without an ending'} is no format of a whole graph.", _READABLE)
