"""What the views' weights usually are, and how far the people of validation move them.

Views have units of their own, so what is usual is said in shares of the spread of scores: weight × root mean square of the view over
the candidates of a shop's people.

Few people cannot tell good weights from lucky ones: on the tests' shop (30 people a slice) a search on NDCG alone gains points where it
chooses and loses them on the other slices. So weights start as the likeliest ones under a prior around the usual, which counts as much
as `PEOPLE` people do: five people move them little, thousands as far as they like.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recommend.pools import POPULARITY, Group

PEOPLE = 30.0  # that the prior counts for
SEEN = {"gnn": 0.3, "ease": 0.2, "co_bought": 0.15, "co_bought_similar": 0.15, "next_bought": 0.1, "next_ease": 0.1}
SEEN |= {"similar": 0.1, "similar_wide": 0.1}
UNSEEN = {"gnn": 0.3, "co_bought_similar": 0.25, "similar_wide": 0.25, "similar": 0.1}
_FACT = {True: 0.01, False: 0.03}  # of known and of new products
_LINK = 0.03
_PULL = 1e-4  # towards weights of 0, so that the best is one
_SILENT = 1e-7  # spread up to which a view says nothing: what has faded away must not be made loud


def shares_of(names: Collection[str], seen: bool, links: Collection[str]) -> dict[str, float]:
    """The usual share of each view, for known or for new candidates; together about 1; `usual_weights` scales those that are there to 1."""
    usual, known = SEEN if seen else UNSEEN, {*SEEN, *UNSEEN, POPULARITY}
    return {name: usual.get(name, 0.0) if name in known else _LINK if name in links else _FACT[seen] for name in names}


def spread_of(groups: Sequence[Group]) -> NDArray[np.float64]:
    """Root mean square of each view over the candidates of all people, 0 for a view that says nothing (float64 [views])."""
    squares = [[float((one[group.valid] ** 2).mean()) if group.valid.any() else 0.0 for one in group.features] for group in groups]
    found = np.sqrt(np.mean(squares, axis=0))
    return np.asarray(np.where(found > _SILENT, found, 0.0))


def usual_weights(groups: Sequence[Group], shares: Mapping[str, float]) -> NDArray[np.float64]:
    """Weights under which each view has its usual share of a spread of 1; 0 for a view that says nothing here."""
    spread = spread_of(groups)
    wanted = np.array([shares.get(name, 0.0) for name in groups[0].names])
    there = np.where(spread > 0, wanted, 0.0)
    if not there.any():  # nobody to see a spread by: the shares themselves
        return wanted
    return np.asarray(there / there.sum() / np.where(spread > 0, spread, 1.0))


def likeliest(groups: Sequence[Group], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights ≥ 0 of the largest posterior: targets by softmax over each person's pool, weights × spread normal around the usual ones.

    Convex. The prior weighs `PEOPLE` / people of the groups.

    Args:
        groups: people who all have a target.
        usual: float64 [views].

    Returns:
        float64 [views]; zeros where no view says anything.
    """
    from scipy.optimize import minimize

    spread = spread_of(groups)
    used = np.flatnonzero(spread > 0)
    weights = np.zeros(len(spread))
    if not len(used):
        return weights
    n_people = sum(len(group.n_targets) for group in groups)
    scaled = [(group.features[used] / spread[used, None, None]).astype(np.float32) for group in groups]
    shares = [group.targets / np.maximum(group.n_targets, 1)[:, None] for group in groups]
    centre, pull = (usual * spread)[used], PEOPLE / n_people

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        away = values - centre
        value = pull * float(away @ away) + _PULL * float(values @ values)
        slope = 2 * pull * away + 2 * _PULL * values
        for group, features, wanted in zip(groups, scaled, shares, strict=True):
            logits = np.where(group.valid, np.tensordot(values.astype(np.float32), features, 1), -np.inf)
            logits -= logits.max(axis=1, keepdims=True)
            exponents = np.exp(logits)
            totals = exponents.sum(axis=1, keepdims=True)
            rest = (exponents / totals - wanted).astype(np.float32) / n_people
            value += float((np.log(totals) - logits)[group.targets] @ wanted[group.targets]) / n_people
            slope = slope + np.tensordot(features, rest, ([1, 2], [0, 1]))
        return value, slope

    bounds = [(0, None)] * len(used)
    found = minimize(loss, np.maximum(centre, 0.05), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60})
    weights[used] = np.where(found.x > 1e-6, found.x, 0) / spread[used]
    return weights
