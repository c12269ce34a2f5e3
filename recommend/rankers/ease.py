"""EASE^R: a linear item-to-item model in closed form, and what texts say about the columns that it cannot have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.errors import StateError
from kg.events import EventLog
from recommend.profiles import profiles_of
from recommend.ranking import run_task
from recommend.tasks import Task
from recommend.training import Scores, Training
from recommend.views.ease import inverse
from recommend.views.similar import likeness, nearest
from recommend.words import CatalogueWords

MAX_EASE = 30_000  # products above which no dense products × products matrix is made
LAMBDAS = (100.0, 300.0, 1000.0)


class Ease:
    """EASE^R (Steck, Embarrassingly shallow autoencoders, 2019, eq. 8): B = I − P / diag(P), P = (XᵀX + λI)⁻¹, zero diagonal.

    λ is chosen on valid among 100, 300 and 1000 when there is any, else 300. Differs from the paper: a product that nobody has bought,
    which has no column there, takes the mean of the columns of the products whose words are most like its own (kernel regression on
    the view `similar`).
    """

    def fit(self, training: Training) -> None:
        """Invert the Gram matrix of the products that people have bought."""
        interactions = training.snapshot.interactions
        counts = training.snapshot.item_event_counts
        self._known, self._new = np.flatnonzero(counts), np.flatnonzero(counts == 0)
        if len(self._known) > MAX_EASE:
            raise StateError(f"EASE needs a dense matrix of {len(self._known)}² products.", f"It is for up to {MAX_EASE} products.")
        self._n_items = training.snapshot.n_items
        known = sp.csr_array(interactions[:, self._known])
        near = nearest(likeness(CatalogueWords.fit(training.texts), None)) if len(self._new) else None
        self._spread = None if near is None else sp.csr_array(near[self._new][:, self._known].T.tocsr())
        tasks = [task for task in training.valid if task.candidates[self._known].any()]
        found = []
        for value in LAMBDAS if tasks else (300.0,):
            self._matrix = closed_form(known, value)
            found.append((self._valid(tasks, training), -value))
        best = -max(found)[1]
        if best != -found[-1][1]:
            self._matrix = closed_form(known, best)
        self.details: dict[str, Any] = {"lambda": best}

    def _valid(self, tasks: Sequence[Task], training: Training) -> float:
        results = [run_task(task, self.scores, training.snapshot, [20]) for task in tasks]
        return float(np.mean([result.per_user["ndcg@20"].mean() for result in results if result.users])) if results else 0.0

    def scores(self, history: EventLog, n_users: int) -> Scores:
        """X · B, and for products that nobody has bought X · B · N."""
        profiles = profiles_of(history, n_users, self._n_items)
        found = np.zeros((n_users, self._n_items), np.float32)
        known = sp.csr_array(profiles[:, self._known]) @ self._matrix
        found[:, self._known] = known
        if self._spread is not None:
            found[:, self._new] = known @ self._spread
        return found


def closed_form(bought: sp.csr_array, regularisation: float) -> NDArray[np.float32]:
    """B whole (float32 [n, n]) from people × products (CSR of ones).

    Raises:
        EngineError: there is not enough memory for the dense matrix.
    """
    diagonal, blocks = inverse(bought, np.float32(regularisation))
    matrix = np.empty((len(diagonal), len(diagonal)), np.float32)
    start = 0
    for rows in blocks:
        matrix[start : start + len(rows)] = -rows / diagonal[None, :]
        start += len(rows)
    np.fill_diagonal(matrix, 0)
    return matrix
