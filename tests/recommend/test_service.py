"""Answers over a shop whose right answers are known: branches, filters, order, and what nobody may see."""

from __future__ import annotations

import numpy as np
import pytest

from kg.errors import UnknownKeyError, UsageError
from kg.testing import snapshot_of, stated
from recommend import Recommender
from recommend.cli.show import answer_text
from recommend.coldstart import EventEdges, not_again
from recommend.request import Repeat, Request
from recommend.result import Answer


def keys(answer: Answer) -> list[str]:
    return [item.item_key for item in answer.items]


def check_sums(answer: Answer) -> None:
    for item in answer.to_dict()["items"]:
        total = sum(path["contribution"] for path in item["paths"]) + sum(item["rest"].values())
        assert abs(total - item["score"]) <= 1e-6 * max(1.0, abs(item["score"]))


def test_the_lego_buyer_gets_lego_and_the_reason_says_so(toy) -> None:
    answer = toy.recommender().recommend(user="u1", k=3)
    assert answer.branch == "known"
    assert answer.items[0].item_key == "p03"
    assert answer.items[0].reason.startswith(
        "Mainly because you bought LEGO City Forest Tractor and LEGO Creator Sports Car, and this is LEGO too."
    )
    assert answer.items[0].cold
    check_sums(answer)


def test_what_the_person_has_is_out_of_stock_or_a_twin_in_title_never_comes(toy) -> None:
    answer = toy.recommender().recommend(user="u1", k=10)
    assert not {"p01", "p02", "p04", "p06", "p10", "p09"} & set(keys(answer))
    assert len({"p05", "p08"} & set(keys(answer))) == 1
    assert "p09" in keys(toy.recommender().recommend(user="u1", k=10, out_of_stock=True))


def test_repeat_yes_brings_everything_back_and_auto_only_what_was_bought_on_two_days(toy) -> None:
    assert {"p01", "p06"} <= set(keys(toy.recommender().recommend(user="u1", k=10, repeat="yes")))
    auto = set(keys(toy.recommender().recommend(user="u1", k=10, repeat="auto")))
    assert "p06" in auto
    assert "p01" not in auto


def test_what_was_only_looked_at_may_be_recommended(toy) -> None:
    events = toy.shop().events.of_user(toy.shop().users.row("u1"))
    owned = set(not_again(events, Repeat.NO).tolist())
    assert toy.shop().items.row("p05") not in owned
    assert EventEdges(events)[toy.shop().items.row("p06")].to_dict() == {
        "type": "BOUGHT",
        "direction": "out",
        "count": 2,
        "last": "1970-01-31",
    }
    assert EventEdges(events)[toy.shop().items.row("p05")].relation == "VIEWED"


@pytest.mark.parametrize(
    ("question", "branch", "fallback"),
    [
        ({"user": "u1"}, "known", False),
        ({"user": "u2"}, "few_events", False),
        ({"history": ["p01", "p04"]}, "session", False),
        ({"history": []}, "popular", True),
        ({"item": "p01"}, "similar", False),
    ],
)
def test_the_branch_is_named_and_a_fallback_explained(toy, question: dict, branch: str, fallback: bool) -> None:
    answer = toy.recommender().recommend(**question, k=3)
    assert (answer.branch, bool(answer.fallback)) == (branch, fallback)
    assert answer.items
    assert set(answer.request.to_dict()) == {answer.request.question, "k"}
    check_sums(answer)


def test_popular_products_say_how_many_people_bought_them_but_only_from_five_on(toy) -> None:
    reasons = {item.item_key: item.reason for item in toy.recommender().recommend(history=[], k=10).items}
    assert reasons["p06"] == "It is popular here: 8 people bought it."
    assert not any(char.isdigit() for char in reasons["p01"])


def test_a_path_starts_where_the_question_does(toy) -> None:
    first = toy.recommender().recommend(history=["p01"], k=1).items[0].paths[0]
    assert [node.key for node in first.nodes][:2] == ["session", "p01"]
    similar = toy.recommender().recommend(item="p01", k=3).items
    assert "p01" not in [item.item_key for item in similar]
    assert similar[0].paths[0].nodes[0].key == "p01"


def test_being_new_or_popular_makes_nothing_like_a_product(toy) -> None:
    whole = toy.recommender()
    for product in whole.snapshot.items:
        answer = whole.recommend(item=product, k=10)
        assert all(item.score > 0 and item.explanation.rest.popularity == 0 and item.paths for item in answer.items)
    assert keys(whole.recommend(item="p06"))[0] == "p07"
    alone = whole.recommend(item="p03", where="price < 10")  # cheap socks, which nothing joins to a LEGO set
    assert (alone.items, alone.notes) == ((), ("Nothing that may be recommended is like p03, as far as this model can tell.",))
    assert "Nothing is left" not in answer_text(alone) and "is like p03" in answer_text(alone)
    assert answer_text(whole.recommend(item="p06", k=1)).startswith("1 recommendation like p06")
    assert "Nothing is left" in answer_text(whole.recommend(user="u1", where="price < 0"))


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({"user": "u11"}, "There is no user 'u11'."),
        ({"item": "p1"}, "There is no product 'p1'."),
        ({"history": ["p01", "q"]}, "There is no product 'q'."),
    ],
)
def test_an_unknown_key_is_an_error_with_near_ones(toy, question: dict, says: str) -> None:
    with pytest.raises(UnknownKeyError) as caught:
        toy.recommender().recommend(**question)
    assert caught.value.message == says
    assert caught.value.hint


def test_filters_apply_and_say_what_they_did_not_find(toy) -> None:
    answer = toy.recommender().recommend(user="u1", where="price <= 12 and material = cotton")
    assert keys(answer) == ["p07"]
    answer = toy.recommender().recommend(user="u1", where="brand = playmobil")
    assert answer.items == ()
    assert answer.notes == ("No product has the brand 'playmobil'.",)
    answer = toy.recommender().recommend(user="u1", exclude=frozenset({"p03", "zzz"}))
    assert "p03" not in keys(answer)
    assert answer.notes == ("1 of the 2 excluded keys are no products of this graph.",)
    assert keys(toy.recommender().recommend(item="p01", k=4, max_per_brand=1, out_of_stock=True)).count("p02") <= 1


def test_everybody_is_answered_as_one_by_one(toy) -> None:
    whole = toy.recommender()
    together = {answer.request.user_key: keys(answer) for answer in whole.ask_all(Request(user_key="", k=3))}
    assert list(together) == list(whole.snapshot.users)
    assert together["u1"] == keys(whole.recommend(user="u1", k=3))


def test_all_paths_leave_nothing_over(toy) -> None:
    item = toy.recommender().recommend(user="u1", k=1, all_paths=True).items[0]
    assert item.explanation.rest.other_paths == 0.0
    assert len(item.paths) > 3
    check_sums(toy.recommender().recommend(user="u1", k=3, all_paths=True))


def test_an_explanation_has_the_rank_of_the_recommendation_and_says_what_stands_against_it(toy) -> None:
    whole = toy.recommender()
    recommended = whole.recommend(user="u1", k=5)
    for item in recommended.items[:1]:
        explained = whole.explain(item.item_key, user="u1")
        assert (explained.items[0].rank, explained.items[0].score) == (item.rank, item.score)
        assert explained.items[0].reason == item.reason
        assert explained.notes == ()
    assert "already there" in whole.explain("p01", user="u1").notes[0]
    assert "out of stock" in whole.explain("p09", user="u1").notes[0]
    assert whole.explain("p03", history=["p01"]).branch == "session"
    with pytest.raises(UsageError):
        whole.explain("p03")


def test_the_top_ten_of_k_is_a_prefix_of_a_longer_list(toy) -> None:
    whole = toy.recommender()
    assert keys(whole.recommend(user="u1", k=3)) == keys(whole.recommend(user="u1", k=5))[:3]


def test_no_other_person_stands_in_an_answer(toy) -> None:
    text = str([answer.to_dict() for answer in toy.recommender().ask_all(Request(user_key="", k=5)) if answer.request.user_key == "u1"])
    assert not any(f"v{n}" in text for n in range(6))


def test_a_new_product_needs_the_workspace(toy) -> None:
    from kg.errors import StateError
    from kg.model import Product

    with pytest.raises(StateError, match="needs the workspace"):
        toy.recommender().new_product(Product("n", "LEGO Castle"))


def test_a_planted_material_is_found_and_named(toy) -> None:
    rng = np.random.default_rng(0)
    titles = {f"i{n:02d}": f"thing {rng.integers(1_000_000)}" for n in range(40)}
    made_of = {key: ("steel", "wool", "glass", "clay")[n % 4] for n, key in enumerate(titles)}
    events = [(f"u{m}", key, 86_400) for m in range(20) for key in list(titles)[m % 4 :: 4][:5]]
    graph = snapshot_of(titles, [stated(key, "MADE_OF", name) for key, name in made_of.items()], events)
    answer = Recommender(toy.hand_made(graph)).recommend(user="u1", k=5)
    for item in answer.items:
        assert made_of[item.item_key] == "wool"
        assert "made of wool" in item.reason


def test_a_list_is_explained_as_each_of_its_products_is(toy) -> None:
    shop = toy.recommender()
    for user in shop.snapshot.users:
        for item in shop.recommend(user=user, k=10, repeat="yes").items:
            alone = shop.explain(item.item_key, user=user, repeat="yes").items[0].explanation
            assert item.reason == alone.reason
            assert [path.nodes for path in item.paths] == [path.nodes for path in alone.paths]
            assert [path.contribution for path in item.paths] == pytest.approx([path.contribution for path in alone.paths])
            assert list(item.explanation.rest.to_dict().values()) == pytest.approx(list(alone.rest.to_dict().values()), abs=1e-9)
