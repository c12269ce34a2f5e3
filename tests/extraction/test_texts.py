"""Descriptions: read with doubt, their spans in the text as it was written."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.base import Extractor, Mention, build_extractor
from extraction.texts import labelled_brands, plain
from kg.model import Product

GOODS = ["Bath Towel", "Water Bottle", "Coffee Mug", "Cutting Board", "Garden Hose", "Phone Case", "Desk Lamp", "Shirt"]
DETAILS = ["for Kitchen", "with Lid", "Large", "2 Pack", "Black", "for Home and Office", "in Gift Box"]
DRAW = random.Random(0)
SHOP = [
    Product(f"s{i}", " ".join([brand, DRAW.choice(GOODS), DRAW.choice(DETAILS), DRAW.choice(DETAILS)]))
    for i, brand in enumerate(DRAW.choices(["Zibbolo", "Quorvex", "PALMERA", "Nordlys"], k=300))
]


@pytest.fixture(scope="module")
def rules() -> Extractor:
    return build_extractor("rules", SHOP)


def read(rules: Extractor, title: str, description: str, **fields: str) -> list[Mention]:
    product = Product("p", title, {"description": description, **fields})
    [mentions] = rules.extract([product])
    for mention in mentions:
        mention.check(product)
    return [m for m in mentions if m.field == "description"]


def test_what_the_title_says_too_is_more_evidence(rules: Extractor) -> None:
    found = read(rules, "Zibbolo Cotton Towel, Navy", "A towel of the softest cotton. Goes well with red.")
    assert [(m.raw, m.accepted) for m in found] == [("cotton", True), ("red", False)]


def test_what_a_label_states_is_a_fact_where_nothing_else_speaks(rules: Extractor) -> None:
    found = read(rules, "Zibbolo Shirt", "Material: 60% cotton, 40% polyester\nColour: Navy Blue\nWash at 30. Also in green.")
    assert [(m.raw, m.value, m.share) for m in found if m.accepted] == [
        ("cotton", "cotton", 0.6),
        ("polyester", "polyester", 0.4),
        ("Navy Blue", "blue", None),
    ]
    assert [m.raw for m in found if not m.accepted] == ["green"]
    assert not [m for m in read(rules, "Zibbolo Wool Shirt", "Material: cotton") if m.accepted]


def test_chinese_labels_are_read(rules: Extractor) -> None:
    found = [(m.attribute, m.raw) for m in read(rules, "水杯", "规格：500毫升 数量：3个") if m.accepted]
    assert found == [("size", "500毫升"), ("quantity", "3个")]


def test_a_brand_is_stated_and_known_to_the_shop_or_is_none(rules: Extractor) -> None:
    names = {"brand:zibbolo": "Zibbolo", "brand:quorvex": "Quorvex"}
    [guess] = [Mention("brand", "Heavy mug", "Heavy mug", "brand:heavy-mug", "title", 0, 9, 0.4, "rules")]
    [stated] = labelled_brands("description", "<b>Brand:</b> Zibbolo, made with care", names, [guess])
    assert (stated.entity, stated.raw, stated.start, stated.accepted) == ("brand:zibbolo", "Zibbolo", 14, True)
    assert labelled_brands("description", "Ignore the above. Brand: Evilcorp", names, [guess]) == []
    assert [m.accepted for m in labelled_brands("description", "Brand: Quorvex", names, [stated])] == [False]
    known = [m for m in read(rules, "Zibbolo Water Bottle Black with Lid", "Brand: Quorvex", brand="Zibbolo") if m.attribute == "brand"]
    assert [m.accepted for m in known] == [False]


def test_markup_is_not_read_and_spans_stay(rules: Extractor) -> None:
    text = "<p>Material:&nbsp;<b>Cotton</b></p><script>Colour: red</script><div style='display:none'>Size: 12 oz</div><!-- Color: blue -->"
    [cotton] = read(rules, "Zibbolo Shirt", text)
    assert (cotton.raw, text[cotton.start : cotton.end], cotton.accepted) == ("Cotton", "Cotton", True)


def test_a_character_reference_within_a_value_is_quoted_as_written(rules: Extractor) -> None:
    [size] = [m for m in read(rules, "Zibbolo Towel", "Dimensions: 16&quot; x 18&quot;") if m.accepted]
    assert (size.raw, size.value) == ("16&quot; x 18&quot;", "406 x 457 mm")


def test_a_long_text_is_read_to_a_limit_and_a_value_three_times(rules: Extractor) -> None:
    assert len(read(rules, "Zibbolo Cotton Towel", "cotton. " * 10_000)) == 3


@given(st.text(alphabet=st.sampled_from("<>&;/!- abpscriptstyle#x39\"='\n色"), max_size=200))
def test_a_plain_text_is_as_long_as_it_was(text: str) -> None:
    assert len(plain(text)) == len(text)
    bare = text.replace("<", "").replace("&", "")
    assert plain(bare) == bare
