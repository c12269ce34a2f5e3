"""Full ranking: order, ties, masks, a planted future, and figures of the protocols that must be met."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kg.config import TrainConfig
from kg.errors import StateError, UnknownKeyError
from kg.testing import snapshot_of
from recommend.evaluate import evaluate
from recommend.protocol import Protocol
from recommend.rankers import ranker
from recommend.ranking import hits_of, run_task, tie_order, top
from recommend.slices import task_of
from recommend.tasks import Benchmark, load_benchmark
from recommend.testing import DAY, planted_material
from recommend.texts import snapshot_texts
from recommend.training import Training

WORDS = TrainConfig(text_encoder=("words",))


def test_top_orders_by_score_then_place_and_knows_when_there_is_no_more():
    scores = np.array([[1, 3, 3, 2], [-np.inf, 5, -np.inf, -np.inf]], np.float32)
    assert top(scores, 3).tolist() == [[1, 2, 3], [1, -1, -1]]
    assert top(scores, 6)[0].tolist() == [1, 2, 3, 0, -1, -1]


def test_ties_do_not_follow_the_keys():
    order = tie_order([f"{place:03}" for place in range(200)])
    assert sorted(order.tolist()) == list(range(200))
    assert abs(np.corrcoef(order, np.arange(200))[0, 1]) < 0.2


def small():
    snapshot = snapshot_of({"a": "x", "b": "y", "c": "z"}, [], [("u", "a", 1), ("v", "b", 1)])
    later = snapshot_of({"a": "x", "b": "y", "c": "z"}, [], [("u", "c", 2), ("v", "a", 2)]).events
    return snapshot, task_of(snapshot, later, "later")


def test_what_a_person_has_is_never_ranked():
    snapshot, task = small()
    result = run_task(task, lambda history, n: np.tile(np.array([9, 8, 1], np.float32), (n, 1)), snapshot, [3])
    assert result.lists.tolist() == [[1, 2, -1], [0, 2, -1]]
    assert hits_of(task, result.lists).tolist() == [[False, True, False], [True, False, False]]
    assert result.per_user["recall@3"].tolist() == [1, 1] and result.per_user["mrr@3"].tolist() == [0.5, 1]
    assert result.to_dict()["coverage@3"] == 1


def test_a_ranker_that_gives_nan_is_refused():
    snapshot, task = small()
    with pytest.raises(StateError, match="NaN"):
        run_task(task, lambda history, n: np.full((n, 3), np.nan, np.float32), snapshot, [3])


def test_an_unknown_ranker_is_told_which_exist():
    with pytest.raises(UnknownKeyError) as error:
        ranker("popularty")
    assert "item-knn" in error.value.hint and "clew" in error.value.hint


def test_the_document_has_the_form_of_interfaces():
    snapshot, task = small()
    benchmark = Benchmark("tiny", snapshot, ["x", "y", "z"], (), (task,), (1, 2))
    document = evaluate(benchmark, "popularity", Training(snapshot, benchmark.texts))
    assert {"name", "model", "tests", "seconds", "cpu_seconds", "peak_mb"} <= set(document)
    figures = document["tests"]["later"]
    wanted = {"users", "skipped_users", "candidates", "coverage@2", "novelty@2", "diversity@2", "ci95"}
    wanted |= {f"{name}@2" for name in ("recall", "ndcg", "precision", "hit", "mrr", "map")}
    assert wanted <= set(figures) and len(figures["ci95"]["ndcg@2"]) == 2


@pytest.mark.parametrize("name", ["item-knn", "text-knn", "clew"])
def test_a_planted_future_changes_no_score(name):
    whole, _ = planted_material()
    cut = 100 * DAY
    future = replace(whole.events, times=whole.events.times.copy())
    random = np.random.default_rng(3)
    later = future.times > cut
    future.item_rows[later] = random.integers(0, 80, int(later.sum()))
    scores = []
    for events in (whole.events, future):
        train = replace(whole, events=events).upto(cut)
        found = ranker(name)
        found.fit(Training(train, snapshot_texts(train), config=WORDS.model_copy(update={"without": ("gnn",)})))
        scores.append(found.scores(train.events, train.n_users))
    assert (scores[0] == scores[1]).all()


def test_the_demo_shop_by_words_alone(shared_data):
    """Protocol J: TF-IDF kNN and popularity, to rounding (NDCG@20 and Recall@20 in %)."""
    protocol = Protocol.load(Path(__file__).parents[2] / "benchmarks" / "protocols" / "open-ecommerce.toml", shared_data)
    benchmark = load_benchmark(protocol.model_copy(update={"extractor": "columns"}))
    training = Training(benchmark.snapshot, benchmark.texts)
    assert int((benchmark.snapshot.item_event_counts == 0).sum()) == 5203
    assert [task.n_users for task in benchmark.test] == [487, 390, 496]
    figures = {name: evaluate(benchmark, name, training)["tests"] for name in ("text-knn", "popularity")}
    for test, recall, ndcg in (("cold", 4.46, 4.08), ("warm", 3.31, 1.94), ("all", 2.03, 1.81)):
        assert 100 * figures["text-knn"][test]["recall@20"] == pytest.approx(recall, abs=0.006)
        assert 100 * figures["text-knn"][test]["ndcg@20"] == pytest.approx(ndcg, abs=0.011)
    # Ties between products of equal popularity are ours to break, so only the lists without a tie of zeros are compared.
    assert 100 * figures["popularity"]["all"]["ndcg@20"] == pytest.approx(0.40, abs=0.006)
    assert 100 * figures["popularity"]["warm"]["ndcg@20"] == pytest.approx(0.78, abs=0.02)
