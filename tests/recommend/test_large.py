"""Catalogues too large to compare every pair: what is found is exact, and most of the true neighbourhood is found."""

import numpy as np
import pytest

from recommend import topk
from recommend.profile import Branch
from recommend.scorer import Scorer
from recommend.service import Recommender
from recommend.testing import planted_material, random_table
from recommend.texts import snapshot_texts
from recommend.topk import WANTED, NearVectors
from recommend.views import co_bought as views_co_bought
from recommend.views import gnn as views_gnn
from recommend.views import large, similar
from recommend.views.build import Likeness, build_views, views_of_arrays, views_to_arrays
from recommend.views.gnn import GnnView
from recommend.views.large import recall_of
from recommend.views.popular import popularity
from recommend.views.similar import likeness, unit_rows
from recommend.weights import BranchWeights, Weights
from recommend.words import CatalogueWords


@pytest.fixture(scope="module")
def catalogue():
    random = np.random.default_rng(0)
    kinds = random.integers(0, 60, 1500)
    texts = [f"thing kind{kind} colour{random.integers(9)} shape{random.integers(30)} no{random.integers(300)}" for kind in kinds]
    centres = random.standard_normal((60, 16))
    vectors = (centres[kinds] + 0.5 * random.standard_normal((1500, 16))).astype(np.float32)
    return CatalogueWords.fit(texts), unit_rows(vectors)


@pytest.mark.parametrize("with_vectors", [True, False])
def test_pairs_of_a_large_catalogue_are_exact_and_nearly_all_found(catalogue, with_vectors, monkeypatch):
    words, unit = catalogue
    vectors = unit if with_vectors else None
    exact = likeness(words, vectors, cap=60)
    monkeypatch.setattr(similar, "ALL_PAIRS", 100)
    monkeypatch.setattr(large, "COMMON", 400)  # "thing" finds nobody
    found = likeness(words, vectors, cap=60)
    assert (found != found.T).nnz == 0 and (found.diagonal() == 0).all()
    both = exact.multiply(found > 0)
    assert np.abs((found - both).multiply(both > 0)).max() < 1e-5
    assert recall_of(found, words, vectors, 20) > 0.9
    assert recall_of(exact, words, vectors, 20) == 1.0


def test_recall_sees_what_is_missing(catalogue):
    words, unit = catalogue
    assert recall_of(likeness(words, unit, cap=1), words, unit, 20) < 0.5


def test_near_vectors_state_their_recall(catalogue):
    _, unit = catalogue
    near = NearVectors.fit(unit, 20)
    assert near.recall >= WANTED
    rows, values = near.search(unit[:50], 20)
    np.testing.assert_allclose(values[0], unit[rows[0]] @ unit[0], atol=1e-5)
    true = np.argsort(-(unit[:50] @ unit.T), axis=1)[:, :20]
    kept = np.mean([len(np.intersect1d(a, b)) / 20 for a, b in zip(rows, true, strict=True)])
    assert kept >= WANTED - 0.1
    again = NearVectors.of_array(NearVectors.fit(unit, 20).array(), near.recall)
    assert again.search(unit[:50], 20)[0].tobytes() == rows.tobytes()


def test_of_texts_that_read_the_same_any_will_do_for_the_recall():
    """500 vectors ten times each: which five of the ten equals come is chance, and all of them are found."""
    unit = unit_rows(np.random.default_rng(0).normal(size=(500, 16)).astype(np.float32)).repeat(10, axis=0)
    assert NearVectors.fit(unit, 5).recall == 1.0


def test_a_shop_too_large_to_look_at_every_product_says_so_and_finds_nearly_the_same(monkeypatch):
    """The limit lowered: nearly the same lists, scores exact for what is listed, the answer says it, a bundle keeps the index."""
    random = np.random.default_rng(0)
    snapshot, _ = planted_material(n_items=600, n_new=60)
    words = CatalogueWords.fit(snapshot_texts(snapshot))
    table = random_table(snapshot, words, random, dim=8)
    views = build_views(snapshot, Likeness.build(words, None), table, frozenset({"ease"}))
    weights = Weights({Branch.KNOWN: BranchWeights({"gnn": 3.0, "co_bought": 5.0}, {"gnn": 3.0, "material": 1.0})})
    exact = Scorer(snapshot, views, popularity(snapshot.interactions), weights, words)
    assert exact.notes == ()
    monkeypatch.setattr(topk, "EXACT_UP_TO", 500)
    monkeypatch.setattr(views_gnn, "_FOUND", 200)
    large = [view if view.name != "gnn" else GnnView(table, exact.seen, words) for view in views]
    found = Scorer(snapshot, large, exact.popularity, weights, words)
    kept = []
    for user in range(0, snapshot.n_users, 6):
        profile = found.user_profile(user)
        scores = found.score(profile)
        best = np.argsort(-scores)[:10]
        kept.append(np.isin(best, np.argsort(-exact.score(profile))[:10]).mean())
        assert found.parts(profile, int(best[0])).score == pytest.approx(scores[best[0]], abs=1e-9)
    assert np.mean(kept) > 0.9
    answer = Recommender(found).recommend(user=snapshot.users.key(0))
    assert any("nearest that Faiss finds" in note for note in answer.notes)
    arrays = views_to_arrays(found.views)
    again = views_of_arrays({"gnn": "gnn"}, arrays, words, table, exact.seen)[0]
    rows, ones = np.array([1, 5], np.int32), np.ones(2)
    np.testing.assert_array_equal(again.scores(rows, ones), found.views["gnn"].scores(rows, ones))


def test_a_large_bridge_is_rough_for_all_and_exact_for_the_best(monkeypatch):
    snapshot, _ = planted_material(n_items=1500, n_new=100)
    words = CatalogueWords.fit(snapshot_texts(snapshot))
    views = build_views(snapshot, Likeness.build(words, None), None, frozenset({"ease"}))
    weights = Weights({Branch.KNOWN: BranchWeights({"co_bought_similar": 30.0, "material": 0.1}, {"co_bought_similar": 30.0})})
    monkeypatch.setattr(views_co_bought, "ROUGH", 0)
    monkeypatch.setattr(views_co_bought, "mostly", lambda *_: True)
    scorer = Scorer(snapshot, views, popularity(snapshot.interactions), weights, words)
    profile = scorer.user_profile(3)
    scores = scorer.score(profile)
    for row in np.argsort(-scores)[:30].tolist():
        assert scorer.parts(profile, row).score == pytest.approx(scores[row], abs=1e-9)


def test_fewer_vectors_than_are_asked_for():
    near = NearVectors.fit(np.eye(3, dtype=np.float32), 5)
    assert near.recall == 1.0
    assert sorted(near.search(np.eye(3, dtype=np.float32)[:1], 5)[0][0].tolist()) == [-1, -1, 0, 1, 2]
