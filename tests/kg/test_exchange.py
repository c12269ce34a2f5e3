"""The graph goes out in every format and comes back with the same digest; what cannot come back is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from kg.cli.graph_exchange import export_command, import_command, make_sync_command
from kg.errors import InputError, StateError, UsageError
from kg.exchange import FORMATS, export_graph, graph_to_hold, import_graph
from kg.model import Product
from kg.ontology import Label, Rel
from kg.tables import EVENT_SCHEMA, GraphTables, distinct_evidence, events_table, evidence_tables, products_table
from kg.testing import stated
from kg.truth import Truth
from kg.workspace import Workspace

WHOLE = ("parquet", "ttl", "nt", "jsonld")


def small(title: str = "A shirt", confidence: float = 0.5) -> GraphTables:
    products = [Product("1", title, {"brand": "Ada"}), Product("2", "A hat")]
    facts = [stated("1", "HAS_BRAND", "Ada", 1.0), stated("1", "MADE_OF", "cotton", 0.75), stated("1", "MADE_OF", "cotton!", confidence)]
    events = pa.Table.from_pylist([{"user": "someone", "item": "1", "time": 5, "value": 1.0, "kind": "purchase"}], EVENT_SCHEMA)
    evidence = {name: distinct_evidence(table) for name, table in evidence_tables(facts, "catalogue").items()}
    return GraphTables(products_table(products), evidence, events_table(events))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "from").open(create=True)
    Truth(made.graph).write(small())
    return made


def test_whole_formats_come_back_with_the_same_digest(workspace: Workspace, tmp_path: Path) -> None:
    written = export_graph(workspace, tuple(FORMATS), tmp_path / "out")
    assert [one.format for one in written] == list(FORMATS) and all(one.path.exists() for one in written)
    for name in WHOLE:
        other = Workspace(tmp_path / name)
        done = import_graph(other, tmp_path / "out" / FORMATS[name])
        assert done.digest == Truth(workspace.graph).digest and done.changes.new > 0
        again = import_graph(other, tmp_path / "out" / FORMATS[name])
        assert again.digest == done.digest and again.changes.new == again.changes.changed == again.changes.removed == 0


def test_nothing_of_a_person_leaves_without_users(workspace: Workspace, tmp_path: Path) -> None:
    export_graph(workspace, tuple(FORMATS), tmp_path / "out", with_users=False)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) > len(FORMATS)
    assert not [path for path in files if b"someone" in path.read_bytes()]
    bare = Workspace(tmp_path / "bare")
    import_graph(bare, tmp_path / "out" / "graph.ttl")
    assert not Truth(bare.graph).tables().events.num_rows


def test_the_graph_without_users_has_a_digest_of_its_own(workspace: Workspace) -> None:
    whole, bare = graph_to_hold(Truth(workspace.graph)), graph_to_hold(Truth(workspace.graph), with_users=False)
    assert whole.digest != bare.digest
    assert Label.USER in whole.nodes and Rel.BOUGHT in whole.edges
    assert Label.USER not in bare.nodes and Rel.BOUGHT not in bare.edges


@pytest.mark.parametrize("other", [small("Another title"), small(confidence=0.25)])
def test_another_graph_is_only_replaced_when_asked(workspace: Workspace, tmp_path: Path, other: GraphTables) -> None:
    Truth(tmp_path / "other").write(other)
    before = Truth(workspace.graph).digest
    with pytest.raises(StateError, match="There is another graph") as caught:
        import_graph(workspace, tmp_path / "other")
    assert "--replace" in caught.value.hint and Truth(workspace.graph).digest == before
    assert import_graph(workspace, tmp_path / "other", replace_graph=True).digest == Truth(tmp_path / "other").digest


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("graph.graphml", "GraphML carries only the strongest evidence"),
        ("graph.rdf", r"\.rdf is no format of a whole graph"),
        ("graph", "a file without an ending is no format"),
        ("empty/", "holds no graph of clew"),
        ("missing.ttl", r"There is no .*missing\.ttl"),
    ],
)
def test_what_cannot_be_imported(tmp_path: Path, name: str, message: str) -> None:
    path = tmp_path / name
    if name.endswith("/"):
        path.mkdir()
    elif "missing" not in name:
        path.write_text("x")
    with pytest.raises(InputError, match=message) as caught:
        import_graph(Workspace(tmp_path / "to"), path)
    assert caught.value.hint
    assert not (tmp_path / "to").exists()


def test_an_unknown_format_lists_those_that_exist(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format 'xml'") as caught:
        export_graph(workspace, ["ttl", "xml"], tmp_path / "out")
    assert "neo4j-csv" in caught.value.hint and not (tmp_path / "out").exists()


def test_no_graph_to_export(tmp_path: Path) -> None:
    with pytest.raises(StateError):
        export_graph(Workspace(tmp_path / "nowhere"), ["ttl"], tmp_path / "out")


def test_the_commands(workspace: Workspace, tmp_path: Path) -> None:
    run = CliRunner().invoke
    out, to = str(tmp_path / "out"), str(tmp_path / "to")
    done = run(export_command, ["--format", "ttl, neo4j-csv", "--out", out, "-w", str(workspace.path), "--json"])
    written = json.loads(done.stdout)["written"]
    assert [one["format"] for one in written] == ["ttl", "neo4j-csv"]
    assert written[1]["load"].startswith("neo4j-admin database import full")
    told = run(export_command, ["--format", "neo4j-csv", "--out", out, "-w", str(workspace.path)])
    assert "Load it into a stopped Neo4j" in told.stdout
    done = run(import_command, [f"{out}/graph.ttl", "-w", to, "--json"])
    assert json.loads(done.stdout)["digest"] == Truth(workspace.graph).digest
    assert run(import_command, [f"{out}/graph.rdf", "-w", to]).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "http://localhost:7474"], "is no address of an engine"),
        (["--to", "embedded"], "The embedded engine follows the graph by itself"),
        (["--to", "bolt://localhost", "--with-model"], "no models here"),
    ],
)
def test_sync_refuses(workspace: Workspace, arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(make_sync_command(None), [*arguments, "-w", str(workspace.path)], env={"CLEW_NEO4J_PASSWORD": "x"})
    assert done.exit_code == 2 and message in done.stderr
