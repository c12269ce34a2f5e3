"""What `clew graph` and `clew cypher` print with --json fits the schemas that `clew schema` publishes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator, ValidationError

from kg.ontology import scope
from recommend.cli import cli
from recommend.schema import schema, schema_names

FILMS = Path(__file__).parents[1] / "data" / "small-films"


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    with scope():
        yield


def asked(*arguments: object, code: int = 0) -> Any:
    done = CliRunner().invoke(cli, [*map(str, arguments), "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def checked(name: str, document: Any) -> Any:
    Draft202012Validator(schema(name)).validate(document)
    return document


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name in ("ontology.toml", "clew.toml"):
        shutil.copy(FILMS / name, folder)
    files = ("--catalogue", FILMS / "films.csv", "--events", FILMS / "watched.csv", "--triples", FILMS / "facts.csv")
    checked("graph-ingest", asked("graph", "ingest", "-w", folder, *files))
    return folder


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("graph-stats", ["graph", "stats"]),
        ("graph-show", ["graph", "show", "tt6"]),
        ("graph-show", ["graph", "show", "v00", "--limit", "1"]),
        ("graph-show", ["graph", "show", "country:japan"]),
        ("graph-validate", ["graph", "validate"]),
        ("graph-verify", ["graph", "verify"]),
        ("graph-ontology", ["graph", "ontology"]),
        ("graph-erase", ["graph", "erase", "--user", "v01", "--dry-run"]),
        ("cypher-list", ["cypher", "list"]),
        ("cypher-show", ["cypher", "show", "search_titles"]),
        ("cypher-rows", ["cypher", "run", "product_card", "--param", "item=tt6"]),
        (
            "cypher-rows",
            ["cypher", "query", "MATCH q = (p:Product)-[r:HAS_DIRECTOR]->(d) RETURN q, p, r, d, {a: [1, 2.5, null]} AS m LIMIT 3"],
        ),
        ("cypher-rows", ["cypher", "query", "MATCH (p:Product {key: 'none'}) RETURN p"]),
    ],
)
def test_answers_fit_their_schema(films: Path, name: str, arguments: list[str]) -> None:
    checked(name, asked(*arguments, "-w", films))


def test_a_difference_an_export_an_import_and_an_erasure_fit(films: Path, tmp_path: Path) -> None:
    out = checked("graph-export", asked("graph", "export", "--format", "parquet,neo4j-csv,ttl", "--out", tmp_path / "out", "-w", films))
    assert [one["format"] for one in out["written"]] == ["parquet", "neo4j-csv", "ttl"]
    checked("graph-import", asked("graph", "import", tmp_path / "out" / "graph", "-w", tmp_path / "copy"))
    erased = checked("graph-erase", asked("graph", "erase", "--user", "v01", "-w", tmp_path / "copy"))
    assert erased["events"] > 0
    found = checked("graph-diff", asked("graph", "diff", films, tmp_path / "copy"))
    assert found["changes"]["removed"] > 0 and any(table["first"] for table in found["tables"])


def test_faults_fit(films: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(films, copy)
    next((copy / "graph" / "events").glob("*.parquet")).write_bytes(b"no Parquet")
    found = checked("graph-validate", asked("graph", "validate", "-w", copy, code=1))
    assert found["n_faults"] == 1


def test_schemas_refuse_what_is_no_answer(films: Path) -> None:
    document = asked("graph", "stats", "-w", films)
    for wrong in ({**document, "rejected": -1}, {**document, "more": 1}, {k: v for k, v in document.items() if k != "digest"}):
        with pytest.raises(ValidationError):
            checked("graph-stats", wrong)


def test_schemas_are_listed() -> None:
    listed = {one["name"] for one in asked("schema")}
    assert listed == set(schema_names()) and {"graph-stats", "graph-diff", "graph-erase", "graph-show", "cypher-rows"} <= listed
