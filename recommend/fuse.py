"""The few weights of the score, by coordinate search on validation NDCG@20.

Chosen one after the other: the weights for new products and those for known ones, each among candidates of their own kind;
then how loud new products are against known ones (one factor) and δ, in one joint list. Weights are not learnt by softmax
together with the tower: that lost 1 to 3 points (heavy tails are shrunk).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommend.tasks import Task
from recommend.views.base import View
from recommend.weights import BranchWeights

K = 20
POPULARITY = "popularity"
STEPS = (0.0, 0.25, 0.5, 0.75, 1.5, 2.0, 4.0)
ROUNDS = 3
GAIN = 2e-4  # a weight moves only for more than this in NDCG: less is noise
SURE = 0.5  # … and for more than so many standard errors of the difference
FACTORS = (0.125, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 8.0)  # how loud new products are
DELTAS = (-2.0, -1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0, 2.0)  # what they get beside, in mean scores of known products
FEW_PEOPLE = 500  # of validation below which it cannot tell the two
_POOL = 200  # strongest candidates of each view that a person's pool holds …
_POOL_OF_ALL = 2000  # … where the views are few enough that so many hold them
_BLOCK = 256
_PULL = 1e-4  # towards weights of 0, in the softmax

# Where the search starts (the study on Beauty, design/model.md), and the unit of a view that starts at 0.
START_SEEN = {"gnn": 10.0, "ease": 60.0, "next_bought": 60.0, "co_bought": 30.0, "co_bought_similar": 28.0, "similar": 4.2}
START_UNSEEN = {"gnn": 10.0, "co_bought_similar": 160.0, "similar": 12.0, "similar_wide": 0.7}
WORDS_ALONE = {"similar": 4.0, "similar_wide": 4.0}
UNITS = {
    "gnn": 10.0,
    "co_bought": 60.0,
    "co_bought_similar": 60.0,
    "similar": 6.0,
    "similar_wide": 1.0,
    "next_bought": 60.0,
    "ease": 60.0,
    POPULARITY: 0.2,
}
_FACT_UNIT = 0.3
_LINK_UNITS = 5.0


@dataclass(frozen=True, eq=False)
class Group:
    """Candidates of one kind (known or new) for a sample of people, strongest of each view only.

    Args:
        names: views, in the order of `features`.
        features: float32 [views, people, pool]; −inf never.
        valid: bool [people, pool], False where a place is empty or no candidate.
        targets: bool [people, pool].
        n_targets: int64 [people], targets of this kind.
    """

    names: tuple[str, ...]
    features: NDArray[np.float32]
    valid: NDArray[np.bool_]
    targets: NDArray[np.bool_]
    n_targets: NDArray[np.int64]

    def scores(self, weights: NDArray[np.float64]) -> NDArray[np.float32]:
        """Weighted sums (float32 [people, pool]), −inf where there is no candidate."""
        total = np.where(self.valid, np.float32(0), np.float32(-np.inf))
        for place in np.flatnonzero(weights):
            total += np.float32(weights[place]) * self.features[place]
        return total


def collect(
    views: Sequence[View],
    popularity: NDArray[np.float64],
    task: Task,
    profiles: sp.csr_array,
    seen: NDArray[np.bool_],
) -> dict[bool, Group]:
    """The features of a task's people, for known (True) and new (False) candidates."""
    names = (*(view.name for view in views), POPULARITY)
    pieces: dict[bool, list[tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]]] = {True: [], False: []}
    for start in range(0, task.n_users, _BLOCK):
        people = np.arange(start, min(start + _BLOCK, task.n_users))
        part = profiles[people]
        blocks = [np.asarray(view.block(sp.csr_array(part)), np.float32) for view in views]
        blocks.append(np.repeat(popularity.astype(np.float32)[None, :], len(people), axis=0))
        masked = sp.csr_array(task.masked[people]).toarray() > 0
        wanted = sp.csr_array(task.targets[people]).toarray() > 0
        for kind, found in pieces.items():
            columns = np.flatnonzero(task.candidates & (seen == kind))
            if len(columns):
                found.append(_pool([block[:, columns] for block in blocks], masked[:, columns], wanted[:, columns]))
    return {kind: _joined(names, found, task.n_users) for kind, found in pieces.items()}


def _pool(
    blocks: list[NDArray[np.float32]], masked: NDArray[np.bool_], wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    chosen = wanted.copy()
    keep = min(_POOL, _POOL_OF_ALL // len(blocks), chosen.shape[1])
    rows = np.arange(len(chosen))[:, None]
    for block in blocks:
        allowed = np.where(masked, -np.inf, block)
        best = np.argpartition(-allowed, keep - 1, axis=1)[:, :keep]
        chosen[rows, best] |= np.take_along_axis(block, best, 1) > 0
    chosen &= ~masked | wanted
    width = int(chosen.sum(axis=1).max(initial=1))
    order = np.argsort(~chosen, axis=1, kind="stable")[:, :width]
    valid = np.take_along_axis(chosen, order, 1)
    features = np.stack([np.where(valid, np.take_along_axis(block, order, 1), 0) for block in blocks]).astype(np.float32)
    return features, valid, np.take_along_axis(wanted, order, 1) & valid


def _joined(names: tuple[str, ...], pieces: list[tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]], n_people: int) -> Group:
    width = max((valid.shape[1] for _, valid, _ in pieces), default=1)
    features = np.zeros((len(names), n_people, width), np.float32)
    valid, targets = np.zeros((n_people, width), bool), np.zeros((n_people, width), bool)
    place = 0
    for some, there, wanted in pieces:
        rows = slice(place, place + some.shape[1])
        features[:, rows, : some.shape[2]], valid[rows, : some.shape[2]], targets[rows, : some.shape[2]] = some, there, wanted
        place += some.shape[1]
    return Group(names, features, valid, targets, targets.sum(axis=1).astype(np.int64))


def ndcg_of(scores: NDArray[np.float32], targets: NDArray[np.bool_], n_targets: NDArray[np.int64], k: int = K) -> NDArray[np.float64]:
    """NDCG@k of each person; a tie counts against the target (float64 [people])."""
    if scores.shape[1] > k and n_targets.sum() > 4 * len(scores):
        # Of many targets only those that reach the k-th best need a rank.
        targets = targets & (scores >= np.partition(scores, -k, axis=1)[:, [-k]])
    rows, columns = np.nonzero(targets)
    ranks = (scores[rows] >= scores[rows, columns][:, None]).sum(axis=1)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gains = np.where(ranks <= k, discounts[np.minimum(ranks, k) - 1], 0.0)
    ideal = np.cumsum(discounts)[np.clip(n_targets, 1, k) - 1]
    return np.bincount(rows, gains, minlength=len(scores)) / ideal


def unit_of(name: str, links: frozenset[str]) -> float:
    """The size of a first step for a view that starts at 0."""
    return UNITS.get(name, _LINK_UNITS if name in links else _FACT_UNIT)


def search(
    groups: Sequence[Group], starts: Sequence[dict[str, float]], links: frozenset[str] = frozenset()
) -> tuple[dict[str, float], float]:
    """Weights of one kind of candidates, chosen over several slices at once.

    The search runs from each start, the one believed in first and the softmax's last; what a later one finds is taken only when it
    is better by more than chance (`SURE` standard errors of the difference in pairs of people). On the demo shop the study's start
    alone ends 12 % below words alone on slices that were held out.

    Args:
        groups: one for each slice, views in the same order.
        starts: weights to start from, the one believed in first; other views start at 0.
        links: views of stated links, for their units.

    Returns:
        Weights above 0 by view, and their NDCG@20 (mean over people).
    """
    useful = [_with_targets(group) for group in groups if group.n_targets.any()]
    names = groups[0].names
    if not useful:
        return _named(names, _listed(names, starts[0])), 0.0
    units = np.array([unit_of(name, links) for name in names])
    chosen, figures = _climb(useful, _listed(names, starts[0]), units)
    for start in (*(_listed(names, start) for start in starts[1:]), _softmax(useful)):
        weights, found = _climb(useful, start, units)
        if better(found, figures):
            chosen, figures = weights, found
    return _named(names, chosen), float(figures.mean())


def _softmax(groups: Sequence[Group]) -> NDArray[np.float64]:
    """Weights ≥ 0 under which the targets are likeliest among each person's pool: one more start, in the data's own units.

    Convex, so that views whose usual size nobody has guessed are weighed too. On Beauty the search from here ends .3 points of NDCG
    above that from the study's weights for known products, and level for new ones (chosen on half of the people, looked at on the others).
    """
    from scipy.optimize import minimize

    scales = np.sqrt(np.mean([[float((one[group.valid] ** 2).mean()) for one in group.features] for group in groups], axis=0))
    weights = np.zeros(len(scales))
    used = np.flatnonzero(scales > 0)
    if not len(used):
        return weights
    scaled = [(group.features[used] / scales[used, None, None]).astype(np.float32) for group in groups]
    shares = [group.targets / np.maximum(group.n_targets, 1)[:, None] for group in groups]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, slope = _PULL * float(weights @ weights), 2 * _PULL * weights
        for group, features, wanted in zip(groups, scaled, shares, strict=True):
            logits = np.where(group.valid, np.tensordot(weights.astype(np.float32), features, 1), -np.inf)
            logits -= logits.max(axis=1, keepdims=True)
            exponents = np.exp(logits)
            totals = exponents.sum(axis=1, keepdims=True)
            rest = (exponents / totals - wanted).astype(np.float32) / len(logits)
            value += float((np.log(totals) - logits)[group.targets] @ wanted[group.targets]) / len(logits)
            slope = slope + np.tensordot(features, rest, ([1, 2], [0, 1]))
        return value, slope

    found = minimize(loss, np.full(len(used), 0.1), jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(used), options={"maxiter": 60})
    weights[used] = np.where(found.x > 1e-6, found.x, 0) / scales[used]
    return weights


def _climb(
    groups: Sequence[Group], weights: NDArray[np.float64], units: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinate search from one start; gives the weights and the NDCG of each person."""
    figures = _per_person(groups, weights)
    for _ in range(ROUNDS):
        before = figures.mean()
        for place in range(len(weights)):
            weights, figures = _turn(groups, weights, figures, place, units[place])
        if figures.mean() <= before + GAIN:
            break
    return weights, figures


def _turn(
    groups: Sequence[Group], weights: NDArray[np.float64], figures: NDArray[np.float64], place: int, unit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The best value of one weight, if it is better by more than chance; 0 where the view gives nothing."""
    base = float(weights[place]) or unit
    values = [base * step for step in STEPS] if any(group.features[place].any() for group in groups) else [0.0]
    rest = weights.copy()
    rest[place] = 0.0
    others = [group.scores(rest) for group in groups]
    best, best_figures = weights, figures
    for value in (*values, base):
        tried = rest.copy()
        tried[place] = value
        if value == weights[place] or not tried.any():
            continue
        totals = [total + np.float32(value) * group.features[place] for total, group in zip(others, groups, strict=True)]
        found = np.concatenate([ndcg_of(total, group.targets, group.n_targets) for total, group in zip(totals, groups, strict=True)])
        # A view that may go without loss goes: fewer views, fewer surprises.
        free = value == 0.0 and found.mean() >= figures.mean() and best is weights
        if free or (found.mean() > best_figures.mean() and better(found, figures)):
            best, best_figures = tried, found
    return best, best_figures


def better(found: NDArray[np.float64], than: NDArray[np.float64]) -> bool:
    """Whether figures of people are better than others of the same people by more than chance (float64 [people] both)."""
    difference = found - than
    return len(found) > 0 and bool(difference.mean() > max(GAIN, SURE * difference.std() / np.sqrt(len(difference))))


def _per_person(groups: Sequence[Group], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([ndcg_of(group.scores(weights), group.targets, group.n_targets) for group in groups])


def _listed(names: Sequence[str], weights: dict[str, float]) -> NDArray[np.float64]:
    return np.array([weights.get(name, 0.0) for name in names])


def _with_targets(group: Group) -> Group:
    people = np.flatnonzero(group.n_targets)
    return Group(group.names, group.features[:, people], group.valid[people], group.targets[people], group.n_targets[people])


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
    if sum(len(known) for known, *_ in prepared) < FEW_PEOPLE:
        best = _balanced(prepared, cells, [np.concatenate(one) for one in figures], best)
    return *cells[best], float(table.flat[best])


def _balanced(prepared: Sequence[_Joint], cells: Sequence[tuple[float, float]], figures: Sequence[NDArray[np.float64]], best: int) -> int:
    """Of the cells that are as good as the best but for chance, the one whose lists hold the share of new products that targets do.

    Few people cannot tell how loud new products are, and the loudest are as good as any; how many targets are new they can tell.
    """
    wanted = sum(int(t[:, a.shape[1] :].sum()) for a, _, t, _ in prepared) / sum(int(t.sum()) for _, _, t, _ in prepared)
    tied = [place for place, found in enumerate(figures) if _within_chance(figures[best] - found)]
    return min(tied, key=lambda place: abs(_share_of_new(prepared, *cells[place]) - wanted))


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
