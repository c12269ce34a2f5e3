"""People who had both: U, and V = U · N, which brings purchases to products that nobody has bought.

U_ji = Σ_u d_u^-1/2 / √((p_j + 3)(p_i + 3)), zero diagonal; the sum runs over people who had both, d: products of a person,
p: people of a product. Row caps keep the strongest, so that no product of a large shop has a row of the whole catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.ontology import Rel
from recommend.arrays import (
    Arrays,
    PickedRows,
    at_rows,
    entries,
    meeting,
    mostly,
    pack,
    places,
    stack,
    strongest_per_row,
    transposed,
    weighted_rows,
)
from recommend.parts import Hop
from recommend.views.base import NEW_ROW, Candidate, RawPath, Rows, SparseVector, SparseView, Values
from recommend.views.similar import similar_hop
from recommend.words import CatalogueWords

SHRINK = 3.0
ROW_CAP = 512
CROWD = 10_000  # products of a person (a reseller, a crawler) from which on the pairs say nothing; all of them would be 50 million
ROUGH = 1_000_000  # entries of N above which scores of all products are in float32
_BLOCK = 1024


def co_bought(
    interactions: sp.csr_array,
    cap: int = ROW_CAP,
    shrink: float = SHRINK,
    rows: NDArray[np.int32] | None = None,
    scratch: Path | None = None,
) -> sp.csr_array:
    """U of users × products (CSR of ones) as CSR float32 [n_items, n_items]; people of `CROWD` products or more are left out.

    With `rows` (ascending) the other rows are empty; `scratch`: as for `RowStack`.
    """
    buyers, size = buyers_of(interactions), interactions.shape[1]
    rows = np.arange(size, dtype=np.int32) if rows is None else rows
    blocks = (co_bought_rows(interactions, buyers, rows[s : s + _BLOCK], cap, shrink) for s in range(0, len(rows), _BLOCK))
    return at_rows(stack(blocks, size, scratch), rows, (size, size))


def co_bought_rows(
    interactions: sp.csr_array, buyers: sp.csr_array, rows: Rows, cap: int = ROW_CAP, shrink: float = SHRINK
) -> sp.csr_array:
    """Some rows of U.

    Args:
        interactions: users × products, CSR of ones.
        buyers: its transpose.
        rows: int32, item rows.
        cap: how many entries of a row are kept, the strongest.
        shrink: added to the people of a product.

    Returns:
        CSR float32 [rows, n_items], columns ascending.
    """
    scale = 1 / np.sqrt(np.diff(buyers.indptr) + shrink)
    had = np.diff(interactions.indptr)
    user_weight = np.where(had < CROWD, 1 / np.sqrt(np.maximum(had, 1)), 0.0)
    part = sp.csr_array(buyers[rows])
    lengths = np.diff(part.indptr)
    part = sp.csr_array((user_weight[part.indices] * np.repeat(scale[rows], lengths), part.indices, part.indptr), shape=part.shape)
    part.eliminate_zeros()
    block = sp.csr_array(part @ interactions)
    block.data = np.where(np.repeat(rows, np.diff(block.indptr)) == block.indices, 0.0, block.data * scale[block.indices])
    block.eliminate_zeros()
    return strongest_per_row(block, cap).astype(np.float32)


class CoBoughtView(SparseView):
    """U: j ← person → i.

    Args:
        matrix: U.
        buyers: CSR [n_items, n_users] of ones: who had a product; for the count of an edge.
        shrink: that U was counted with; whoever counts some of it again needs the same.
    """

    def __init__(self, matrix: sp.csr_array, buyers: sp.csr_array, shrink: float = SHRINK) -> None:
        super().__init__("co_bought", Rel.CO_BOUGHT, matrix)
        self.buyers = buyers
        self.shrink = shrink

    def count(self, first_row: int, second_row: int) -> int:
        """How many people had both products."""
        return len(meeting(entries(self.buyers, first_row)[0], entries(self.buyers, second_row)[0])[0])

    def counts(self, first_row: int, others: Rows) -> NDArray[np.int64]:
        """How many people had a product and each of some others (int64)."""
        had = np.zeros(self.buyers.shape[1], bool)
        had[entries(self.buyers, first_row)[0]] = True
        where, lengths = places(self.buyers.indptr, others)
        return np.bincount(np.repeat(np.arange(len(others)), lengths), had[self.buyers.indices[where]], len(others)).astype(np.int64)

    def hop(self, history_row: int, candidate: Candidate) -> Hop:
        """The edge from j to i with its count."""
        return co_bought_hop(candidate.row, self.count(history_row, candidate.row))

    def arrays(self) -> Arrays:
        """U and who bought what; `shrink` (float64 [1]) where it is not the usual one."""
        made = {**pack("matrix", self.matrix), **pack("buyers", self.buyers)}
        return made if self.shrink == SHRINK else {**made, "shrink": np.array([self.shrink], np.float64)}


class CoBoughtSimilarView:
    """V = U · N: j ← person → k ~ like ~ i. Kept as its two factors.

    Args:
        bought: U.
        near: Nᵀ, CSR float32 [candidate, neighbour].
        words: names the words of the second edge.
    """

    name = "co_bought_similar"

    def __init__(self, bought: CoBoughtView, near: sp.csr_array, words: CatalogueWords) -> None:
        self.bought = bought
        self.near = near
        self.words = words

    @cached_property
    def _spread(self) -> sp.csr_array:
        return transposed(self.near)

    def scores(self, rows: Rows, weights: Values) -> Values:
        """Σ_k weights[k] · V[rows[k], ·]; in float32 where that goes through the whole of a large N (`exact` does not)."""
        middle = self.bought.scores(rows, weights)
        active = np.flatnonzero(middle)
        if not mostly(self._spread, active):
            return weighted_rows(self._spread, active, middle[active])
        if self.near.nnz > ROUGH:
            return np.asarray(self.near @ middle.astype(np.float32), np.float64)
        return np.asarray(self._whole @ middle)

    @cached_property
    def _whole(self) -> sp.csr_array:
        return self.near.astype(np.float64)

    def exact(self, rows: Rows, weights: Values, item_rows: Rows) -> Values:
        """The same of some candidates in float64."""
        middle = self.bought.scores(rows, weights)
        return PickedRows.of(self.near, item_rows).times(middle)

    def block(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Many profiles at once."""
        return np.asarray((profiles @ self.bought.matrix @ self._spread).toarray(), np.float32)

    def _neighbours(self, candidate: Candidate) -> SparseVector:
        if candidate.row == NEW_ROW:
            return candidate.near
        columns, values = entries(self.near, candidate.row)
        return SparseVector(columns, values.astype(np.float64))

    def column(self, candidate: Candidate) -> Values:
        """V[·, i]."""
        near = self._neighbours(candidate)
        return np.asarray(self.bought.matrix @ near.dense(self.near.shape[0]), np.float64)

    def paths(self, history_row: int, candidate: Candidate) -> Iterator[RawPath]:
        """One path for each product in the middle."""
        near = self._neighbours(candidate)
        columns, values = entries(self.bought.matrix, history_row)
        _, left, right = np.intersect1d(columns, near.rows, assume_unique=True, return_indices=True)
        if not len(left):
            return
        counts = self.bought.counts(history_row, columns[left]).tolist()
        for a, b, count in zip(left.tolist(), right.tolist(), counts, strict=True):
            middle = int(columns[a])
            hops = (co_bought_hop(middle, count), similar_hop(self.words, middle, candidate))
            yield RawPath(Rel.CO_BOUGHT, hops, float(values[a]) * float(near.values[b]))

    def arrays(self) -> Arrays:
        """Nᵀ; U belongs to the view that it is made of."""
        return pack("near", self.near)


def co_bought_hop(item_row: int, count: int) -> Hop:
    """An edge `CO_BOUGHT` to a product."""
    return Hop(Rel.CO_BOUGHT, "out", "item", item_row, count=count, derived=True)


def buyers_of(interactions: sp.csr_array) -> sp.csr_array:
    """Products × users (CSR float32 of ones, columns ascending)."""
    matrix = sp.csr_array(interactions.T.tocsr()).astype(np.float32)
    matrix.sort_indices()
    return matrix
