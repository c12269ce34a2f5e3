"""EASE^R as a view: what people's histories predict of each other when everything else they had is accounted for.

    B = −P / diag(P) off the diagonal, P = (XᵀX + λI)⁻¹        X: people × products, rows weighted by d_u^-1/4

Steck, Embarrassingly shallow autoencoders for sparse data, 2019, eq. 8. Differs from the paper: people with many products weigh
less, each row keeps the strongest `CAP` weights (by size; they are signed), and products that nobody has bought get the columns
of those whose texts are like theirs: E = B · N for them. No weight of it is owed to one purchase, so nobody can name a path: latent.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack

from kg.errors import EngineError
from recommend.arrays import Arrays, at_rows, csr, entries, entry, pack, stack, transposed, weighted_rows
from recommend.views.base import NEW_ROW, Candidate, LatentView, RawPath, Rows, SparseVector, Values

RIDGE = 20.0  # λ in units of the mean diagonal of XᵀX: a shop of few and one of many purchases a product need other λ
USER_POWER = 0.25
CAP = 256  # weights kept a row: on Beauty 200 rank like all
MOST = 10_000  # products in the dense matrix at most, those that most people had: of 24,915 books these rank best, at a tenth of the cost
BLOCK = 1024


def ease(interactions: sp.csr_array, ridge: float = RIDGE, cap: int = CAP, most: int = MOST) -> sp.csr_array:
    """B of users × products (CSR of ones) as CSR float32 [n_items, n_items]; rows and columns of other products are empty.

    Raises:
        EngineError: there is not enough memory for the dense matrix.
    """
    n_items = interactions.shape[1]
    people = np.bincount(interactions.indices, minlength=n_items)
    rows = np.sort(np.argsort(-people, kind="stable")[: min(most, int((people > 0).sum()))])
    if len(rows) < 2:
        nothing: sp.csr_array = sp.csr_array((n_items, n_items), dtype=np.float32)  # type: ignore[assignment]
        return nothing
    scale = np.maximum(np.diff(interactions.indptr), 1).astype(np.float32) ** -USER_POWER
    weighted = sp.csr_array(sp.diags_array(scale) @ interactions[:, rows])
    value = np.float32(ridge * (weighted.data**2).sum() / len(rows))
    small = strongest_of(_predicting(*inverse(weighted, value)), min(cap, len(rows) - 1))
    wide = sp.csr_array((small.data, rows[small.indices].astype(np.int32), small.indptr), shape=(len(rows), n_items))
    return at_rows(wide, rows, (n_items, n_items))


Blocks = Iterator[NDArray[np.float32]]


def inverse(matrix: sp.csr_array, ridge: np.float32) -> tuple[NDArray[np.float32], Blocks]:
    """(XᵀX + λI)⁻¹: its diagonal, and its rows in blocks of `BLOCK` (float32 [.., n]).

    Args:
        matrix: X, CSR float32 [people, n].
        ridge: λ.

    Needs 4 · n² bytes and n³ multiplications; with fewer people than half the products, 4 · people · n bytes (Woodbury's identity).
    """
    people, n = matrix.shape
    side = people if 2 * people < n else n
    try:
        return _by_people(matrix, ridge) if side == people else _by_products(matrix, ridge)
    except MemoryError as error:
        hint = "Leave EASE out (clew train --without ease), or use a machine with more memory."
        raise EngineError(f"EASE over {n} products needs {4 * side * n / 2**30:.1f} GB of memory.", hint) from error


def _by_products(matrix: sp.csr_array, ridge: np.float32) -> tuple[NDArray[np.float32], Blocks]:
    n = matrix.shape[1]
    gram = _gram(sp.csr_array(matrix.T.tocsr()), matrix, ridge)
    _invert(gram)
    diagonal = np.diag(gram).copy()

    def blocks() -> Blocks:
        for start in range(0, n, BLOCK):
            some = slice(start, start + BLOCK)
            gram[some, :start] = gram[:start, some].T  # only the upper triangle was inverted
            square = np.triu(gram[some, some])
            gram[some, some] = square + np.triu(square, 1).T
            yield gram[some]

    return diagonal, blocks()


def _by_people(matrix: sp.csr_array, ridge: np.float32) -> tuple[NDArray[np.float32], Blocks]:
    """(I − Xᵀ (XXᵀ + λI)⁻¹ X) / λ."""
    n = matrix.shape[1]
    left = sp.csr_array(matrix.T.tocsr())
    small = _gram(matrix, left, ridge)
    _invert(small)
    small += np.triu(small, 1).T - np.tril(small, -1)
    right = np.asarray((left @ small).T)  # [people, n]
    places = np.repeat(np.arange(n), np.diff(left.indptr))
    diagonal = (1 - np.bincount(places, left.data * right[left.indices, places], minlength=n)) / ridge

    def blocks() -> Blocks:
        for start in range(0, n, BLOCK):
            block = -(left[start : start + BLOCK] @ right) / ridge
            size = np.arange(len(block))
            block[size, start + size] += 1 / ridge
            yield block

    return diagonal.astype(np.float32), blocks()


def _gram(left: sp.csr_array, right: sp.csr_array, ridge: np.float32) -> NDArray[np.float32]:
    size = left.shape[0]
    gram = np.empty((size, size), np.float32)
    for start in range(0, size, BLOCK):
        gram[start : start + BLOCK] = (left[start : start + BLOCK] @ right).toarray()
    gram[np.arange(size), np.arange(size)] += ridge
    return gram


def _invert(gram: NDArray[np.float32]) -> None:
    """Invert a positive definite matrix in place by Cholesky; only its upper triangle is right afterwards."""
    # The transpose of a C array is a Fortran array on the same memory; LAPACK's lower triangle is our upper one.
    factor, failed = lapack.spotrf(gram.T, lower=1, overwrite_a=1)
    found, failed_too = (factor, failed) if failed else lapack.spotri(factor, lower=1, overwrite_c=1)
    assert not failed and not failed_too and np.shares_memory(found, gram), "a Gram matrix plus a ridge is positive definite"


def _predicting(diagonal: NDArray[np.float32], blocks: Blocks) -> Blocks:
    """Rows of −P / diag(P)."""
    for rows in blocks:
        yield -rows / diagonal[None, :]


def strongest_of(blocks: Blocks, cap: int) -> sp.csr_array:
    """A square matrix that comes in blocks of rows (float32), its diagonal out, the `cap` largest of each row by size (CSR float32)."""
    found, start, n = [], 0, 0
    for block in blocks:
        size, n = block.shape
        block[np.arange(size), np.arange(start, start + size)] = 0
        kept = np.sort(np.argpartition(-np.abs(block), cap - 1, axis=1)[:, :cap], axis=1)
        values = np.take_along_axis(block, kept, 1)
        made = csr(values.ravel(), kept.ravel().astype(np.int32), np.arange(0, size * cap + 1, cap), (size, n))
        made.eliminate_zeros()
        found.append(made)
        start += size
    return stack(found, n)


class EaseView(LatentView):
    """E: B for products that somebody has bought, B · N for the others.

    Args:
        matrix: B.
        near: Nᵀ, CSR float32 [candidate, neighbour]: the rows of candidates without events are used.
        seen: bool [n_items], products with an event.
    """

    name = "ease"

    def __init__(self, matrix: sp.csr_array, near: sp.csr_array, seen: NDArray[np.bool_]) -> None:
        self.matrix = matrix
        self.near = _rows_of(near, ~seen)
        self.spread = transposed(self.near)
        self._seen = seen

    def scores(self, rows: Rows, weights: Values) -> Values:
        """Σ_k weights[k] · E[rows[k], ·]."""
        known = weighted_rows(self.matrix, rows, weights)
        active = np.flatnonzero(known)
        return np.asarray(known + weighted_rows(self.spread, active, known[active]))

    def block(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Many profiles at once."""
        known = sp.csr_array(profiles @ self.matrix)
        return np.asarray((known + known @ self.spread).toarray(), np.float32)

    def _neighbours(self, candidate: Candidate) -> SparseVector:
        if candidate.row == NEW_ROW:
            return candidate.near
        columns, values = entries(self.near, candidate.row)
        return SparseVector(columns, values.astype(np.float64))

    def column(self, candidate: Candidate) -> Values:
        """E[·, i]."""
        if candidate.row != NEW_ROW and self._seen[candidate.row]:
            return np.asarray(self.matrix[:, [candidate.row]].toarray(), np.float64).ravel()
        return np.asarray(self.matrix @ self._neighbours(candidate).dense(self.matrix.shape[1]), np.float64)

    def total(self, history_row: int, candidate: Candidate) -> float:
        """E of one pair."""
        if candidate.row != NEW_ROW and self._seen[candidate.row]:
            return entry(self.matrix, history_row, candidate.row)
        near = self._neighbours(candidate)
        columns, values = entries(self.matrix, history_row)
        _, left, right = np.intersect1d(columns, near.rows, assume_unique=True, return_indices=True)
        return float(values[left].astype(np.float64) @ near.values[right])

    def paths(self, history_row: int, candidate: Candidate) -> Iterator[RawPath]:
        """None: a weight stands for all histories at once."""
        yield from ()

    def arrays(self) -> Arrays:
        """B, and Nᵀ of the products without events."""
        return {**pack("matrix", self.matrix), **pack("near", self.near)}


def _rows_of(matrix: sp.csr_array, which: NDArray[np.bool_]) -> sp.csr_array:
    """Some rows of a matrix, the others empty."""
    lengths = np.diff(matrix.indptr)
    kept = np.repeat(which, lengths)
    starts = np.concatenate([[0], np.cumsum(np.where(which, lengths, 0))])
    return csr(matrix.data[kept], matrix.indices[kept], starts, matrix.shape)
