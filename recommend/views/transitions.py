"""What people bought next: T_ji = Σ_u Σ 2^(1−gap) d_u^-1/2 / √((p_j + 3)(p_i + 3)), pairs at most `WINDOW` events apart, j first.

Only where events have an order. Differs from first-order Markov chains (Rendle et al., FPMC, 2010): shrunk and degree-normalised
like `co_bought`, not row-stochastic, so that both are on one scale.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.events import NO_TIME, EventLog
from kg.ontology import Rel
from recommend.arrays import Arrays, entry, pack, strongest_per_row
from recommend.parts import Hop
from recommend.views.base import NEW_ROW, Candidate, SparseView
from recommend.views.co_bought import ROW_CAP, SHRINK

WINDOW = 3


def transitions(
    events: EventLog, n_items: int, cap: int = ROW_CAP, rows: NDArray[np.int32] | None = None
) -> tuple[sp.csr_array, sp.csr_array]:
    """T and how often each pair stood so (CSR float32 [n_items, n_items] both).

    Events at the same moment have no order and give no pair; events without a time are left out. With `rows` the other rows are empty.
    """
    asked = np.ones(n_items, bool)
    if rows is not None:
        asked[:] = False
        asked[rows] = True
    log = events.take(events.times != NO_TIME)
    size = (n_items, n_items)
    people = np.bincount(log.user_rows, minlength=1)
    bought = np.bincount(log.item_rows, minlength=n_items)
    total: sp.csr_array = sp.csr_array(size, dtype=np.float64)
    count: sp.csr_array = sp.csr_array(size, dtype=np.float64)
    for gap in range(1, WINDOW + 1):
        first, second = slice(None, -gap), slice(gap, None)
        same = (log.user_rows[first] == log.user_rows[second]) & (log.times[first] < log.times[second])
        same &= (log.item_rows[first] != log.item_rows[second]) & asked[log.item_rows[first]]
        users, sources, targets = log.user_rows[first][same], log.item_rows[first][same], log.item_rows[second][same]
        weights = 0.5 ** (gap - 1) / np.sqrt(people[users])
        total = sp.csr_array(total + sp.csr_array((weights, (sources, targets)), shape=size))
        count = sp.csr_array(count + sp.csr_array((np.ones(len(users)), (sources, targets)), shape=size))
    scale = sp.diags_array(1 / np.sqrt(bought + SHRINK))
    matrix = strongest_per_row(sp.csr_array(scale @ total @ scale), cap).astype(np.float32)
    count = sp.csr_array(count).astype(np.float32)
    count.sort_indices()
    return matrix, count


class NextBoughtView(SparseView):
    """T: people who bought j bought i soon after.

    Args:
        matrix: T.
        counts: how often.
    """

    def __init__(self, matrix: sp.csr_array, counts: sp.csr_array) -> None:
        super().__init__("next_bought", Rel.NEXT_BOUGHT, matrix)
        self.counts = counts

    def hop(self, history_row: int, candidate: Candidate) -> Hop:
        """The edge with its count."""
        count = 0 if candidate.row == NEW_ROW else int(entry(self.counts, history_row, candidate.row))
        return Hop(Rel.NEXT_BOUGHT, "out", "item", candidate.row, count=count, derived=True)

    def arrays(self) -> Arrays:
        """T and the counts."""
        return {**pack("matrix", self.matrix), **pack("counts", self.counts)}
