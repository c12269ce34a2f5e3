"""Every answer fits its published schema, and the schemas refuse what is no answer."""

from __future__ import annotations

import copy
import json

import pytest
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry, Resource

from kg.errors import UnknownKeyError
from recommend.doctor import examine, report
from recommend.request import Request
from recommend.schema import schema, schema_names

REGISTRY = Registry().with_resources((f"{name}.json", Resource.from_contents(schema(name))) for name in schema_names())


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schema(name), registry=REGISTRY)


@pytest.mark.parametrize("name", schema_names())
def test_every_schema_is_one_and_says_what_it_is_for(name: str) -> None:
    found = schema(name)
    Draft202012Validator.check_schema(found)
    assert found["$id"] == f"{name}.json"
    assert found["title"]


@pytest.mark.parametrize(
    "question",
    [
        {"user": "u1", "all_paths": True},
        {"user": "u2", "lang": "zh", "where": "price < 100", "exclude": frozenset({"p03", "q"}), "repeat": "auto", "max_per_brand": 2},
        {"history": ["p01", "p04"], "explain": 0},
        {"history": []},
        {"item": "p01"},
    ],
)
def test_real_answers_fit(toy, question: dict) -> None:
    document = toy.recommender().recommend(k=5, **question).to_dict()
    validator("answer").validate(json.loads(json.dumps(document)))


def test_an_explanation_and_its_comparison_fit(toy) -> None:
    whole = toy.recommender()
    answer = whole.explain("p07", user="u1")
    document = answer.to_dict() | {"why_not": whole.why_not(answer).to_dict()}
    validator("explanation").validate(document)
    validator("explanation").validate(answer.to_dict())


def test_a_batch_of_answers_fits(toy) -> None:
    for answer in toy.recommender().ask_all(Request(user_key="", k=2)):
        validator("answer").validate(answer.to_dict())


def test_the_doctor_and_an_error_fit() -> None:
    validator("doctor").validate(report(examine()))
    validator("error").validate(UnknownKeyError("user", "x", ["y"]).to_dict())


def test_a_schema_refuses_what_is_no_answer(toy) -> None:
    good = toy.recommender().recommend(user="u1", k=1).to_dict()
    for spoil in (
        lambda d: d.pop("branch"),
        lambda d: d["request"].update(text="two questions"),
        lambda d: d["items"][0].update(score="high"),
        lambda d: d["items"][0]["paths"][0]["edges"][0].update(direction="up"),
        lambda d: d["items"][0]["rest"].pop("baseline"),
        lambda d: d.update(unknown=1),
    ):
        bad = copy.deepcopy(good)
        spoil(bad)
        with pytest.raises(ValidationError):
            validator("answer").validate(bad)


def test_an_unknown_schema_is_answered_with_near_ones() -> None:
    with pytest.raises(UnknownKeyError, match="There is no schema 'answr'"):
        schema("answr")
