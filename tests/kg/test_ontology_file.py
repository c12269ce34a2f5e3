"""`ontology.toml`: labels, relations, properties and words of one's own, and how they pass through the graph."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from kg.canon import entity_key
from kg.errors import InputError, StateError
from kg.ontology import Family, Label, Ontology, adopt, all_relations, display_name, entity_labels, product_properties, relation, scope
from kg.ontology_file import load_ontology
from kg.ontology_page import ontology_page
from kg.own_ontology import FILE_NAME, property_value
from kg.rdf_read import read_rdf
from kg.store import edge_schema, engine_graph, node_schema
from kg.stores.embedded import EmbeddedStore
from kg.stores.memory import MemoryStore
from kg.sync import synchronise, verify
from kg.truth import Truth
from recommend.cli import cli

FILMS = Path(__file__).parents[1] / "data" / "small-films"


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    with scope():
        yield


def clew(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    shutil.copy(FILMS / FILE_NAME, folder)
    shutil.copy(FILMS / "clew.toml", folder)
    done = ingest(folder)
    assert done.exit_code == 0, done.output
    return folder


def ingest(folder: Path, catalogue: Path = FILMS / "films.csv") -> Result:
    named = ("--catalogue", catalogue, "--events", FILMS / "watched.csv", "--triples", FILMS / "facts.csv")
    return clew("graph", "ingest", "-w", folder, *named)


def written(folder: Path, text: str) -> Path:
    (folder / FILE_NAME).write_text(text)
    return folder / FILE_NAME


def test_own_labels_and_relations_are_counted_beside_the_core(films: Path) -> None:
    found = json.loads(clew("graph", "stats", "-w", films, "--json").stdout)
    assert (found["nodes"]["Director"], found["nodes"]["Country"], found["nodes"]["Continent"]) == (10, 5, 3)
    assert (found["edges"]["HAS_DIRECTOR"], found["edges"]["SEQUEL_OF"], found["edges"]["LIES_IN"]) == (33, 2, 5)


def test_the_same_input_twice_changes_nothing(films: Path) -> None:
    found = json.loads(clew("graph", "ingest", "-w", films, "--catalogue", FILMS / "films.csv", "--json").stdout)
    assert {k: found["changes"][k] for k in ("new", "changed", "removed")} == {"new": 0, "changed": 0, "removed": 0}


def test_cypher_speaks_of_own_labels_relations_and_typed_properties(films: Path) -> None:
    asked = (
        "MATCH (p:Product)-[:HAS_DIRECTOR]->(d:Director {key: 'director:bong-joon-ho'}) WHERE p.year > 2005 RETURN p.title ORDER BY p.year"
    )
    assert json.loads(clew("cypher", "query", asked, "-w", films, "--json").stdout)["rows"] == [["The Host"], ["Parasite"]]
    asked = "MATCH (:Product {key: 'tt7'})-[:MADE_IN]->(c:Country)-[:LIES_IN]->(x:Continent) RETURN c, x.name"
    country = {"label": "Country", "key": "country:japan", "properties": {"name": "Japan"}}
    assert json.loads(clew("cypher", "query", asked, "-w", films, "--json").stdout)["rows"] == [[country, "Asia"]]


@pytest.mark.parametrize("engine", [MemoryStore, EmbeddedStore])
def test_every_engine_holds_what_the_truth_says(films: Path, engine: type[MemoryStore]) -> None:
    truth = Truth(films / "graph")
    graph = engine_graph(truth.tables(), truth.digest)
    store = engine()
    try:
        synchronise(store, graph)
        assert verify(store, graph) == []
        found = store.node(Label.PRODUCT, "tt6")
        assert found is not None and (found.properties["year"], found.properties["runtime"]) == (2020, 150.0)
    finally:
        store.close()


def test_a_fact_of_a_column_quotes_the_cell(films: Path) -> None:
    shown = json.loads(clew("graph", "show", "tt26", "-w", films, "--json").stdout)[0]["edges"]
    quoted = [e["evidence"][0] for e in shown if e["type"] == "HAS_DIRECTOR"]
    assert [(e["field"], e["start"], e["end"], e["text"]) for e in quoted] == [
        ("director", 0, 18, "Jean-Pierre Jeunet"),
        ("director", 19, 28, "Marc Caro"),
    ]


def test_the_graph_is_valid_by_rows_and_by_shapes(films: Path) -> None:
    done = clew("graph", "validate", "--shacl", "-w", films)
    assert done.exit_code == 0 and "no fault" in done.stdout, done.output
    shapes = clew("graph", "ontology", "--shapes", "-w", films).stdout
    assert 'sh:pattern "^director:"' in shapes and "sh:datatype xsd:integer" in shapes


def test_shapes_find_a_property_of_another_type(films: Path) -> None:
    from kg.rdf_shacl import validate_shacl
    from kg.validate import validate_tables

    tables = Truth(films / "graph").tables()
    fields = [text.replace('"year": "2010"', '"year": "soon"') for text in tables.products.column("fields").to_pylist()]
    place = tables.products.schema.get_field_index("fields")
    wrong = type(tables)(tables.products.set_column(place, "fields", pa.array(fields)), tables.evidence, tables.events, tables.timed)
    assert [fault.message for fault in validate_tables(wrong, "").faults] == ["Its year, 'soon', is no integer."]
    assert [(fault.where, fault.message) for fault in validate_shacl(wrong)] == [("Product/tt1", "year is one integer.")]


@pytest.mark.parametrize("form", ["ttl", "nt", "jsonld"])
def test_rdf_is_lossless_and_names_the_webs_own_property(films: Path, tmp_path: Path, form: str) -> None:
    assert clew("graph", "export", "--format", form, "--out", tmp_path, "-w", films).exit_code == 0
    truth = Truth(films / "graph")
    digest = truth.digest
    again = read_rdf(tmp_path / f"graph.{form}", form)
    assert truth.digest_of(again) == digest
    assert "director" in (tmp_path / f"graph.{form}").read_text() and "schema.org" in (tmp_path / f"graph.{form}").read_text()


def test_an_exported_graph_takes_its_ontology_along(films: Path, tmp_path: Path) -> None:
    assert clew("graph", "export", "--format", "parquet", "--out", tmp_path / "out", "-w", films).exit_code == 0
    assert clew("graph", "import", tmp_path / "out" / "graph", "-w", tmp_path / "new").exit_code == 0
    assert Truth(tmp_path / "new" / "graph").digest == Truth(films / "graph").digest
    assert clew("graph", "validate", "-w", tmp_path / "new").exit_code == 0
    assert clew("graph", "diff", films, tmp_path / "new").exit_code == 0


def test_a_graph_of_another_ontology_is_not_imported(films: Path, tmp_path: Path) -> None:
    assert clew("graph", "export", "--format", "parquet", "--out", tmp_path / "out", "-w", films).exit_code == 0
    (tmp_path / "shop.csv").write_text("key,title,brand\n1,LEGO ship,LEGO\n")
    assert clew("graph", "ingest", "--catalogue", tmp_path / "shop.csv", "-w", tmp_path / "shop").exit_code == 0
    done = clew("graph", "import", tmp_path / "out" / "graph", "--replace", "-w", tmp_path / "shop")
    assert done.exit_code == 1 and "was made with another ontology.toml" in done.output
    assert clew("graph", "stats", "-w", tmp_path / "shop").exit_code == 0


def test_the_page_has_what_the_file_adds(films: Path) -> None:
    page = clew("graph", "ontology", "-w", films).stdout
    assert "| `Product` (film) |" in page and "Product -- HAS_DIRECTOR --> Director" in page and "`year` int64" in page
    document = json.loads(clew("graph", "ontology", "-w", films, "--json").stdout)
    assert document["labels"]["Product"]["year"] == "int64"
    assert document["relations"]["LIES_IN"] == {**document["relations"]["LIES_IN"], "from": "Country", "to": "Continent", "family": "tree"}


def test_a_row_whose_property_is_of_another_type_is_set_aside(films: Path, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    shutil.copy(FILMS / FILE_NAME, folder)
    shutil.copy(FILMS / "clew.toml", folder)
    rows: tuple[str, ...] = ("film,title,year,runtime,director,category", "a,A,1999,99,Ann,drama", "b,B,soon,99,Ann,drama")
    rows += ("c,C,,99,Ann,drama", "d,D,2001,inf,Ann,drama")
    (tmp_path / "films.csv").write_text("\n".join(rows))
    assert clew("graph", "ingest", "-w", folder, "--catalogue", tmp_path / "films.csv").exit_code == 0
    reasons = [json.loads(line)["reason"] for line in (folder / "rejects.jsonl").read_text().splitlines()]
    assert reasons == ["wrong year: 'soon' is no integer", "no year: the column year is blank", "wrong runtime: 'inf' is no number"]


def test_without_its_file_the_graph_is_not_read_as_something_else(films: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(films, copy)
    (copy / FILE_NAME).unlink()
    done = clew("graph", "stats", "-w", copy)
    assert done.exit_code == 1 and "ontology.toml is missing, with which the graph was made" in done.output


def test_a_change_of_the_file_asks_for_an_ingest_and_keeps_facts(films: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(films, copy)
    text = (copy / FILE_NAME).read_text()
    written(copy, text + '\n[labels.Actor]\n[relations.HAS_ACTOR]\nfrom = "Product"\nto = "Actor"\n')
    done = clew("graph", "stats", "-w", copy)
    assert done.exit_code == 1 and "has changed since the graph was made" in done.output and "graph ingest" in done.output
    assert ingest(copy).exit_code == 0
    assert json.loads(clew("graph", "stats", "-w", copy, "--json").stdout)["nodes"]["Director"] == 10
    written(copy, text.replace("[labels.Director]", "[labels.Maker]\n[labels.Director]").replace('to = "Director"', 'to = "Maker"'))
    done = ingest(copy)
    assert done.exit_code == 1 and "HAS_DIRECTOR leads to Director in the graph that is there, and to Maker" in done.output


def test_what_is_only_called_otherwise_needs_no_ingest(films: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(films, copy)
    written(copy, (copy / FILE_NAME).read_text().replace('en = "film"', 'en = "picture"'))
    assert "(picture)" in clew("graph", "ontology", "-w", copy).stdout
    assert clew("graph", "stats", "-w", copy).exit_code == 0


def test_labels_are_known_while_their_file_is_open(films: Path) -> None:
    with pytest.raises(ValueError, match="Director"):
        Label("Director")
    Truth(films / "graph").tables()
    director = Label("Director")
    assert director is Label("Director") and director in entity_labels() and f"{director}" == "Director" == director
    assert entity_key(director, "Bong Joon-ho") == "director:bong-joon-ho"
    assert relation("HAS_DIRECTOR").target is director and relation("HAS_DIRECTOR").family is Family.FACT
    assert node_schema(director).names == ["key", "name"] and "confidence" in edge_schema(relation("LIES_IN")).names
    assert [p.name for p in product_properties()] == ["year", "runtime"] and display_name("Product", "zh") == "影片"
    assert "SEQUEL_OF" in all_relations()


def test_two_open_files_may_not_contradict_each_other() -> None:
    adopt(Ontology(labels={"Director": "director"}, relations={"BY": ("Product", "Director", Family.FACT)}), "one.toml")
    adopt(Ontology(relations={"BY": ("Product", "Director", Family.FACT)}), "two.toml")
    with pytest.raises(StateError, match=r"three\.toml and one\.toml say different things of BY"):
        adopt(Ontology(relations={"BY": ("Product", "Product", Family.LINK)}), "three.toml")


BAD = {
    "version = 2": "version",
    '[labels."Direc`tor"]': "cannot be a label",
    '[labels."Director) DETACH DELETE (n"]': "cannot be a label",
    "[labels.director]": "cannot be a label",
    "[labels.Match]": "cannot be a label",
    "[labels.ClewState]": "cannot be a label",
    '[labels.Colour]\n[labels.Brand]\nnme = "x"': "unknown key 'nme'",
    "[labels.PriceBand]\n[labels.Price_band]": "cannot be a label",
    "[labels.Director]\n[labels.DIRECTOR]": "too like",
    '[labels.Director.properties]\nborn = "integer"': "only Product can have some",
    '[labels.Product.properties]\n"year) x" = "integer"': "cannot be a property",
    '[labels.Product.properties]\ntitle = "text"': "cannot be a property",
    '[labels.Product.properties]\nyear = "int"': "year",
    '[relations."HAS_X]->() DELETE r//"]\nfrom = "Product"\nto = "Product"': "cannot be a relation",
    '[relations.has_x]\nfrom = "Product"\nto = "Product"': "cannot be a relation",
    '[relations.HAS_X]\nto = "Product"': "does not say what it leads from",
    '[relations.HAS_X]\nfrom = "Product"': "does not say what it leads to",
    '[relations.HAS_X]\nfrom = "Product"\nto = "Director"': "neither Product nor a label of this file",
    '[labels.Director]\n[relations.HAS_X]\nfrom = "Director"\nto = "Product"': "turn it round",
    '[relations.HAS_BRAND]\nto = "Product"': "is clew's own",
    '[relations.HAS_BRAND]\ncolumn = "x"': "cannot have a column",
    '[relations.HAS_BRAND]\nsays = "is by {e.__class__}"': "must speak of {e}",
    '[relations.HAS_BRAND]\nsays = "is by {x}"': "must speak of {e}",
    '[relations.HAS_BRAND]\nsays = "is by {e"': "bracket",
    '[relations.HAS_BRAND]\nsays = {de = "x"}': "de",
    '[labels.Director]\n[relations.HAS_X]\nfrom = "Product"\nto = "Director"\niri = "javascript:alert(1)"': "iri",
    "[labels": "is not TOML",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_file_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as refused:
        load_ontology(written(tmp_path, text))
    assert BAD[text] in refused.value.message and FILE_NAME in refused.value.message


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [("12", "integer", 12), ("1.5", "number", 1.5), ("yes", "boolean", True), ("2024-02-29", "date", "2024-02-29"), (" ", "integer", None)],
)
def test_values_by_type(text: str, kind: str, value: object) -> None:
    assert property_value(text, kind) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "kind"), [("1e3", "integer"), (str(2**63), "integer"), ("nan", "number"), ("maybe", "boolean"), ("1.2.24", "date")]
)
def test_no_values_of_a_type(text: str, kind: str) -> None:
    with pytest.raises(ValueError):
        property_value(text, kind)  # type: ignore[arg-type]


def test_the_page_without_a_file_is_the_core() -> None:
    assert "Director" not in ontology_page()
