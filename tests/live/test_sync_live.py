"""`clew graph sync`, `verify` and `cypher` against the server, as a person runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from jsonschema import Draft202012Validator

from kg.exchange import without_users
from kg.stores.launcher import Server
from kg.stores.neo4j import Neo4jStore
from kg.tables import GraphTables
from kg.truth import Truth
from kg.workspace import Workspace

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def workspace(neo4j: Server, shop: GraphTables, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("shop")).open(create=True)
    Truth(made.graph).write(shop)
    return made


@pytest.fixture(scope="module")
def asked(neo4j: Server, workspace: Workspace) -> Callable[..., Any]:
    from click.testing import CliRunner

    from recommend.cli import cli
    from recommend.schema import schema

    def ask(*arguments: str, code: int = 0) -> Any:
        done = CliRunner().invoke(cli, [*arguments, "-w", str(workspace.path), "--json"])
        assert done.exit_code == code, done.output
        document = json.loads(done.stdout)
        if code == 0:
            Draft202012Validator(schema("-".join(arguments[:2]))).validate(document)
        return document

    return ask


def test_the_first_writes_all_and_the_second_nothing(neo4j: Server, asked: Callable[..., Any]) -> None:
    first = asked("graph", "sync", "--to", neo4j.uri)
    assert first["changes"]["new"] > 400 and first["changes"]["unchanged"] == 0
    second = asked("graph", "sync", "--to", neo4j.uri)
    assert second["changes"] == {"new": 0, "changed": 0, "unchanged": first["changes"]["new"], "removed": 0}
    assert second["digest"] == first["digest"]
    assert asked("graph", "verify", "--store", neo4j.uri)["faults"] == []


def test_only_what_differs_is_written(neo4j: Server, asked: Callable[..., Any], workspace: Workspace, shop: GraphTables) -> None:
    asked("graph", "sync", "--to", neo4j.uri)
    fewer = GraphTables(shop.products, shop.evidence, shop.events.filter(pc.not_equal(shop.events.column("user"), "many1")))
    Truth(workspace.graph).write(fewer)
    found = asked("graph", "sync", "--to", neo4j.uri)["changes"]
    assert (found["new"], found["changed"], found["removed"]) == (0, 0, 1 + 5)  # the person and five purchases
    Truth(workspace.graph).write(shop)
    assert asked("graph", "sync", "--to", neo4j.uri)["changes"]["new"] == 6
    assert asked("graph", "verify", "--store", neo4j.uri)["faults"] == []


def test_what_somebody_changed_on_the_server_is_found_and_mended(neo4j: Server, asked: Callable[..., Any]) -> None:
    from neo4j import GraphDatabase

    asked("graph", "sync", "--to", neo4j.uri)
    with GraphDatabase.driver(neo4j.uri, auth=("neo4j", neo4j.password)) as driver:
        driver.execute_query("MATCH (n:Product {key: '2'}) SET n.title = 'meddled'")
        driver.execute_query("MATCH (:User)-[r:BOUGHT]->(:Product {key: '2'}) DELETE r")
        faults = asked("graph", "verify", "--store", neo4j.uri, code=1)["faults"]
        assert any("Product" in fault and "content" in fault for fault in faults) and any("BOUGHT" in fault for fault in faults)
        driver.execute_query("MATCH (s:ClewState) REMOVE s.digest")
    found = asked("graph", "sync", "--to", neo4j.uri)["changes"]
    assert (found["new"], found["changed"], found["removed"]) == (1, 1, 0)
    assert asked("graph", "verify", "--store", neo4j.uri)["faults"] == []


def test_a_graph_without_people(neo4j: Server, asked: Callable[..., Any], workspace: Workspace) -> None:
    asked("graph", "sync", "--to", neo4j.uri)
    found = asked("graph", "sync", "--to", neo4j.uri, "--without-users")["changes"]
    people = Truth(workspace.graph).tables().users.num_rows
    assert found["removed"] > people and found["new"] == 0
    assert asked("graph", "verify", "--store", neo4j.uri)["faults"] == []
    store = Neo4jStore(neo4j.uri)
    assert store.run("MATCH (n:User) RETURN count(n)").rows == ((0,),)
    assert store.run("MATCH ()-[r:BOUGHT]->() RETURN count(r)").rows == ((0,),)
    store.close()
    assert asked("graph", "sync", "--to", neo4j.uri)["changes"]["new"] == found["removed"]


def test_without_users_is_the_same_as_a_truth_without_events(shop: GraphTables, tmp_path: Path) -> None:
    assert without_users(shop).users.num_rows == 0 and without_users(shop).products.equals(shop.products)


def test_edges_of_a_model_come_and_go(neo4j: Server, small_shop: Path) -> None:
    from click.testing import CliRunner

    from recommend.cli import cli

    def ask(*arguments: str) -> Any:
        done = CliRunner().invoke(cli, [*arguments, "-w", str(small_shop), "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    first = ask("graph", "sync", "--to", neo4j.uri, "--with-model")["changes"]
    second = ask("graph", "sync", "--to", neo4j.uri, "--with-model")["changes"]
    assert second == {"new": 0, "changed": 0, "unchanged": first["new"] + first["changed"] + first["unchanged"], "removed": 0}
    assert ask("graph", "verify", "--store", neo4j.uri)["faults"] == []
    store = Neo4jStore(neo4j.uri)
    found = store.run("MATCH (a:Product)-[r:SIMILAR_TEXT]->(b:Product) RETURN a.key, b.key, r.words, r.derived, r.count LIMIT 50").rows
    assert len(found) == 50 and all(derived is True and count is None for *_, derived, count in found)
    assert any(words for _, _, words, _, _ in found)
    counts = store.run("MATCH (:Product)-[r:CO_BOUGHT]->(:Product) RETURN count(r), min(r.count)").rows
    assert counts[0][0] > 0 and (counts[0][1] is None or counts[0][1] >= 5)
    ask("graph", "sync", "--to", neo4j.uri)
    assert "SIMILAR_TEXT" not in store.counts().edges
    store.close()
