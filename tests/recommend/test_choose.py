"""What is chosen about a history, in which order."""

import numpy as np
import pytest

from kg.events import EventLog
from recommend.choose import KIND_VALUES, RECENCY_DAYS, RECENCY_EVENTS, RIDGES, _steps, ridge_of
from recommend.profile import Recency
from recommend.slices import slices_of
from recommend.testing import planted_material
from recommend.training import Training


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
    (one, *_) = slices_of(snapshot, 0.1, 3, 0)
    assert ridge_of(one, Training(snapshot, [])) in RIDGES
    monkeypatch.setattr("recommend.choose.ease", lambda interactions, ridge, most: interactions.T @ interactions * 0)
    assert ridge_of(one, Training(snapshot, [])) == RIDGES[0]
