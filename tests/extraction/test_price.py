from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction import parse_price
from extraction.price import find_prices

GOLD = [json.loads(line) for line in (Path(__file__).parent.parent / "golden" / "prices.jsonl").read_text("utf-8").splitlines()]


def said(text: str, hint: str | None = None) -> dict[str, Any] | None:
    price = parse_price(text, hint)
    return price.to_dict() if price else None


def test_the_gold_has_250_strings_and_says_each_once() -> None:
    assert len(GOLD) >= 250
    assert len({(row["text"], row.get("hint")) for row in GOLD}) == len(GOLD)


def test_at_least_95_in_100_are_exact_in_value_and_meaning() -> None:
    wrong = [row["text"] for row in GOLD if said(row["text"], row.get("hint")) != row["price"]]
    assert len(wrong) <= 0.05 * len(GOLD), wrong


@pytest.mark.parametrize(
    ("text", "low", "high", "currency"),
    [
        ("$5–$10", 5, 10, "USD"),
        ("from €20", 20, None, "EUR"),
        ("under 30", None, 30, None),
        ("20元以内", None, 20, "CNY"),
        ("1.299,00 €", 1299, 1299, "EUR"),
    ],
)
def test_ranges_and_bounds(text: str, low: float | None, high: float | None, currency: str | None) -> None:
    price = parse_price(text)
    assert price is not None
    assert (price.low, price.high, price.currency) == (low, high, currency)


@pytest.mark.parametrize("text", ["Dell 300GB 10K", "18K gold ring", "on request", "", "100% cotton", "free shipping", "24/7"])
def test_what_is_no_price_is_left_alone(text: str) -> None:
    assert parse_price(text) is None


def test_a_hint_decides_what_an_ambiguous_sign_means() -> None:
    assert said("$25", "AUD") == {"low": 25, "high": 25, "currency": "AUD", "was": None, "per": None, "count": None}
    assert said("£25", "AUD") == {"low": 25, "high": 25, "currency": "GBP", "was": None, "per": None, "count": None}


@given(st.text(max_size=80), st.sampled_from([None, "USD", "CNY", "SEK"]))
def test_any_text_is_answered_by_a_price_or_by_none(text: str, hint: str | None) -> None:
    price = parse_price(text, hint)
    assert price is None or price.low is not None or price.high is not None


@given(st.integers(0, 9_999_999), st.integers(0, 99))
def test_a_sum_written_in_either_locale_is_read_back(whole: int, cents: int) -> None:
    english, german = f"${whole:,}.{cents:02d}", f"{whole:,}".replace(",", ".") + f",{cents:02d} €"
    for text in (english, german):
        price = parse_price(text)
        assert price is not None
        assert price.low == pytest.approx(whole + cents / 100)


@given(st.text(max_size=200))
def test_spans_of_found_prices_lie_in_the_text(text: str) -> None:
    for start, end, _ in find_prices(text + " $5.99"):
        assert 0 <= start < end <= len(text) + 6


def test_prices_in_a_title_carry_a_currency() -> None:
    title = "14K Gold Ring – £249.00, was in the 300GB box"
    assert [(title[start:end], price.low) for start, end, price in find_prices(title)] == [("£249.00", 249.0)]
