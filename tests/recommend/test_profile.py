"""How a history fades."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.errors import StateError
from kg.events import NO_TIME, EventLog
from kg.testing import snapshot_of
from recommend.profile import Recency, loudness, profile_of_events
from recommend.profiles import weighted_profiles

DAY = 86_400
LOGS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=25)


@settings(max_examples=40, deadline=None)
@given(LOGS, st.sampled_from([Recency(), Recency(3.0), Recency(events=2.0), Recency(3.0, 2.0)]))
def test_many_people_at_once_have_the_weights_of_each(log, recency):
    snapshot = snapshot_of({f"p{n}": "a" for n in range(6)}, [], [(f"u{user}", f"p{item}", day * DAY) for user, item, day in log])
    now = int(snapshot.events.times.max())
    many = weighted_profiles(snapshot.events, snapshot.n_users, 6, now, recency).toarray()
    for row in range(snapshot.n_users):
        one = profile_of_events(snapshot.events.of_user(row), now, recency)
        assert many[row][one.item_rows] == pytest.approx(one.weights) and (many[row] > 0).sum() == len(one.item_rows)


def log_of(times, timed=True, kinds=None):
    n = len(times)
    columns = np.zeros(n, np.int32), np.arange(n, dtype=np.int32), np.array(times, np.int64), np.ones(n, np.float32)
    return EventLog(*columns, np.array(kinds or [0] * n, np.uint8), ("purchase", "view"), timed)


def test_later_products_are_counted_and_those_of_one_moment_are_not():
    log = log_of([5, 1, 5, 3, NO_TIME])
    found = loudness(np.zeros(5, np.int64), np.arange(5), log, 0, Recency(events=2.0)) * np.sqrt(5)
    assert found == pytest.approx(np.exp([0, -1.5, 0, -1, -1]))


@pytest.mark.parametrize(("timed", "wanted"), [(True, [-2.0, 0, 0]), (False, [0, 0, 0])])
def test_days_count_from_now_and_a_future_moment_counts_as_now(timed, wanted):
    log = log_of([0, 10 * DAY, 20 * DAY], timed)
    assert loudness(np.array([0, 1, 2]), np.arange(3), log, 10 * DAY, Recency(days=5.0)) == pytest.approx(np.exp(wanted))


def test_a_product_counts_as_its_loudest_event():
    log = log_of([0, 1, 2], kinds=[1, 0, 1])
    found = loudness(np.zeros(2, np.int64), np.array([0, 0, 1]), log, 0, Recency(kinds={"view": 0.25})) * np.sqrt(2)
    assert found == pytest.approx([1, 0.25])


def test_a_kind_counts_nothing_or_more():
    with pytest.raises(StateError, match="What a view counts is 0 or more; it is -1"):
        Recency(kinds={"view": -1.0})


@pytest.mark.parametrize("wrong", [{"days": 0.0}, {"events": -1.0}, {"days": float("nan")}])
def test_a_history_fades_over_something(wrong):
    with pytest.raises(StateError, match="fades over a number of days or of products above 0"):
        Recency(**wrong)
