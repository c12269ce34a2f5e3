"""`clew graph` and `clew cypher` as commands: their answers, their exit codes, their words."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from kg.cli.cypher import cypher
from kg.cli.graph import make_graph_group
from kg.cli.tables import text_table
from kg.store import Edge, Node
from kg.store import Path as GraphPath
from kg.testing import ColumnFacts

GRAPH = make_graph_group(lambda workspace, name: (ColumnFacts(), None))
PRODUCTS = (
    "item,title,brand,category,price,currency\np1,LEGO City tractor,LEGO,Toys > Bricks,20,USD\np2,LEGO ship,LEGO,Toys > Bricks,50,USD\n"
)
EVENTS = "user,item,time\nu1,p1,2022-01-01\nu2,p2,2022-01-03\nu2,p1,2022-01-03\nu7,nope,2022-01-03\n"


def call(group: click.Group, *args: object) -> Result:
    return CliRunner().invoke(group, [str(arg) for arg in args], catch_exceptions=False)


def answer(group: click.Group, *args: object) -> Any:
    done = call(group, *args, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    (folder / "products.csv").write_text(PRODUCTS)
    (folder / "events.csv").write_text(EVENTS)
    files = ("--catalogue", folder / "products.csv", "--events", folder / "events.csv")
    report = answer(GRAPH, "ingest", *files, "-w", folder / "shop")
    assert set(report) == {"schema_version", "digest", "nodes", "edges", "rejected", "engine", "changes", "seconds"}
    assert (report["rejected"], report["changes"]["new"]) == (1, 20)
    return folder


def test_ingest_tells_people_what_it_did(shop: Path) -> None:
    files = ("--catalogue", shop / "products.csv", "--events", shop / "events.csv")
    done = call(GRAPH, "ingest", *files, "-w", shop / "shop", "-q")
    assert done.exit_code == 0
    assert "Nodes and edges: 0 new, 0 changed, 20 unchanged, 0 removed" in done.stdout
    assert "1 rows rejected, see" in done.stdout
    assert "1 × unknown product" in done.stdout
    dry = call(GRAPH, "ingest", *files, "-w", shop / "shop", "--dry-run", "--prune")
    assert dry.stdout.startswith("Would be: 0 new")


def test_ingest_needs_a_file(tmp_path: Path) -> None:
    done = call(GRAPH, "ingest", "-w", tmp_path)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: No file was named.")
    missing = call(GRAPH, "ingest", "--catalogue", tmp_path / "no.csv", "-w", tmp_path, "--json")
    assert missing.exit_code == 1
    assert json.loads(missing.stderr.splitlines()[-1])["error"]["kind"] == "input"


def test_files_may_stand_in_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text(PRODUCTS)
    (tmp_path / "clew.toml").write_text('[catalogue]\nfiles = "products.csv"\n')
    assert answer(GRAPH, "ingest", "-w", tmp_path)["nodes"]["Product"] == 2
    assert answer(GRAPH, "ingest", "--mapping", tmp_path / "clew.toml", "-w", tmp_path / "other")["nodes"]["Product"] == 2


def test_stats(shop: Path) -> None:
    found = answer(GRAPH, "stats", "-w", shop / "shop")
    assert set(found) == {"schema_version", "digest", "nodes", "edges", "rejected", "engine"}
    assert found["nodes"]["Product"] == 2
    assert found["edges"] == {"BOUGHT": 3, "HAS_BRAND": 2, "IN_CATEGORY": 2, "IN_PRICE_BAND": 2, "PART_OF": 1}
    assert (found["rejected"], found["engine"]) == (1, "embedded")
    assert "HAS_BRAND" in call(GRAPH, "stats", "-w", shop / "shop").stdout
    nothing = call(GRAPH, "stats", "-w", shop / "nothing")
    assert nothing.exit_code == 1
    assert "There is no workspace at" in nothing.stderr


def test_show_quotes_the_words(shop: Path) -> None:
    found = answer(GRAPH, "show", "p1", "-w", shop / "shop")
    brand = next(edge for edge in found[0]["edges"] if edge["type"] == "HAS_BRAND")
    assert (brand["direction"], brand["node"]) == ("out", {"label": "Brand", "key": "brand:lego", "name": "LEGO"})
    assert brand["evidence"][0]["text"] == "LEGO"
    text = call(GRAPH, "show", "brand:lego", "-w", shop / "shop").stdout
    assert "Brand brand:lego" in text
    assert "brand: 'LEGO'" in text
    assert "… and more" in call(GRAPH, "show", "brand:lego", "--limit", 1, "-w", shop / "shop").stdout
    unknown = call(GRAPH, "show", "brand:legoo", "-w", shop / "shop")
    assert unknown.exit_code == 1
    assert "brand:lego" in unknown.stderr


def test_validate_and_verify(shop: Path) -> None:
    assert answer(GRAPH, "validate", "-w", shop / "shop")["n_faults"] == 0
    assert "no fault" in call(GRAPH, "validate", "-w", shop / "shop").stdout
    assert answer(GRAPH, "verify", "-w", shop / "shop")["faults"] == []
    assert "The embedded engine holds all 20" in call(GRAPH, "verify", "-w", shop / "shop", "-q").stdout


def test_a_damaged_graph_does_not_validate(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text(PRODUCTS)
    answer(GRAPH, "ingest", "--catalogue", tmp_path / "products.csv", "-w", tmp_path)
    next((tmp_path / "graph" / "edges" / "HAS_BRAND").iterdir()).unlink()
    done = call(GRAPH, "validate", "-w", tmp_path)
    assert done.exit_code == 1
    assert "is missing, which the manifest names" in done.stdout


def test_an_engine_that_differs_does_not_verify(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text(PRODUCTS)
    answer(GRAPH, "ingest", "--catalogue", tmp_path / "products.csv", "-w", tmp_path)
    call(GRAPH, "verify", "-w", tmp_path)
    kept = next((tmp_path / "cache").glob("embedded-*.kgl"))
    (tmp_path / "products.csv").write_text(PRODUCTS.replace("City", "Village"))
    answer(GRAPH, "ingest", "--catalogue", tmp_path / "products.csv", "-w", tmp_path)
    call(GRAPH, "verify", "-w", tmp_path)
    new = next((tmp_path / "cache").glob("embedded-*.kgl"))
    assert new.name != kept.name
    (tmp_path / "products.csv").write_text(PRODUCTS)
    answer(GRAPH, "ingest", "--catalogue", tmp_path / "products.csv", "-w", tmp_path)
    new.rename(kept)  # an engine's file under another graph's name
    done = call(GRAPH, "verify", "-w", tmp_path)
    assert done.exit_code == 1
    assert "nodes/Product: the content differs from the truth." in done.stdout


def test_cypher_list_and_show() -> None:
    listed = answer(cypher, "list")
    assert all(set(query) == {"name", "group", "summary", "parameters", "columns", "needs"} for query in listed)
    assert next(q for q in listed if q["name"] == "also_bought")["parameters"] == {"item": "text", "limit": "integer"}
    assert "also_bought" in call(cypher, "list").stdout
    shown = call(cypher, "show", "also_bought").stdout
    assert ":param limit => 20;" in shown
    assert shown.rstrip().endswith(";")
    assert call(cypher, "show", "also_bougt").exit_code == 1


def test_cypher_run(shop: Path) -> None:
    found = answer(cypher, "run", "also_bought", "--param", "item=p1", "-w", shop / "shop")
    assert found["columns"] == ["other", "title", "people"]
    assert found["rows"] == [["p2", "LEGO ship", 1]]
    assert set(found) == {"schema_version", "columns", "rows", "truncated", "ms"}
    text = call(cypher, "run", "also_bought", "--param", "item=p1", "--param", "limit=1", "-w", shop / "shop").stdout
    assert text.splitlines()[0].split() == ["other", "title", "people"]
    assert "No rows." in call(cypher, "run", "also_bought", "--param", "item=none", "-w", shop / "shop").stdout
    wrong = call(cypher, "run", "also_bought", "--param", "item", "-w", shop / "shop")
    assert (wrong.exit_code, "is no parameter" in wrong.stderr) == (2, True)


def test_cypher_query(shop: Path) -> None:
    text = "MATCH (u:User {key: $user})-[r:BOUGHT]->(p) RETURN p, r, $n AS n ORDER BY p.key LIMIT 1"
    found = answer(cypher, "query", text, "--param", "user=u2", "--param", "n=[1, 2]", "-w", shop / "shop")
    node, edge, n = found["rows"][0]
    assert set(node) == {"label", "key", "properties"}
    assert set(edge) == {"type", "from", "to", "properties"}
    assert n == [1, 2]
    rows = list(
        csv.reader(
            io.StringIO(call(cypher, "query", "MATCH (b:Brand) RETURN b.key AS key, b", "--format", "csv", "-w", shop / "shop").stdout)
        )
    )
    assert rows[0] == ["key", "b"]
    assert json.loads(rows[1][1])["properties"] == {"name": "LEGO"}
    many = call(cypher, "query", "MATCH (p:Product) RETURN p.key", "--rows", 1, "-w", shop / "shop", "-q")
    assert "more than 1 rows" in many.stderr
    refused = call(cypher, "query", "MATCH (n) DETACH DELETE n", "-w", shop / "shop", "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stderr)["error"]["kind"] == "input"


def test_tables_fit_and_obey_nothing() -> None:
    path = GraphPath((Node("User", "u1"), Node("Product", "p1", {"title": "T"})), (Edge("BOUGHT", "u1", "p1"),))
    text = text_table(["path", "n"], [[path, 1.5], ["\x1b[31mred\n", None], ["纯棉" * 40, True]], width=50)
    assert "(User u1) ─BOUGHT→ (Product p1 T)" in text
    assert "\\x1b[31mred\\n" in text
    assert all(sum(2 if ord(c) > 0x2E80 else 1 for c in line) <= 50 for line in text.splitlines())
