from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnn.decompose import Component, components_of, components_of_new, history_pairs, pairs
from gnn.embeddings import COMPONENTS
from gnn.inductive import embed_products, person
from gnn.testing import QUICK, random_features, random_shop
from gnn.train import fit


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), n_items=st.integers(2, 24), n_dense=st.integers(0, 4), n_words=st.integers(0, 6))
def test_inner_product_is_the_sum_over_pairs_of_components(seed: int, n_items: int, n_dense: int, n_words: int) -> None:
    shop = random_shop(seed, n_items=n_items)
    features = random_features(seed, n_items, n_dense, n_words)
    table = fit(shop, features, QUICK)
    scores = table.source_vectors() @ table.target_vectors().T
    coarse = sum(table.source[a].astype(float) @ table.target[b].astype(float).T for a in COMPONENTS for b in COMPONENTS)
    np.testing.assert_allclose(coarse, scores, atol=1e-12)
    random = np.random.default_rng(seed)
    for j, i in random.integers(0, n_items, (6, 2)):
        fine = pairs(components_of(table, "source", j, features.words[[j]]), components_of(table, "target", i, features.words[[i]]))
        assert fine.total == pytest.approx(scores[j, i], abs=1e-9)
        assert sum(fine.kinds().values()) == pytest.approx(scores[j, i], abs=1e-9)
        assert scores[j, i] <= 1 + 1e-5  # both vectors have length 1 or 0


def test_components_name_what_the_graph_holds() -> None:
    shop = random_shop(3)
    features = random_features(3, shop.n_items)
    table = fit(shop, features, QUICK)
    for row in range(shop.n_items):
        found = components_of(table, "target", row, features.words[[row]])
        facts = {(c.relation, c.row) for c in found.names if c.kind == "entity"}
        assert facts == {(name, int(e)) for name, edges in shop.facts().items() for e in edges.targets_of(row)}
        assert {c.row for c in found.names if c.kind == "word"} == set(features.words[[row]].indices.tolist())
        assert [c.kind for c in found.names].count("text") == [c.kind for c in found.names].count("identity") == 1
        known = shop.item_event_counts[row] > 0
        assert np.any(found.vectors[-1]) == known, "only products with events have an identity"


def test_what_a_named_entity_adds_is_what_the_formula_says() -> None:
    shop = random_shop(5)
    features = random_features(5, shop.n_items)
    table = fit(shop, features, QUICK)
    row = int(np.argmax(np.diff(table.edges.starts)))
    entities, places, weights = table.edges.of_item(row)
    side = table.source_side
    by_formula = side.relation_weights[places, None] * weights[:, None] * side.entity_vectors[entities] / side.norms[row]
    found = components_of(table, "source", row)
    rows = [place for place, component in enumerate(found.names) if component.kind == "entity"]
    np.testing.assert_allclose(found.vectors[rows], by_formula, atol=1e-6)


def test_strongest_pairs_come_first() -> None:
    shop = random_shop(1)
    table = fit(shop, random_features(1, shop.n_items), QUICK)
    parts = pairs(components_of(table, "source", 0), components_of(table, "target", 1))
    found = parts.strongest(3)
    assert [value for *_, value in found] == sorted(parts.values.ravel(), reverse=True)[:3]
    assert isinstance(found[0][0], Component)


def test_history_pairs_sum_to_the_score_of_the_person() -> None:
    shop = random_shop(2)
    table = fit(shop, random_features(2, shop.n_items), QUICK)
    rows, weights = np.array([1, 4, 7], np.int32), np.array([0.5, 1.0, 0.25], np.float32)
    parts = history_pairs(table, rows, weights)
    assert len(parts) == 9
    np.testing.assert_allclose(sum(parts.values()), table.target_vectors() @ person(table, rows, weights), atol=1e-12)
    np.testing.assert_allclose(person(table, rows), table.source_vectors()[rows].sum(0), atol=1e-12)


def test_new_products_are_taken_apart_too() -> None:
    shop = random_shop(4)
    table = fit(shop, random_features(4, shop.n_items), QUICK)
    brands = shop.edges["HAS_BRAND"].target_rows[:2].tolist()
    asked = random_features(9, 1)
    new = embed_products(table, asked, [{"HAS_BRAND": brands}])
    source = components_of_new(table, new, "source", 0, asked.words)
    np.testing.assert_allclose(source.total, new.source_vectors()[0], atol=1e-9)
    assert {c.row for c in source.names if c.kind == "entity"} == set(brands)
