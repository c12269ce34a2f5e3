"""Catalogues too large to compare every pair: what is found is exact, and most of the true neighbourhood is found."""

import numpy as np
import pytest

from recommend.topk import WANTED, NearVectors
from recommend.views import large, similar
from recommend.views.large import recall_of
from recommend.views.similar import likeness, unit_rows
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
    near = NearVectors(unit, 20)
    assert near.recall >= WANTED
    rows = near.search(unit[:50], 20)
    true = np.argsort(-(unit[:50] @ unit.T), axis=1)[:, :20]
    kept = np.mean([len(np.intersect1d(a, b)) / 20 for a, b in zip(rows, true, strict=True)])
    assert kept >= WANTED - 0.1
    assert NearVectors(unit, 20).search(unit[:50], 20).tobytes() == rows.tobytes()


def test_fewer_vectors_than_are_asked_for():
    near = NearVectors(np.eye(3, dtype=np.float32), 5)
    assert near.recall == 1.0
    assert sorted(near.search(np.eye(3, dtype=np.float32)[:1], 5)[0].tolist()) == [-1, -1, 0, 1, 2]
