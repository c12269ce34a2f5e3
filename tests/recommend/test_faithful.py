"""Taking something out of the graph gives what a graph without it would give."""

from __future__ import annotations

import numpy as np
import pytest

from kg.errors import InputError, StateError, UnknownKeyError, UsageError
from recommend.changed import with_facts, without_event
from recommend.scorer import Scorer


def scores(scorer: Scorer, user: str = "u1") -> np.ndarray:
    return scorer.score(scorer.user_profile(scorer.snapshot.users.row(user)))


def test_a_graph_without_an_event_scores_like_one_that_never_had_it(toy) -> None:
    whole = toy.hand_made()
    graph = whole.snapshot
    user, item = graph.users.row("u1"), graph.items.row("p06")
    events = graph.events
    never = toy.hand_made(graph.with_events(events.take(~((events.user_rows == user) & (events.item_rows == item))), "never"))
    np.testing.assert_allclose(scores(without_event(whole, user, item)), scores(never), atol=1e-6)
    assert not np.allclose(scores(whole), scores(never))


def test_a_graph_without_a_fact_scores_like_one_that_never_had_it(toy) -> None:
    whole = toy.hand_made()
    graph = whole.snapshot
    row = graph.items.row("p03")
    edges = graph.edges["HAS_BRAND"]
    from dataclasses import replace

    never = toy.hand_made(replace(graph, edges={**graph.edges, "HAS_BRAND": edges.take(edges.source_rows != row)}))
    np.testing.assert_allclose(scores(with_facts(whole, "HAS_BRAND", row, [])), scores(never), atol=1e-6)


def test_a_fact_put_back_changes_nothing(toy) -> None:
    whole = toy.hand_made()
    graph = whole.snapshot
    row, lego = graph.items.row("p03"), graph.entities.row("brand:lego")
    back = with_facts(with_facts(whole, "HAS_BRAND", row, []), "HAS_BRAND", row, [lego])
    np.testing.assert_allclose(scores(back), scores(whole), atol=1e-7)


def test_the_strongest_fact_is_taken_out_and_the_rank_falls(toy) -> None:
    whole = toy.recommender()
    answer = whole.explain("p03", user="u1")
    found = whole.check(answer)
    assert found.rank_before == 1
    assert found.deleted.fact == {"type": "HAS_BRAND", "from": "p03", "to": "brand:lego"}
    assert found.deleted.rank_after > 1
    assert found.deleted.contribution >= max(one.contribution for one in (found.random, found.weakest) if one is not None)
    assert found.weakest is not None
    assert found.weakest.contribution > 0
    document = found.to_dict()
    assert document["rank_after"] == found.deleted.rank_after
    assert document == whole.check(answer).to_dict()


def test_a_session_loses_the_product_that_is_taken_out(toy) -> None:
    whole = toy.recommender()
    found = whole.check(whole.explain("p07", history=["p06"]))
    assert found.deleted.fact["from"] in ("session", "p07")


def test_what_if_it_had_the_brand(toy) -> None:
    whole = toy.recommender()
    answer = whole.explain("p05", user="u1")
    found = whole.what_if(answer, "has_brand=brand:lego")
    assert found.rank_before > 1
    assert found.rank_after < found.rank_before
    assert found.score_after > found.score_before


@pytest.mark.parametrize(
    ("statement", "error", "says"),
    [
        ("cotton", UsageError, "'cotton' is no fact"),
        ("MADE_OF=", UsageError, "is no fact"),
        ("MADE_OF=material:coton", UnknownKeyError, "There is no entity 'material:coton'"),
        ("HAS_BRAND=material:cotton", InputError, "does not point to a Material"),
    ],
)
def test_what_if_refuses_what_is_no_fact(toy, statement: str, error: type[Exception], says: str) -> None:
    whole = toy.recommender()
    with pytest.raises(error, match=says):
        whole.what_if(whole.explain("p05", user="u1"), statement)


def test_there_must_be_something_to_take_out(toy) -> None:
    whole = toy.recommender()
    with pytest.raises(UsageError, match="nothing to take out"):
        whole.check(whole.explain("p06", history=[]))
    with pytest.raises(StateError, match="no such event"):
        without_event(whole.scorer, whole.snapshot.users.row("u2"), whole.snapshot.items.row("p10"))
    with pytest.raises(InputError, match="no facts of HAS_SIZE"):
        with_facts(whole.scorer, "HAS_SIZE", 0, [0])


def test_a_new_product_and_the_first_who_would_want_it(small_shop) -> None:
    from kg.model import Price, Product
    from recommend.service import Recommender

    shop = Recommender.open(small_shop)
    answer = shop.new_product(Product("new", "Duracell AA Alkaline Batteries, 24 Count", price=Price(12.0, 12.0, "USD")), k=2)
    found = shop.check_new(answer)
    assert found.deleted.contribution >= max(one.contribution for one in (found.random, found.weakest) if one is not None)
    assert found.deleted.fact["from"] in ("new", answer.users[0].user_key)
    assert found.deleted.rank_after >= found.rank_before
    with pytest.raises(UsageError, match="Nobody would want this product"):
        shop.check_new(shop.new_product(Product("new", "Duracell batteries"), k=2).__class__(answer.request, "", "", (), (), ()))
