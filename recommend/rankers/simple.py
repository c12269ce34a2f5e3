"""Rankers that only count and compare: what everything else has to beat."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from kg.events import EventLog
from recommend.profiles import profiles_of
from recommend.training import Scores, Training
from recommend.views.co_bought import SHRINK
from recommend.views.facts import weighted_facts
from recommend.words import CatalogueWords


class Popularity:
    """How many people had a product; the same list for everybody."""

    def fit(self, training: Training) -> None:
        """Count."""
        interactions = training.snapshot.interactions
        self._people = np.bincount(interactions.indices, minlength=interactions.shape[1]).astype(np.float32)

    def scores(self, history: EventLog, n_users: int) -> Scores:
        """The counts, for each person."""
        return np.repeat(self._people[None, :], n_users, axis=0)


class ItemKnn:
    """Σ over the history of people in common / √((p_j + 3)(p_i + 3)), all neighbours (Sarwar et al., 2001, with shrinkage).

    Differs from the paper: no cut to the k nearest, people with many products weigh less (d^-1/2).
    """

    def fit(self, training: Training) -> None:
        """Keep train as two factors."""
        interactions = training.snapshot.interactions
        bought = np.bincount(interactions.indices, minlength=interactions.shape[1])
        scale = sp.diags_array((1 / np.sqrt(bought + SHRINK)).astype(np.float32))
        people = np.maximum(np.diff(interactions.indptr), 1)
        self._right = sp.csr_array(sp.diags_array((1 / np.sqrt(people)).astype(np.float32)) @ interactions @ scale)
        self._left = sp.csr_array((scale @ interactions.T).tocsr())

    def scores(self, history: EventLog, n_users: int) -> Scores:
        """Through people."""
        profiles = profiles_of(history, n_users, self._left.shape[0])
        return np.asarray(((profiles @ self._left) @ self._right).toarray(), np.float32)


class Factored:
    """Σ over the history of ⟨f_j, f_i⟩ for sparse rows f."""

    def _keep(self, rows: sp.csr_array) -> None:
        self._rows = rows
        self._columns = sp.csr_array(rows.T.tocsr())

    def scores(self, history: EventLog, n_users: int) -> Scores:
        """Through the shared features."""
        profiles = profiles_of(history, n_users, self._rows.shape[0])
        return np.asarray(((profiles @ self._rows) @ self._columns).toarray(), np.float32)


class TextKnn(Factored):
    """TF-IDF cosine of words and word pairs (sublinear tf, terms of two products or more)."""

    def fit(self, training: Training) -> None:
        """Read the texts."""
        self._keep(CatalogueWords.fit(training.texts).matrix)


class Attributes(Factored):
    """Cosine of idf-weighted entities, all relations side by side."""

    def fit(self, training: Training) -> None:
        """Read the facts."""
        snapshot = training.snapshot
        facts = [snapshot.fact_matrix(name) for name in snapshot.facts()]
        if not facts:
            self._keep(profiles_of(snapshot.events.take(np.zeros(0, np.int64)), snapshot.n_items, 1))
            return
        whole = sp.csr_matrix(sp.hstack(facts, format="csr"))
        whole.sort_indices()
        self._keep(weighted_facts(sp.csr_array((whole.data, whole.indices, whole.indptr), shape=whole.shape)))
