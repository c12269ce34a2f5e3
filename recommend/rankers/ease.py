"""EASE^R: a linear item-to-item model in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from kg.errors import StateError
from kg.events import EventLog
from recommend.profiles import profiles_of
from recommend.ranking import run_task
from recommend.training import Scores, Training

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
