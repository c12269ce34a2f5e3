"""Who asks: the products that speak for a person, and how loudly each does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from kg.errors import StateError
from kg.events import NO_TIME, EventLog, last_word_is_no


class Branch(StrEnum):
    """How an answer was reached."""

    KNOWN = "known"  # 5 events or more
    FEW_EVENTS = "few_events"  # 1 to 4
    SESSION = "session"
    NEW_USER = "new_user"
    SIMILAR = "similar"
    TEXT = "text"
    NEW_PRODUCT = "new_product"
    POPULAR = "popular"


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The history that a score is a sum over: score(i) = Σ_j weights[j] · S(item_rows[j], i).

    Args:
        branch: which set of fusion weights applies.
        item_rows: int32 [h], distinct item rows of the history, ascending.
        weights: float32 [h], |H|^-1/2 times recency and what the kind of event counts; below 0 for what the person said no to.
        exclude: int32 [x], item rows that must not be recommended (already bought, the asked product).

    Raises:
        StateError: arrays of different length.
    """

    branch: Branch
    item_rows: NDArray[np.int32]
    weights: NDArray[np.float32]
    exclude: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    def __post_init__(self) -> None:
        if self.item_rows.shape != self.weights.shape:
            raise StateError("A profile needs one weight for each product.")


LOW_RATING = "low_rating"  # a rating below the border, among kinds
# What an event that says no counts, where validation has too little to tell.
AGAINST_COUNTS: dict[str, float] = {"return": -0.5, "dislike": -1.0, LOW_RATING: -0.5}
KNOWN_FROM = 5  # products of a person from which the branch is `known`
_DAY = 86_400.0


def profile_of_items(item_rows: Sequence[int], branch: Branch) -> Profile:
    """Products that count alike, |H|^-1/2 each; none of them is recommended again."""
    rows = np.unique(np.asarray(item_rows, np.int32)).astype(np.int32)
    weights = np.full(len(rows), 1 / math.sqrt(max(len(rows), 1)), np.float32)
    return Profile(branch, rows, weights, rows)


@dataclass(frozen=True, slots=True)
class Recency:
    """How loudly a product of the history still speaks: exp(−age / days) · exp(−later / events) · kind.

    Args:
        days: age is counted in days; None where time has no say.
        events: later is how many products the person had after it; None where order has no say.
        kinds: what an event of a kind counts; where it is not named, 1, or what `AGAINST_COUNTS` has for one that says no. Of several
            events with a product the loudest counts, or the loudest no where that is the last word.
        rating_border: a rating below it says no, None where ratings say nothing of the kind; what the graph's log says, never chosen.
    """

    days: float | None = None
    events: float | None = None
    kinds: Mapping[str, float] = field(default_factory=dict)
    rating_border: float | None = None

    def __post_init__(self) -> None:
        for kind, value in self.kinds.items():
            if not (-math.inf < value <= 0 if kind in AGAINST_COUNTS else 0 <= value < math.inf):
                raise StateError(f"What a {kind} counts is 0 or {'less' if kind in AGAINST_COUNTS else 'more'}; it is {value}.")
        if any(value is not None and not value > 0 for value in (self.days, self.events)):
            raise StateError("A history fades over a number of days or of products above 0.")


def profile_of_events(events: EventLog, now: int, recency: Recency) -> Profile:
    """The profile of one person's events.

    Args:
        events: of one person.
        now: the moment that ages are counted from (seconds); the last event of the graph.
        recency: how the history fades.

    Returns:
        Weights |H|^-1/2 · recency; branch `known`, `few_events` or `new_user`.
    """
    rows, places = np.unique(events.item_rows, return_inverse=True)
    branch = Branch.KNOWN if len(rows) >= KNOWN_FROM else Branch.FEW_EVENTS if len(rows) else Branch.NEW_USER
    weights = loudness(np.zeros(len(rows), np.int64), places, events, now, recency)
    return Profile(branch, rows.astype(np.int32), weights.astype(np.float32), rows.astype(np.int32))


def loudness(users: NDArray[np.int64], places: NDArray[np.int64], events: EventLog, now: int, recency: Recency) -> NDArray[np.float64]:
    """|H|^-1/2 · recency of each product of many histories.

    Args:
        users: int64 [h], ascending: whose history each product is in.
        places: int64 [m], of each event the place of its product in `users`.
        events: [m]; a product counts from its last event. One without a time counts as `days` ago and as followed by `events` others.
        now: what ages are counted from (seconds); a future moment counts as now.
        recency: how histories fade; `days` has no say where the log has no moments.

    Returns:
        float64 [h].
    """
    last = np.full(len(users), NO_TIME, np.int64)
    np.maximum.at(last, places, events.times)
    ends = np.searchsorted(users, users, side="right")
    weights = 1 / np.sqrt(np.maximum(ends - np.searchsorted(users, users), 1))
    known = last != NO_TIME
    if recency.days is not None and events.timed:
        ages = np.maximum(now - np.where(known, last, now), 0) / _DAY
        weights *= np.exp(-np.where(known, ages / recency.days, 1.0))
    if recency.events is not None and len(users):
        order = np.lexsort((last, users))
        changes = (np.diff(users[order]) != 0) | (np.diff(last[order]) != 0)
        group_ends = np.append(np.flatnonzero(changes) + 1, len(users))  # products of one moment follow none of each other
        later = np.empty(len(users), np.int64)
        later[order] = ends[order] - group_ends[np.concatenate([[0], np.cumsum(changes)])]
        weights *= np.exp(-np.where(known, later / recency.events, 1.0))
    against = events.against(recency.rating_border)
    if recency.kinds or against.any():
        weights *= _counts(against, places, len(users), events, recency)
    return np.asarray(weights, np.float64)


def _counts(against: NDArray[np.bool_], places: NDArray[np.int64], size: int, events: EventLog, recency: Recency) -> NDArray[np.float64]:
    """What the kind of its events makes a product of a history count (float64 [size]); below 0 where the last word is no."""
    usual = dict.fromkeys(events.kind_names, 1.0) | AGAINST_COUNTS | dict(recency.kinds)
    counted = np.array([usual[kind] for kind in events.kind_names])[events.kinds]
    counted[against & ~events.against()] = usual[LOW_RATING]
    loudest, lowest = np.zeros(size), np.zeros(size)
    np.maximum.at(loudest, places[~against], counted[~against])
    np.minimum.at(lowest, places[against], counted[against])
    return np.where(last_word_is_no(against, events.times, places, size), lowest, loudest)
