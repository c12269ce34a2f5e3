"""How good the tower is on a held-out part, while it is trained: NDCG@20 over all candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.errors import StateError
from kg.seeds import generator
from kg.snapshot import GraphSnapshot

K = 20
_CELLS, _FEWEST = 60_000_000, 500  # scores of a look, and people that are enough


@dataclass(frozen=True, eq=False)
class Validation:
    """User–product pairs that the snapshot's events do not hold.

    Args:
        user_rows: int32 [m].
        item_rows: int32 [m].
        people: how many people of each part are looked at; more are sampled, and fewer of many candidates.

    Raises:
        StateError: arrays of different length.
    """

    user_rows: NDArray[np.int32]
    item_rows: NDArray[np.int32]
    people: int = 2000

    def __post_init__(self) -> None:
        if len(self.user_rows) != len(self.item_rows):
            raise StateError("A validation part needs one product for each user.")

    def parts(self, snapshot: GraphSnapshot) -> dict[str, Part]:
        """Its pairs of new products ("cold") and of known ones ("warm"), each with its candidates; empty parts are left out."""
        known = snapshot.item_event_counts > 0
        made = {name: self._part(snapshot, candidates) for name, candidates in (("cold", ~known), ("warm", known))}
        return {name: part for name, part in made.items() if part is not None}

    def joint(self, snapshot: GraphSnapshot) -> Part | None:
        """New and known products in one ranking, of everybody who has a pair; None where all pairs are of new products, or all of known."""
        if len(self.parts(snapshot)) < 2:
            return None
        return self._part(snapshot, np.ones(snapshot.n_items, np.bool_))

    def _part(self, snapshot: GraphSnapshot, candidates: NDArray[np.bool_]) -> Part | None:
        inside = candidates[self.item_rows] & (self.user_rows >= 0)
        users, items = self.user_rows[inside], self.item_rows[inside]
        people = np.unique(users)
        most = most_people(self.people, int(candidates.sum()))
        if len(people) > most:
            people = np.sort(generator(0, "gnn validation").choice(people, most, replace=False))
        if not len(people):
            return None
        shape = (snapshot.n_users, snapshot.n_items)
        truth = sp.csr_array((np.ones(len(users), np.float32), (users, items)), shape=shape)[people][:, candidates]
        return Part(snapshot.interactions[people], truth, np.flatnonzero(candidates))


def most_people(people: int, n_candidates: int) -> int:
    """How many of `people` a look takes: fewer where there are so many candidates that it would cost more than the steps before it."""
    return min(people, max(_FEWEST, _CELLS // max(n_candidates, 1)))


@dataclass(frozen=True, eq=False)
class Part:
    """One part: histories (CSR [people, n_items]), truth (CSR [people, candidates]), candidates (int64, item rows)."""

    history: sp.csr_array
    truth: sp.csr_array
    candidates: NDArray[np.int64]

    def ndcg(self, source: NDArray[np.float32], target: NDArray[np.float32]) -> float:
        """Mean NDCG@20 where a person is the sum of a history's vectors (source, target: float32 [n_items, d])."""
        return self.ndcg_of(self.history @ source, target)

    def ndcg_of(self, people: NDArray[np.float32], target: NDArray[np.float32]) -> float:
        """Mean NDCG@20 of the inner-product ranking, 0 to 1, higher is better; products of the history are no candidates.

        Args:
            people: float32 [people, d].
            target: float32 [n_items, d].
        """
        discounts = 1 / np.log2(np.arange(2, K + 2))
        ideal = np.cumsum(discounts)
        total, k = 0.0, min(K, len(self.candidates))
        for start in range(0, len(people), 512):
            part = slice(start, start + 512)
            scores = people[part] @ target[self.candidates].T
            scores[self.history[part][:, self.candidates].toarray() > 0] = -np.inf
            top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
            order = np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable")
            wanted = self.truth[part].toarray() > 0
            hits = np.take_along_axis(wanted, np.take_along_axis(top, order, 1), 1)
            total += float(((hits * discounts[:k]).sum(1) / ideal[np.clip(wanted.sum(1), 1, K) - 1]).sum())
        return total / len(people)
