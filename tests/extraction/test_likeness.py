"""Names that may be one are proposed, with a score, and nothing more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.likeness import COMPANY_WORDS, SAME_LETTERS, alike
from kg.proposals import Named


def pairs(*names: str) -> list[tuple[str, str, float]]:
    named = [Named(f"brand:{i}", name, 100 - i) for i, name in enumerate(names)]
    return [(pair.entity.name, pair.other.name, pair.score) for pair in alike(named)]


@pytest.mark.parametrize(
    ("often", "seldom", "score"),
    [
        ("L'Oréal", "Loreal", SAME_LETTERS),
        ("Black & Decker", "BLACK+DECKER", SAME_LETTERS),
        ("Black and Decker", "Black Decker", SAME_LETTERS),
        ("Anker", "Anker Inc.", COMPANY_WORDS),
        ("Rubbermaid", "Rubermaid", 0.9),
        ("Cuisinart", "Cusiinart", 0.8889),
        ("Honeywell", "Honeywall", 0.8889),
        ("宜家家居旗舰店官方", "宜家家居旗舰店官网", None),
    ],
)
def test_spellings_of_one_name_are_proposed(often: str, seldom: str, score: float | None) -> None:
    found = pairs(often, seldom)
    assert [(a, b) for a, b, _ in found] == [(seldom, often)]
    assert score is None or found[0][2] == score


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Speedo", "Speed"),
        ("Nike", "Mike"),
        ("Formula One 1", "Formula One 2"),
        ("Pampers Baby", "Pampers Babys"),
        ("Kingston", "Ringston"),
        ("Co", "Inc"),
        ("!!!", "???"),
        ("A", "A Inc"),
    ],
)
def test_names_that_are_others_are_not(one: str, other: str) -> None:
    assert pairs(one, other) == []


def test_each_is_proposed_with_the_most_used_one_and_what_a_person_parted_is_not() -> None:
    named = [Named("brand:loreal", "Loreal", 3), Named("brand:l-oréal", "L'Oréal", 9), Named("brand:l-oreal", "L Oreal", 1)]
    assert [(p.entity.key, p.other.key) for p in alike(named)] == [("brand:l-oreal", "brand:l-oréal"), ("brand:loreal", "brand:l-oréal")]
    assert [p.entity.key for p in alike(named, {("brand:l-oréal", "brand:loreal")})] == ["brand:l-oreal"]
    assert alike(reversed(named)) == alike(named)


@given(st.lists(st.text(max_size=12), max_size=12))
def test_any_names_are_read(names: list[str]) -> None:
    assert all(0 < score < 1 and a != b for a, b, score in pairs(*dict.fromkeys(names)))
