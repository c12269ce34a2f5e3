from __future__ import annotations

import json
from pathlib import Path

import pytest

from extraction import FactExtractor, build_extractor, to_facts
from extraction.base import Mention
from extraction.corrections import Corrections, append_correction, known_keys, read_corrections
from extraction.testing import PRODUCTS
from kg.errors import InputError
from kg.model import Entity, Product
from kg.ontology import Rel

PRODUCT = Product("p1", "LEGO City by LEGO", {"brand": "Lego®"})


def mention(raw: str, start: int, field: str = "title", confidence: float = 0.9, **others: object) -> Mention:
    given = {"attribute": "brand", "value": raw, "entity": "brand:lego", "extractor": "rules", **others}
    return Mention(raw=raw, field=field, start=start, end=start + len(raw), confidence=confidence, **given)  # type: ignore[arg-type]


MENTIONS = [mention("Lego®", 0, "brand", 0.99, extractor="columns"), mention("LEGO", 0), mention("LEGO", 13)]


def target(fact: object) -> Entity:
    found = fact.target  # type: ignore[attr-defined]
    assert isinstance(found, Entity)
    return found


def test_one_entity_in_two_fields_is_one_fact_with_all_evidence() -> None:
    [fact] = to_facts(PRODUCT, MENTIONS)
    assert fact.relation.name == Rel.HAS_BRAND
    assert fact.target_key == "brand:lego"
    assert [(e.field, e.start, e.text) for e in fact.evidence] == [("brand", 0, "Lego®"), ("title", 0, "LEGO"), ("title", 13, "LEGO")]
    assert fact.strongest.field == "brand"


def test_what_was_not_accepted_and_what_is_no_entity_makes_no_fact() -> None:
    title = Product("p2", "LEGO 12 ct")
    shown = [mention("LEGO", 0, accepted=False), Mention("quantity", "12 ct", "12 ct", None, "title", 5, 10, 0.9, "rules")]
    assert to_facts(title, shown) == []


def test_a_mention_that_the_product_does_not_say_is_refused() -> None:
    with pytest.raises(InputError, match=r"reads 'City' at 5\.\.9, not 'LEGO'"):
        to_facts(PRODUCT, [mention("LEGO", 5)])


def test_a_mention_checks_itself() -> None:
    with pytest.raises(InputError, match="does not hold 'LEGO'"):
        Mention("brand", "LEGO", "LEGO", None, "title", 0, 3, 0.9, "rules")
    with pytest.raises(InputError, match="between 0 and 1"):
        mention("LEGO", 0, confidence=1.5)


def test_a_wrong_fact_stays_away_for_one_product_or_for_all() -> None:
    one = Corrections(wrong=frozenset({("p1", "brand:lego")}))
    everywhere = Corrections(wrong=frozenset({("", "brand:lego")}))
    assert to_facts(PRODUCT, MENTIONS, one) == to_facts(PRODUCT, MENTIONS, everywhere) == []
    other = Product("p9", PRODUCT.title, PRODUCT.fields)
    assert len(to_facts(other, MENTIONS, one)) == 1


def test_two_that_are_the_same_go_by_the_first_key() -> None:
    corrections = Corrections(same={"brand:lego": "brand:lego-group"})
    [fact] = to_facts(PRODUCT, MENTIONS, corrections, {"brand:lego-group": "LEGO Group"})
    assert (fact.target_key, target(fact).name) == ("brand:lego-group", "LEGO Group")
    [unnamed] = to_facts(PRODUCT, MENTIONS, corrections)
    assert target(unnamed).name == "lego group"


def test_a_given_value_replaces_what_was_read() -> None:
    [fact] = to_facts(PRODUCT, MENTIONS, Corrections(right={"p1": {"brand": ("Duplo",)}}))
    assert fact.target_key == "brand:duplo"
    assert (fact.evidence[0].extractor, fact.evidence[0].confidence) == ("correction", 1.0)


def test_corrections_come_from_a_file_and_can_be_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "corrections.jsonl"
    wrong = {"wrong": {"item_key": "p1", "attribute": "brand", "entity": "brand:lego"}}
    assert read_corrections(path) == Corrections()
    append_correction(path, wrong)
    append_correction(path, {"same": ["brand:a", "brand:b"]})
    append_correction(path, {"same": ["brand:z", "brand:a"]})
    append_correction(path, {"right": {"item_key": "p2", "attribute": "brand", "value": "X"}})
    read = read_corrections(path)
    assert read.refuses("p1", "brand:lego")
    assert not read.refuses("p2", "brand:lego")
    assert (read.canonical("brand:b"), read.canonical("brand:a"), read.canonical("brand:q")) == ("brand:z", "brand:z", "brand:q")
    assert list(known_keys(read)) == ["p1", "p2"]
    append_correction(path, {**wrong, "undo": True})
    append_correction(path, {"same": ["brand:z", "brand:a"], "undo": True})
    undone = read_corrections(path)
    assert not undone.refuses("p1", "brand:lego")
    assert undone.canonical("brand:a") == "brand:a"
    assert undone.digest != read.digest


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "corrections.jsonl:1 is not JSON"),
        ("[]", "corrections.jsonl:1 is no JSON object"),
        ('{"wrnog": {}}', "corrections.jsonl:1 is no correction"),
        ('{"wrong": {"item_key": "p1"}}', "needs the texts attribute, entity"),
        ('{"same": ["brand:a"]}', "needs two or more entity keys"),
        ('{"same": ["brand:a", "material:b"]}', "joins entities of different kinds"),
    ],
)
def test_a_line_that_is_no_correction_is_told_with_its_place(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "corrections.jsonl"
    path.write_text(line + "\n", "utf-8")
    with pytest.raises(InputError, match=message) as error:
        read_corrections(path)
    assert error.value.hint


def test_appending_nonsense_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "corrections.jsonl"
    with pytest.raises(InputError):
        append_correction(path, {"same": []})
    assert not path.exists()


def test_the_fact_extractor_is_a_fact_source() -> None:
    source = FactExtractor(build_extractor("rules", PRODUCTS))
    read = list(source.facts_and_quantities(PRODUCTS))
    assert [facts for facts, _ in read] == list(source.facts(PRODUCTS))
    assert read[4][1] == "10 Pack"
    cotton = {fact.target_key for fact in read[3][0] if fact.relation.name == Rel.MADE_OF}
    assert cotton == {"material:cotton"}
    assert FactExtractor(source.extractor, Corrections(wrong=frozenset({("", "brand:x")}))).digest != source.digest


def test_the_tree_says_what_is_a_kind_of_what() -> None:
    source = FactExtractor(build_extractor("columns", []))
    steps = {(child.name, parent.name) for child, relation, parent in source.tree() if relation.name == Rel.KIND_OF}
    assert {("cotton", "plant fibre"), ("plant fibre", "natural fibre"), ("natural fibre", "textile")} <= steps
    assert {fact.source_key for fact in source.tree_facts()} == {child.key for child, _, _ in source.tree()}
    assert json.dumps([child.key for child, _, _ in source.tree()])
