"""Rankers that learn: the GNN alone, clew."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from kg.events import EventLog
from recommend.fit import fit, fit_gnn_view
from recommend.profiles import profiles_of, weighted_profiles
from recommend.scorer import Scorer
from recommend.training import Scores, Training


class Gnn:
    """The tower alone: ⟨Σ q, v⟩."""

    def fit(self, training: Training) -> None:
        """Fit the tower on train, stopped on valid."""
        self._view = fit_gnn_view(training)
        self._n_items = training.snapshot.n_items

    def scores(self, history: EventLog, n_users: int) -> Scores:
        """Inner products."""
        return self._view.block(profiles_of(history, n_users, self._n_items))


class Clew:
    """The whole: views and GNN under fusion weights."""

    def fit(self, training: Training) -> None:
        """Fit everything; weights on valid."""
        fitted = fit(training)
        self.details: dict[str, Any] = fitted.report
        self.scorer = fitted.scorer

    def scores(self, history: EventLog, n_users: int) -> Scores:
        """People of each branch by its weights; nobody without a history is asked about."""
        return scores_of(self.scorer, history, n_users)


def scores_of(scorer: Scorer, history: EventLog, n_users: int) -> Scores:
    """Scores of many histories by a scorer (float32 [n_users, n_items])."""
    profiles = weighted_profiles(history, n_users, scorer.n_items, scorer.now, scorer.recency)
    found = np.repeat(scorer.popularity.astype(np.float32)[None, :], n_users, axis=0)
    for branch, people in scorer.branches_of(np.diff(profiles.indptr)):
        found[people] = scorer.block(sp.csr_array(profiles[people]), branch)
    return found
