"""Two vectors a product, as the models to compare with leave them behind. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Factors:
    """A person is the sum of the source vectors of the history; the score of a product is the inner product, and its bias.

    Args:
        source, target: float32 [n_items, d].
        bias: float32 [n_items].
        report: how the fit went, as JSON values.
    """

    source: NDArray[np.float32]
    target: NDArray[np.float32]
    bias: NDArray[np.float32]
    report: Mapping[str, Any] = field(default_factory=dict)

    def scores(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Scores of many histories (CSR [b, n_items] → float32 [b, n_items])."""
        people = np.asarray(profiles @ self.source, np.float32)
        return np.asarray(people @ self.target.T + self.bias, np.float32)
