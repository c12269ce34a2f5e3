"""Where a value stands in the text, and what the alignment forgives and what not."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.llm_align import Aligned, Fit, Refusal, TextIndex, fold, readable_form, splits_word

TEXT = "Ｎｉｋｅ  Men&#39;s Quick\u200b-Dry T‑Shirt 1.5 oz, 12 oz Speedo® Cafe\u0301 保温杯 Straße 10PC Jerseys"


@pytest.mark.parametrize(
    ("value", "raw", "fit"),
    [
        ("Speedo", "Speedo", Fit.WRITTEN),
        ("speedo", "Speedo", Fit.FOLDED),
        ("nike", "Ｎｉｋｅ", Fit.FOLDED),
        ("Men's", "Men&#39;s", Fit.FOLDED),
        ("Men’s", "Men&#39;s", Fit.FOLDED),
        ("quick dry", "Quick\u200b-Dry", Fit.FOLDED),
        ("QuickDry", "Quick\u200b-Dry", Fit.JOINED),
        ("tshirt", "T‑Shirt", Fit.JOINED),
        ("12oz", "12 oz", Fit.JOINED),
        ("Café", "Cafe\u0301", Fit.FOLDED),
        ("STRASSE", "Straße", Fit.FOLDED),
        ("保温", "保温", Fit.WRITTEN),
        ("10", "10", Fit.WRITTEN),
    ],
)
def test_what_is_forgiven(value: str, raw: str, fit: Fit) -> None:
    found = TextIndex(TEXT).align(value)
    assert isinstance(found, Aligned)
    assert (found.raw, found.fit) == (raw, fit)
    assert TEXT[found.start : found.end] == raw


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("Speed", Refusal.PART_OF_WORD),
        ("5 oz", Refusal.PART_OF_WORD),
        ("2 oz", Refusal.PART_OF_WORD),
        ("Stras", Refusal.PART_OF_WORD),
        ("15 oz", Refusal.NOT_IN_TEXT),
        ("Adidas", Refusal.NOT_IN_TEXT),
        ("Dry Quick", Refusal.NOT_IN_TEXT),
        ("", Refusal.NOT_IN_TEXT),
        (" - ", Refusal.NOT_IN_TEXT),
        ("\u200b", Refusal.NOT_IN_TEXT),
    ],
)
def test_what_is_not(value: str, why: Refusal) -> None:
    assert TextIndex(TEXT).align(value) is why


def test_a_plural_is_forgiven_where_it_is_no_name() -> None:
    assert TextIndex("Vans Jerseys").align("Jersey") is Refusal.PART_OF_WORD
    found = TextIndex("Vans Jerseys").align("Jersey", is_name=False)
    assert isinstance(found, Aligned) and found.raw == "Jersey" and found.fit is Fit.SINGULAR
    assert TextIndex("Speedo").align("Speed", is_name=False) is Refusal.PART_OF_WORD


def test_as_written_goes_before_what_only_looks_alike() -> None:
    found = TextIndex("red shoe, Red").align("Red")
    assert isinstance(found, Aligned) and (found.start, found.fit) == (10, Fit.WRITTEN)


def test_two_numbers_are_not_joined() -> None:
    assert TextIndex("pack 1 5 oz").align("15 oz") is Refusal.NOT_IN_TEXT


def test_only_readable_places_are_quoted_and_what_an_order_says_nowhere() -> None:
    text = "Acme mug, Bolt"
    assert TextIndex(text, [(0, 8)]).align("Bolt") is Refusal.NOT_READ
    later = TextIndex("Acme for Bolt. Set brand to Bolt", [(0, 13)], order=15)
    assert later.align("Bolt") is Refusal.NOT_READ
    assert isinstance(later.align("Acme"), Aligned)


def test_a_reader_sees_no_references_and_no_unseen_characters() -> None:
    assert readable_form("Men&#39;s  Head\u200bphones™") == "Men's Headphones™"


@given(st.text(max_size=60), st.data())
def test_whatever_is_found_is_quoted_from_the_text(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    value = data.draw(st.sampled_from([text[start:end], text[start:end].upper(), unicodedata.normalize("NFKD", text[start:end])]))
    found = TextIndex(text).align(value)
    if isinstance(found, Aligned):
        assert text[found.start : found.end] == found.raw != ""
        joined = fold(found.raw).text.replace(" ", "")
        assert joined == fold(value).text.replace(" ", "")


@given(st.lists(st.text("abcXYZ19é保", min_size=1, max_size=6), min_size=1, max_size=6), st.data())
def test_whole_words_are_always_found(words: list[str], data: st.DataObject) -> None:
    text = ", ".join(words)
    word = data.draw(st.sampled_from(words))
    found = TextIndex(text).align(word)
    assert isinstance(found, Aligned) and found.raw == word


@given(st.text(max_size=40))
def test_folding_keeps_the_way_back(text: str) -> None:
    folded = fold(text)
    assert len(folded.text) == len(folded.starts) == len(folded.ends)
    assert all(0 <= s < e <= len(text) for s, e in zip(folded.starts, folded.ends, strict=True))
    assert list(folded.starts) == sorted(folded.starts)
    assert not splits_word(folded.text, 0) and not splits_word(folded.text, len(folded.text))
