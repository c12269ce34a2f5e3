"""Which candidate is the brand: a small network that scores each, and a softmax over a title's candidates.

score(x) = w · tanh(W x + b) + v · x, P(candidate) = exp(score) / Σ over the title's candidates, "no brand" among them: the conditional
logit of McFadden (1974) with one hidden layer beside the linear part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kg.digest import digest_arrays
from kg.seeds import generator

Floats = NDArray[np.float32]
_ROWS = 8192


@dataclass(frozen=True, slots=True)
class BrandModel:
    """Weights.

    Args:
        hidden: float32 [width, units].
        bias: float32 [units].
        out: float32 [units].
        linear: float32 [width].
    """

    hidden: Floats
    bias: Floats
    out: Floats
    linear: Floats

    @property
    def digest(self) -> str:
        """Digest of the weights."""
        return digest_arrays([self.hidden, self.bias, self.out, self.linear])

    def probabilities(self, features: Floats, owner: NDArray[np.int64]) -> NDArray[np.float64]:
        """Probability of each candidate among those of its title.

        Args:
            features: float32 [candidates, width].
            owner: int64 [candidates], ascending: the title of each.
        """
        # In float64, so that the size of a batch shows in no digit that is kept.
        hidden, bias, out, linear = (a.astype(np.float64) for a in (self.hidden, self.bias, self.out, self.linear))
        scores = np.empty(len(features))
        for start in range(0, len(features), _ROWS):
            x = features[start : start + _ROWS].astype(np.float64)
            scores[start : start + _ROWS] = np.tanh(x @ hidden + bias) @ out + x @ linear
        return softmax(scores, owner)

    def to_dict(self) -> dict[str, Any]:
        """JSON form, rounded to 5 digits."""
        return {name: np.round(getattr(self, name).astype(float), 5).tolist() for name in ("hidden", "bias", "out", "linear")}

    @classmethod
    def from_dict(cls, weights: Mapping[str, Any]) -> BrandModel:
        """The model of a JSON form."""
        return cls(*(np.array(weights[name], np.float32) for name in ("hidden", "bias", "out", "linear")))


def softmax(scores: NDArray[np.float64], owner: NDArray[np.int64]) -> NDArray[np.float64]:
    """Softmax within each run of equal owners (ascending)."""
    if not len(scores):
        return scores
    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    group = np.cumsum(np.r_[False, owner[1:] != owner[:-1]])
    e = np.exp(scores - np.maximum.reduceat(scores, starts)[group])
    shares: NDArray[np.float64] = e / np.add.reduceat(e, starts)[group]
    return shares


def train(
    features: Floats,
    owner: NDArray[np.int64],
    target: NDArray[np.float32],
    weight: NDArray[np.float32] | None = None,
    units: int = 16,
    decay: float = 1e-3,
    seed: int = 0,
    start: BrandModel | None = None,
    steps: int = 300,
) -> BrandModel:
    """Fit by maximum likelihood with L-BFGS.

    Args:
        features: float32 [candidates, width].
        owner: int64 [candidates], ascending.
        target: float32 [candidates], the share of right in each title (sums to 1 over a title that counts).
        weight: float32 [titles in order of owner], how much each title counts; None: all 1.
        units: hidden units.
        decay: weight of the squared norm of the weights, per title.
        seed: of the first weights.
        start: weights to go on from, and towards which `decay` pulls; None: zero.
        steps: at most so many iterations.
    """
    from scipy.optimize import minimize

    width = features.shape[1]
    draw = generator(seed, "brand model")
    first = start or BrandModel(
        (draw.standard_normal((width, units)) * 0.1).astype(np.float32),
        np.zeros(units, np.float32),
        (draw.standard_normal(units) * 0.1).astype(np.float32),
        np.zeros(width, np.float32),
    )
    x0 = np.concatenate([a.ravel() for a in (first.hidden, first.bias, first.out, first.linear)]).astype(np.float64)
    centre = x0 if start else np.zeros_like(x0)
    group = np.cumsum(np.r_[False, owner[1:] != owner[:-1]])
    per_title = np.ones(group[-1] + 1) if weight is None else weight.astype(np.float64)
    per_candidate = per_title[group]
    x = features.astype(np.float64)
    cuts = np.cumsum([width * units, units, units])
    total = per_title.sum()

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        hidden, bias, out, linear = np.split(theta, cuts)
        h = np.tanh(x @ hidden.reshape(width, units) + bias)
        p = softmax(h @ out + x @ linear, owner)
        error = (p - target) * per_candidate
        value = -float((per_candidate * target * np.log(np.maximum(p, 1e-12))).sum()) / total
        back = error[:, None] * out * (1 - h * h)
        gradient = np.concatenate([(x.T @ back).ravel(), back.sum(0), h.T @ error, x.T @ error]) / total
        shift = theta - centre
        return value + decay * float(shift @ shift), gradient + 2 * decay * shift

    found = minimize(loss, x0, jac=True, method="L-BFGS-B", options={"maxiter": steps}).x
    hidden, bias, out, linear = (a.astype(np.float32) for a in np.split(found, cuts))
    return BrandModel(hidden.reshape(width, units), bias, out, linear)
