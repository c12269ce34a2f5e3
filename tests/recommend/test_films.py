"""A film catalogue by its own ontology file, from the files to a recommendation whose reason is a director."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from recommend.cli import cli

FILMS = Path(__file__).parents[1] / "data" / "small-films"


def clew(*arguments: object) -> Result:
    done = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    shutil.copy(FILMS / "ontology.toml", folder)
    shutil.copy(FILMS / "clew.toml", folder)
    named = ("--catalogue", FILMS / "films.csv", "--events", FILMS / "watched.csv", "--triples", FILMS / "facts.csv")
    clew("graph", "ingest", "-q", "-w", folder, *named)
    clew("train", "-q", "-w", folder, "--without", "gnn,similar")
    return folder


def test_the_path_of_a_new_film_leads_over_its_director(films: Path) -> None:
    item = json.loads(clew("explain", "v00", "tt6", "-w", films, "--all", "--json").stdout)["items"][0]
    path = next(path for path in item["paths"] if path["relation"] == "HAS_DIRECTOR")
    assert [node["label"] for node in path["nodes"]] == ["User", "Product", "Director", "Product"]
    assert path["nodes"][2] == {**path["nodes"][2], "key": "director:christopher-nolan", "name": "Christopher Nolan"}
    assert path["contribution"] > 0 and path["reason"].endswith("this is directed by Christopher Nolan too.")
    assert path["reason"].startswith("You watched ")


def test_a_relation_without_a_sentence_is_told_by_its_labels_name(films: Path) -> None:
    item = json.loads(clew("explain", "v00", "tt6", "-w", films, "--all", "--json").stdout)["items"][0]
    countries = [path["reason"] for path in item["paths"] if path["relation"] == "MADE_IN"]
    assert any(reason.endswith("this has the country United Kingdom too.") for reason in countries)
    chinese = json.loads(clew("explain", "v00", "tt6", "-w", films, "--all", "--lang", "zh", "--json").stdout)["items"][0]
    told = {path["relation"]: path["reason"] for path in chinese["paths"]}
    assert told["HAS_DIRECTOR"].startswith("您看过") and told["HAS_DIRECTOR"].endswith("同样由Christopher Nolan执导。")
    assert re.search("同样以United (Kingdom|States)为国家。", told["MADE_IN"])


def test_a_mapped_column_is_a_field_of_conditions(films: Path) -> None:
    found = json.loads(clew("recommend", "--item", "tt20", "-w", films, "-k", "5", "--where", 'director = "ridley scott"', "--json").stdout)
    assert {item["item_key"] for item in found["items"]} <= {"tt16", "tt17", "tt18", "tt19"} and found["items"]
    refused = CliRunner().invoke(cli, ["recommend", "--item", "tt20", "-w", str(films), "--where", "directr = x"])
    assert refused.exit_code == 2 and "director" in refused.output


def kept(films: Path, where: str) -> set[str]:
    answer = clew("recommend", "--item", "tt20", "-w", films, "-k", "50", "--where", where, "--json").stdout
    return {item["item_key"] for item in json.loads(answer)["items"]}


def test_a_typed_property_is_a_field_of_conditions(films: Path) -> None:
    with (FILMS / "films.csv").open(encoding="utf-8") as file:
        rows = {row["film"]: row for row in csv.DictReader(file) if row["film"] != "tt20"}
    everything = kept(films, "year > 0")
    assert everything and everything <= set(rows)
    assert kept(films, "year >= 2000") == {film for film in everything if int(rows[film]["year"]) >= 2000}
    assert kept(films, "year < 1999.5 and runtime >= 120") == {
        film for film in everything if int(rows[film]["year"]) <= 1999 and float(rows[film]["runtime"] or 0) >= 120
    }
    assert kept(films, "not year in (2010, 2014)") == {film for film in everything if rows[film]["year"] not in ("2010", "2014")}
    refused = CliRunner().invoke(cli, ["recommend", "--item", "tt20", "-w", str(films), "--where", "year >= soon"])
    assert refused.exit_code == 2 and "'soon' is no number" in refused.output


def test_the_words_of_a_file_end_with_the_command_that_opened_it(films: Path, small_shop: Path) -> None:
    clew("recommend", "--user", "v00", "-w", films)
    assert "watched" not in clew("recommend", "--user", "u0027", "-w", small_shop).stdout
