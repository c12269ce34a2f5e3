"""Metrics against an independent library, against hand-made values, and their intervals."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.errors import UnknownKeyError
from recommend import metrics


def drawn(seed, users=40, items=60, k=20):
    random = np.random.default_rng(seed)
    lists = np.array([random.permutation(items)[:k] for _ in range(users)], np.int32)
    targets = [set(random.permutation(items)[: random.integers(1, 30)].tolist()) for _ in range(users)]
    hits = np.array([[item in wanted for item in ranked] for ranked, wanted in zip(lists.tolist(), targets, strict=True)])
    return lists, targets, hits, np.array([len(wanted) for wanted in targets])


RANX = """
import json, sys
import ranx
names, qrels, runs = json.load(sys.stdin)
print(json.dumps({name: float(value) for name, value in ranx.evaluate(ranx.Qrels(qrels), ranx.Run(runs), names).items()}))
"""


def test_against_ranx():
    # In a process of its own with numba's compiler off: compiling costs two minutes, running as plain Python nothing.
    lists, targets, hits, n_targets = drawn(0)
    names = {"precision": "precision", "recall": "recall", "ndcg": "ndcg", "hit": "hit_rate", "mrr": "mrr", "map": "map"}
    qrels = {f"u{u:02}": {f"i{i}": 1 for i in wanted} for u, wanted in enumerate(targets)}
    runs = {f"u{u:02}": {f"i{item}": 1 / (rank + 1) for rank, item in enumerate(ranked)} for u, ranked in enumerate(lists.tolist())}
    asked = json.dumps([[f"{name}@20" for name in names.values()], qrels, runs])
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RANX], input=asked, capture_output=True, text=True, env=environment, check=True
    )
    theirs = json.loads(done.stdout.splitlines()[-1])
    for ours, name in names.items():
        assert metrics.METRICS[ours].compute(hits, n_targets).mean() == pytest.approx(theirs[f"{name}@20"], abs=1e-9), ours


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_ranges(seed):
    _, _, hits, n_targets = drawn(seed, users=5)
    for metric in metrics.METRICS.values():
        values = metric.compute(hits, n_targets)
        assert ((values >= metric.low) & (values <= metric.high)).all(), metric.name
        assert metric.better == "higher" and metric.random


def test_a_perfect_and_an_empty_list():
    n_targets = np.array([2])
    perfect, nothing = np.array([[True, True, False]]), np.zeros((1, 3), bool)
    for name, metric in metrics.METRICS.items():
        assert metric.compute(perfect, n_targets)[0] == pytest.approx(2 / 3 if name == "precision" else 1.0)
        assert metric.compute(nothing, n_targets)[0] == 0


def test_published_ndcg_forgives_misses():
    hits, n_targets = np.array([[True, False]]), np.array([5])
    assert metrics.ndcg_pub(hits, n_targets)[0] == 1.0 and metrics.ndcg(hits, n_targets)[0] < 1


def test_lists_together():
    lists = np.array([[0, 1, 2], [0, 1, -1]], np.int32)
    assert metrics.coverage(lists, 4) == 0.75
    assert metrics.novelty(lists, np.array([7, 0, 0, 0]), 7)[0] == pytest.approx((0 + 3 + 3) / 3)
    groups = np.array([5, 5, 6, -1])
    assert metrics.diversity(lists, groups)[0] == pytest.approx(1 - 2 / 6)
    assert metrics.diversity(np.array([[3, -1]], np.int32), groups)[0] == 1


def test_intervals_hold_the_mean_and_shrink():
    random = np.random.default_rng(1)
    few, many = random.random(30), random.random(3000)
    low, high = metrics.bootstrap(few)
    assert low < few.mean() < high
    assert metrics.bootstrap(few) == (low, high)
    assert np.diff(metrics.bootstrap(many))[0] < (high - low) / 3
    assert metrics.bootstrap(np.empty(0)) == (0.0, 0.0)


def test_paired_intervals_see_what_single_ones_do_not():
    random = np.random.default_rng(2)
    base = random.random(300)
    difference, low, high = metrics.paired({"ndcg": base + 0.01}, {"ndcg": base})["ndcg"]
    assert difference == pytest.approx(0.01) and 0.009 < low <= high < 0.011


@pytest.mark.parametrize("name", ["ndcq@10", "ndcg", "ndcg@0", "ndcg@x"])
def test_unknown_metric(name):
    with pytest.raises(UnknownKeyError, match="no metric"):
        metrics.parse_metric(name)
