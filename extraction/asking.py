"""Which titles a language model is asked about: those where its answer is expected to gain most for what it costs.

For a slot (a title and an attribute) on which the local extractor is right with probability p, and the model with probability q, asking
gains max(0, q − p) right slots: whoever is surer is believed afterwards. A title's gain is the weighted sum over its slots, since one
question asks about all of them. With equal costs the largest gains are taken; with unequal ones the largest gain per token, the usual
greedy answer to the
knapsack problem (Dantzig 1957; at worst the gain of one title below the best choice).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from extraction.llm_budget import NO_LIMIT, Budget, Prices
from extraction.llm_model import Usage
from kg.errors import InputError

# How often a model's aligned answer to a slot is right, where nobody has measured it: GPT-4's recorded answers to AE-110K and OA-Mine give
# precision .91 and .84 (protocol F).
DEFAULT_RELIABILITY = 0.88


@dataclass(frozen=True, slots=True)
class Choice:
    """The titles to ask about.

    Args:
        rows: int64 [chosen], rows of the confidences, the greatest gain (per cost) first.
        gain: expected number of slots set right, in all.
        usage: what they are expected to cost; zero where no costs were given.
    """

    rows: NDArray[np.int64]
    gain: float
    usage: Usage


def expected_gain(
    confidences: Mapping[str, ArrayLike],
    reliability: float | Mapping[str, float] = DEFAULT_RELIABILITY,
    weights: Mapping[str, ArrayLike] | None = None,
) -> NDArray[np.float64]:
    """Expected gain of asking, per title.

    Args:
        confidences: attribute → float [titles], the calibrated probability that what is held now (a value, or that there is none) is right;
            NaN for a slot that is no question.
        reliability: the probability that the model is right, for all attributes or by attribute.
        weights: attribute → worth of a right slot, one number or one per title; 1 where not given.

    Raises:
        InputError: lengths differ, or a probability is not in 0..1.
    """
    columns = {name: np.asarray(values, np.float64) for name, values in confidences.items()}
    if len({column.shape for column in columns.values()}) != 1 or any(column.ndim != 1 for column in columns.values()):
        raise InputError("Every attribute needs one confidence per title.", "Use NaN for a slot that is no question.")
    gain = np.zeros(len(next(iter(columns.values()))))
    for name, column in columns.items():
        right = reliability if isinstance(reliability, float | int) else reliability.get(name, DEFAULT_RELIABILITY)
        if not 0 <= right <= 1 or np.any((column < 0) | (column > 1)):
            raise InputError(f"The probabilities of {name} do not lie between 0 and 1.", "Calibrate them first.")
        gain += np.asarray((weights or {}).get(name, 1.0)) * np.nan_to_num(np.maximum(right - column, 0.0), nan=0.0)
    return gain


def choose(
    confidences: Mapping[str, ArrayLike],
    budget: Budget = NO_LIMIT,
    costs: Sequence[Usage] | None = None,
    prices: Prices | None = None,
    reliability: float | Mapping[str, float] = DEFAULT_RELIABILITY,
    weights: Mapping[str, ArrayLike] | None = None,
) -> Choice:
    """The titles to ask about within a budget, the most worthwhile first; never one that gains nothing.

    Args:
        confidences, reliability, weights: as of `expected_gain`.
        budget: a share of the titles, tokens or money. A share is rounded down.
        costs: what each title is expected to cost; an answer that is kept costs nothing. Needed for a budget in tokens or money.
        prices: of tokens; needed for a budget in money.

    Raises:
        InputError: as of `expected_gain` and `Budget.check`; or costs are missing or not one per title.
    """
    gain = expected_gain(confidences, reliability, weights)
    budget.check(prices)
    if costs is None and (budget.tokens is not None or budget.money is not None):
        raise InputError("A budget in tokens or money needs what each title costs.", "Give the costs, or a share of the titles.")
    if costs is not None and len(costs) != len(gain):
        raise InputError(f"There are {len(costs)} costs for {len(gain)} titles.", "Give one per title.")
    usages = list(costs) if costs is not None else [Usage()] * len(gain)
    each = np.array([prices.cost(u) if budget.money is not None and prices else u.tokens for u in usages], np.float64)
    limit = budget.tokens if budget.tokens is not None else budget.money
    worth = gain if limit is None else np.divide(gain, each, out=np.where(gain > 0, np.inf, 0.0), where=each > 0)
    most = len(gain) if budget.share is None else int(np.floor(budget.share * len(gain) + 1e-9))
    chosen: list[int] = []
    spent = 0.0
    # Ties go to the earlier row: the same input gives the same choice.
    for row in np.lexsort((-gain, -worth)) if limit is not None else np.argsort(-gain, kind="stable"):
        if gain[row] <= 0 or len(chosen) >= most:
            break
        if limit is None or spent + each[row] <= limit:
            chosen.append(int(row))
            spent += each[row]
    return Choice(np.array(chosen, np.int64), float(gain[chosen].sum()), sum((usages[row] for row in chosen), Usage()))
