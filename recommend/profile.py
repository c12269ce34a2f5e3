"""Who asks: the products that speak for a person, and how loudly each does."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from kg.errors import StateError


class Branch(StrEnum):
    """How an answer was reached."""

    KNOWN = "known"  # 5 events or more
    FEW_EVENTS = "few_events"  # 1 to 4
    SESSION = "session"
    NEW_USER = "new_user"
    SIMILAR = "similar"
    TEXT = "text"
    NEW_PRODUCT = "new_product"
    POPULAR = "popular"


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The history that a score is a sum over: score(i) = Σ_j weights[j] · S(item_rows[j], i).

    Args:
        branch: which set of fusion weights applies.
        item_rows: int32 [h], distinct item rows of the history, ascending.
        weights: float32 [h], |H|^-1/2 times recency and repetition; positive.
        exclude: int32 [x], item rows that must not be recommended (already bought, the asked product).

    Raises:
        StateError: arrays of different length.
    """

    branch: Branch
    item_rows: NDArray[np.int32]
    weights: NDArray[np.float32]
    exclude: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    def __post_init__(self) -> None:
        if self.item_rows.shape != self.weights.shape:
            raise StateError("A profile needs one weight for each product.")
