"""One request for every door: what it refuses, and how an answer echoes it."""

from __future__ import annotations

import pytest

from kg.errors import InputError, UnknownKeyError, UsageError
from kg.model import Price, Product
from recommend.request import MAX_HISTORY, Repeat, Request, request_of


@pytest.mark.parametrize(
    ("values", "echo"),
    [
        ({"user_key": "u1"}, {"user_key": "u1", "k": 10}),
        ({"history": ("a", " b ", "a", "")}, {"history": ["a", "b"], "k": 10}),
        ({"item_key": "a", "k": 3}, {"item_key": "a", "k": 3}),
        ({"text": "cup", "where": "price < 3", "lang": "zh"}, {"text": "cup", "k": 10, "where": "price < 3", "lang": "zh"}),
        (
            {"user_key": "u", "repeat": "auto", "exclude": frozenset({"b", "a"}), "max_per_brand": 2},
            {"user_key": "u", "k": 10, "repeat": "auto", "exclude": ["a", "b"], "max_per_brand": 2},
        ),
        (
            {"new_product": Product("n", "Cup", {"brand": "X"}, Price(1.0, 2.0, "EUR"))},
            {"new_product": {"key": "n", "title": "Cup", "brand": "X", "price": {"low": 1.0, "high": 2.0, "currency": "EUR"}}, "k": 10},
        ),
    ],
)
def test_the_echo_holds_the_question_and_what_is_not_the_default(values: dict, echo: dict) -> None:
    assert Request(**values).to_dict() == echo


@pytest.mark.parametrize(
    ("values", "error", "says"),
    [
        ({}, UsageError, "none is given"),
        ({"user_key": "u", "text": "x"}, UsageError, "not user_key and text together"),
        ({"user_key": "u", "k": 0}, UsageError, "k is 0"),
        ({"user_key": "u", "k": 1001}, UsageError, "k is 1001"),
        ({"user_key": "u", "explain": -1}, UsageError, "explain is -1"),
        ({"user_key": "u", "max_per_brand": 0}, UsageError, "max_per_brand is 0"),
        ({"user_key": "u", "lang": "xx"}, UnknownKeyError, "There is no language 'xx'"),
        ({"user_key": "u", "repeat": "maybe"}, UnknownKeyError, "There is no repeat setting 'maybe'"),
        ({"text": "  "}, UsageError, "is blank"),
        ({"text": "x" * 10_001}, UsageError, "has 10001 characters"),
        ({"history": tuple(map(str, range(MAX_HISTORY + 1)))}, UsageError, "has 1001 products"),
        ({"user_key": "\udcff"}, InputError, "The user '\\udcff' is not Unicode"),
        ({"history": ("\udcff",)}, InputError, "The history"),
        ({"text": "\udcff"}, InputError, "The text"),
    ],
)
def test_what_a_request_refuses(values: dict, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        Request(**values)
    assert says in str(caught.value)


def test_a_request_from_a_mapping_refuses_names_that_it_does_not_have() -> None:
    assert request_of({"history": ["a"], "repeat": "yes"}) == Request(history=("a",), repeat=Repeat.YES)
    with pytest.raises(UnknownKeyError) as caught:
        request_of({"user": "u"})
    assert "user_key" in caught.value.hint


def test_the_question_is_named() -> None:
    assert Request(text="cup").question == "text"
