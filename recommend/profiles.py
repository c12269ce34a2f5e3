"""Profiles of many people at once."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kg.events import EventLog
from recommend.arrays import csr
from recommend.profile import Recency, loudness


def profiles_of(history: EventLog, n_users: int, n_items: int) -> sp.csr_array:
    """Who had what: CSR float32 of ones [n_users, n_items]."""
    pairs = np.unique(history.user_rows.astype(np.int64) * n_items + history.item_rows)
    users, items = np.divmod(pairs, n_items)
    starts = np.searchsorted(users, np.arange(n_users + 1))
    return csr(np.ones(len(pairs), np.float32), items.astype(np.int32), starts, (n_users, n_items))


def weighted_profiles(history: EventLog, n_users: int, n_items: int, now: int, recency: Recency) -> sp.csr_array:
    """The weights of `profile_of_events` for people 0 to n_users − 1, as CSR float32 [n_users, n_items].

    Args:
        history: events, sorted by person.
        n_users, n_items: shape.
        now: the moment that ages are counted from.
        recency: as in `profile_of_events`.
    """
    pairs = history.user_rows.astype(np.int64) * n_items + history.item_rows
    unique, inverse = np.unique(pairs, return_inverse=True)
    users, items = np.divmod(unique, n_items)
    weights = loudness(users, inverse, history, now, recency)
    starts = np.searchsorted(users, np.arange(n_users + 1))
    return csr(weights.astype(np.float32), items.astype(np.int32), starts, (n_users, n_items))
