"""Profiles of many people at once."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kg.events import NO_TIME, EventLog
from recommend.profile import recency


def profiles_of(history: EventLog, n_users: int, n_items: int) -> sp.csr_array:
    """Who had what: CSR float32 of ones [n_users, n_items]."""
    pairs = np.unique(history.user_rows.astype(np.int64) * n_items + history.item_rows)
    users, items = np.divmod(pairs, n_items)
    starts = np.searchsorted(users, np.arange(n_users + 1))
    return sp.csr_array((np.ones(len(pairs), np.float32), items.astype(np.int32), starts), shape=(n_users, n_items))


def weighted_profiles(history: EventLog, n_users: int, n_items: int, now: int, recency_days: float | None) -> sp.csr_array:
    """The weights of `profile_of_events` for people 0 to n_users − 1, as CSR float32 [n_users, n_items].

    Args:
        history: events, sorted by person.
        n_users, n_items: shape.
        now: the moment that ages are counted from.
        recency_days: as in `profile_of_events`.
    """
    pairs = history.user_rows.astype(np.int64) * n_items + history.item_rows
    unique, inverse = np.unique(pairs, return_inverse=True)
    users, items = np.divmod(unique, n_items)
    sizes = np.bincount(users, minlength=n_users)
    weights = 1 / np.sqrt(np.maximum(sizes, 1))[users]
    if recency_days is not None and history.timed and len(unique):
        last = np.full(len(unique), NO_TIME, np.int64)
        np.maximum.at(last, inverse, history.times)
        weights = weights * recency(last, now, recency_days)
    starts = np.searchsorted(users, np.arange(n_users + 1))
    return sp.csr_array((weights.astype(np.float32), items.astype(np.int32), starts), shape=(n_users, n_items))
