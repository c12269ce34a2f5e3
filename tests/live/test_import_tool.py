"""The files for Neo4j's offline import tool, really imported; the server that then serves them is read-only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from kg.errors import EngineError
from kg.interop_csv import write_import_files
from kg.ontology import Label
from kg.store import EngineGraph, engine_graph, node_schema
from kg.stores import launcher
from kg.stores.bolt_session import BoltSettings
from kg.stores.launcher import Server
from kg.stores.neo4j import Neo4jStore
from kg.sync import synchronise, verify
from kg.tables import GraphTables

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def graph(shop: GraphTables) -> EngineGraph:
    return engine_graph(shop, "sha256:imported")


@pytest.fixture(scope="module")
def imported(neo4j: Server, graph: EngineGraph, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4jStore]:
    folder = tmp_path_factory.mktemp("import")
    arguments = write_import_files(graph, folder)
    said = launcher.admin(folder / "home", *arguments, folder=folder, heap="256m")
    assert f"{sum(graph.counts().nodes.values()) + 1} nodes" in said
    assert f"{sum(graph.counts().edges.values())} relationships" in said
    server = launcher.start(folder / "home", heap="256m", settings={"server.databases.default_to_read_only": "true"}, brief=True)
    store = Neo4jStore(BoltSettings(server.uri, launcher.USER, server.password))
    yield store
    store.close()
    server.stop()


def test_the_tool_reads_every_row_as_it_was(imported: Neo4jStore, graph: EngineGraph) -> None:
    assert imported.counts() == graph.counts()
    assert verify(imported, graph) == []
    assert imported.digest() == "sha256:imported"


def test_a_read_only_server_says_so(imported: Neo4jStore, graph: EngineGraph) -> None:
    with pytest.raises(EngineError, match="lets nobody write here") as caught:
        imported.upsert_nodes(Label.BRAND, pa.Table.from_pylist([{"key": "brand:x", "name": "x"}], node_schema(Label.BRAND)))
    assert "leader" in caught.value.hint
    assert synchronise(imported, graph).unchanged > 0


def test_the_line_for_a_shell_stands_in_a_script(graph: EngineGraph, tmp_path: Path) -> None:
    arguments = write_import_files(graph, tmp_path)
    script = (tmp_path / "import.sh").read_text()
    assert "neo4j-admin database import full neo4j" in script and all(argument in script for argument in arguments)
