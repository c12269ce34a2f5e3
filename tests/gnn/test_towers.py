"""Several towers side by side: the mean of their cosines, taken apart, extended and kept as one tower is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from gnn.decompose import components_of, components_of_new, pairs
from gnn.embeddings import EmbeddingTable, joined
from gnn.features import TextFeatures
from gnn.inductive import embed_products
from gnn.testing import QUICK, random_features, random_shop
from gnn.train import fit
from kg.errors import StateError

SHOP = random_shop(3)
FEATURES = random_features(3, SHOP.n_items)


@cache
def tower(seed: int) -> EmbeddingTable:
    return fit(SHOP, FEATURES, replace(QUICK, seed=seed))


def scores(table: EmbeddingTable) -> np.ndarray:
    return table.source_vectors() @ table.target_vectors().T


def test_a_score_is_the_mean_of_the_towers() -> None:
    both = joined([tower(0), tower(1)])
    assert both.dim == 2 * tower(0).dim and both.source_side.towers == 2
    np.testing.assert_allclose(scores(both), (scores(tower(0)) + scores(tower(1))) / 2, atol=1e-6)
    assert not np.allclose(scores(tower(0)), scores(tower(1)), atol=1e-3)


def test_one_tower_alone_is_itself() -> None:
    assert joined([tower(0)]) is tower(0)


def test_pairs_of_components_add_up_to_the_mean() -> None:
    both = joined([tower(0), tower(1), tower(2)])
    wanted = np.mean([scores(tower(seed)) for seed in range(3)], axis=0)
    for j, i in ((0, 1), (5, 19), (19, 4)):
        apart = pairs(*(components_of(both, side, row, FEATURES.words[[row]]) for side, row in (("source", j), ("target", i))))
        assert apart.total == pytest.approx(wanted[j, i], abs=1e-6)
        entity = float(both.source["entity"][j].astype(float) @ both.target["entity"][i].astype(float))
        assert apart.kinds().get(("entity", "entity"), 0.0) == pytest.approx(entity, abs=1e-9)


def test_a_new_product_gets_the_vector_that_it_has_in_the_graph() -> None:
    both = joined([tower(0), tower(1)])
    cold = np.flatnonzero(~both.known)
    facts = [{name: edges.targets_of(row).tolist() for name, edges in SHOP.facts().items()} for row in cold]
    asked = TextFeatures(FEATURES.dense[cold], FEATURES.words[cold], FEATURES.word_basis, FEATURES.digest)
    new = embed_products(both, asked, facts)
    np.testing.assert_allclose(new.source_vectors(), both.source_vectors()[cold], atol=1e-6)
    np.testing.assert_allclose(new.target_vectors(), both.target_vectors()[cold], atol=1e-6)
    parts = components_of_new(both, new, "target", 0, asked.words[[0]])
    np.testing.assert_allclose(parts.total, both.target_vectors()[cold[0]], atol=1e-6)


def test_kept_and_opened_they_are_the_same(tmp_path) -> None:
    both = joined([tower(0), tower(1)])
    both.save(tmp_path)
    opened = EmbeddingTable.load(tmp_path)
    assert opened.digest == both.digest and opened.source_side.towers == 2
    np.testing.assert_array_equal(scores(opened), scores(both))
    assert both.digest not in {tower(0).digest, joined([tower(1), tower(0)]).digest}


def test_towers_of_two_graphs_do_not_stand_side_by_side() -> None:
    other = random_shop(4)
    with pytest.raises(StateError, match="one graph and its texts"):
        joined([tower(0), fit(other, random_features(4, other.n_items), QUICK)])


def test_each_tower_says_where_it_was_best() -> None:
    stopped = [replace(tower(seed), settings={"best_step": 20 * (seed + 1), "seconds": 1.5}) for seed in range(2)]
    assert joined(stopped).best_steps == (20, 40) and stopped[0].best_steps == (20,) and tower(0).best_steps == (0,)
