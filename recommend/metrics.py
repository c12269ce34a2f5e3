"""Metrics of ranked lists, each with its range, its direction and what a random ranker would get.

Every list metric takes `hits` (bool [users, k]: is the candidate at this rank a target) and `n_targets` (int [users], 1 or more)
and gives one figure a user; the figure of a test is their mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kg.errors import UnknownKeyError
from kg.seeds import generator

Floats = NDArray[np.float64]
Hits = NDArray[np.bool_]
Counts = NDArray[np.int64]


def discounts(k: int) -> Floats:
    """1 / log₂(rank + 1) for ranks 1..k (Järvelin and Kekäläinen, 2002)."""
    return 1 / np.log2(np.arange(2, k + 2))


def precision(hits: Hits, n_targets: Counts) -> Floats:
    """Share of the list that is a target."""
    return np.asarray(hits.mean(axis=1), np.float64)


def recall(hits: Hits, n_targets: Counts) -> Floats:
    """Share of the targets that are in the list."""
    return np.asarray(hits.sum(axis=1) / n_targets)


def hit(hits: Hits, n_targets: Counts) -> Floats:
    """1 when any target is in the list."""
    return np.asarray(hits.any(axis=1), np.float64)


def mrr(hits: Hits, n_targets: Counts) -> Floats:
    """1 / rank of the first target in the list, 0 without one."""
    first = hits.argmax(axis=1)
    return np.where(hits.any(axis=1), 1 / (first + 1), 0.0)


def average_precision(hits: Hits, n_targets: Counts) -> Floats:
    """Mean over targets of the precision at each target's rank; a target outside the list counts 0 (divided by |targets|)."""
    at_rank = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((at_rank * hits).sum(axis=1) / n_targets)


def ndcg(hits: Hits, n_targets: Counts) -> Floats:
    """Discounted gain over that of the best list of min(|targets|, k) targets."""
    gains = discounts(hits.shape[1])
    ideal = np.cumsum(gains)[np.minimum(n_targets, hits.shape[1]) - 1]
    return np.asarray(hits @ gains / ideal)


def ndcg_pub(hits: Hits, n_targets: Counts) -> Floats:
    """As some publications have it: the ideal list is that of the list's own hits; for comparison only, it rewards few hits high up."""
    gains = discounts(hits.shape[1])
    found = hits.sum(axis=1)
    ideal = np.cumsum(gains)[np.maximum(found, 1) - 1]
    return np.where(found > 0, hits @ gains / ideal, 0.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of a list.

    Args:
        name: name before the `@`.
        compute: hits, n_targets → one figure a user.
        low, high: range.
        better: "higher" or "lower".
        random: what a random ranker gets, in words.
    """

    name: str
    compute: Callable[[Hits, Counts], Floats]
    low: float
    high: float
    better: str
    random: str


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("precision", precision, 0, 1, "higher", "targets / candidates"),
        Metric("recall", recall, 0, 1, "higher", "k / candidates"),
        Metric("ndcg", ndcg, 0, 1, "higher", "about k / candidates"),
        Metric("hit", hit, 0, 1, "higher", "about k · targets / candidates"),
        Metric("mrr", mrr, 0, 1, "higher", "about ln(k) · targets / candidates"),
        Metric("map", average_precision, 0, 1, "higher", "about k / candidates · targets / candidates"),
        Metric("ndcg_pub", ndcg_pub, 0, 1, "higher", "about the chance of a hit"),
    )
}
LIST_METRICS = ("recall", "ndcg", "precision", "hit", "mrr", "map")  # what a test reports unless it asks otherwise


def parse_metric(text: str) -> tuple[Metric, int]:
    """`"ndcg_pub@10"` → the metric and 10.

    Raises:
        UnknownKeyError: no such metric, or no cutoff of 1 or more behind the `@`.
    """
    name, _, cutoff = text.partition("@")
    if name not in METRICS or not cutoff.isdigit() or int(cutoff) < 1:
        raise UnknownKeyError("metric", text, [f"{metric}@{10}" for metric in METRICS])
    return METRICS[name], int(cutoff)


# Metrics of all lists together ------------------------------------------------------------------------------------------


def coverage(lists: NDArray[np.int32], n_candidates: int) -> float:
    """Share of the candidates that are in any list; 0..1, higher is better; a random ranker gets near 1 with many users."""
    found = np.unique(lists[lists >= 0])
    return len(found) / max(n_candidates, 1)


def novelty(lists: NDArray[np.int32], item_users: Counts, n_users: int) -> Floats:
    """Mean self-information −log₂ p of a list, p = (people + 1) / (all people + 1); bits, 0..log₂(n_users + 1) (Zhou et al., 2010).

    Differs from the paper: one is added, so that a product without people has a figure.
    """
    information = -np.log2((item_users + 1) / (n_users + 1))
    return _mean_of_list(lists, np.maximum(information, 0.0))


def diversity(lists: NDArray[np.int32], groups: NDArray[np.int64]) -> Floats:
    """Share of pairs of a list that are of different kinds (`groups[item]`, −1: a kind of its own); 0..1 (Ziegler et al., 2005)."""
    size = lists.shape[1]
    if size < 2:
        return np.zeros(len(lists))
    kinds = np.where(lists >= 0, groups[np.maximum(lists, 0)], -1)
    same = (kinds[:, :, None] == kinds[:, None, :]) & (kinds >= 0)[:, :, None]
    pairs = size * (size - 1)
    return np.asarray(1 - (same.sum(axis=(1, 2)) - (kinds >= 0).sum(axis=1)) / pairs)


def _mean_of_list(lists: NDArray[np.int32], values: Floats) -> Floats:
    there = lists >= 0
    total = np.where(there, values[np.maximum(lists, 0)], 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(there.sum(axis=1), 1))


# Intervals --------------------------------------------------------------------------------------------------------------


def bootstrap(per_user: Floats, seed: int = 0, draws: int = 1000, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the mean of a figure over users (Efron, 1979); give differences a user to compare two rankers in pairs.

    Args:
        per_user: float64 [users].
        seed: of the draws.
        draws: resamples.
        level: of the interval.

    Returns:
        Low and high end; both the figure itself for a single user.
    """
    if len(per_user) == 0:
        return (0.0, 0.0)
    random = generator(seed, "bootstrap")
    means = np.empty(draws)
    for place in range(draws):
        means[place] = per_user[random.integers(0, len(per_user), len(per_user))].mean()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired(ours: Mapping[str, Floats], theirs: Mapping[str, Floats], seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """Difference of the means of each figure that both have, with its paired bootstrap interval (difference, low, high)."""
    return {
        name: (float((ours[name] - theirs[name]).mean()), *bootstrap(ours[name] - theirs[name], seed)) for name in ours if name in theirs
    }
