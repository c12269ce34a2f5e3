"""The strongest candidates of each view for people of validation, laid out so that many weights can be tried on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommend.tasks import Task
from recommend.views.base import View

K = 20
POPULARITY = "popularity"
GAIN = 2e-4  # what is less than this in NDCG is noise
SURE = 0.5  # … and so is what is less than so many standard errors of the difference
_POOL = 200  # strongest candidates of each view that a person's pool holds …
_POOL_OF_ALL = 2000  # … where the views are few enough that so many hold them
_BLOCK = 256
_CELLS = 8_000_000  # scores of one view that are held at once: of a million products those of eight people


@dataclass(frozen=True, eq=False)
class Group:
    """Candidates of one kind (known or new) for a sample of people, strongest of each view only.

    Args:
        names: views, in the order of `features`.
        features: float32 [views, people, pool]; −inf never.
        valid: bool [people, pool], False where a place is empty or no candidate.
        targets: bool [people, pool].
        n_targets: int64 [people], targets of this kind.
    """

    names: tuple[str, ...]
    features: NDArray[np.float32]
    valid: NDArray[np.bool_]
    targets: NDArray[np.bool_]
    n_targets: NDArray[np.int64]

    def some(self, people: NDArray[np.integer]) -> Group:
        """The group of some of its people (places)."""
        return Group(self.names, self.features[:, people], self.valid[people], self.targets[people], self.n_targets[people])

    def with_targets(self) -> Group:
        """The group of those who have a target."""
        return self.some(np.flatnonzero(self.n_targets))

    def scores(self, weights: NDArray[np.float64]) -> NDArray[np.float32]:
        """Weighted sums (float32 [people, pool]), −inf where there is no candidate."""
        total = np.where(self.valid, np.float32(0), np.float32(-np.inf))
        for place in np.flatnonzero(weights):
            total += np.float32(weights[place]) * self.features[place]
        return total


def collect(
    views: Sequence[View],
    popularity: NDArray[np.float64],
    task: Task,
    profiles: sp.csr_array,
    seen: NDArray[np.bool_],
) -> dict[bool, Group]:
    """The features of a task's people, for known (True) and new (False) candidates."""
    names = (*(view.name for view in views), POPULARITY)
    pieces: dict[bool, list[tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]]] = {True: [], False: []}
    size = max(1, min(_BLOCK, _CELLS // max(len(seen), 1)))
    for start in range(0, task.n_users, size):
        people = np.arange(start, min(start + size, task.n_users))
        part = profiles[people]
        blocks = [np.asarray(view.block(sp.csr_array(part)), np.float32) for view in views]
        blocks.append(np.repeat(popularity.astype(np.float32)[None, :], len(people), axis=0))
        masked = sp.csr_array(task.masked[people]).toarray() > 0
        wanted = sp.csr_array(task.targets[people]).toarray() > 0
        for kind, found in pieces.items():
            columns = np.flatnonzero(task.candidates & (seen == kind))
            if len(columns):
                some = blocks if len(columns) == len(seen) else [block[:, columns] for block in blocks]
                found.append(_pool(some, masked[:, columns], wanted[:, columns]))
    return {kind: _joined(names, found, task.n_users) for kind, found in pieces.items()}


def _pool(
    blocks: list[NDArray[np.float32]], masked: NDArray[np.bool_], wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    chosen = wanted.copy()
    keep = min(_POOL, _POOL_OF_ALL // len(blocks), chosen.shape[1])
    rows = np.arange(len(chosen))[:, None]
    for block in blocks:
        allowed = np.where(masked, -np.inf, block)
        best = np.argpartition(-allowed, keep - 1, axis=1)[:, :keep]
        chosen[rows, best] |= np.take_along_axis(block, best, 1) > 0
    chosen &= ~masked | wanted
    width = int(chosen.sum(axis=1).max(initial=1))
    order = np.argsort(~chosen, axis=1, kind="stable")[:, :width]
    valid = np.take_along_axis(chosen, order, 1)
    features = np.stack([np.where(valid, np.take_along_axis(block, order, 1), 0) for block in blocks]).astype(np.float32)
    return features, valid, np.take_along_axis(wanted, order, 1) & valid


def _joined(names: tuple[str, ...], pieces: list[tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]], n_people: int) -> Group:
    width = max((valid.shape[1] for _, valid, _ in pieces), default=1)
    features = np.zeros((len(names), n_people, width), np.float32)
    valid, targets = np.zeros((n_people, width), bool), np.zeros((n_people, width), bool)
    place = 0
    for some, there, wanted in pieces:
        rows = slice(place, place + some.shape[1])
        features[:, rows, : some.shape[2]], valid[rows, : some.shape[2]], targets[rows, : some.shape[2]] = some, there, wanted
        place += some.shape[1]
    return Group(names, features, valid, targets, targets.sum(axis=1).astype(np.int64))


def ndcg_of(scores: NDArray[np.float32], targets: NDArray[np.bool_], n_targets: NDArray[np.int64], k: int = K) -> NDArray[np.float64]:
    """NDCG@k of each person; a tie counts against the target (float64 [people])."""
    if scores.shape[1] > k and n_targets.sum() > 4 * len(scores):
        # Of many targets only those that reach the k-th best need a rank.
        targets = targets & (scores >= np.partition(scores, -k, axis=1)[:, [-k]])
    rows, columns = np.nonzero(targets)
    ranks = (scores[rows] >= scores[rows, columns][:, None]).sum(axis=1)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gains = np.where(ranks <= k, discounts[np.minimum(ranks, k) - 1], 0.0)
    ideal = np.cumsum(discounts)[np.clip(n_targets, 1, k) - 1]
    return np.bincount(rows, gains, minlength=len(scores)) / ideal


def per_person(groups: Sequence[Group], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """NDCG@20 of each person of some groups (float64)."""
    return np.concatenate([ndcg_of(group.scores(weights), group.targets, group.n_targets) for group in groups])


def better(found: NDArray[np.float64], than: NDArray[np.float64], sure: float = SURE) -> bool:
    """Whether figures of people are better than others of the same people by more than chance (float64 [people] both)."""
    difference = found - than
    return len(found) > 0 and bool(difference.mean() > max(GAIN, sure * difference.std() / np.sqrt(len(difference))))
