"""From a score to a probability that is right as often as it says: a line through the log odds, and its measured error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kg.errors import InputError

BINS = 10
_STEPS = 30
# Where the line is kept; nearer to 0 and 1 a score says no more.
_KNOTS: NDArray[np.float64] = np.array([0.005, 0.01, 0.02, *(round(0.05 * k, 2) for k in range(1, 20)), 0.98, 0.99, 0.995])


@dataclass(frozen=True, slots=True)
class Calibration:
    """A rising map from scores in 0..1 to probabilities.

    Args:
        scores: knots, rising.
        probabilities: their values, never falling; between knots the line is taken, outside them the nearest knot.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.scores, self.scores[1:], strict=False))
        kept = all(0 <= a <= b <= 1 for a, b in zip(self.probabilities, self.probabilities[1:], strict=False))
        if not self.scores or len(self.scores) != len(self.probabilities) or not rising or not kept:
            raise InputError("A calibration needs rising scores and probabilities that do not fall.", "Fit it again.")

    def __call__(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Probabilities float64 of scores."""
        mapped: NDArray[np.float64] = np.interp(np.asarray(scores, np.float64), self.scores, self.probabilities)
        return mapped

    def one(self, score: float) -> float:
        """The probability of one score."""
        return float(np.interp(score, self.scores, self.probabilities))

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"scores": list(self.scores), "probabilities": list(self.probabilities)}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Calibration:
        """The calibration of a JSON form."""
        return cls(tuple(kept["scores"]), tuple(kept["probabilities"]))


IDENTITY = Calibration((0.0, 1.0), (0.0, 1.0))


def fit_calibration(scores: ArrayLike, right: ArrayLike, penalty: float = 2.0) -> Calibration:
    """Logistic calibration (Platt, 1999) of held-out scores: P(right) = σ(a + b logit score), b ≥ 0, kept as knots.

    Differs from the paper: the fit is drawn towards the score itself (a = 0, b = 1), so that ten held-out rows do not say that .9 means 1.
    Isotonic steps were tried: on the train titles of OA-Mine their expected calibration error is .039 where this has .028, on those of
    AE-110K .027 and .030.

    Args:
        scores: float [n], 0..1.
        right: bool [n].
        penalty: weight of the squared distance from the score itself.
    """
    x, y = _odds(np.asarray(scores, np.float64)), np.asarray(right, np.float64)
    if len(x) < BINS:
        return IDENTITY
    weights = logistic_near(np.column_stack([np.ones(len(x)), x]), y, np.array([0.0, 1.0]), penalty)
    odds = weights[0] + max(float(weights[1]), 0.0) * _odds(_KNOTS)
    return Calibration(tuple(_KNOTS.tolist()), tuple(round(float(p), 6) for p in 1 / (1 + np.exp(-odds))))


def logistic_near(rows: NDArray[np.float64], right: NDArray[np.float64], prior: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
    """Weights of a logistic regression, drawn towards others: the largest posterior under a Gaussian prior (Newton's method).

    Args:
        rows: float64 [n, d].
        right: float64 [n], 0 or 1.
        prior: float64 [d], where the weights are without any row.
        penalty: weight of the squared distance from the prior; above 0.

    Returns:
        float64 [d].
    """
    weights = prior
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(rows @ weights)))
        slope = rows.T @ (p - right) + penalty * (weights - prior)
        curve = (rows * (p * (1 - p))[:, None]).T @ rows + penalty * np.eye(len(prior))
        step = np.linalg.solve(curve, slope)
        # Far steps overshoot where nearly all rows are right.
        weights = weights - step / max(1.0, float(np.abs(step).max()))
    return weights


def _odds(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.clip(scores, _KNOTS[0], _KNOTS[-1])
    odds: NDArray[np.float64] = np.log(kept / (1 - kept))
    return odds


def calibration_error(probabilities: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """Expected calibration error, Σ_b |b|/n · |mean probability − share right|, over bins of equal size (0 is best).

    Args:
        probabilities: float [n].
        right: bool [n].
        bins: how many.
    """
    p, y = np.asarray(probabilities, np.float64), np.asarray(right, np.float64)
    if not len(p):
        return 0.0
    groups = np.array_split(np.argsort(p, kind="stable"), min(bins, len(p)))
    return float(sum(abs(p[g].mean() - y[g].mean()) * len(g) for g in groups) / len(p))
