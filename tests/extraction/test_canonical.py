"""One value for all the ways to write it, what was written kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction import build_extractor, to_facts
from extraction.base import entity_of
from extraction.canonical import canonical, share_before
from extraction.units import measure_of
from kg.model import Entity, Fact, Product
from kg.ontology import Rel


@pytest.mark.parametrize(
    ("written", "measure"),
    [
        ("12 oz", "340 g"),
        ("12 oz.", "340 g"),
        ("１２ oz", "340 g"),
        ("340g", "340 g"),
        ("2斤", "1000 g"),
        ("1.5 kg", "1500 g"),
        ("16 fl oz", "473 ml"),
        (".27 fl. oz.", "7.98 ml"),
        ("8 Fluid Ounces", "237 ml"),
        ("500毫升", "500 ml"),
        ("1,000 ml", "1000 ml"),
        ("1,5 l", "1500 ml"),
        ("10.5-inch", "267 mm"),
        ("10 1/2 inch", "267 mm"),
        ("1/2 inch", "12.7 mm"),
        ('6"', "152 mm"),
        ("6″", "152 mm"),
        ("5.5' x 8'", "1680 x 2440 mm"),
        ("16 x 18 in", "406 x 457 mm"),
        ("9.5 x 6.5 x 4 inches", "241 x 165 x 102 mm"),
        ("10*20cm(inch)", "100 x 200 mm"),
        ("1TB", "1000 GB"),
    ],
)
def test_measures_are_in_units_of_the_si(written: str, measure: str) -> None:
    assert str(measure_of(written)) == canonical("size", written) == measure


@pytest.mark.parametrize("written", ["XL", "3 pack", "1.5.2 oz", "5/0 in", "oz", "12", "12 oz x 3 in", "x", "", "9" * 200 + " oz"])
def test_what_is_no_measure_is_none(written: str) -> None:
    assert measure_of(written) is None


@pytest.mark.parametrize(
    ("attribute", "written", "value"),
    [
        ("size", "X-Large", "XL"),
        ("size", "Extra Large", "XL"),
        ("size", "2X-Large", "XXL"),
        ("size", "XXL", "XXL"),
        ("size", "Medium", "M"),
        ("size", "X-Medium", "X-Medium"),
        ("size", "Queen", "Queen"),
        ("quantity", "Pack of 6", "6"),
        ("quantity", "pack of twelve", "12"),
        ("quantity", "1,000 pcs", "1000"),
        ("quantity", "3条装", "3"),
        ("quantity", "2 packs of 3", "2 packs of 3"),
        ("color", "Navy Blue", "blue"),
        ("color", "Heather Navy", "blue"),
        ("color", "Zaffre", "Zaffre"),
        ("material", "aluminium", "aluminum"),
        ("material", "Stainless-Steel", "stainless steel"),
        ("material", "moon leather", "moon leather"),
        ("brand", "12 oz", "12 oz"),
    ],
)
def test_values_are_canonical(attribute: str, written: str, value: str) -> None:
    assert canonical(attribute, written) == value
    assert entity_of(attribute, written) == entity_of(attribute, value)


@given(st.sampled_from(["size", "quantity", "color", "material"]), st.text(max_size=30))
def test_a_canonical_value_is_its_own(attribute: str, written: str) -> None:
    assert canonical(attribute, canonical(attribute, written)) == canonical(attribute, written)


def facts(product: Product, relation: Rel) -> list[Fact]:
    [mentions] = build_extractor("rules", [product]).extract([product])
    return [fact for fact in to_facts(product, mentions) if fact.relation.name == relation]


def test_a_blend_is_facts_that_quote_their_shares() -> None:
    product = Product("p", "Zibb Shirt, 60% Cotton 40 % Polyester", {"material": "60% Cotton, 40% Polyester"})
    [mentions] = build_extractor("rules", [product]).extract([product])
    assert {(m.raw, m.value, m.share) for m in mentions if m.attribute == "material"} == {
        ("Cotton", "cotton", 0.6),
        ("Polyester", "polyester", 0.4),
    }
    cotton, polyester = facts(product, Rel.MADE_OF)
    assert {(e.field, e.text) for e in cotton.evidence} == {("material", "60% Cotton"), ("title", "60% Cotton")}
    assert {(e.field, e.text) for e in polyester.evidence} == {("material", "40% Polyester"), ("title", "40 % Polyester")}
    for fact in (cotton, polyester):
        for evidence in fact.evidence:
            evidence.check(product.text(evidence.field))
    assert [m.to_dict()["share"] for m in mentions if m.field == "material"] == [0.6, 0.4]


def test_a_share_is_read_where_it_stands_before_the_material() -> None:
    assert share_before("60% cotton", 4) == (0.6, 0)
    assert share_before("a 33,5 % wool", 9) == (0.335, 2)
    assert share_before("160% cotton", 5) is None
    assert share_before("0% cotton", 3) is None
    assert share_before("pure cotton", 5) is None


def test_one_size_written_in_two_ways_is_one_entity_known_by_what_was_written() -> None:
    [ounces] = facts(Product("a", "Zibb Tea, 12 oz"), Rel.HAS_SIZE)
    [grams] = facts(Product("b", "Zibb Tea, 340 g"), Rel.HAS_SIZE)
    assert ounces.target_key == grams.target_key == "size:340-g"
    assert isinstance(ounces.target, Entity) and ounces.target.name == "12 oz"
    assert ounces.evidence[0].text == "12 oz"


def test_two_fields_are_one_fact_with_two_pieces_of_evidence() -> None:
    [fact] = facts(Product("a", "Zibb Mug, Navy Blue", {"color": "Navy"}), Rel.HAS_COLOR)
    assert fact.target_key == "color:blue"
    assert {(e.field, e.text) for e in fact.evidence} == {("color", "Navy"), ("title", "Navy Blue"), ("title", "Navy")}
