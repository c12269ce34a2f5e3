"""Triples → facts: relations, joins of integer triples, links, and every reason to refuse."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.config import Join, SourceFile, TripleColumns, TriplesSource
from kg.errors import InputError
from kg.model import Entity, Fact
from kg.ontology import Label
from kg.rejects import Rejects
from kg.triples import read_triples

DATA = Path(__file__).parents[3] / "shared" / "data"
COLUMNS = {"item": "item", "relation": "relation", "entity": "entity"}


def read(
    folder: Path, rows: list[dict[str, Any]], known: set[str] | None = None, columns: dict[str, str] | None = None, **settings: Any
) -> tuple[list[Fact], Rejects]:
    path = folder / "rows.jsonl"
    full = [{"item": "p1", "relation": "brand", "entity": "LEGO", **row} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in full), encoding="utf-8")
    rejects = Rejects()
    source = TriplesSource(columns=TripleColumns(**(columns or COLUMNS)), **settings)
    facts = list(read_triples([path], source, rejects, known))
    assert len(facts) + rejects.count == rejects.rows == len(rows) - rejects.left_out
    return facts, rejects


def told(facts: list[Fact]) -> list[str]:
    return [f"{fact.source_key} {fact.relation.name} {fact.target_key}" for fact in facts]


def test_words_become_relations(tmp_path: Path) -> None:
    rows = [
        {"relation": word, "entity": "Tom Hanks"} for word in ("brand", "Category", "MADE_OF", "directed by", "has-color", "主演 actor")
    ]
    facts, _ = read(tmp_path, rows)
    assert told(facts) == [
        "p1 HAS_BRAND brand:tom-hanks",
        "p1 IN_CATEGORY category:tom-hanks",
        "p1 MADE_OF material:tom-hanks",
        "p1 DIRECTED_BY directed-by:tom-hanks",
        "p1 HAS_COLOR color:tom-hanks",
        "p1 ACTOR actor:tom-hanks",
    ]
    evidence = facts[0].strongest
    assert (evidence.field, evidence.start, evidence.end, evidence.text) == ("triples", 0, 9, "Tom Hanks")
    assert (evidence.extractor, evidence.confidence) == ("triples", 1.0)


def test_a_map_of_relations_leaves_the_others_out(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"relation": "brand"}, {"relation": "director"}, {"relation": "noise"}, {"relation": 7}]
    facts, rejects = read(tmp_path, rows, relations={"brand": "HAS_BRAND", "director": "DIRECTED_BY", "7": "MADE_OF"})
    assert told(facts) == ["p1 HAS_BRAND brand:lego", "p1 DIRECTED_BY directed-by:lego", "p1 MADE_OF material:lego"]
    assert (rejects.left_out, rejects.count) == (1, 0)


def test_one_relation_for_a_whole_file(tmp_path: Path) -> None:
    facts, _ = read(tmp_path, [{}], columns={"item": "item", "entity": "entity"}, relation="STARRED")
    assert told(facts) == ["p1 STARRED starred:lego"]


def test_kinds_of_entities(tmp_path: Path) -> None:
    columns = {**COLUMNS, "kind": "kind"}
    rows = [{"relation": "starred", "kind": "actor"}, {"relation": "starred", "kind": ""}, {"relation": "brand", "kind": "x"}]
    facts, _ = read(tmp_path, rows, columns=columns, kinds={"STARRED": "person"})
    assert [fact.target for fact in facts] == [
        Entity(Label.ENTITY, "LEGO", "actor"),
        Entity(Label.ENTITY, "LEGO", "person"),
        Entity(Label.BRAND, "LEGO"),
    ]


def test_links_between_products(tmp_path: Path) -> None:
    rows = [{"relation": "also_bought", "entity": other} for other in ("p2", "B000X", "p1")]
    facts, rejects = read(tmp_path, rows, {"p1", "p2"})
    assert facts[0].target == "p2"
    assert told(facts) == ["p1 ALSO_BOUGHT p2", "p1 ALSO_BOUGHT_MENTIONED related_product:B000X"]
    mentioned = facts[1].target
    assert isinstance(mentioned, Entity)
    assert (mentioned.label, mentioned.kind, mentioned.name) == (Label.ENTITY, "related_product", "B000X")
    assert rejects.first[0]["reason"] == "a product and itself: 'p1' ALSO_BOUGHT"
    assert told(read(tmp_path, rows[:2])[0]) == ["p1 ALSO_BOUGHT p2", "p1 ALSO_BOUGHT B000X"]


def test_trees_join_entities(tmp_path: Path) -> None:
    rows = [{"item": "Denim", "relation": "kind of", "entity": "Cotton"}, {"item": "Shirts", "relation": "PART_OF", "entity": "Clothing"}]
    facts, _ = read(tmp_path, rows, {"p1"})
    assert told(facts) == ["material:denim KIND_OF material:cotton", "category:shirts PART_OF category:clothing"]


def test_confidence(tmp_path: Path) -> None:
    columns = {**COLUMNS, "confidence": "c"}
    facts, rejects = read(tmp_path, [{"c": c} for c in (0.5, "0.25", None, "", float("nan"), 2, "sure", 10**400)], columns=columns)
    assert [fact.strongest.confidence for fact in facts] == [0.5, 0.25, 1.0, 1.0, 1.0]
    assert [entry["reason"] for entry in rejects.first][:2] == [
        "impossible confidence: 2 is not within 0 and 1",
        "unreadable confidence: 'sure'",
    ]
    assert rejects.count == 3


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"item": "other"}, "unknown product: the catalogue has no 'other'"),
        ({"item": ""}, "no key: the product key is blank"),
        ({"entity": " \u200b"}, "no entity: its name is blank"),
        ({"entity": None}, "no entity: its name is blank"),
        ({"entity": {"a": 1}}, "not text: a value is dict, not text or a number"),
        ({"relation": ""}, "no relation: the cell is blank"),
        ({"relation": "主演"}, "unusable relation: '主演'; give its name under relations of [[triples]]"),
        ({"relation": "1st"}, "unusable relation: '1st'; give its name under relations of [[triples]]"),
        ({"relation": "bought"}, "unusable relation: BOUGHT is made by clew itself, a file cannot state it"),
        ({"relation": "SIMILAR_TEXT"}, "unusable relation: SIMILAR_TEXT is made by clew itself, a file cannot state it"),
        ({"relation": "PART_OF", "item": ""}, "no entity: its name is blank"),
    ],
)
def test_a_row_that_is_wrong_is_set_aside_with_its_reason(tmp_path: Path, row: dict[str, Any], why: str) -> None:
    facts, rejects = read(tmp_path, [{}, row, row, {}], {"p1"})
    assert len(facts) == 2
    assert [(entry["line"], entry["reason"]) for entry in rejects.first] == [(2, why), (3, why)]


def test_a_missing_column_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"No row of .* has 'sure' \(confidence\)"):
        read(tmp_path, [{}], columns={**COLUMNS, "confidence": "sure"})
    with pytest.raises(InputError, match="has no column 'entty' \\(entity\\)") as caught:
        read(tmp_path, [{}], columns={**COLUMNS, "entity": "entty"})
    assert caught.value.hint == "Did you mean 'entity'?"


def test_integer_triples_are_decoded_by_joins(tmp_path: Path) -> None:
    (tmp_path / "kg.csv").write_text("head,relation,tail\n0,0,7\n0,1,8\n0,1,1\n0,0,9\n")
    (tmp_path / "relations.csv").write_text("id,name\n0,produced_by\n1,also_bought\n")
    (tmp_path / "entities.csv").write_text("eid,name\n0,ASIN0\n1,ASIN1\n7,LEGO\n8,ASIN8\n")
    source = TriplesSource(
        columns=TripleColumns(item="head", relation="relation_name", entity="entity_name", target="tail"),
        relations={"produced_by": "HAS_BRAND", "also_bought": "ALSO_BOUGHT"},
        join=(
            Join(path=str(tmp_path / "relations.csv"), on="relation", key="id", take={"relation_name": "name"}),
            Join(path=str(tmp_path / "entities.csv"), on="tail", key="eid", take={"entity_name": "name"}),
        ),
    )
    rejects = Rejects()
    facts = list(read_triples([SourceFile(path=str(tmp_path / "kg.csv"))], source, rejects, {"0", "1"}))
    assert told(facts) == ["0 HAS_BRAND brand:lego", "0 ALSO_BOUGHT_MENTIONED related_product:ASIN8", "0 ALSO_BOUGHT 1"]
    assert rejects.reasons == {"no entity": 1}
    # A catalogue that is keyed by the names finds the same.
    by_name = source.model_copy(update={"columns": TripleColumns(item="head_name", relation="relation_name", entity="entity_name")})
    head = Join(path=str(tmp_path / "entities.csv"), on="head", key="eid", take={"head_name": "name"})
    by_name = by_name.model_copy(update={"join": (*source.join, head)})
    facts = list(read_triples([tmp_path / "kg.csv"], by_name, Rejects(), {"ASIN0", "ASIN1"}))
    assert told(facts)[1:] == ["ASIN0 ALSO_BOUGHT_MENTIONED related_product:ASIN8", "ASIN0 ALSO_BOUGHT ASIN1"]


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not beside the repository")
def test_a_film_graph() -> None:
    folder = DATA / "ml1m"
    source = TriplesSource(
        columns=TripleColumns(item="head", relation="relation_name", entity="entity_name"),
        relations={"directed_by_director": "DIRECTED_BY", "starred_by_actor": "STARRED_BY"},
        kinds={"DIRECTED_BY": "person", "STARRED_BY": "person"},
        join=(
            Join(path=str(folder / "relations.parquet"), on="relation", key="id", take={"relation_name": "name"}),
            Join(path=str(folder / "entities.parquet"), on="tail", key="eid", take={"entity_name": "name"}),
        ),
    )
    rejects = Rejects()
    facts = list(read_triples([folder / "kg.parquet"], source, rejects, {str(item) for item in range(2_983)}))
    assert Counter(fact.relation.name for fact in facts) == {"STARRED_BY": 9_395, "DIRECTED_BY": 367}
    assert (rejects.count, rejects.left_out + rejects.rows) == (0, 193_089)


ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.text(max_size=3), max_size=2)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys((*COLUMNS, "c"), ANY)), min_size=1, max_size=8))
def test_no_row_is_lost_whatever_it_holds(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    read(tmp_path_factory.mktemp("rows"), [*rows, {"c": 1}], {"p1"}, columns={**COLUMNS, "confidence": "c"})


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zs", "Zl", "Zp"]), min_size=1, max_size=30))
def test_any_name_comes_back_the_same(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    facts, _ = read(tmp_path_factory.mktemp("names"), [{"entity": name}])
    assert isinstance(facts[0].target, Entity)
    assert facts[0].target.name == name
