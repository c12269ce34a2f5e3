"""What the field measures of shown paths, for comparison with publications; none of it says whether a path moved the score.

LIR, SEP, ETD (here PTD): Balloccu, Boratto, Fenu, Marras, "Post Processing Recommender Systems with Knowledge Graphs for Recency,
Popularity, and Diversity of Explanations", SIGIR 2022. LID, SED, PTC: the same with Cancedda, "Knowledge is Power, Understanding is
Impact: Utility and Beyond Goals, Explanation Quality, and Fairness in Path Reasoning Recommendation", ECIR 2023.

Differs from the papers: what a collaborative path shares with the product is there another person; here no person is named, and it is the
product before it on the path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DECAY = 0.3  # β of both moving averages

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Told:
    """The path that a recommendation is explained by.

    Args:
        start: item row of the history product.
        shared: what the path shares with the product: "entity" or "item", and its row.
        kind: the relations of its edges.
    """

    start: int
    shared: tuple[str, int]
    kind: tuple[str, ...]


def moving(values: Floats) -> Floats:
    """m_1 = x_1, m_i = (1 − β) m_{i−1} + β x_i of ascending values, scaled to 0..1; ones where all are equal (float64, as long)."""
    made = np.array(values, np.float64)
    for place in range(1, len(made)):
        made[place] = (1 - DECAY) * made[place - 1] + DECAY * made[place]
    if not len(made) or made[-1] == made[0]:
        return np.ones(len(made))
    return np.asarray((made - made[0]) / (made[-1] - made[0]))


def by_row(values: Floats) -> Floats:
    """`moving` of values in any order, given back in that order."""
    order = np.argsort(values, kind="stable")
    made = np.empty(len(values))
    made[order] = moving(values[order])
    return made


def list_figures(
    told: Sequence[Told], recency: Mapping[int, float] | None, popularity: Mapping[str, Floats], kinds: int
) -> dict[str, float]:
    """LIR, SEP, LID, SED, PTD and PTC of one list of recommendations; all 0..1.

    Args:
        told: a path for each recommendation that has one; at least one.
        recency: of each history product (`moving` of its times); None where purchases have no order, then there is no LIR.
        popularity: of each row, by what it is ("entity", "item").
        kinds: how many kinds of paths there are.
    """
    size = len(told)
    made = {
        "SEP": float(np.mean([popularity[what][row] for what, row in (one.shared for one in told)])),
        "LID": len({one.start for one in told}) / size,
        "SED": len({one.shared for one in told}) / size,
        "PTD": len({one.kind for one in told}) / min(size, kinds),
        "PTC": evenness([one.kind for one in told]),
    }
    return made if recency is None else {"LIR": float(np.mean([recency[one.start] for one in told])), **made}


def evenness(kinds: Sequence[Hashable]) -> float:
    """Simpson's 1 − Σ n (n − 1) / (N (N − 1)); 0 for one path."""
    size = len(kinds)
    if size < 2:
        return 0.0
    return 1 - sum(n * (n - 1) for n in Counter(kinds).values()) / (size * (size - 1))
