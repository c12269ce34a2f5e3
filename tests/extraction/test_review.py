"""The queue for people: what comes first, what the keys do, and that answers hold."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from extraction.base import build_extractor
from extraction.cli import extract
from extraction.corrections import append_correction, read_corrections, taken_back
from extraction.resolve import FactExtractor, to_facts
from extraction.review import Doubt, accepted, corrected, labels, queue, rejected
from kg.errors import InputError
from kg.model import Entity, Evidence, Fact, Product
from kg.ontology import RELATIONS, Label, Rel
from kg.tables import EVENT_SCHEMA, GraphTables, events_table, evidence_tables, products_table
from kg.truth import Truth
from kg.workspace import Workspace

TITLES = {"a": "Zibb Mug, Ecru", "b": "Zibb Cup", "c": "Fine Zorbo Pot"}


def fact(key: str, relation: Rel, label: Label, value: str, confidence: float) -> Fact:
    start = TITLES[key].index(value)
    return Fact(key, RELATIONS[relation], Entity(label, value), (Evidence("title", start, start + len(value), value, "rules", confidence),))


def tables() -> GraphTables:
    facts = [
        fact("a", Rel.HAS_BRAND, Label.BRAND, "Zibb", 0.7),
        fact("a", Rel.HAS_COLOR, Label.COLOR, "Ecru", 0.99),
        fact("b", Rel.HAS_BRAND, Label.BRAND, "Zibb", 0.6),
        fact("c", Rel.HAS_BRAND, Label.BRAND, "Fine", 0.4),
    ]
    events = pa.table(
        {"user": ["u", "v"], "item": ["a", "a"], "time": [1, 2], "value": [1.0, 1.0], "kind": ["view"] * 2}, schema=EVENT_SCHEMA
    )
    products = products_table([Product(key, title) for key, title in TITLES.items()])
    return GraphTables(products, evidence_tables(facts, "catalogue"), events_table(events))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "shop").open(create=True)
    Truth(workspace.graph).write(tables())
    return workspace


def call(workspace: Workspace, *arguments: str, keys: str = "") -> Result:
    return CliRunner().invoke(extract, ["review", "-w", str(workspace.path), *arguments], input=keys)


def test_the_heaviest_doubt_comes_first_and_sure_facts_not_at_all() -> None:
    doubts = queue(tables(), read_corrections(Path("none")))
    # (1 − .7) · 3 events = .9, (1 − .4) · 1 = .6, (1 − .6) · 1 = .4; the colour is sure.
    assert [(d.item_key, round(d.weight, 3)) for d in doubts] == [("a", 0.9), ("c", 0.6), ("b", 0.4)]
    assert doubts[1].marked() == "[Fine] Zorbo Pot"
    assert queue(tables(), read_corrections(Path("none")), 1) == doubts[:1]


def test_a_value_of_a_column_is_shown_beside_the_title() -> None:
    doubt = Doubt("a", "Mug", "brand", "brand:zibb", "Zibb", "brand", 0, 4, 0.5, 1)
    assert doubt.marked() == "Mug (brand: [Zibb])"


def test_the_keys_write_corrections_that_hold(workspace: Workspace) -> None:
    done = call(workspace, keys="acZorbo\nr")
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in workspace.corrections_file.read_text("utf-8").splitlines()]
    assert lines[0] == {"right": {"item_key": "a", "attribute": "brand", "value": "Zibb"}}
    said = read_corrections(workspace.corrections_file)
    assert queue(tables(), said) == []


def test_answers_survive_and_become_facts(workspace: Workspace) -> None:
    first, second, third = queue(tables(), read_corrections(workspace.corrections_file))
    for entry in (accepted(first), corrected(second, " Zorbo "), rejected(third)):
        append_correction(workspace.corrections_file, entry)
    said = read_corrections(workspace.corrections_file)
    assert queue(tables(), said) == []
    facts = to_facts(Product("c", TITLES["c"]), [], said)
    assert [(f.target_key, f.evidence[0].extractor) for f in facts] == [("brand:zorbo", "correction")]
    assert set(labels(said, TITLES)) == {("a", "brand", ("Zibb",)), ("c", "brand", ("Zorbo",))}
    with pytest.raises(InputError, match="right value is blank"):
        corrected(first, "  ")


@pytest.mark.parametrize("end", ["q", ""])
def test_quitting_and_the_end_of_the_input_write_nothing(workspace: Workspace, end: str) -> None:
    done = call(workspace, keys=f"s{end}")
    assert done.exit_code == 0, done.output
    assert "0 answers" in done.output
    assert not workspace.corrections_file.exists()


def test_an_unknown_key_is_asked_again(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = iter("zrq")
    monkeypatch.setattr(click, "getchar", lambda: next(keys))
    done = call(workspace)
    assert done.output.count("[a]ccept") == 3 and "1 answers" in done.output
    assert read_corrections(workspace.corrections_file).refuses("a", "brand:zibb")


def test_the_queue_is_one_document(workspace: Workspace) -> None:
    listed = json.loads(call(workspace, "--json", "--limit", "2").stdout)
    assert [row["entity"] for row in listed["facts"]] == ["brand:zibb", "brand:fine"]
    assert not workspace.corrections_file.exists()


def test_without_a_workspace_it_says_so(tmp_path: Path) -> None:
    done = CliRunner().invoke(extract, ["review", "-w", str(tmp_path / "none")])
    assert done.exit_code == 1 and "There is no workspace" in done.output


def test_an_answer_is_taken_back_and_given_anew(workspace: Workspace) -> None:
    done = call(workspace, keys="ruasq")
    assert "1 answers" in done.output
    said = read_corrections(workspace.corrections_file)
    assert not said.refuses("a", "brand:zibb") and said.right["a"]["brand"] == ("Zibb",)
    call(workspace, keys="uq")  # nothing was answered yet: nothing is taken back
    assert read_corrections(workspace.corrections_file) == said


def ingested(workspace: Workspace, rows: str) -> dict[str, int]:
    """Names of brands with the number of their products, after an ingest by the columns."""
    from kg.config import CatalogueSource
    from kg.ingest import ingest
    from kg.proposals import named_brands

    file = workspace.path / "shop.csv"
    file.write_text("item,title,brand\n" + rows)
    source = FactExtractor(build_extractor("columns", []), read_corrections(workspace.corrections_file))
    ingest(workspace, catalogue=CatalogueSource(files=(str(file),)), fact_source=source)
    return {brand.name: brand.count for brand in named_brands(Truth(workspace.graph).tables().evidence)}


def test_brands_that_may_be_one_are_joined_parted_and_joined_no_more(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "shop").open(create=True)
    rows = "a,Mug,Rubbermaid\nb,Cup,Rubbermaid\nc,Pot,Rubermaid\nd,Pan,Speedo\ne,Pin,Speed\nf,Pen,Youtopia\ng,Pad,Youcopia\n"
    apart = {"Rubbermaid": 2, "Rubermaid": 1, "Speed": 1, "Speedo": 1, "Youcopia": 1, "Youtopia": 1}
    assert ingested(workspace, rows) == apart
    listed = json.loads(call(workspace, "--same", "--json").stdout)["pairs"]
    assert [(pair["name"], pair["other_name"], pair["score"]) for pair in listed] == [
        ("Rubermaid", "Rubbermaid", 0.9),
        ("Youtopia", "Youcopia", 0.875),
    ]
    assert "2 answers" in call(workspace, "--same", keys="ar").output
    assert ingested(workspace, rows) == {**{k: v for k, v in apart.items() if k != "Rubermaid"}, "Rubbermaid": 3}
    edges = Truth(workspace.graph).tables().edges[Rel.HAS_BRAND].to_pylist()
    assert {"source_key": "c", "target_key": "brand:rubbermaid", "text": "Rubermaid"}.items() <= edges[2].items(), (
        "the alias is the evidence"
    )
    assert "0 answers" in call(workspace, "--same").output
    append_correction(workspace.corrections_file, {"same": ["brand:rubbermaid", "brand:rubermaid"], "undo": True})
    assert ingested(workspace, rows) == apart
    assert [pair["name"] for pair in json.loads(call(workspace, "--same", "--json").stdout)["pairs"]] == ["Rubermaid"]


def test_what_was_joined_in_a_chain_comes_apart_link_by_link(tmp_path: Path) -> None:
    path = tmp_path / "corrections.jsonl"
    for keys in (["brand:a", "brand:b"], ["brand:z", "brand:a"]):
        append_correction(path, {"same": keys})
    assert read_corrections(path).canonical("brand:b") == "brand:z"
    append_correction(path, taken_back({"same": ["brand:z", "brand:a"]}))
    assert read_corrections(path).canonical("brand:b") == "brand:a"
    append_correction(path, {"same": ["brand:b", "brand:a"]})
    turned = read_corrections(path)
    assert (turned.canonical("brand:a"), turned.canonical("brand:b")) == ("brand:b", "brand:b")
