"""A history's rows of each sparse view, taken out once for a question: what scores are summed from and explanations look into."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommend.arrays import PickedRows
from recommend.profile import Profile
from recommend.views.base import Rows, Values

Ints = NDArray[np.int64]


class History:
    """The rows of one profile in the matrices of a model.

    Args:
        profile: the history.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.rows: Rows = profile.item_rows
        self.amounts: Values = profile.weights.astype(np.float64)
        self._found: dict[int, tuple[sp.csr_array, PickedRows]] = {}
        self._sums: dict[int, Values] = {}

    def of(self, matrix: sp.csr_array) -> PickedRows:
        """matrix[rows]."""
        known = self._found.get(id(matrix))
        if known is None:  # with the matrix, so that its id stays its own
            known = self._found[id(matrix)] = matrix, PickedRows.of(matrix, self.rows)
        return known[1]

    def sums(self, matrix: sp.csr_array) -> Values:
        """Σ_k amounts[k] · matrix[rows[k], ·] (float64 [columns]); not to be written to."""
        if id(matrix) not in self._sums:
            self._sums[id(matrix)] = self.of(matrix).summed(self.amounts)
        return self._sums[id(matrix)]

    def among(self, matrix: sp.csr_array, columns: NDArray[np.integer]) -> tuple[Ints, Ints, Values]:
        """Entries of the history's rows in some columns: place of the row, column, value."""
        return self.of(matrix).among(columns)

    def table(self, matrix: sp.csr_array, columns: NDArray[np.integer]) -> Values:
        """matrix[rows, columns] (float64 [h, columns])."""
        found = np.zeros((len(self.rows), len(columns)))
        start, column, value = self.among(matrix, columns)
        order = np.argsort(columns, kind="stable")
        found[start, order[np.searchsorted(columns, column, sorter=order)]] = value
        return found
