"""From a score to a probability that is right as often as it says: isotonic steps, joined by lines, and their measured error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kg.errors import InputError

BINS = 10


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


def fit_calibration(scores: ArrayLike, right: ArrayLike, prior: float = 2.0) -> Calibration:
    """Isotonic regression (pool adjacent violators; Barlow et al., 1972) on held-out scores, smoothed for small samples.

    Differs from the plain method: before pooling, scores are put into bins of about √n neighbours, and each bin is drawn towards its own
    mean score by `prior` pseudo-observations, so that ten held-out rows do not say that .9 means 1.

    Args:
        scores: float [n], 0..1.
        right: bool [n].
        prior: weight of the score itself in each bin, in observations.
    """
    x, y = np.asarray(scores, np.float64), np.asarray(right, np.float64)
    if len(x) < BINS:
        return IDENTITY
    order = np.argsort(x, kind="stable")
    groups = np.array_split(order, max(2, min(25, int(np.sqrt(len(x))))))
    centres = np.array([x[g].mean() for g in groups])
    sizes = np.array([len(g) + prior for g in groups])
    means = np.array([(y[g].sum() + prior * x[g].mean()) / (len(g) + prior) for g in groups])
    pooled = _pooled(means, sizes)
    keep = np.r_[True, np.diff(centres) > 1e-6]
    knots = [(0.0, min(float(pooled[0]), float(centres[0]))), *zip(centres[keep].tolist(), pooled[keep].tolist(), strict=True)]
    if knots[1][0] <= 1e-6:
        knots = knots[1:]
    return Calibration(tuple(round(k[0], 6) for k in knots), tuple(round(min(max(k[1], 0.0), 1.0), 6) for k in knots))


def _pooled(means: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    blocks: list[list[float]] = []
    for mean, size in zip(means, sizes, strict=True):
        blocks.append([float(mean), float(size), 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            last = blocks.pop()
            total = blocks[-1][1] + last[1]
            blocks[-1] = [(blocks[-1][0] * blocks[-1][1] + last[0] * last[1]) / total, total, blocks[-1][2] + last[2]]
    return np.concatenate([np.full(int(count), mean) for mean, _, count in blocks])


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
