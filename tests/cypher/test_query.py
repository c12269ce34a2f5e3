"""Named queries: their headers, their parameters."""

from __future__ import annotations

import pytest

from cypher.query import GROUPS, QueryError, library, parse

SOURCE = """// What a thing is,
// in two lines.
// @param item: text
// @param limit: integer = 20
// @param share: number = 0.5
// @param names: list = []
// @columns key, name
// @cost 0.2 ms embedded
MATCH (n:Product {key: $item}) RETURN n.key AS key, n.title AS name LIMIT $limit;
"""


def test_a_header_says_what_a_query_is() -> None:
    query = parse("thing", "explore", SOURCE)
    assert query.summary == "What a thing is, in two lines."
    assert [(p.name, p.type, p.default, p.required) for p in query.parameters] == [
        ("item", "text", None, True), ("limit", "integer", 20, False), ("share", "number", 0.5, False), ("names", "list", [], False),
    ]  # fmt: skip
    assert query.columns == ("key", "name")
    assert query.cost == "0.2 ms embedded"
    assert query.text.endswith("LIMIT $limit")
    assert query.to_dict() == {
        "name": "thing", "group": "explore", "summary": query.summary,
        "parameters": {"item": "text", "limit": "integer", "share": "number", "names": "list"}, "columns": ["key", "name"], "needs": [],
    }  # fmt: skip


def test_parameters_are_bound_by_type() -> None:
    query = parse("thing", "explore", SOURCE)
    assert query.bind({"item": "7"}) == {"item": "7", "limit": 20, "share": 0.5, "names": []}
    assert query.bind({"item": "7", "limit": "3", "share": "1", "names": "a, b"})["names"] == ["a", "b"]
    assert query.bind({"item": "7", "limit": 3})["limit"] == 3


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "needs the parameter item"),
        ({"item": "x", "other": "1"}, "has no parameter 'other'"),
        ({"item": "x", "limit": "many"}, "limit is integer, not 'many'"),
        ({"item": "x", "limit": "true"}, "limit is integer"),
        ({"item": "x", "limit": 2.5}, "limit is integer"),
        ({"item": 5}, "item is text"),
    ],
)
def test_wrong_parameters_are_told(given: dict[str, object], says: str) -> None:
    with pytest.raises(QueryError) as told:
        parse("thing", "explore", SOURCE).bind(given)
    assert says in told.value.message


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("// A thing.\n// @colums a\nRETURN 1 AS a", "unknown tag"),
        ("// A thing.\nRETURN 1 AS a", "lacks"),
        ("// @columns a\nRETURN 1 AS a", "lacks"),
        ("// A thing.\n// @columns a\n", "lacks"),
        ("// A thing.\n// @param x integer\n// @columns a\nRETURN 1 AS a", "is not `name: type`"),
        ("// A thing.\n// @param x: word\n// @columns a\nRETURN 1 AS a", "is not `name: type`"),
    ],
)
def test_a_wrong_header_is_told(source: str, says: str) -> None:
    with pytest.raises(QueryError) as told:
        parse("thing", "explore", source)
    assert says in told.value.message


def test_the_library_is_whole() -> None:
    found = library()
    assert len(found) >= 30
    assert {query.group for query in found.values()} == set(GROUPS)
