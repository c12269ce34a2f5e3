"""Likeness of texts: near (S) and wide (K).

K = relu(cos text)^8 + ½ cos TF-IDF, zero diagonal, nothing below `FAINT`, the strongest `WIDE_CAP` of each product in both directions.
S = N: for each candidate the `NEAR` products most like it, weights K², scaled to sum 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.ontology import Rel
from kg.progress import SILENT, Progress
from recommend.arrays import Arrays, csr, entries, pack, stack, transposed
from recommend.parts import Hop
from recommend.views.base import NEW_ROW, Candidate, SparseVector, SparseView, Values
from recommend.views.large import FAINT, large_likeness
from recommend.words import CatalogueWords

NEAR = 30
WIDE_CAP = 200
ALL_PAIRS = 30_000  # products up to which every pair is compared
_BLOCK = 512


def likeness(
    words: CatalogueWords,
    vectors: NDArray[np.float32] | None,
    progress: Progress = SILENT,
    cap: int = WIDE_CAP,
    scratch: Path | None = None,
) -> sp.csr_array:
    """K, sparse and symmetric; above `ALL_PAIRS` products of the pairs that `recommend.views.large` finds.

    Args:
        words: TF-IDF rows.
        vectors: float32 [n_items, d] text vectors of any length, or None for words alone.
        progress: hears the stage "likeness" in products.
        cap: strongest neighbours kept a product.
        scratch: as for `RowStack`.

    Returns:
        CSR float32 [n_items, n_items].
    """
    n_items = words.matrix.shape[0]
    unit = None if vectors is None else unit_rows(vectors)
    compared = _all_pairs if n_items <= ALL_PAIRS else large_likeness
    half = stack(compared(words, unit, cap, progress), n_items, scratch)
    turned = transposed(half)
    parts = (slice(start, start + _BLOCK) for start in range(0, n_items, _BLOCK))
    return stack((sp.csr_array(half[part].maximum(turned[part])) for part in parts), n_items, scratch)


def _all_pairs(words: CatalogueWords, unit: NDArray[np.float32] | None, cap: int, progress: Progress) -> Iterator[sp.csr_array]:
    n_items = words.matrix.shape[0]
    transposed = sp.csr_array(words.matrix.T.tocsr())
    with progress.stage("likeness", n_items) as advance:
        for start in range(0, n_items, _BLOCK):
            rows = slice(start, min(start + _BLOCK, n_items))
            block = (words.matrix[rows] @ transposed).toarray() * np.float32(0.5)
            if unit is not None:
                block += np.maximum(unit[rows] @ unit.T, 0) ** 8
            size = block.shape[0]
            block[np.arange(size), np.arange(rows.start, rows.stop)] = 0
            keep = min(cap, n_items)
            best = np.argpartition(-block, keep - 1, axis=1)[:, :keep]
            best.sort(axis=1)
            found = np.take_along_axis(block, best, axis=1)
            mask = found >= FAINT
            starts = np.concatenate([[0], np.cumsum(mask.sum(axis=1))])
            yield csr(found[mask].astype(np.float32), best[mask].astype(np.int32), starts, (size, n_items))
            advance(size)


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to length 1; zero rows stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def nearest(wide: sp.csr_array, near: int = NEAR) -> sp.csr_array:
    """Nᵀ: for each candidate (row) its `near` strongest neighbours with weights K², summing to 1 (CSR float32)."""
    indptr, columns, values = [0], [], []
    for row in range(wide.shape[0]):
        found = near_of(SparseVector(*_entries64(wide, row)), near)
        columns.append(found.rows)
        values.append(found.values.astype(np.float32))
        indptr.append(indptr[-1] + len(found.rows))
    data = np.concatenate([np.empty(0, np.float32), *values])
    places = np.concatenate([np.empty(0, np.int32), *columns])
    return csr(data, places, np.array(indptr, np.int64), wide.shape)


def near_of(wide: SparseVector, near: int = NEAR) -> SparseVector:
    """The column of N that a wide likeness gives."""
    if not len(wide.rows):
        return wide
    order = np.sort(np.argsort(-wide.values, kind="stable")[:near])
    squared = wide.values[order] ** 2
    return SparseVector(wide.rows[order], squared / squared.sum())


def wide_of(tfidf: Values, cosine: Values | None, cap: int = WIDE_CAP) -> SparseVector:
    """The wide likeness of a product outside the catalogue, from its cosines to all products in it (float64 [n_items])."""
    values = 0.5 * tfidf
    if cosine is not None:
        values = values + np.maximum(cosine, 0) ** 8
    best = np.sort(np.argsort(-values, kind="stable")[:cap]).astype(np.int32)
    best = best[values[best] >= FAINT]
    return SparseVector(best, values[best])


def _entries64(matrix: sp.csr_array, row: int) -> tuple[NDArray[np.int32], Values]:
    columns, values = entries(matrix, row)
    return columns, values.astype(np.float64)


class SimilarView(SparseView):
    """Likeness of texts as one edge between two products, with the words that carry it.

    Args:
        name: "similar" (near, N) or "similar_wide" (K).
        matrix: CSR float32 [history product, candidate].
        words: names the words.
    """

    def __init__(self, name: str, matrix: sp.csr_array, words: CatalogueWords) -> None:
        super().__init__(name, Rel.SIMILAR_TEXT, matrix)
        self.words = words

    def _new(self, candidate: Candidate) -> SparseVector:
        return candidate.near if self.name == "similar" else candidate.wide

    def value(self, history_row: int, candidate: Candidate) -> float:
        """Likeness of one pair."""
        return self._new(candidate).at(history_row) if candidate.row == NEW_ROW else super().value(history_row, candidate)

    def column(self, candidate: Candidate) -> Values:
        """Likeness of all products to one."""
        return self._new(candidate).dense(self.matrix.shape[0]) if candidate.row == NEW_ROW else super().column(candidate)

    def hop(self, history_row: int, candidate: Candidate) -> Hop:
        """A `SIMILAR_TEXT` edge with its words."""
        return similar_hop(self.words, history_row, candidate)

    def arrays(self) -> Arrays:
        """The matrix."""
        return pack("matrix", self.matrix)


def similar_hop(words: CatalogueWords, item_row: int, candidate: Candidate) -> Hop:
    """The edge `SIMILAR_TEXT` from a product to a candidate with the words that both have."""
    if candidate.words is None:
        shared = words.shared_rows(item_row, candidate.row)
    else:
        shared = words.shared(words.of_item(item_row), candidate.words)
    return Hop(Rel.SIMILAR_TEXT, "out", "item", candidate.row, words=shared, derived=True)
