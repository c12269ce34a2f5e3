"""Two readings of a slot as one: a logistic regression on the log odds that the CRFs and the encoder give each span.

P(span is right) = σ(b + w_c logit p_c + w_e logit p_e), fitted on held-out rows; a span that one of them does not name has its floor. The
weights are drawn towards the plain mean of the log odds, so that forty rows do not decide whom to believe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from extraction.calibrate import logistic_near

Place = tuple[int, int]
Reading = Mapping[Place, float]
FLOOR = 0.005
_PRIOR = np.array([0.0, 0.5, 0.5])


@dataclass(frozen=True, slots=True)
class Mix:
    """Weights of the regression: what is added, of the CRFs, of the encoder."""

    bias: float = 0.0
    crf: float = 0.5
    encoder: float = 0.5

    def __call__(self, crf: Reading, encoder: Reading) -> dict[Place, float]:
        """Probability of each span that either names."""
        places = list(dict.fromkeys([*crf, *encoder]))
        if not places:
            return {}
        odds = _odds(places, crf, encoder) @ np.array([self.bias, self.crf, self.encoder])
        return dict(zip(places, (1 / (1 + np.exp(-odds))).tolist(), strict=True))


MEAN = Mix()


def _odds(places: Sequence[Place], crf: Reading, encoder: Reading) -> NDArray[np.float64]:
    given = np.array([[one.get(place, FLOOR) for one in (crf, encoder)] for place in places])
    given = np.clip(given, FLOOR, 1 - FLOOR)
    return np.column_stack([np.ones(len(places)), np.log(given / (1 - given))])


def fit_mix(slots: Iterable[tuple[Reading, Reading, frozenset[Place]]], penalty: float = 3.0) -> Mix:
    """Maximum likelihood with a Gaussian prior around the mean of the log odds (`logistic_near`).

    Args:
        slots: what the CRFs and the encoder say about a held-out slot, and its right spans.
        penalty: weight of the squared distance from the prior.
    """
    rows, right = [], []
    for crf, encoder, gold in slots:
        places = list(dict.fromkeys([*crf, *encoder]))
        if places:
            rows.append(_odds(places, crf, encoder))
            right += [place in gold for place in places]
    if not rows:
        return MEAN
    weights = logistic_near(np.vstack(rows), np.array(right, np.float64), _PRIOR, penalty)
    return Mix(*(round(float(w), 6) for w in weights))
