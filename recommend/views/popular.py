"""Popularity: what a product gets whoever asks, ln(1 + people) / ln(1 + most people), in 0..1."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


def popularity(interactions: sp.csr_array) -> NDArray[np.float64]:
    """Popularity of each product (float64 [n_items]) from users × products."""
    people = np.bincount(interactions.indices, minlength=interactions.shape[1])
    return np.log1p(people) / max(float(np.log1p(people.max(initial=0))), 1e-9)
