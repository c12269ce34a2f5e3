"""NDCG made smooth, so that weights can follow its slope: what is chosen is what will be measured.

    rank_t = ½ + Σ_j σ((s_j − s_t) / τ)        gain_t = σ((k + ½ − rank_t) / w) / log2(1 + rank_t)

Qin, Liu and Li, A general approximation framework for direct optimization of information retrieval measures, 2010, eq. 9 and 22.
Differs from the paper: the cut at k is smooth too, weights stay at 0 or above, and a prior holds them near where they start. With it few
people follow the slope a little and many as far as it leads; on halves of the people of validation that held on the other half, or lost
less than chance, on Beauty, films and the demo shop (docs/model.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from recommend.pools import Group, K
from recommend.usual import spread_of

SOFTNESS = 0.07  # τ, where all scores of a pool have a spread of about 1
_EDGE = 3.0  # w: ranks over which the cut at k fades
PEOPLE = 3.0  # that the prior counts for; NDCG moves far less than a likelihood, so this holds about as fast as thirty there
_DEPTH = 200  # candidates of a person that are looked at: the best under the start
_STEPS = 40
_PAIRS = 4096

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A group's best candidates under the start, views in units of their spread.

    Args:
        features: float32 [views, people, depth].
        valid: bool [people, depth].
        rows, columns: places of the targets.
        worth: float64 [targets], 1 / ideal DCG of the person.
    """

    features: Floats
    valid: NDArray[np.bool_]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    worth: NDArray[np.float64]

    @classmethod
    def of(cls, group: Group, weights: NDArray[np.float64], used: NDArray[np.int64], spread: NDArray[np.float64]) -> _Prepared:
        depth = min(_DEPTH + int(group.targets.sum(axis=1).max(initial=0)), group.valid.shape[1])
        # The targets first, so that none is cut off.
        keys = np.where(group.targets, np.float32(np.inf), group.scores(weights))
        best = np.argpartition(-keys, depth - 1, axis=1)[:, :depth] if depth < keys.shape[1] else np.argsort(-keys, axis=1)
        features = np.stack([np.take_along_axis(group.features[view] / np.float32(spread[view]), best, 1) for view in used])
        rows, columns = np.nonzero(np.take_along_axis(group.targets, best, 1))
        ideal = np.cumsum(1 / np.log2(np.arange(2, K + 2)))[np.clip(group.n_targets, 1, K) - 1]
        return cls(features.astype(np.float32), np.take_along_axis(group.valid, best, 1), rows, columns, 1 / ideal[rows])

    def gain(self, values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Sum of the people's smooth NDCG, and its slope by weight (float64 [views]).

        Args:
            values: float64 [views], weights in units of the views' spread.
        """
        scores = np.where(self.valid, np.tensordot(values.astype(np.float32), self.features, 1), np.float32(-1e9))
        pull = np.zeros_like(scores)
        total = 0.0
        for start in range(0, len(self.rows), _PAIRS):
            some = slice(start, start + _PAIRS)
            rows, columns, worth = self.rows[some], self.columns[some], self.worth[some]
            above = expit((scores[rows] - scores[rows, columns][:, None]) / np.float32(SOFTNESS))
            rank = 0.5 + above.sum(axis=1, dtype=np.float64)
            inside = expit((K + 0.5 - rank) / _EDGE)
            gain = worth * inside / np.log2(1 + rank)
            total += float(gain.sum())
            by_rank = -gain * ((1 - inside) / _EDGE + 1 / ((1 + rank) * np.log(1 + rank)))
            moves = (by_rank / SOFTNESS).astype(np.float32)[:, None] * above * (1 - above)
            people, firsts = np.unique(rows, return_index=True)
            pull[people] += np.add.reduceat(moves, firsts, axis=0)
            np.subtract.at(pull, (rows, columns), moves.sum(axis=1))
        return total, np.tensordot(self.features, pull, ([1, 2], [0, 1])).astype(np.float64)


def ascend(groups: Sequence[Group], start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights ≥ 0 of the largest smooth NDCG@20 under a prior around the start, as loud together as the start.

    Args:
        groups: people who all have a target.
        start: float64 [views], not all 0; the likeliest weights.

    Returns:
        float64 [views].
    """
    from scipy.optimize import minimize

    spread = spread_of(groups)
    used = np.flatnonzero(spread > 0)
    loud = float(np.linalg.norm(start * spread))
    first = (start * spread)[used] / loud
    prepared = [_Prepared.of(group, start, used, spread) for group in groups]
    n_people = sum(len(group.n_targets) for group in groups)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        away = values - first
        found = [one.gain(values) for one in prepared]
        value = PEOPLE * float(away @ away) - sum(gain for gain, _ in found)
        slope = 2 * PEOPLE * away - np.sum([slope for _, slope in found], axis=0)
        return value / n_people, slope / n_people

    bounds = [(0, None)] * len(used)
    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _STEPS})
    weights = np.zeros(len(spread))
    weights[used] = np.where(found.x > 1e-6, found.x, 0) / spread[used]
    size = float(np.linalg.norm(weights * spread))
    return np.asarray(weights * loud / size) if size else start
