"""What people say no to: returned, disliked, rated low. It counts against what is like it, and no reason starts there."""

import json
from collections import defaultdict

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from kg.errors import StateError
from kg.events import NO_TIME
from kg.testing import snapshot_of
from recommend.choose import _steps
from recommend.profile import AGAINST_COUNTS, LOW_RATING, Recency, profile_of_events
from recommend.profiles import weighted_profiles
from recommend.schema import schema
from recommend.slices import task_of
from recommend.views.transitions import transitions

DAY = 86_400
RETURN = ("u1", "p06", DAY * 40, 1.0, "return")  # cotton socks, black
DISLIKE = ("u1", "p02", DAY * 41, 1.0, "dislike")  # LEGO
LOW = (("u1", "p01", DAY * 50, 1.0, "rating"), ("u2", "p06", DAY * 50, 5.0, "rating"))


def weights_of(shop, key="u1", recency=None):
    row = shop.users.row(key)
    profile = profile_of_events(shop.events.of_user(row), 0, recency or Recency(rating_border=shop.rating_border))
    length = np.sqrt(len(profile.item_rows))
    return {shop.items.key(item): value * length for item, value in zip(profile.item_rows.tolist(), profile.weights.tolist(), strict=True)}


def test_the_last_word_decides(toy):
    assert weights_of(toy.shop(RETURN))["p06"] == pytest.approx(AGAINST_COUNTS["return"])
    again = toy.shop(RETURN, ("u1", "p06", DAY * 60, 1.0, "purchase"))
    assert weights_of(again)["p06"] == pytest.approx(1.0)
    one_moment = toy.shop(("u1", "p06", DAY * 30, 1.0, "return"))
    assert weights_of(one_moment)["p06"] == pytest.approx(AGAINST_COUNTS["return"])
    some_day = toy.shop(("u1", "p06", NO_TIME, 1.0, "return"))
    assert weights_of(some_day)["p06"] == pytest.approx(AGAINST_COUNTS["return"])
    assert weights_of(toy.shop(DISLIKE))["p02"] == pytest.approx(-1.0)


def test_a_rating_counts_against_below_the_middle_of_what_people_give(toy):
    shop = toy.shop(*LOW)
    assert shop.rating_border == 3.0
    assert weights_of(shop)["p01"] == pytest.approx(AGAINST_COUNTS[LOW_RATING])
    assert weights_of(shop, "u2")["p06"] == pytest.approx(1.0)
    alike = toy.shop(LOW[0])  # a single rating says nothing about the scale
    assert alike.rating_border is None and weights_of(alike)["p01"] == pytest.approx(1.0)
    assert weights_of(shop, recency=Recency(kinds={LOW_RATING: -2.0}, rating_border=3.0))["p01"] == pytest.approx(-2.0)
    assert weights_of(shop, recency=Recency(kinds={"rating": 0.0}, rating_border=3.0))["p01"] == pytest.approx(-0.5)


def test_who_took_it_back_is_no_buyer(toy):
    shop, items = toy.shop(RETURN, DISLIKE), toy.shop().items
    row = shop.interactions.toarray()[shop.users.row("u1")]
    assert row[items.row("p06")] == 0 == row[items.row("p02")]
    assert row[items.row("p01")] == 1
    assert shop.interactions.sum() == toy.shop().interactions.sum() - 2


def test_many_people_at_once_have_the_weights_of_each(toy):
    shop = toy.shop(RETURN, DISLIKE, *LOW)
    recency = Recency(days=30.0, events=3.0, rating_border=shop.rating_border)
    many = weighted_profiles(shop.events, shop.n_users, shop.n_items, 0, recency).toarray()
    for row in range(shop.n_users):
        one = profile_of_events(shop.events.of_user(row), 0, recency)
        assert many[row][one.item_rows] == pytest.approx(one.weights)
    assert (many < 0).sum() == 3


def test_a_score_falls_by_what_the_returned_product_would_have_added(toy):
    before, after = toy.recommender(), toy.recommender(RETURN)
    item = before.snapshot.items.row("p07")  # cotton and black, as the socks are
    profile, counted = before.scorer.user_profile(before.snapshot.users.row("u1")), after.scorer.user_profile(0)
    assert after.scorer.score(counted)[item] < before.scorer.score(profile)[item]
    parts = after.scorer.parts(counted, item)
    assert parts.score == pytest.approx(after.scorer.score(counted)[item], rel=1e-9)
    socks = before.snapshot.items.row("p06")
    had = {path.hops: path.contribution for path in before.scorer.parts(profile, item).paths if path.history_row == socks}
    taken = {path.hops: path.contribution for path in parts.paths if path.history_row == socks}
    material = next(hops for hops in had if str(hops[0].edge) == "MADE_OF")
    assert taken[material] == pytest.approx(-0.5 * had[material], rel=1e-6)
    assert all(value < 0 for value in taken.values())


def test_no_reason_starts_at_a_no_and_the_list_of_all_paths_says_what_it_takes_away(toy):
    shop = toy.recommender(RETURN, DISLIKE, *LOW)
    shown = shop.recommend(user="u1", k=10)
    Draft202012Validator(schema("answer")).validate(json.loads(json.dumps(shown.to_dict())))
    starts = {path.nodes[1].key for item in shown.items for path in item.explanation.paths if path.nodes[0].label == "User"}
    assert starts and not starts & {"p06", "p02", "p01"}
    for lang, told in (
        ("en", "You sent Cotton socks, black back; this is made of cotton too, which counts against it."),
        ("zh", "您退回了“Cotton socks, black”；这件商品同样是cotton材质，因此不利于推荐它。"),
    ):
        answer = shop.explain("p07", user="u1", all_paths=True, lang=lang)
        Draft202012Validator(schema("answer")).validate(json.loads(json.dumps(answer.to_dict())))
        explanation = answer.items[0].explanation
        assert told in {path.reason for path in explanation.paths}
        assert sum(path.contribution for path in explanation.paths) + sum(explanation.rest.to_dict().values()) == pytest.approx(
            explanation.score, abs=1e-6
        )
        edge = next(path.edges[0].to_dict() for path in explanation.paths if path.nodes[1].key == "p06")
        assert (edge["type"], edge["against"], edge["last"]) == ("RETURNED", True, "1970-02-10")
    lego = shop.explain("p03", user="u1", all_paths=True).items[0].explanation
    assert {path.reason for path in lego.paths} >= {
        "You did not like LEGO Creator Sports Car; this is LEGO too, which counts against it.",
        "You gave LEGO City Forest Tractor a low rating; this is LEGO too, which counts against it.",
    }


def test_what_was_refused_never_comes_back(toy):
    shop = toy.recommender(RETURN, DISLIKE)
    for repeat in ("no", "yes", "auto"):
        assert not {"p06", "p02"} & {item.item_key for item in shop.recommend(user="u1", k=10, repeat=repeat).items}
    assert "p01" in {item.item_key for item in shop.recommend(user="u1", k=10, repeat="yes").items}


def test_nobody_is_expected_to_refuse_and_refusing_is_no_step_to_the_next_purchase():
    titles = {f"p{n}": "a" for n in range(4)}
    early = [("u", "p0", 1), ("u", "p1", 2), ("u", "p2", 3, 1.0, "dislike")]
    shop = snapshot_of(titles, [], early)
    late = snapshot_of(titles, [], [*early, ("u", "p3", 9), ("u", "p1", 9, 1.0, "return"), ("u", "p2", 9)]).events.after(3)
    task = task_of(shop, late, "later")
    assert task.targets.indices.tolist() == [3]  # p2 was refused before: it is no candidate
    assert task.masked.indices.tolist() == [0, 1, 2]
    assert transitions(shop.events, 4)[0].toarray()[:, 2].tolist() == [0, 0, 0, 0]


def test_what_a_no_counts_is_below_zero_and_chosen_where_there_is_a_choice(toy):
    with pytest.raises(StateError, match=r"What a return counts is 0 or less; it is 0\.5\."):
        Recency(kinds={"return": 0.5})
    with pytest.raises(StateError, match=r"What a view counts is 0 or more; it is -1\."):
        Recency(kinds={"view": -1.0})
    tried = defaultdict(list)
    for step in _steps(toy.shop(RETURN, *LOW).events):
        for change in step:
            for kind, value in change(Recency()).kinds.items():
                tried[kind].append(value)
    assert all(value >= 0 for value in tried["view"]) and len(tried["view"]) == 3
    assert min(tried["return"]) < -0.5 < max(tried["return"]) <= 0 and min(tried[LOW_RATING]) < -0.5
