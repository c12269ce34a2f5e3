"""The laws of ARCHITECTURE.md that a test can hold."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from kg.ontology import Label, Rel

ROOT = Path(__file__).parents[2]
ROOMS = ("cypher", "kg", "extraction", "gnn", "recommend")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))

# Package → prefixes of the modules that may import it: its door.
DOORS = {
    "torch": ("gnn/", "extraction/encoder_"),
    "torch_geometric": ("gnn/",),
    "transformers": ("gnn/text", "extraction/"),
    "spacy": ("extraction/",),
    "neo4j": ("kg/stores/",),
    "kglite": ("kg/stores/",),
    "keyring": ("kg/stores/passwords",),
    "rdflib": ("kg/rdf",),
    "pyshacl": ("kg/rdf",),
    "networkx": ("kg/interop",),
    "sklearn": ("extraction/", "gnn/text"),
    "openai": ("extraction/llm",),
    "faiss": ("recommend/topk",),
    "optuna": ("recommend/tuning",),
    "pint": ("extraction/units",),
    "click": ("kg/cli/", "extraction/cli/", "gnn/cli/", "recommend/cli/"),
}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", DOORS)
def test_a_package_has_one_door(package: str) -> None:
    strangers = [
        str(path.relative_to(ROOT))
        for path in FILES
        if package in imported(path) and not str(path.relative_to(ROOT)).startswith(DOORS[package])
    ]
    assert not strangers, f"{package} is imported outside its door: {strangers}"


def test_nothing_is_unpickled_or_evaluated() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec"}, path
        assert not imported(path) & {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}, path


def _ontology_literals(path: Path) -> list[str]:
    docstrings = set()
    names = {str(rel) for rel in Rel} | {str(label) for label in Label} - {str(Label.QUERY)}
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstrings.add(id(node.value))
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in names and id(node) not in docstrings
    ]


def test_labels_and_relations_are_named_once() -> None:
    found = [hit for path in FILES if path != ROOT / "kg" / "ontology.py" for hit in _ontology_literals(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_fits_a_sitting(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, f"{node.name} is longer than 60 lines"


def _moves_of_files(path: Path) -> list[str]:
    """`a.replace(b)` with one argument moves a file (a text's takes two), and so does `os.replace`."""
    return [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "replace"
        and ((len(node.args) == 1 and not node.keywords) or (isinstance(node.func.value, ast.Name) and node.func.value.id == "os"))
    ]


def test_one_function_puts_a_file_in_its_place() -> None:
    assert [move for path in FILES for move in _moves_of_files(path)] == _moves_of_files(ROOT / "kg/whole_files.py")


def test_no_module_is_named_like_the_standard_library() -> None:
    assert not [path for path in FILES if len(path.relative_to(ROOT).parts) == 1 and path.stem in sys.stdlib_module_names]


def test_every_room_is_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(ROOMS)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from recommend.cli import cli\n"
        "try:\n    cli(['--help'], prog_name='clew')\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'spacy', 'transformers', 'sklearn', 'numpy', 'pyarrow', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT.parent)


def test_the_version_stands_in_the_changelog() -> None:
    from recommend.version import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def _imports_of_ours(path: Path, names: set[str]) -> set[str]:
    """Our modules that a module imports anywhere but for type checkers."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= (inner & names) or {node.module}
            waiting.append(node)
    return found & names


def test_no_module_imports_itself_by_way_of_others() -> None:
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
    imports = {name: _imports_of_ours(path, set(modules)) - {name} for name, path in modules.items()}
    reached = {name: set(direct) for name, direct in imports.items()}
    changed = True
    while changed:
        changed = False
        for found in reached.values():
            more = set().union(*(reached[other] for other in found)) - found if found else set()
            changed |= bool(more)
            found |= more
    circles = {frozenset({name, *(other for other in found if name in reached[other])}) for name, found in reached.items() if name in found}
    assert not [sorted(circle) for circle in circles]
