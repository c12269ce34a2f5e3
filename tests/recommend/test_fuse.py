"""The search finds the view that was planted, and nothing where there is nothing."""

import numpy as np
import pytest

from recommend import fuse
from recommend.profile import Branch, Recency
from recommend.weights import BranchWeights, Weights


def group(random, informative, people=150, pool=60):
    targets = np.zeros((people, pool), bool)
    targets[np.arange(people), random.integers(0, pool, people)] = True
    features = random.random((3, people, pool)).astype(np.float32)
    features[informative] += targets * 0.6
    return fuse.Group(("good", "bad", fuse.POPULARITY), features, np.ones((people, pool), bool), targets, targets.sum(1))


def test_the_planted_view_is_found():
    random = np.random.default_rng(0)
    weights, value = fuse.search([group(random, 0), group(random, 0)], [{"bad": 1.0}])
    assert weights["good"] > 3 * weights.get("bad", 0.0)
    assert value > 0.6


def test_a_view_of_zeros_gets_no_weight():
    one = group(np.random.default_rng(0), 0)
    one.features[1] = 0
    weights, _ = fuse.search([one], [{"bad": 5.0, "good": 1.0}])
    assert "bad" not in weights


def test_a_later_start_needs_more_than_luck():
    random = np.random.default_rng(4)
    one = group(random, 0)
    one.features[1] = one.features[0] + random.normal(size=one.features[0].shape) * 0.01
    weights, _ = fuse.search([one], [{"good": 1.0}, {"bad": 1.0}])
    assert set(weights) == {"good"}


def test_without_targets_the_start_stays():
    one = group(np.random.default_rng(0), 0)
    empty = fuse.Group(one.names, one.features, one.valid, np.zeros_like(one.targets), np.zeros(len(one.targets), np.int64))
    assert fuse.search([empty], [{"good": 2.0}, {"bad": 1.0}]) == ({"good": 2.0}, 0.0)


def test_a_tie_counts_against_the_target():
    flat = np.zeros((1, 30), np.float32)
    targets = np.zeros((1, 30), bool)
    targets[0, 3] = True
    assert fuse.ndcg_of(flat, targets, np.array([1]))[0] == 0


def test_scale_and_newness_put_both_kinds_into_one_list():
    random = np.random.default_rng(1)
    known, new = group(random, 0), group(random, 0)
    new = fuse.Group(new.names, new.features * 10, new.valid, new.targets, new.n_targets)
    weights = {"good": 1.0}
    factor, delta, value = fuse.joint([(known, new)], [np.ones(150, bool)], weights, weights)
    assert factor < 0.5 and np.isfinite(delta) and value > 0.3


def test_new_products_are_not_buried_where_none_is_looked_for():
    random = np.random.default_rng(1)
    known, new = group(random, 0), group(random, 0)
    new = fuse.Group(new.names, new.features, new.valid, np.zeros_like(new.targets), np.zeros(150, np.int64))
    factor, delta, value = fuse.joint([(known, new)], [np.ones(150, bool)], {"good": 1.0}, {"good": 1.0})
    assert (factor, delta) == (1.0, 0.0) and value > 0.3


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_where_few_people_tell_nothing_lists_hold_as_many_new_products_as_are_looked_for(share):
    random = np.random.default_rng(2)
    known, new = group(random, 0, people=40), group(random, 0, people=40)
    # Scores that say nothing of what is wanted: every balance is as good as any, and the best by luck must not decide.
    blind = [fuse.Group(one.names, random.random(one.features.shape).astype(np.float32), *_of(one)) for one in (known, new)]
    wants_new = np.arange(40) < 40 * share
    known, new = _asked(blind[0], ~wants_new), _asked(blind[1], wants_new)
    factor, delta, _ = fuse.joint([(known, new)], [np.ones(40, bool)], {"good": 1.0}, {"good": 1.0})
    scores = np.concatenate([known.features[0], new.features[0] * factor + delta], axis=1)
    best = np.argsort(-scores, axis=1)[:, : fuse.K]
    assert abs((best >= 60).mean() - share) < 0.2


def _of(one: fuse.Group) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return one.valid, one.targets, one.n_targets


def _asked(one: fuse.Group, who: np.ndarray) -> fuse.Group:
    return fuse.Group(one.names, one.features, one.valid, one.targets & who[:, None], one.n_targets * who)


def test_no_weight_is_below_zero_and_weights_survive_json():
    made = fuse.branch_weights({"good": 2.0, fuse.POPULARITY: 0.5}, {"good": 1.0}, 0.5, -0.1)
    assert made == BranchWeights({"good": 2.0}, {"good": 0.5}, newness=-0.1, popularity=0.5)
    whole = Weights({Branch.KNOWN: made}, recency=Recency(365.0, 10.0, {"view": 0.5}))
    assert Weights.of(whole.to_dict()) == whole
    assert whole.branch(Branch.SESSION) is made and made.of("none", True) == 0


def test_a_view_whose_size_nobody_guessed_is_found_by_the_softmax():
    one = group(np.random.default_rng(5), 0)
    features = one.features.copy()
    features[0] /= 1e6
    one = fuse.Group(("tiny", "bad", fuse.POPULARITY), features, one.valid, one.targets, one.n_targets)
    weights, value = fuse.search([one], [{"bad": 1.0}])
    assert weights["tiny"] * 1e-6 > weights.get("bad", 0.0) and value > 0.3


def test_where_no_view_says_anything_the_start_stays():
    one = group(np.random.default_rng(6), 0)
    nothing = fuse.Group(one.names, np.zeros_like(one.features), one.valid, one.targets, one.n_targets)
    assert fuse.search([nothing], [{"good": 1.0}]) == ({"good": 1.0}, 0.0)


def test_ndcg_of_many_targets_is_that_of_each_rank():
    random = np.random.default_rng(3)
    scores = random.integers(0, 40, (30, 60)).astype(np.float32)  # with ties
    targets = random.random((30, 60)) < 0.4
    many = fuse.ndcg_of(scores, targets, targets.sum(1), k=5)
    for row in range(30):
        ranks = sorted((scores[row] >= scores[row, column]).sum() for column in np.flatnonzero(targets[row]))
        gain = sum(1 / np.log2(1 + rank) for rank in ranks if rank <= 5)
        assert many[row] == pytest.approx(gain / (1 / np.log2(np.arange(2, 2 + min(5, targets[row].sum())))).sum())


@pytest.mark.parametrize(("name", "unit"), [("gnn", 10.0), ("also_bought", 5.0), ("brand", 0.3)])
def test_units(name, unit):
    assert fuse.unit_of(name, frozenset({"also_bought"})) == unit
