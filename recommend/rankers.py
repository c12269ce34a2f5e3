"""Rankers by name: what clew is compared with, and clew itself.

A ranker is fitted on a graph of train alone and then scores histories of anyone, people that it never saw among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.config import TrainConfig
from kg.errors import UnknownKeyError
from kg.events import EventLog
from kg.progress import SILENT, Progress
from kg.snapshot import GraphSnapshot
from recommend.views.co_bought import SHRINK
from recommend.views.facts import weighted_facts
from recommend.words import CatalogueWords

if TYPE_CHECKING:
    from recommend.tasks import Task

Scores = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Training:
    """What a ranker may learn from.

    Args:
        snapshot: the graph, train's events only.
        texts: one text a product, by item row.
        valid: tasks to choose settings on; may be empty.
        config: settings of the fit.
        cache: folder for what is expensive (text vectors); None keeps nothing.
        progress: who listens.
    """

    snapshot: GraphSnapshot
    texts: Sequence[str]
    valid: Sequence[Task] = ()
    config: TrainConfig = field(default_factory=TrainConfig)
    cache: Path | None = None
    progress: Progress = SILENT


class Ranker(Protocol):
    """Scores every product for many histories at once."""

    def fit(self, training: Training) -> None:
        """Learn from train (and choose on valid)."""
        ...

    def scores(self, history: EventLog, n_users: int) -> Scores:
        """Scores of all products.

        Args:
            history: events of people 0 to n_users − 1, sorted by person.
            n_users: how many people.

        Returns:
            float32 [n_users, n_items]; higher is better; finite.
        """
        ...


def profiles_of(history: EventLog, n_users: int, n_items: int) -> sp.csr_array:
    """Who had what: CSR float32 of ones [n_users, n_items]."""
    pairs = np.unique(history.user_rows.astype(np.int64) * n_items + history.item_rows)
    users, items = np.divmod(pairs, n_items)
    starts = np.searchsorted(users, np.arange(n_users + 1))
    return sp.csr_array((np.ones(len(pairs), np.float32), items.astype(np.int32), starts), shape=(n_users, n_items))


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


def _popularity() -> Ranker:
    return Popularity()


def _clew() -> Ranker:
    from recommend.model_rankers import Clew

    return Clew()


def _gnn() -> Ranker:
    from recommend.model_rankers import Gnn

    return Gnn()


def _ease() -> Ranker:
    from recommend.model_rankers import Ease

    return Ease()


RANKERS: dict[str, Callable[[], Ranker]] = {
    "popularity": _popularity,
    "item-knn": ItemKnn,
    "text-knn": TextKnn,
    "attributes": Attributes,
    "ease": _ease,
    "gnn": _gnn,
    "clew": _clew,
}


def ranker(name: str) -> Ranker:
    """A ranker by name, not yet fitted.

    Raises:
        UnknownKeyError: no such ranker; those that exist are named.
    """
    if name not in RANKERS:
        error = UnknownKeyError("ranker", name, RANKERS)
        error.hint = f"There are {', '.join(RANKERS)}."
        raise error
    return RANKERS[name]()
