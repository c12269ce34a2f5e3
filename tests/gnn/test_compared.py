"""The models to compare with: their own formulas, the same bytes for the same seed, and that they learn what there is to learn."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch_geometric.nn import LGConv

from gnn.descent import Descent, descend
from gnn.factors import Factors
from gnn.features import TextFeatures
from gnn.hybrid import HybridConfig, features_of, fit_hybrid
from gnn.lightgcn import LightGcn, LightGcnConfig, fit_lightgcn
from gnn.testing import random_features, random_shop
from gnn.two_tower import LIFTS, TwoTowerConfig, fit_two_tower
from gnn.validation import Validation
from kg.errors import StateError
from kg.ontology import Rel
from kg.snapshot import GraphSnapshot
from recommend.testing import planted_material

CPU = torch.device("cpu")


def test_lightgcn_smooths_as_pyg_does():
    """Against torch_geometric's LGConv on the whole graph of people and products, people starting at zero."""
    shop = random_shop(3)
    bought = shop.interactions
    model = LightGcn(bought, LightGcnConfig(dim=7, smoothings=1), CPU)
    n_people = bought.shape[0]
    people = np.repeat(np.arange(n_people), np.diff(bought.indptr))
    edges = torch.from_numpy(np.stack([people, n_people + bought.indices]).astype(np.int64))
    both = torch.cat([edges, edges.flip(0)], dim=1)
    layer = torch.cat([torch.zeros(n_people, 7), model.items.detach()])
    layers = [layer]
    for _ in range(3):
        layers.append(LGConv()(layers[-1], both))
    total = torch.stack(layers).sum(0)
    source, target = model.arrays()
    np.testing.assert_allclose(target, torch.nn.functional.normalize(total[n_people:], dim=1).numpy(), atol=1e-6)
    own = 1 / np.sqrt(np.maximum(np.diff(bought.indptr), 1))
    np.testing.assert_allclose(own[:, None] * (bought @ source), total[:n_people].numpy(), atol=1e-5)


@pytest.fixture(scope="module")
def planted() -> tuple[GraphSnapshot, np.ndarray]:
    snapshot, materials = planted_material()
    return snapshot, np.array(materials)


def right(scores: np.ndarray, snapshot: GraphSnapshot, materials: np.ndarray, new: bool) -> float:
    """Share of each person's ten best that are of the material that the person buys; by lot it is .2."""
    scores = np.where((snapshot.item_event_counts == 0) == new, scores, -np.inf)
    bought = snapshot.interactions
    wanted = [materials[bought.indices[bought.indptr[user]]] for user in range(snapshot.n_users)]
    best = np.argsort(-scores, axis=1)[:, :10]
    return float(np.mean([materials[row] == material for row, material in zip(best, wanted, strict=True)]))


def _facts(snapshot: GraphSnapshot) -> sp.csr_array:
    return sp.csr_array(snapshot.fact_matrix(Rel.MADE_OF).astype(np.float32))


def _fits(snapshot: GraphSnapshot, seed: int):
    n_items = snapshot.n_items
    features = TextFeatures.of_vectors(np.zeros((n_items, 1), np.float32))  # texts say nothing here
    yield "lightgcn", fit_lightgcn(snapshot, LightGcnConfig(dim=16, steps=60, people=64, seed=seed))
    yield "hybrid", fit_hybrid(snapshot, sp.csr_array((n_items, 0), dtype=np.float32), HybridConfig(dim=16, passes=300, seed=seed))
    yield (
        "two-tower",
        fit_two_tower(snapshot, features, _facts(snapshot), TwoTowerConfig(dim=16, steps=60, people=64, learning_rate=1e-2, seed=seed)),
    )


def test_they_find_what_a_shop_was_made_of(planted):
    """Only the material predicts; LightGCN must find it from who bought what, the others for products that nobody bought, too."""
    snapshot, materials = planted
    for name, fitted in _fits(snapshot, 0):
        profiles = snapshot.interactions
        lengths = np.diff(profiles.indptr)
        scores = fitted.scores(sp.csr_array(sp.diags_array((1 / lengths).astype(np.float32)) @ profiles))
        assert right(scores, snapshot, materials, new=False) > 0.6, name
        if name != "lightgcn":
            assert right(scores, snapshot, materials, new=True) > 0.3, name  # 4 of the 20 new products are of one material


def test_the_same_seed_gives_the_same_bytes(planted):
    snapshot, _ = planted
    for (name, first), (_, second), (_, other) in zip(_fits(snapshot, 1), _fits(snapshot, 1), _fits(snapshot, 2), strict=True):
        ask = snapshot.interactions
        assert first.scores(ask).tobytes() == second.scores(ask).tobytes(), name
        assert first.scores(ask).tobytes() != other.scores(ask).tobytes(), name


def test_a_held_out_part_stops_the_fit(planted):
    snapshot, _ = planted
    held = Validation(snapshot.events.user_rows[:50], snapshot.events.item_rows[-50:])
    fitted = fit_lightgcn(snapshot, LightGcnConfig(dim=8, steps=400, people=64), held)
    assert fitted.report["best_step"] <= fitted.report["steps"] < 400


def test_new_products_are_as_loud_as_validation_says(planted):
    """Where people find new products among all, the highest lift is right; where nobody finds a known one, none is chosen."""
    snapshot, _ = planted
    facts, features = _facts(snapshot), TextFeatures.of_vectors(np.zeros((snapshot.n_items, 1), np.float32))
    config = TwoTowerConfig(dim=8, steps=20, people=64)
    new, known = (np.flatnonzero((snapshot.item_event_counts > 0) == seen).astype(np.int32) for seen in (False, True))
    users = np.arange(snapshot.n_users, dtype=np.int32)
    asked = np.concatenate([new[users % len(new)], known[:1]])
    held = Validation(np.concatenate([users, users[:1]]), asked)
    lifted = fit_two_tower(snapshot, features, facts, config, held)
    assert lifted.report["lift"] == max(LIFTS)
    plain = fit_two_tower(snapshot, features, facts, config, Validation(users, new[users % len(new)]))
    assert "lift" not in plain.report
    assert np.allclose(lifted.target[new, -1], max(LIFTS)) and not lifted.target[known, -1].any()


def test_shops_with_nothing_to_learn_from():
    """Nobody has two products, or there are no events at all: zero steps, finite scores."""
    for shop in (random_shop(1, with_events=False), random_shop(1, n_users=1)):
        empty = sp.csr_array((shop.n_items, 0), dtype=np.float32)
        some = sp.csr_array((1, shop.n_items), dtype=np.float32)
        facts = sp.csr_array((shop.n_items, 0), dtype=np.float32)
        quick = (LightGcnConfig(dim=4, steps=2), HybridConfig(dim=4, passes=1), TwoTowerConfig(dim=4, steps=2))
        fits = (
            fit_lightgcn(shop, quick[0]),
            fit_hybrid(shop, empty, quick[1]),
            fit_two_tower(shop, random_features(0, shop.n_items), facts, quick[2]),
        )
        for fitted in fits:
            assert np.isfinite(fitted.scores(some)).all()


def test_features_of_a_product_sum_to_one_and_leave_identities_of_new_products_out():
    shop = random_shop(5)
    found = features_of(shop, sp.csr_array(np.eye(shop.n_items, 3, dtype=np.float32)))
    sums = np.asarray(found.sum(axis=1)).ravel()
    assert np.allclose(sums[sums > 0], 1)
    assert (found[:, : shop.n_items].diagonal() > 0).tolist() == (shop.item_event_counts > 0).tolist()


def test_factors_add_a_bias():
    fitted = Factors(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), np.array([0, 5], np.float32))
    assert fitted.scores(sp.csr_array(np.array([[1, 0]], np.float32))).tolist() == [[1, 5]]


def test_a_fit_that_diverges_is_refused():
    model = torch.nn.Linear(1, 1)
    with pytest.raises(StateError, match="diverged at step 1"):
        descend("toy", model, lambda step: model.weight.sum() * float("inf"), None, Descent(3, 0.1))
