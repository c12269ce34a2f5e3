from __future__ import annotations

import numpy as np
import pytest
import torch

from gnn.embeddings import COMPONENTS
from gnn.encoder import Inputs
from gnn.features import TextFeatures
from gnn.inductive import embed_products
from gnn.tensors import item_edges
from gnn.testing import QUICK, random_features, random_shop
from gnn.train import fit
from kg.errors import StateError
from kg.testing import snapshot_of, stated


def facts_of(shop, row: int) -> dict[str, list[int]]:
    return {name: edges.targets_of(row).tolist() for name, edges in shop.facts().items()}


def test_a_cold_product_of_the_graph_gets_the_same_vector_as_in_the_fit() -> None:
    shop = random_shop(7)
    features = random_features(7, shop.n_items)
    table = fit(shop, features, QUICK)
    cold = np.flatnonzero(~table.known)
    assert len(cold) >= 3
    asked = TextFeatures(features.dense[cold], features.words[cold], features.word_basis, features.digest)
    new = embed_products(table, asked, [facts_of(shop, row) for row in cold])
    for name in COMPONENTS:
        np.testing.assert_allclose(new.source[name], table.source[name][cold], atol=1e-6)
        np.testing.assert_allclose(new.target[name], table.target[name][cold], atol=1e-6)


def test_equal_to_the_tower_after_the_product_is_added_to_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = random_shop(8)
    features = random_features(8, shop.n_items)
    kept = {}
    import gnn.train

    original = gnn.train._train
    monkeypatch.setattr(gnn.train, "_train", lambda tower, *rest: kept.update(tower=tower) or original(tower, *rest))
    table = fit(shop, features, QUICK)

    brand, material = (shop.edges[name].target_rows[0] for name in ("HAS_BRAND", "MADE_OF"))
    titles = {shop.items.key(row): shop.title(row) for row in range(shop.n_items)} | {"zz": "a new thing"}
    facts = [
        stated(shop.items.key(int(s)), name, shop.entity_name(int(e)))
        for name, edges in shop.facts().items()
        for s, e in zip(edges.source_rows, edges.target_rows, strict=True)
    ]
    facts += [stated("zz", "HAS_BRAND", shop.entity_name(brand)), stated("zz", "MADE_OF", shop.entity_name(material))]
    grown = snapshot_of(titles, facts)
    assert grown.entities.keys.equals(shop.entities.keys) and grown.items.row("zz") == shop.n_items
    asked = random_features(80, 1)
    both = TextFeatures(
        np.concatenate([features.dense, asked.dense]),
        type(features.words)(np.concatenate([features.words.toarray(), asked.words.toarray()])),
        features.word_basis,
        features.digest,
    )
    asked = TextFeatures(asked.dense, asked.words, features.word_basis, features.digest)
    new = embed_products(table, asked, [{"HAS_BRAND": [brand], "MADE_OF": [material]}])

    edges = item_edges(grown, table.relations, table.entity_idf)
    inputs = Inputs.of(both, edges, len(table.relations), grown.n_entities, np.arange(grown.n_items), torch.device("cpu"))
    with torch.no_grad():
        for side, found in ((kept["tower"].source, new.source_vectors()), (kept["tower"].target, new.target_vectors())):
            text, entity = side.components(inputs)
            by_tower = torch.nn.functional.normalize(text + entity, dim=1)[-1].numpy()
            np.testing.assert_allclose(found[0], by_tower, atol=1e-6)


def test_unknown_entities_and_relations_are_left_out() -> None:
    shop = random_shop(9)
    table = fit(shop, random_features(9, shop.n_items), QUICK)
    asked = random_features(90, 1)
    plain, odd = (embed_products(table, asked, [facts]) for facts in ({}, {"HAS_BRAND": [-1], "DIRECTED_BY": [3]}))
    np.testing.assert_array_equal(plain.target_vectors(), odd.target_vectors())
    np.testing.assert_array_equal(plain.target_vectors(), embed_products(table, asked).target_vectors())


def test_a_text_without_a_known_word_is_zero_not_nan() -> None:
    shop = random_shop(10)
    features = random_features(10, shop.n_items)
    table = fit(shop, features, QUICK)
    empty = TextFeatures(features.dense[:1] * 0, features.words[:1] * 0, features.word_basis, features.digest)
    assert not embed_products(table, empty).source_vectors().any()


def test_other_encoder_or_number_is_refused() -> None:
    shop = random_shop(11)
    features = random_features(11, shop.n_items)
    table = fit(shop, features, QUICK)
    other = TextFeatures(features.dense, features.words, features.word_basis, "sha256:other")
    with pytest.raises(StateError, match="another text encoder"):
        embed_products(table, other)
    with pytest.raises(StateError, match="facts of 1 products"):
        embed_products(table, features, [{}])
