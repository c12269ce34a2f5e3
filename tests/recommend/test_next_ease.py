"""EASE with a direction: its formula, what it leaves out, where it is made, and a model with it."""

import shutil

import numpy as np
import pytest

import recommend.views.next_ease as module
from kg.config import TrainConfig
from kg.errors import EngineError
from kg.events import NO_TIME, EventLog
from kg.workspace import Workspace
from recommend.service import Recommender
from recommend.train import train
from recommend.views.base import NEW_ROW, Candidate, SparseVector
from recommend.views.ease import USER_POWER
from recommend.views.next_ease import BACK, RIDGE, SO_FAR, NextEaseView, dense, next_ease
from recommend.views.transitions import DECAY, WINDOW


def log_of(rows, kinds=("purchase",)) -> EventLog:
    """From (user, item, time, kind), sorted."""
    users, items, times, places = (np.array(column) for column in zip(*sorted(rows, key=lambda row: (row[0], row[2])), strict=True))
    values = np.ones(len(users), np.float32)
    return EventLog(users.astype(np.int32), items.astype(np.int32), times.astype(np.int64), values, places.astype(np.uint8), kinds, True)


def some_events(n_users=30, n_items=9, seed=0):
    """Three to twelve events each, two at a time, products again and again."""
    random = np.random.default_rng(seed)
    return log_of([(u, int(i), t // 2, 0) for u in range(n_users) for t, i in enumerate(random.integers(0, n_items, 3 + u % 10))])


def by_hand(log: EventLog, n_items: int) -> np.ndarray:
    """The formula, event by event, in float64."""
    gram, ahead = np.zeros((n_items, n_items)), np.zeros((n_items, n_items))
    for user in np.unique(log.user_rows):
        own = np.flatnonzero(log.user_rows == user)
        items, times = log.item_rows[own], log.times[own]
        for p in range(len(own)):
            source, target = np.zeros(n_items), np.zeros(n_items)
            for q in range(len(own)):
                if 0 <= p - q < module.BACK:
                    source[items[q]] += SO_FAR ** (p - q)
                elif 0 < q - p <= module.WINDOW and times[q] > times[p]:
                    target[items[q]] += DECAY ** (q - p - 1)
            gram += np.outer(source, source) * len(own) ** (-2 * USER_POWER)
            ahead += np.outer(source, target) * len(own) ** (-2 * USER_POWER)
    found = np.linalg.solve(gram + RIDGE * np.diag(gram).mean() * np.eye(n_items), ahead)
    np.fill_diagonal(found, 0)
    return found


@pytest.mark.parametrize(("back", "window", "block"), [(BACK, WINDOW, 100_000), (3, 4, 100_000), (3, 4, 7), (1, 1, 1)])
def test_it_is_its_formula(monkeypatch, back, window, block):
    log = some_events()
    for name, value in (("BACK", back), ("WINDOW", window), ("_EVENTS", block), ("BLOCK", 4)):
        monkeypatch.setattr(module, name, value)
    assert next_ease(log, 9).toarray() == pytest.approx(by_hand(log, 9), abs=1e-5)


def test_it_leads_on_and_not_back():
    log = log_of([(u, i, i, 0) for u in range(40) for i in range(u % 2, 3)] + [(u, 3 + u % 5, 9, 0) for u in range(40)])
    found = next_ease(log, 8).toarray()
    assert min(found[0, 1], found[1, 2]) > 0.1 and max(abs(found[1, 0]), abs(found[2, 1])) < 0.05


def test_events_of_one_moment_returns_and_untimed_ones_give_nothing():
    kinds = ("purchase", "return")
    assert next_ease(log_of([(u, i, 5, 0) for u in range(9) for i in (0, 1)], kinds), 2).nnz == 0
    with_return = log_of([(u, i, i, int(i == 1)) for u in range(9) for i in (0, 1, 2)], kinds)
    found = next_ease(with_return, 3).toarray()
    assert found[0, 2] > 0 and not found[1].any() and not found[:, 1].any()
    untimed = next_ease(log_of([(u, i, NO_TIME if i == 0 else i, 0) for u in range(9) for i in (0, 1, 2)], kinds), 3).toarray()
    assert untimed[1, 2] > 0 and not untimed[0].any() and not untimed[:, 0].any()
    assert next_ease(log_of([(0, 0, 1, 0)]), 3).nnz == 0


def test_of_a_large_shop_the_products_with_most_events():
    log = some_events(60, 12, 3)
    counts = np.bincount(log.item_rows, minlength=12)
    kept = set(np.argsort(-counts, kind="stable")[:5].tolist())
    found = next_ease(log, 12, most=5)
    assert set(found.indices.tolist()) <= kept and set(np.flatnonzero(np.diff(found.indptr)).tolist()) <= kept


def test_a_capped_row_keeps_its_strongest_by_size():
    whole, capped = next_ease(some_events(), 9).toarray(), next_ease(some_events(), 9, cap=3).toarray()
    for full, kept in zip(whole, capped, strict=True):
        assert set(np.flatnonzero(kept)) == set(np.argsort(-np.abs(full))[:3])


def test_it_is_made_where_products_have_events_enough_in_an_order():
    often = [(u, i, i, 0) for u in range(60) for i in range(3)]
    assert dense(log_of(often), 3)
    assert not dense(log_of(often[: 3 * 40]), 3), "40 events a product"
    assert not dense(log_of([(u, i, 0, 0) for u, i, _, _ in often]), 3), "no order"
    untimed = [(u, i, t if u < 2 else NO_TIME, 0) for u, i, t, _ in often]
    assert not dense(log_of(untimed), 3), "two events a product have a time"
    assert not dense(log_of([*often, *((60 + i, 3 + i, 0, 0) for i in range(30))]), 99), "the mean of all that have any"
    assert dense(log_of(often), 3, most=2) and not dense(log_of([*often, *((u, 3 + u, 9, 0) for u in range(60))]), 63)
    assert dense(log_of([*often, *((u, 3 + u, 9, 0) for u in range(60))]), 63, most=3), "the three with most events have 60"


def test_a_product_outside_the_catalogue_gets_nothing_as_new_ones_in_it_do():
    view = NextEaseView(next_ease(some_events(), 9))
    near = SparseVector(np.arange(3, dtype=np.int32), np.ones(3))
    assert not view.column(Candidate(NEW_ROW, near=near)).any() and view.total(0, Candidate(NEW_ROW, near=near)) == 0


def test_too_little_memory_is_said(monkeypatch):
    def none(*_):
        raise MemoryError

    monkeypatch.setattr(module, "_moments", none)
    with pytest.raises(EngineError, match="what comes next needs"):
        next_ease(some_events(), 9)


def test_a_model_with_it_comes_back(small_shop, tmp_path, monkeypatch):
    folder = tmp_path / "workspace"
    shutil.copytree(small_shop, folder)
    workspace = Workspace(folder)
    config = TrainConfig(text_encoder=("words",), without=("gnn",))
    train(workspace.open(), config)
    assert "next_ease" not in Recommender.open(workspace).scorer.views
    monkeypatch.setattr(module, "FEWEST", 0.1)
    train(workspace.open(), config)
    model = Recommender.open(workspace)
    view = model.scorer.views["next_ease"]
    assert isinstance(view, NextEaseView)
    assert (view.matrix != next_ease(model.snapshot.events, model.snapshot.n_items)).nnz == 0
