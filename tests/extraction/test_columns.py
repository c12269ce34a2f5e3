from __future__ import annotations

import pytest

from extraction.base import Mention, build_extractor
from kg.model import Product


def read(title: str, **fields: str) -> list[Mention]:
    [mentions] = build_extractor("columns", []).extract([Product("p", title, fields)])
    return mentions


def test_a_column_is_a_mention_with_that_field() -> None:
    [mention] = read("Forest Tractor", brand="LEGO")
    assert (mention.attribute, mention.raw, mention.field, mention.start, mention.end) == ("brand", "LEGO", "brand", 0, 4)
    assert (mention.entity, mention.extractor) == ("brand:lego", "columns")


def test_a_value_that_the_title_repeats_is_surer_and_stands_there_too() -> None:
    column, title = read("lego City Forest Tractor", brand="LEGO")
    assert title.field == "title"
    assert title.raw == "lego"
    assert title.value == column.value == "LEGO"
    assert column.confidence > read("Forest Tractor", brand="LEGO")[0].confidence


def test_only_whole_words_of_the_title_count() -> None:
    assert [m.field for m in read("Speedometer for bikes", brand="Speed")] == ["brand"]


@pytest.mark.parametrize("cell", ["N/A", "generic", "Unbranded", "-", "none", "  "])
def test_a_cell_that_says_nothing_is_no_mention(cell: str) -> None:
    assert read("Tractor", brand=cell) == []


def test_lists_and_shares_are_taken_apart() -> None:
    cell = "60% Cotton, 40% Polyester"
    mentions = read("Shirt", material=cell)
    assert [(m.raw, cell[m.start : m.end]) for m in mentions] == [("Cotton", "Cotton"), ("Polyester", "Polyester")]
    assert [m.value for m in read("Cup", color="red | blue")] == ["red", "blue"]


def test_a_category_path_is_one_value() -> None:
    [mention] = read("Brush", category="Beauty > Hair > Brushes")
    assert (mention.attribute, mention.entity) == ("product_type", "category:beauty-hair-brushes")
