"""EASE^R with a direction: what people had so far predicts of what they had next, once everything else they had so far is accounted for.

    B = (SᵀS + λI)⁻¹ SᵀT        one row an event p of S and T, weighted by d_u^-1/4
    S_p = Σ_{g < BACK} SO_FAR^g x_{p−g},   T_p = Σ_{1 ≤ g ≤ WINDOW} DECAY^(g−1) x_{p+g}        x: the product, as a unit vector

Choi et al., Session-aware linear item-item models for session-based recommendation, WWW 2021 (SLIT). Differs from the paper: a whole
history is one session, which fades by the place of an event and not by time; people with many events weigh less; each row keeps the
strongest weights (by size; they are signed); the diagonal is left out. Only in shops where events have an order and products enough of
them (`dense`). Latent, as EASE.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack

from kg.errors import EngineError
from kg.events import NO_TIME, EventLog
from recommend.arrays import Arrays, at_rows, pack
from recommend.views.base import EMPTY, Candidate, SparseVector
from recommend.views.ease import BLOCK, CAP, USER_POWER, EaseView, strongest_of
from recommend.views.transitions import DECAY, WINDOW, in_order

RIDGE = 0.3  # λ in units of the mean diagonal of SᵀS
BACK, SO_FAR = 30, 0.82  # how far back a history speaks, and how it fades: exp(−1 / 5) a step
MOST = 5_000  # products in the dense matrices at most, those that had most events
FEWEST = 50.0  # events that those have in the mean, from which on the view is made
BYTES = 28  # a pair of products at the most: two matrices, and what some events add to one of them
_EVENTS = 100_000  # held at once


def dense(events: EventLog, n_items: int, most: int = MOST) -> bool:
    """Whether events have an order, and the products with most of them `FEWEST` each or more in the mean."""
    counts = np.sort(np.bincount(_followed(events).item_rows, minlength=n_items))[::-1][:most]
    there = counts[counts > 0]
    return bool(len(there) > 1 and there.mean() >= FEWEST and in_order(events))


def _followed(events: EventLog) -> EventLog:
    """Those that come before or after others: with a time, and neither returns nor dislikes."""
    return events.take((events.times != NO_TIME) & ~events.against())


def next_ease(events: EventLog, n_items: int, ridge: float = RIDGE, cap: int = CAP, most: int = MOST) -> sp.csr_array:
    """B as CSR float32 [n_items, n_items]; rows and columns of other products are empty.

    Of the same moment nothing comes after an event, and what lies before it in the log comes before. Events without a time, returns and
    dislikes are left out.

    Raises:
        EngineError: there is not enough memory for the dense matrices.
    """
    log = _followed(events)
    counts = np.bincount(log.item_rows, minlength=n_items)
    rows = np.sort(np.argsort(-counts, kind="stable")[: min(most, int((counts > 0).sum()))])
    if len(rows) < 2:
        nothing: sp.csr_array = sp.csr_array((n_items, n_items), dtype=np.float32)  # type: ignore[assignment]
        return nothing
    columns = np.full(n_items, -1)
    columns[rows] = np.arange(len(rows))
    try:
        small = strongest_of(_solved(*_moments(log, columns, len(rows)), ridge), min(cap, len(rows) - 1))
    except MemoryError as error:
        hint = "Leave it out (clew train --without next_ease), or use a machine with more memory."
        raise EngineError(f"EASE of what comes next needs {BYTES * len(rows) ** 2 / 2**30:.1f} GB of memory.", hint) from error
    wide = sp.csr_array((small.data, rows[small.indices].astype(np.int32), small.indptr), shape=(len(rows), n_items))
    return at_rows(wide, rows, (n_items, n_items))


def _moments(log: EventLog, columns: NDArray[np.int64], n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """SᵀS and TᵀS (float32 [n, n] both), some events at a time."""
    gram, ahead = np.zeros((n, n), np.float32), np.zeros((n, n), np.float32)
    people = np.bincount(log.user_rows, minlength=1)
    weights = (people[log.user_rows] ** -USER_POWER).astype(np.float32)
    for start in range(0, len(log), _EVENTS):
        places = np.arange(start, min(start + _EVENTS, len(log)))
        source = _around(log, columns, weights, places, [(-gap, SO_FAR**gap) for gap in range(BACK)], n)
        target = _around(log, columns, weights, places, [(gap, DECAY ** (gap - 1)) for gap in range(1, WINDOW + 1)], n)
        for total, left in ((gram, source), (ahead, target)):
            found = sp.csr_array(left.T.tocsr()) @ source
            of_row = np.repeat(np.arange(n), np.diff(found.indptr))
            total[of_row, found.indices] += found.data  # each place once: scipy has added up what falls together
    return gram, ahead


def _around(
    log: EventLog,
    columns: NDArray[np.int64],
    weights: NDArray[np.float32],
    places: NDArray[np.int64],
    gaps: list[tuple[int, float]],
    n: int,
) -> sp.csr_array:
    """What the same person had so many events before or after some events (CSR float32 [places, n])."""
    parts = []
    for gap, loud in gaps:
        other = places + gap
        inside = (other >= 0) & (other < len(log))
        other = np.where(inside, other, 0)
        inside &= (log.user_rows[other] == log.user_rows[places]) & (columns[log.item_rows[other]] >= 0)
        if gap > 0:
            inside &= log.times[other] > log.times[places]
        at = np.flatnonzero(inside)
        parts.append((at, columns[log.item_rows[other[at]]], loud * weights[places[at]]))
    rows, items, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return sp.csr_array(sp.coo_array((values.astype(np.float32), (rows, items)), shape=(len(places), n)))


def _solved(gram: NDArray[np.float32], ahead: NDArray[np.float32], ridge: float) -> Iterator[NDArray[np.float32]]:
    """(SᵀS + λI)⁻¹ SᵀT by Cholesky, in blocks of rows; both matrices are used up: a transpose is LAPACK's order of the same memory."""
    size = np.arange(len(gram))
    gram[size, size] += np.float32(ridge * np.diag(gram).mean())
    factor, failed = lapack.spotrf(gram.T, lower=0, overwrite_a=1)
    found, failed_too = (ahead, failed) if failed else lapack.spotrs(factor, ahead.T, lower=0, overwrite_b=1)
    assert not failed and not failed_too and np.shares_memory(found, ahead), "a Gram matrix plus a ridge is positive definite"
    for start in range(0, len(gram), BLOCK):
        yield np.ascontiguousarray(found[start : start + BLOCK])


class NextEaseView(EaseView):
    """B; products without events get nothing, whether the catalogue has them or not.

    Args:
        matrix: B.
    """

    name = "next_ease"

    def __init__(self, matrix: sp.csr_array) -> None:
        n_items = matrix.shape[0]
        nothing: sp.csr_array = sp.csr_array((n_items, n_items), dtype=np.float32)  # type: ignore[assignment]
        super().__init__(matrix, nothing, np.ones(n_items, np.bool_))

    def _neighbours(self, candidate: Candidate) -> SparseVector:
        return EMPTY

    def arrays(self) -> Arrays:
        """B."""
        return pack("matrix", self.matrix)
