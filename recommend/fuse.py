"""The few weights of the score, chosen on validation.

Chosen one after the other: the weights for new products and those for known ones, each among candidates of their own kind;
then how loud new products are against known ones (one factor) and δ, in one joint list. Weights are not learnt by softmax
together with the tower: that lost 1 to 3 points (heavy tails are shrunk).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recommend.pools import POPULARITY, Group, K, ndcg_of, per_person
from recommend.smooth import ascend
from recommend.usual import likeliest, usual_weights
from recommend.weights import BranchWeights

FACTORS = (0.125, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 8.0)  # how loud new products are
DELTAS = (-2.0, -1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0, 2.0)  # what they get beside, in mean scores of known products
_FAR = 0.1  # share of new products in the lists that a factor of 2, or a δ of 1, is worth

# What holds where nothing can be chosen (the study on Beauty).
START_SEEN = {"gnn": 10.0, "ease": 60.0, "next_bought": 60.0, "co_bought": 30.0, "co_bought_similar": 28.0, "similar": 4.2}
START_UNSEEN = {"gnn": 10.0, "co_bought_similar": 160.0, "similar": 12.0, "similar_wide": 0.7}


def search(groups: Sequence[Group], shares: Mapping[str, float]) -> tuple[dict[str, float], float]:
    """Weights of one kind of candidates, chosen over several slices at once.

    The likeliest weights under a prior around the usual ones, and from there up the slope of a smooth NDCG (`smooth.ascend`).

    Args:
        groups: one for each slice, views in the same order.
        shares: what is usual, by view (`usual.shares_of`).

    Returns:
        Weights above 0 by view, and their NDCG@20 (mean over people).
    """
    useful = [group.with_targets() for group in groups if group.n_targets.any()]
    names, usual = groups[0].names, usual_weights(groups, shares)
    if not useful:
        return _named(names, usual), 0.0
    chosen = likeliest(useful, usual)
    if not chosen.any():
        return _named(names, usual), 0.0
    chosen = ascend(useful, chosen)
    return _named(names, chosen), float(per_person(useful, chosen).mean())


def _named(names: Sequence[str], weights: NDArray[np.float64]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, weights, strict=True) if value}


_Joint = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], NDArray[np.int64]]  # known, new, targets, how many


def joint(
    pairs: Sequence[tuple[Group, Group]], people: Sequence[NDArray[np.bool_]], seen: dict[str, float], unseen: dict[str, float]
) -> tuple[float, float, float]:
    """How loud new products are, and δ, in one list of both kinds.

    Args:
        pairs: known and new candidates of each slice.
        people: of each slice, who counts (bool [people]).
        seen, unseen: weights of the two kinds.

    Returns:
        Factor on the weights of new products, δ, and the NDCG@20 of the joint list.
    """
    prepared: list[_Joint] = []
    for (known, new), who in zip(pairs, people, strict=True):
        chosen = np.flatnonzero(who & (known.n_targets + new.n_targets > 0))
        if len(chosen):
            scores = [
                group.scores(np.array([w.get(name, 0.0) for name in group.names]))[chosen] for group, w in ((known, seen), (new, unseen))
            ]
            targets = np.concatenate([known.targets[chosen], new.targets[chosen]], axis=1)
            prepared.append((scores[0], scores[1], targets, (known.n_targets + new.n_targets)[chosen]))
    if not prepared:
        return 1.0, 0.0, 0.0
    # Where no new product is looked for, the search would only learn to bury them; then both kinds count alike.
    if not any(new.n_targets.any() for _, new in pairs):
        return 1.0, 0.0, float(np.mean([ndcg_of(known, targets[:, : known.shape[1]], n).mean() for known, _, targets, n in prepared]))

    spread = float(np.mean([np.abs(a[np.isfinite(a)]).mean() if np.isfinite(a).any() else 0.0 for a, *_ in prepared])) or 1.0
    cells = [(factor, delta * spread) for factor in FACTORS for delta in DELTAS]
    figures = [[ndcg_of(_list(one, *cell), one[2], one[3]) for one in prepared] for cell in cells]
    table = np.array([float(np.mean([found.mean() for found in one])) for one in figures]).reshape(len(FACTORS), len(DELTAS))
    # The mean over neighbours of the grid: a lone peak is noise, a plateau holds on other slices too.
    best = int(_smoothed(table).argmax())
    best = _balanced(prepared, cells, [np.concatenate(one) for one in figures], best, spread)
    return *cells[best], float(table.flat[best])


def _balanced(
    prepared: Sequence[_Joint], cells: Sequence[tuple[float, float]], figures: Sequence[NDArray[np.float64]], best: int, spread: float
) -> int:
    """Of the cells that are as good as the best but for chance, the one whose lists hold the share of new products that targets do.

    Few people cannot tell how loud new products are, and the loudest are as good as any; how many targets are new they can tell. Of
    cells that do that about as well, the one nearest to a factor of 1 and no δ: the likeliest weights of both kinds are logits, so on
    one scale already (on slices of the demo shop that held out better than what was chosen), and being new is the poorest reason.
    """
    wanted = sum(int(t[:, a.shape[1] :].sum()) for a, _, t, _ in prepared) / sum(int(t.sum()) for _, _, t, _ in prepared)
    tied = [place for place, found in enumerate(figures) if _within_chance(figures[best] - found)]

    def cost(place: int) -> float:
        factor, delta = cells[place]
        return abs(_share_of_new(prepared, factor, delta) - wanted) + _FAR * (abs(math.log2(factor)) + abs(delta / spread))

    return min(tied, key=cost)


def _within_chance(difference: NDArray[np.float64]) -> bool:
    return bool(difference.mean() <= difference.std() / np.sqrt(len(difference)))


def _share_of_new(prepared: Sequence[_Joint], factor: float, delta: float) -> float:
    """How much of the lists of K is new, mean over people."""
    shares = []
    for one in prepared:
        scores = _list(one, factor, delta)
        k = min(K, scores.shape[1])
        top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        shares.append((top >= one[0].shape[1]).mean(axis=1))
    return float(np.concatenate(shares).mean())


def _list(one: _Joint, factor: float, delta: float) -> NDArray[np.float32]:
    known, new, *_ = one
    return np.concatenate([known, new * np.float32(factor) + np.float32(delta)], axis=1)


def _smoothed(table: NDArray[np.float64]) -> NDArray[np.float64]:
    padded = np.pad(table, 1, mode="edge")
    around = [padded[r : r + table.shape[0], c : c + table.shape[1]] for r in range(3) for c in range(3)]
    return np.asarray(0.5 * table + 0.5 * np.mean(around, axis=0))


def branch_weights(seen: dict[str, float], unseen: dict[str, float], factor: float, delta: float) -> BranchWeights:
    """Weights of a branch from what was found."""
    known = {name: value for name, value in seen.items() if name != POPULARITY}
    new = {name: value * factor for name, value in unseen.items() if name != POPULARITY}
    return BranchWeights(known, new, newness=delta, popularity=seen.get(POPULARITY, 0.0))
