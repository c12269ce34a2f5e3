"""The nearest of many vectors: all compared while that is quick, by Faiss beyond. Faiss comes in through this door only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kg.seeds import derive

WANTED = 0.95  # of the true neighbours, on a sample; more cells are looked into until it is reached
_SAMPLE = 128
_PROBES = (4, 8, 16, 32, 64, 128, 256)
_PASSES = 6  # of k-means
_POINTS = 32  # a cell that k-means looks at


class NearVectors:
    """Neighbours by inner product among fixed unit vectors, through an inverted file (IVF) of about 4 √n cells.

    Args:
        unit: float32 [n, d], rows of length 1 or zero.
        k: how many neighbours will be asked for; cells are probed until a sample finds `WANTED` of them.
        seed: of the cells.
    """

    def __init__(self, unit: NDArray[np.float32], k: int, seed: int = 0) -> None:
        import faiss

        self.unit = np.ascontiguousarray(unit, np.float32)
        n, d = self.unit.shape
        cells = max(1, min(n // _POINTS, int(4 * np.sqrt(n))))
        self._index = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, cells, faiss.METRIC_INNER_PRODUCT)
        self._index.cp.niter = _PASSES
        self._index.cp.max_points_per_centroid = _POINTS
        self._index.cp.seed = derive(seed, "cells") % 2**31
        self._index.train(self.unit)
        self._index.add(self.unit)
        self.recall = self._probe(min(k, n), cells, seed)

    def _probe(self, k: int, cells: int, seed: int) -> float:
        """Look into more cells until enough of the sample's true neighbours are found; returns their share."""
        random = np.random.default_rng(derive(seed, "recall"))
        asked = np.sort(random.choice(len(self.unit), min(_SAMPLE, len(self.unit)), replace=False))
        true = np.argpartition(-(self.unit[asked] @ self.unit.T), k - 1, axis=1)[:, :k]
        found = 0.0
        for probes in _PROBES:
            self._index.nprobe = min(probes, cells)
            rows = self._index.search(self.unit[asked], k)[1]
            found = float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(rows, true, strict=True)]))
            if found >= WANTED or probes >= cells:
                break
        return found

    def search(self, asked: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Rows of the k nearest of each asked vector (int64 [m, k], −1 where fewer were found)."""
        return np.asarray(self._index.search(np.ascontiguousarray(asked, np.float32), k)[1], np.int64)
