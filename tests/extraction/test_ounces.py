"""Which ounce a size means, told by what stands around it."""

from __future__ import annotations

import pytest

from extraction.columns import find_columns
from extraction.measures import find_sizes
from extraction.ounces import size_of
from extraction.rules import build_rules
from extraction.tag_part import TaggerPart
from extraction.tagger import Learned, TaggerModel
from kg.model import Product


def read(title: str, category: str = "") -> tuple[str, float]:
    mention = next(iter(find_sizes(title, category)))
    return mention.value, mention.confidence


@pytest.mark.parametrize(
    ("title", "category", "value"),
    [
        ("Zibb Travel Mug, 20oz", "", "591 ml"),
        ("20 ounce Zibb Tumblers", "", "591 ml"),
        ("Coffee Mug 12 oz", "", "355 ml"),
        ("Zibb bottle, 20 oz.", "", "591 ml"),
        ("Zibb 10 oz", "DRINKING_CUP", "296 ml"),
        ("Zibb 16 oz, for soup", "FOOD_STORAGE_CONTAINER", "473 ml"),
        ("Zibb Kids 12 oz", "SHAMPOO", "355 ml"),
        ("Vanilla 16.6oz (500ml)", "", "491 ml"),
        ("500 ml (16.6oz) Zibb", "", "500 ml"),
        ("Crackers, 13.7 oz Box", "", "388 g"),
        ("Mustard (10 oz Squeeze Bottle)", "CONDIMENT", "283 g"),
        ("Hot Cocoa Mix, 1.38 oz Envelopes", "DRINK_FLAVORED", "39.1 g"),
        ("Zibb 8.8oz (250g)", "DRINK_FLAVORED", "249 g"),
        ("Zibb 12 fl oz", "CRACKER", "355 ml"),
        ("Zibb 3 lb", "DRINKING_CUP", "1360 g"),
    ],
)
def test_what_tells_is_taken(title: str, category: str, value: str) -> None:
    assert read(title, category) == (value, 0.8)


def test_ounces_behind_pounds_weigh() -> None:
    assert [m.value for m in find_sizes("Dog bowl kit, 5 lb, 12 oz")] == ["2270 g", "340 g"]


def test_where_nothing_tells_it_weighs_and_is_not_sure() -> None:
    assert read("Zibb No. 4, 5 oz") == ("142 g", 0.6)
    assert size_of("5 oz", "Zibb No. 4", 10) == ("142 g", False)


def test_what_is_far_away_tells_nothing() -> None:
    assert read("Mug " + "zibb " * 40 + "5 oz") == ("142 g", 0.6)


def test_other_sizes_stay_what_they_are() -> None:
    assert size_of("X-Large", "Mug, X-Large", 5) == ("XL", True)
    assert size_of("500 ml", "Crackers 500 ml", 9) == ("500 ml", True)


def test_a_column_is_read_with_its_title() -> None:
    [mug] = find_columns({"size": "20 oz"}, "Zibb Mug")
    assert (mug.value, mug.entity) == ("591 ml", "size:591-ml")
    [_, cracker] = [m for m in find_columns({"size": "20 oz", "category": "CRACKER"}, "Zibb") if m.attribute != "price"]
    assert cracker.value == "CRACKER"


def test_the_tagger_reads_the_same() -> None:
    rules = build_rules([])
    [reading] = rules.readings([Product("a", "Zibb Mug, 20oz")])
    TaggerPart(TaggerModel({"size": Learned("Size", (), 0.3, rules=1.0)}, "", {}))([reading])
    [mention] = [m for m in reading.mentions if m.attribute == "size"]
    assert (mention.extractor, mention.value, mention.entity) == ("tagger", "591 ml", "size:591-ml")
