"""Who asks: the products that speak for a person, and how loudly each does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from kg.errors import StateError
from kg.events import NO_TIME, EventLog


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
        weights: float32 [h], |H|^-1/2 times recency and repetition; positive.
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


KNOWN_FROM = 5  # products of a person from which the branch is `known`
_DAY = 86_400.0


def profile_of_items(item_rows: Sequence[int], branch: Branch) -> Profile:
    """Products that count alike, |H|^-1/2 each; none of them is recommended again."""
    rows = np.unique(np.asarray(item_rows, np.int32)).astype(np.int32)
    weights = np.full(len(rows), 1 / math.sqrt(max(len(rows), 1)), np.float32)
    return Profile(branch, rows, weights, rows)


def profile_of_events(events: EventLog, now: int, recency_days: float | None) -> Profile:
    """The profile of one person's events.

    Args:
        events: of one person.
        now: the moment that ages are counted from (seconds); the last event of the graph.
        recency_days: a product last had a days ago counts exp(−a / recency_days); None, or no times: all count alike.

    Returns:
        Weights |H|^-1/2 · recency; branch `known`, `few_events` or `new_user`.
    """
    rows = np.unique(events.item_rows).astype(np.int32)
    branch = Branch.KNOWN if len(rows) >= KNOWN_FROM else Branch.FEW_EVENTS if len(rows) else Branch.NEW_USER
    weights = np.full(len(rows), 1 / math.sqrt(max(len(rows), 1)))
    if recency_days is not None and events.timed and len(rows):
        last = np.full(len(rows), NO_TIME, np.int64)
        np.maximum.at(last, np.searchsorted(rows, events.item_rows), events.times)
        weights *= recency(last, now, recency_days)
    return Profile(branch, rows, weights.astype(np.float32), rows)


def recency(times: NDArray[np.int64], now: int, days: float) -> NDArray[np.float64]:
    """exp(−age / days) of moments (seconds); an unknown moment counts as `days` ago, a future one as now."""
    known = times != NO_TIME
    ages = np.maximum(now - np.where(known, times, now), 0) / _DAY
    return np.exp(-np.where(known, ages / days, 1.0))
