"""EASE against its definition, the figures that protocols.md has for deterministic rankers, and the registry."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from kg.config import TrainConfig
from kg.errors import StateError, UnknownKeyError
from recommend.evaluate import evaluate
from recommend.protocol import Protocol
from recommend.rankers import RANKERS, ease, ranker
from recommend.rankers.ease import Ease, closed_form
from recommend.tasks import load_benchmark
from recommend.testing import planted_material
from recommend.texts import snapshot_texts
from recommend.training import Training

PROTOCOLS = Path(__file__).parents[2] / "benchmarks" / "protocols"


def test_an_unknown_ranker_is_answered_with_those_that_exist():
    with pytest.raises(UnknownKeyError) as caught:
        ranker("lightgnc")
    assert "lightgcn" in caught.value.message + caught.value.hint
    assert all(name in caught.value.hint for name in RANKERS)


@pytest.mark.parametrize("n", [3, 1500])
def test_ease_is_its_formula(n):
    random = np.random.default_rng(0)
    bought = (random.random((200, n)) < 0.05).astype(np.float32)
    inverse = np.linalg.inv(bought.astype(np.float64).T @ bought + 50 * np.eye(n))
    expected = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(closed_form(sp.csr_array(bought), 50.0), expected, atol=1e-5)


def test_ease_gives_new_products_the_columns_of_those_that_read_alike():
    snapshot, _ = planted_material()
    found = Ease()
    found.fit(Training(snapshot, snapshot_texts(snapshot)))
    scores = found.scores(snapshot.events, snapshot.n_users)
    new = snapshot.item_event_counts == 0
    assert (np.abs(scores[:, new]).max(axis=0) > 0).any()
    assert found.details == {"lambda": 300.0}


def test_ease_refuses_a_catalogue_that_needs_a_dense_matrix(monkeypatch):
    monkeypatch.setattr(ease, "MAX_EASE", 50)
    snapshot, _ = planted_material()
    with pytest.raises(StateError, match="EASE needs a dense matrix of"):
        Ease().fit(Training(snapshot, snapshot_texts(snapshot)))


@pytest.mark.long
def test_films_to_rounding(shared_data):
    """Protocol D, A: popularity .1110, EASE^R .1195 (λ chosen on valid)."""
    benchmark = load_benchmark(Protocol.load(PROTOCOLS / "ml1m-train.toml", shared_data))
    training = Training(benchmark.snapshot, benchmark.texts, benchmark.valid, TrainConfig())
    for name, figure in (("popularity", 0.1110), ("ease", 0.1195)):
        found = evaluate(benchmark, name, training)["tests"]["known"]["ndcg@20"]
        assert found == pytest.approx(figure, abs=0.00006), name
