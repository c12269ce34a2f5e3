"""What is chosen about a history, in which order."""

import numpy as np
import pytest

from kg.config import TrainConfig
from kg.events import EventLog
from kg.testing import snapshot_of
from recommend.choose import KIND_VALUES, RECENCY_DAYS, RECENCY_EVENTS, RIDGES, Part, _steps, _tasks, asked_rows, choose, ridge_of
from recommend.profile import Branch, Recency
from recommend.slices import slices_of
from recommend.testing import DAY, planted_material
from recommend.texts import snapshot_texts
from recommend.training import Training
from recommend.views.build import Likeness, build_views
from recommend.words import CatalogueWords


def log_of(times, timed, kind_names=("purchase",)):
    n = len(times)
    rows = np.zeros(n, np.int32), np.arange(n, dtype=np.int32)
    return EventLog(*rows, np.array(times, np.int64), np.ones(n, np.float32), np.zeros(n, np.uint8), kind_names, timed)


@pytest.mark.parametrize(
    ("log", "wanted"),
    [
        (log_of([1, 1], True), []),
        (log_of([1, 2], False), [[Recency(events=n) for n in RECENCY_EVENTS]]),
        (log_of([1, 2], True), [[Recency(days=n) for n in RECENCY_DAYS], [Recency(events=n) for n in RECENCY_EVENTS]]),
        (log_of([1, 1], True, ("purchase", "view")), [[Recency(kinds={"view": value}) for value in KIND_VALUES]]),
        (log_of([1, 1], True, ("view",)), []),
    ],
)
def test_time_order_and_kinds_are_chosen_where_the_log_has_them(log, wanted):
    assert [[change(Recency()) for change in step] for step in _steps(log)] == wanted


def test_a_ridge_is_one_of_those_that_were_tried_and_the_usual_one_where_it_does_not_matter(monkeypatch):
    snapshot, _ = planted_material()
    (one, *_) = slices_of(snapshot, 0.1, 3, 0, 3000)
    assert ridge_of(one, Training(snapshot, [])) in RIDGES
    monkeypatch.setattr("recommend.choose.ease", lambda interactions, ridge, most: interactions.T @ interactions * 0)
    assert ridge_of(one, Training(snapshot, [])) == RIDGES[0]


def weekly_shop(n_weeks=24, n_users=20):
    """Everybody buys one of the products that came in that week."""
    keys = [f"w{week:02}-{place}" for week in range(n_weeks) for place in range(3)]
    events = [(f"u{u:02}", f"w{week:02}-{(u + week) % 3}", week * 7 * DAY) for week in range(n_weeks) for u in range(n_users)]
    return snapshot_of({key: key for key in keys}, [], events)


@pytest.mark.parametrize(("enough", "times"), [(40, 2), (41, 3), (10_000, 3)])
def test_a_shop_of_many_people_is_cut_at_two_times_and_others_at_three(enough, times):
    slices = slices_of(weekly_shop(), 0.1, 3, 0, enough)
    assert [task.name for one in slices for task in one.tasks] == [f"time {place}" for place in range(times)]
    assert [task.n_users for one in slices for task in one.tasks] == [20] * times
    assert [one.snapshot.events.times.max() for one in slices] == sorted({one.snapshot.events.times.max() for one in slices}, reverse=True)


def test_fewer_people_choose_in_a_large_catalogue(monkeypatch):
    snapshot = weekly_shop()
    parts = [Part(one, []) for one in slices_of(snapshot, 0.1, 3, 0, 10_000)]

    def sizes():
        return [task.n_users for _, task in _tasks(parts, Branch.KNOWN, Training(snapshot, []))]

    assert sizes() == [20, 20, 20]
    monkeypatch.setattr("recommend.choose.PEOPLE", 18)
    assert sizes() == [18, 18, 18]
    monkeypatch.setattr("recommend.choose.LARGE", snapshot.n_items - 1)
    monkeypatch.setattr("recommend.choose.ENOUGH", 30)
    assert sizes() == [10, 10, 10]


def test_the_rows_that_the_choosing_people_had_choose_the_same_weights(monkeypatch):
    snapshot, _ = planted_material()
    monkeypatch.setattr("recommend.choose.PEOPLE", 6)
    training = Training(snapshot, snapshot_texts(snapshot), config=TrainConfig(text_encoder=("words",), without=("gnn",)))
    slices = slices_of(snapshot, 0.1, 3, 0, 3000)
    alike = Likeness.build(CatalogueWords.fit(training.texts), None)

    def parts(rows):
        return [Part(one, build_views(one.snapshot, alike, None, rows=some)) for one, some in zip(slices, rows, strict=True)]

    rows = asked_rows(slices, training)
    whole, few = parts([None] * len(slices)), parts(rows)
    for part, some in zip(few, rows, strict=True):
        assert 0 < len(some) < (part.slice.snapshot.item_event_counts > 0).sum(), "else nothing is left out"
        for view in part.views:
            if view.name in ("co_bought", "next_bought"):
                assert set(np.flatnonzero(np.diff(view.matrix.indptr))) <= set(some.tolist())
    (chosen, report), (again, same) = choose(whole, snapshot, training), choose(few, snapshot, training)
    assert again.to_dict() == chosen.to_dict() and same == report
