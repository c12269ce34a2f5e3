"""A shop of few people: what its answers rest on."""

from collections import Counter

import numpy as np
import pytest

from kg.config import TrainConfig
from kg.workspace import Workspace
from recommend.fit import fit
from recommend.scorer import Scorer
from recommend.texts import snapshot_texts
from recommend.training import Training


@pytest.fixture(scope="module")
def scorer(small_shop) -> Scorer:
    snapshot = Workspace(small_shop).snapshot()
    return fit(Training(snapshot, snapshot_texts(snapshot), config=TrainConfig(without=("gnn",)))).scorer


def test_what_is_like_a_product_is_so_by_likeness_category_and_buyers_and_not_by_its_price(scorer):
    random = np.random.default_rng(0)
    shares: Counter[str] = Counter()
    for row in random.choice(np.flatnonzero(scorer.seen), 20, replace=False).tolist():
        profile = scorer.similar(row)
        scores = scorer.score(profile)
        scores[row] = -np.inf
        for item in np.argsort(-scores)[:5].tolist():
            parts = scorer.parts(profile, item)
            for path in parts.paths:
                shares[path.view] += path.contribution / 100
            shares["own"] += abs(parts.popularity) / 100
    total = shares.total()
    told = sum(shares[view] for view in ("similar", "similar_wide", "category", "co_bought", "co_bought_similar", "next_bought", "brand"))
    assert told > 0.75 * total
    assert shares["price_band"] + shares["own"] < 0.1 * total


def test_being_new_is_no_reason_of_its_own(scorer):
    for weights in scorer.weights.branches.values():
        strongest = max(weight * 0.1 for weight in weights.unseen.values())
        assert abs(weights.newness) < strongest
