"""Rankers that learn: EASE, the GNN alone, clew."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from kg.errors import StateError
from kg.events import EventLog
from recommend.profiles import weighted_profiles
from recommend.rankers import Scores, Training, profiles_of
from recommend.scorer import Scorer

MAX_EASE = 30_000  # products above which no dense products × products matrix is made


class Ease:
    """EASE^R (Steck, Embarrassingly shallow autoencoders, 2019, eq. 8): B = I − P / diag(P), P = (XᵀX + λI)⁻¹, zero diagonal.

    λ is chosen on valid among 100, 300 and 1000 when there is any, else 300.
    """

    def fit(self, training: Training) -> None:
        """Invert the Gram matrix of the products that people have bought."""
        interactions = training.snapshot.interactions
        self._known = np.flatnonzero(training.snapshot.item_event_counts)
        if len(self._known) > MAX_EASE:
            raise StateError(f"EASE needs a dense matrix of {len(self._known)}² products.", f"It is for up to {MAX_EASE} products.")
        self._n_items = training.snapshot.n_items
        known = sp.csr_array(interactions[:, self._known])
        gram = np.asarray((known.T @ known).toarray(), np.float32)
        tasks = [task for task in training.valid if task.candidates[self._known].any()]
        lambdas = (100.0, 300.0, 1000.0) if tasks else (300.0,)
        found = []
        for value in lambdas:
            self._matrix = _ease(gram, value)
            found.append((self._valid(tasks, training), -value))
        best = -max(found)[1]
        if best != lambdas[-1]:
            self._matrix = _ease(gram, best)
        self.details: dict[str, Any] = {"lambda": best}

    def _valid(self, tasks: list[Any], training: Training) -> float:
        from recommend.evaluate import run_task

        results = [run_task(task, self.scores, training.snapshot, [20]) for task in tasks]
        return float(np.mean([result.per_user["ndcg@20"].mean() for result in results if result.users])) if results else 0.0

    def scores(self, history: EventLog, n_users: int) -> Scores:
        """X · B; 0 for products that nobody has bought."""
        profiles = profiles_of(history, n_users, self._n_items)
        found = np.zeros((n_users, self._n_items), np.float32)
        found[:, self._known] = sp.csr_array(profiles[:, self._known]) @ self._matrix
        return found


def _ease(gram: np.ndarray, value: float) -> np.ndarray:
    inverse = np.linalg.inv(gram + value * np.eye(len(gram), dtype=np.float32))
    matrix = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(matrix, 0)
    return np.asarray(matrix, np.float32)


class Gnn:
    """The tower alone: ⟨Σ q, v⟩."""

    def fit(self, training: Training) -> None:
        """Fit the tower on train, stopped on valid."""
        from recommend.fit import fit_gnn_view

        self._view = fit_gnn_view(training)
        self._n_items = training.snapshot.n_items

    def scores(self, history: EventLog, n_users: int) -> Scores:
        """Inner products."""
        return self._view.block(profiles_of(history, n_users, self._n_items))


class Clew:
    """The whole: views and GNN under fusion weights."""

    def fit(self, training: Training) -> None:
        """Fit everything; weights on valid."""
        from recommend.fit import fit

        fitted = fit(training)
        self.details: dict[str, Any] = fitted.report
        self.scorer = fitted.scorer

    def scores(self, history: EventLog, n_users: int) -> Scores:
        """People of each branch by its weights; nobody without a history is asked about."""
        return scores_of(self.scorer, history, n_users)


def scores_of(scorer: Scorer, history: EventLog, n_users: int) -> Scores:
    """Scores of many histories by a scorer (float32 [n_users, n_items])."""
    profiles = weighted_profiles(history, n_users, scorer.n_items, scorer.now, scorer.weights.recency_days)
    found = np.repeat(scorer.popularity.astype(np.float32)[None, :], n_users, axis=0)
    for branch, people in scorer.branches_of(np.diff(profiles.indptr)):
        found[people] = scorer.block(sp.csr_array(profiles[people]), branch)
    return found
