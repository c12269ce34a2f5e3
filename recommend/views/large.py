"""Likeness of texts in a large catalogue: K for pairs that are found, never for all of them.

Candidates of a product are the products that share its rarer words (sparse TF-IDF) and the nearest of its text vector (Faiss). For
those K is exact. `recall_of` says how much of the true neighbourhood is kept.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.progress import SILENT, Progress
from kg.seeds import generator
from recommend.arrays import csr, entries, strongest_per_row
from recommend.topk import NearVectors
from recommend.words import CatalogueWords

FAINT = 1e-3  # likeness below which two texts have nothing in common: a cosine of .42 between their vectors
COMMON = 1000  # products that share a word from which on it finds no candidates; it still counts in K
_BLOCK = 256
_SAMPLE = 200


def large_likeness(
    words: CatalogueWords, unit: NDArray[np.float32] | None, cap: int, progress: Progress = SILENT
) -> Iterator[sp.csr_array]:
    """K in blocks of rows, the strongest `cap` of each (CSR float32 [block, n_items], zero diagonal).

    Args:
        words: TF-IDF rows.
        unit: float32 [n_items, d], text vectors of length 1 or zero; None for words alone.
        cap: neighbours kept a product.
        progress: hears the stage "likeness" in products.
    """
    matrix = words.matrix
    n_items = matrix.shape[0]
    rare = _rare(matrix)
    columns = sp.csr_array(rare.T.tocsr())
    near = None if unit is None else NearVectors.fit(unit, min(cap, n_items))
    with progress.stage("likeness", n_items) as advance:
        for start in range(0, n_items, _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, n_items))
            pairs = [_pairs(strongest_per_row(sp.csr_array(rare[rows] @ columns), cap))]
            if near is not None and unit is not None:
                found, _ = near.search(unit[rows], min(cap + 1, n_items))
                pairs.append(np.stack([np.repeat(np.arange(len(rows)), found.shape[1]), found.ravel()])[:, found.ravel() >= 0])
            yield _exact(rows, np.concatenate(pairs, axis=1), matrix, unit, cap)
            advance(len(rows))


def _rare(matrix: sp.csr_array) -> sp.csr_array:
    """The words that fewer than `COMMON` products have."""
    held = np.bincount(matrix.indices, minlength=matrix.shape[1])
    kept = held[matrix.indices] < COMMON
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))[kept]
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=matrix.shape[0]))])
    return csr(matrix.data[kept], matrix.indices[kept], starts, matrix.shape)


def _pairs(found: sp.csr_array) -> NDArray[np.int64]:
    return np.stack([np.repeat(np.arange(found.shape[0]), np.diff(found.indptr)), found.indices]).astype(np.int64)


def _exact(
    rows: NDArray[np.int64], pairs: NDArray[np.int64], matrix: sp.csr_array, unit: NDArray[np.float32] | None, cap: int
) -> sp.csr_array:
    """K of some pairs (places in `rows`, item rows), the strongest of each row."""
    n_items = matrix.shape[0]
    places, others = np.divmod(np.unique(pairs[0] * n_items + pairs[1]), n_items)
    apart = rows[places] != others
    places, others = places[apart], others[apart]
    values = np.float32(0.5) * np.asarray(matrix[rows[places]].multiply(matrix[others]).sum(axis=1), np.float32).ravel()
    if unit is not None:
        values = values + np.maximum(np.einsum("pd,pd->p", unit[rows[places]], unit[others]), 0) ** 8
    alike = values >= FAINT
    block = sp.csr_array((values[alike], (places[alike], others[alike])), shape=(len(rows), n_items))
    return strongest_per_row(block, cap)


def recall_of(wide: sp.csr_array, words: CatalogueWords, unit: NDArray[np.float32] | None, near: int) -> float:
    """Share of the `near` products most like each of a sample, all compared, that a likeness holds."""
    n_items = words.matrix.shape[0]
    asked = np.sort(generator(0, "likeness recall").choice(n_items, min(_SAMPLE, n_items), replace=False))
    true = np.asarray((words.matrix[asked] @ words.matrix.T).toarray(), np.float32) * np.float32(0.5)
    if unit is not None:
        true += np.maximum(unit[asked] @ unit.T, 0) ** 8
    true[np.arange(len(asked)), asked] = 0
    kept = []
    for row, values in zip(asked.tolist(), true, strict=True):
        best = np.argpartition(-values, min(near, n_items) - 1)[:near]
        best = best[values[best] >= FAINT]
        if len(best):
            # By value: of equals at the edge any will do.
            held = int((entries(wide, row)[1] >= values[best].min() * (1 - 1e-5)).sum())
            kept.append(min(held / len(best), 1.0))
    return float(np.mean(kept)) if kept else 1.0
