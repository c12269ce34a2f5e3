"""The query of `clew explain --cypher` finds the paths that the arrays have, and each adds the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from cypher.query import library
from kg.errors import UsageError
from kg.store import GraphStore, engine_graph
from kg.stores.embedded import EmbeddedStore
from kg.sync import synchronise
from kg.truth import Truth
from kg.workspace import Workspace
from recommend.contributions import SHOP, cypher_value, explaining_query, paste, query_text
from recommend.merge import ways
from recommend.scorer import Scorer
from recommend.service import Recommender

Key = tuple[str, str, str | None]


@pytest.fixture(scope="module")
def shop(small_shop) -> Recommender:
    return Recommender.open(small_shop)


@pytest.fixture(scope="module")
def embedded(small_shop):
    truth = Truth(Workspace(small_shop).graph)
    with EmbeddedStore() as store:
        synchronise(store, engine_graph(truth.tables(), "sha256:shop"))
        yield store


def of_arrays(scorer: Scorer, user_row: int, item_row: int) -> Mapping[Key, list[float]]:
    graph = scorer.snapshot
    found: dict[Key, list[float]] = {}
    for way in ways(scorer.parts(scorer.user_profile(user_row), item_row).paths):
        first, last = way.lead.hops[0], way.lead.hops[-1]
        via = None if first is last else (graph.entities if first.kind == "entity" else graph.items).key(first.row)
        start = way.lead.history_row
        assert start is not None
        key = str(last.edge if first.kind == "entity" else first.edge), graph.items.key(start), via
        found.setdefault(key, []).append(way.contribution)
    return found


def of_rows(rows: Sequence[Sequence[Any]]) -> Mapping[Key, list[float]]:
    found: dict[Key, list[float]] = {}
    for name, bought, _, via, _, contribution in rows:
        found.setdefault((name, bought, via), []).append(contribution)
    return found


def compare(scorer: Scorer, store: GraphStore, users: Sequence[str], first: int) -> int:
    """Hold the rows of a store against the arrays for the first products of some people; how many paths there were."""
    paths = 0
    for key in users:
        user_row = scorer.snapshot.users.row(key)
        scores = scorer.score(scorer.user_profile(user_row))
        for item_row in (-scores).argsort(kind="stable")[:first].tolist():
            text, given = explaining_query(scorer, user_row, item_row)
            theirs, ours = of_rows(store.run(text, given).rows), of_arrays(scorer, user_row, item_row)
            assert Counter({path: len(values) for path, values in theirs.items()}) == Counter({p: len(v) for p, v in ours.items()})
            for path, values in ours.items():
                assert sorted(theirs[path]) == pytest.approx(sorted(values), abs=1e-6 * max(1.0, abs(scores[item_row])))
            paths += sum(map(len, ours.values()))
    return paths


def test_the_embedded_engine_says_what_the_arrays_say(shop: Recommender, embedded: GraphStore) -> None:
    assert compare(shop.scorer, embedded, list(shop.snapshot.users)[:12], 4) > 500


def test_the_library_holds_the_query_of_a_shop() -> None:
    query = library()["contributions"]
    assert query.text == query_text(map(str, SHOP))
    assert query.columns == ("relation", "bought", "title", "via", "name", "contribution")


def test_a_query_is_pasted_with_its_parameters() -> None:
    given = {"user": "o'\"x", "own": [{"key": "a", "stated": 0.5}], "none": []}
    assert paste("MATCH (n)\nRETURN n", given) == [
        ':param user => "o\'\\"x";',
        ':param own => [{key: "a", stated: 0.5}];',
        ":param none => [];",
        "MATCH (n)",
        "RETURN n",
    ]
    assert cypher_value({"key": None}) == "{key: null}"


def test_people_who_do_more_than_buy_are_not_one_relation(toy) -> None:
    with pytest.raises(UsageError, match="People of this graph also have VIEWED") as error:
        explaining_query(toy.hand_made(), 0, 0)
    assert "cypher run paths" in error.value.hint
