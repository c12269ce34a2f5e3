"""The search finds the view that was planted, nothing where there is nothing, and believes few people little."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommend import fuse, pools, smooth
from recommend.profile import Branch, Recency
from recommend.smooth import ascend
from recommend.usual import likeliest, shares_of, spread_of, usual_weights
from recommend.weights import BranchWeights, Weights


def group(random, informative, people=150, pool=60):
    targets = np.zeros((people, pool), bool)
    targets[np.arange(people), random.integers(0, pool, people)] = True
    features = random.random((3, people, pool)).astype(np.float32)
    features[informative] += targets * 0.6
    return pools.Group(("good", "bad", pools.POPULARITY), features, np.ones((people, pool), bool), targets, targets.sum(1))


def shares(**of):
    return of


def test_the_planted_view_is_found():
    random = np.random.default_rng(0)
    weights, value = fuse.search([group(random, 0), group(random, 0)], shares(bad=1.0))
    assert weights["good"] > 3 * weights.get("bad", 0.0)
    assert value > 0.6


def test_a_view_of_zeros_gets_no_weight():
    one = group(np.random.default_rng(0), 0)
    one.features[1] = 0
    weights, _ = fuse.search([one], shares(bad=0.8, good=0.2))
    assert "bad" not in weights


def test_few_people_move_the_usual_weights_little_and_many_as_far_as_they_like():
    random = np.random.default_rng(4)
    usual = shares(good=0.3, bad=0.7)
    moved = []
    for people in (5, 50, 3000):
        one = group(random, 0, people=people)
        start = usual_weights([one], usual)
        found = likeliest([one], start)
        moved.append(float(np.linalg.norm((found - start) * spread_of([one]))))
    assert moved[0] < 0.5 < moved[1] < moved[2]
    free = likeliest([one], start * 0)  # the prior counts for 1 % here, whatever it says
    assert found == pytest.approx(free, rel=0.05, abs=0.05 * free.max())


def test_without_the_prior_few_people_believe_in_luck(monkeypatch):
    one = group(np.random.default_rng(7), 0, people=5, pool=20)
    usual = usual_weights([one], shares(good=1.0))
    lucky = one.features.copy()
    lucky[1] += one.targets * 2.0
    one = pools.Group(one.names, lucky, one.valid, one.targets, one.n_targets)
    believed = likeliest([one], usual)
    monkeypatch.setattr("recommend.usual.PEOPLE", 0.01)
    assert believed[1] < 0.2 * likeliest([one], usual)[1]


def test_few_people_follow_the_slope_little_and_many_as_far_as_it_leads():
    moved = []
    for people in (5, 60, 2000):
        one = group(np.random.default_rng(4), 0, people=people)
        start = usual_weights([one], shares(good=0.3, bad=0.7))
        moved.append(float(np.linalg.norm((ascend([one], start) - start) * spread_of([one]))))
    assert moved[0] < 0.3 < moved[1] < moved[2]


def test_the_slope_leads_to_a_better_ndcg_where_the_likelihood_does_not():
    one, start = heavy_tails(1000)
    halves = [one.some(np.arange(first, 1000, 2)) for first in (0, 1)]
    found = ascend([halves[0]], start)
    assert (found >= 0).all()
    before, after = (pools.per_person([halves[1]], weights) for weights in (start, found))
    assert pools.better(after, before, sure=2.0)


def test_following_the_slope_keeps_how_loud_the_start_was():
    one, start = heavy_tails(300)
    spread = spread_of([one])
    assert np.linalg.norm(ascend([one], start) * spread) == pytest.approx(np.linalg.norm(start * spread))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), views=st.integers(1, 4), pool=st.integers(2, 40))
def test_the_slope_is_that_of_the_gain(seed, views, pool):
    random = np.random.default_rng(seed)
    targets = random.random((6, pool)) < 0.3
    targets[:, 0] = True
    valid = targets | (random.random((6, pool)) < 0.8)
    one = pools.Group(tuple(map(str, range(views))), random.random((views, 6, pool)).astype(np.float32), valid, targets, targets.sum(1))
    weights = random.random(views)
    prepared = smooth._Prepared.of(one, weights, np.arange(views), np.ones(views))
    _, slope = prepared.gain(weights)
    for view in range(views):
        step = np.eye(views)[view] * 1e-2
        by_hand = (prepared.gain(weights + step)[0] - prepared.gain(weights - step)[0]) / 2e-2
        assert slope[view] == pytest.approx(by_hand, rel=0.05, abs=0.05)


def test_no_target_is_cut_off_however_low_it_stands():
    random = np.random.default_rng(8)
    one = group(random, 0, people=20, pool=smooth._DEPTH + 300)
    one.features[0] -= 5 * one.targets  # last of all
    prepared = smooth._Prepared.of(one, np.ones(3), np.arange(3), np.ones(3))
    assert prepared.features.shape[2] == smooth._DEPTH + 1 and len(prepared.rows) == 20
    assert (prepared.features[0, prepared.rows, prepared.columns] < 0).all()


def test_smooth_ndcg_is_near_the_true_one_where_scores_lie_apart():
    random = np.random.default_rng(3)
    scores = random.permuted(np.tile(np.arange(60, dtype=np.float32), (40, 1)), axis=1)[None]
    targets = random.random((40, 60)) < 0.1
    targets[:, 0] = True
    one = pools.Group(("only",), scores, np.ones((40, 60), bool), targets, targets.sum(1))
    prepared = smooth._Prepared.of(one, np.ones(1), np.arange(1), np.ones(1))
    assert prepared.gain(np.ones(1))[0] / 40 == pytest.approx(pools.per_person([one], np.ones(1)).mean(), abs=0.02)


def heavy_tails(people):
    """Views of which the softmax shrinks one, because its largest values alone decide; and the weights likeliest with them."""
    random = np.random.default_rng(9)
    one = group(random, 0, people=people)
    features = one.features * 0.1
    features[0] = np.where(one.targets, random.choice([3.0, 0.05], one.targets.shape), random.exponential(0.25, one.targets.shape) ** 2)
    features[1] = one.targets * 0.15 + random.random(one.targets.shape) * 0.5
    one = pools.Group(one.names, features.astype(np.float32), *_of(one))
    return one, likeliest([one], usual_weights([one], shares(good=0.2, bad=0.8)))


def test_without_targets_the_usual_weights_hold():
    one = group(np.random.default_rng(0), 0)
    empty = pools.Group(one.names, one.features, one.valid, np.zeros_like(one.targets), np.zeros(len(one.targets), np.int64))
    usual = dict(zip(one.names, usual_weights([empty], shares(good=1.0)), strict=True))
    assert fuse.search([empty], shares(good=1.0)) == ({"good": usual["good"]}, 0.0)


def test_usual_weights_are_shares_of_the_spread():
    one = group(np.random.default_rng(0), 0)
    one.features[0] *= 1000
    weights = usual_weights([one], shares(good=0.2, bad=0.6))
    assert weights * spread_of([one]) == pytest.approx([0.25, 0.75, 0.0])


def test_every_view_has_a_usual_share():
    names = ("gnn", "similar", "also_bought", "brand", pools.POPULARITY)
    links = {"also_bought"}
    known, new = (shares_of(names, seen, links) for seen in (True, False))
    assert set(known) == set(new) == set(names) and known[pools.POPULARITY] == new[pools.POPULARITY] == 0
    assert 0 < known["brand"] < known["also_bought"] < known["similar"] < known["gnn"] and new["brand"] > known["brand"]
    assert shares_of(("ease", "next_bought"), False, links) == {"ease": 0.0, "next_bought": 0.0}


def test_a_tie_counts_against_the_target():
    flat = np.zeros((1, 30), np.float32)
    targets = np.zeros((1, 30), bool)
    targets[0, 3] = True
    assert pools.ndcg_of(flat, targets, np.array([1]))[0] == 0


def test_scale_and_newness_put_both_kinds_into_one_list():
    random = np.random.default_rng(1)
    known, new = group(random, 0), group(random, 0)
    new = pools.Group(new.names, new.features * 10, new.valid, new.targets, new.n_targets)
    weights = {"good": 1.0}
    factor, delta, value = fuse.joint([(known, new)], [np.ones(150, bool)], weights, weights)
    assert factor < 0.5 and np.isfinite(delta) and value > 0.3


def test_new_products_are_not_buried_where_none_is_looked_for():
    random = np.random.default_rng(1)
    known, new = group(random, 0), group(random, 0)
    new = pools.Group(new.names, new.features, new.valid, np.zeros_like(new.targets), np.zeros(150, np.int64))
    factor, delta, value = fuse.joint([(known, new)], [np.ones(150, bool)], {"good": 1.0}, {"good": 1.0})
    assert (factor, delta) == (1.0, 0.0) and value > 0.3


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_where_few_people_tell_nothing_lists_hold_as_many_new_products_as_are_looked_for(share):
    random = np.random.default_rng(2)
    known, new = group(random, 0, people=40), group(random, 0, people=40)
    # Scores that say nothing of what is wanted: every balance is as good as any, and the best by luck must not decide.
    blind = [pools.Group(one.names, random.random(one.features.shape).astype(np.float32), *_of(one)) for one in (known, new)]
    wants_new = np.arange(40) < 40 * share
    known, new = _asked(blind[0], ~wants_new), _asked(blind[1], wants_new)
    factor, delta, _ = fuse.joint([(known, new)], [np.ones(40, bool)], {"good": 1.0}, {"good": 1.0})
    scores = np.concatenate([known.features[0], new.features[0] * factor + delta], axis=1)
    best = np.argsort(-scores, axis=1)[:, : pools.K]
    assert abs((best >= 60).mean() - share) < 0.2


def _of(one: pools.Group) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return one.valid, one.targets, one.n_targets


def _asked(one: pools.Group, who: np.ndarray) -> pools.Group:
    return pools.Group(one.names, one.features, one.valid, one.targets & who[:, None], one.n_targets * who)


def test_no_weight_is_below_zero_and_weights_survive_json():
    made = fuse.branch_weights({"good": 2.0, pools.POPULARITY: 0.5}, {"good": 1.0}, 0.5, -0.1)
    assert made == BranchWeights({"good": 2.0}, {"good": 0.5}, newness=-0.1, popularity=0.5)
    whole = Weights({Branch.KNOWN: made}, recency=Recency(365.0, 10.0, {"view": 0.5}))
    assert Weights.of(whole.to_dict()) == whole
    assert whole.branch(Branch.SESSION) is made and made.of("none", True) == 0


def test_a_view_whose_size_nobody_guessed_is_found():
    one = group(np.random.default_rng(5), 0)
    features = one.features.copy()
    features[0] /= 1e6
    one = pools.Group(("tiny", "bad", pools.POPULARITY), features, one.valid, one.targets, one.n_targets)
    weights, value = fuse.search([one], shares(bad=1.0))
    assert weights["tiny"] * 1e-6 > weights.get("bad", 0.0) and value > 0.3


def test_what_has_faded_away_is_not_made_loud():
    one = group(np.random.default_rng(5), 0)
    one.features[0] *= 1e-9
    weights, _ = fuse.search([one], shares(good=0.5, bad=0.5))
    assert weights["bad"] > 0 and "good" not in weights


def test_where_no_view_says_anything_the_shares_are_the_weights():
    one = group(np.random.default_rng(6), 0)
    nothing = pools.Group(one.names, np.zeros_like(one.features), one.valid, one.targets, one.n_targets)
    assert fuse.search([nothing], shares(good=1.0)) == ({"good": 1.0}, 0.0)


def test_ndcg_of_many_targets_is_that_of_each_rank():
    random = np.random.default_rng(3)
    scores = random.integers(0, 40, (30, 60)).astype(np.float32)  # with ties
    targets = random.random((30, 60)) < 0.4
    many = pools.ndcg_of(scores, targets, targets.sum(1), k=5)
    for row in range(30):
        ranks = sorted((scores[row] >= scores[row, column]).sum() for column in np.flatnonzero(targets[row]))
        gain = sum(1 / np.log2(1 + rank) for rank in ranks if rank <= 5)
        assert many[row] == pytest.approx(gain / (1 / np.log2(np.arange(2, 2 + min(5, targets[row].sum())))).sum())


def test_likeness_has_the_weights_of_content_where_nothing_else_speaks() -> None:
    chosen = BranchWeights(
        {"similar": 0.3, "co_bought": 2.0, "also_bought": 3.0, "next_bought": 1.0, "co_bought_similar": 8.0, "ease": 0.7},
        {"similar": 1.5, "brand": 0.1, "co_bought_similar": 11.0, "ease": 0.6},
        newness=0.4,
        popularity=0.2,
    )
    content = {"similar": 1.5, "brand": 0.1}
    wanted = BranchWeights({**content, "co_bought": 2.0, "also_bought": 3.0}, content)
    assert chosen.of_likeness() == wanted
    weights = Weights({Branch.FEW_EVENTS: chosen})
    assert weights.branch(Branch.SIMILAR) == wanted and weights.branch(Branch.SESSION) == chosen


@pytest.mark.parametrize("unseen", [{}, {"co_bought_similar": 1.5}])
def test_likeness_of_a_shop_without_new_products_or_without_content(unseen: dict[str, float]) -> None:
    assert BranchWeights({"similar": 0.3, "ease": 0.7}, unseen).of_likeness() == BranchWeights({"similar": 0.3}, {"similar": 0.3})
    bought = BranchWeights({"next_bought": 0.3, "ease": 0.7}, unseen, newness=1.0)
    assert bought.of_likeness() == BranchWeights({"next_bought": 0.3, "ease": 0.7}, unseen)
