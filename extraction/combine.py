"""What becomes of a slot (a title and an attribute): accepted, asked about, or left for a person; and who is believed after an answer.

Probabilities are calibrated (`extraction.calibrate`). When the local reading says a with probability p and the model says b with
probability q, each read on its own, then for a = b both are wrong together only if both err alike, and

    P(right) = pq / (pq + (1 − p)(1 − q) / K),

K being about how many wrong values they could have agreed on (the independent sources of Dong et al., 2009, with one shared value); for
a ≠ b the surer one is believed, with probability p(1 − q) / (p(1 − q) + q(1 − p) + (1 − p)(1 − q)) or the like with p and q changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from extraction.base import Mention
from kg.errors import InputError

# Wrong values that two readings could agree on by chance.
WRONG_VALUES = 5.0


class Verdict(StrEnum):
    """What becomes of a slot."""

    ACCEPTED = "accepted"
    ASK = "ask"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Slot:
    """What is held about one attribute of one title.

    Args:
        mentions: its values, the surest first; none: it states none.
        confidence: probability that this (the first value, or that there is none) is right.
    """

    mentions: tuple[Mention, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Policy:
    """Where verdicts change.

    Args:
        reliability: probability that a model's answer about a slot is right.
        review: below this, what nobody is asked about goes to a person.
    """

    reliability: float = 0.88
    review: float = 0.6

    def __post_init__(self) -> None:
        if not 0 <= self.review <= 1 or not 0 <= self.reliability <= 1:
            raise InputError("Reliability and the limit for review lie between 0 and 1.", "Give them as fractions: 0.88.")

    def verdict(self, confidence: float, may_ask: bool) -> Verdict:
        """Of a slot.

        Args:
            confidence: calibrated probability that what is held is right.
            may_ask: whether a model can be asked about it within the budget.
        """
        if may_ask and confidence < self.reliability:
            return Verdict.ASK
        return Verdict.REVIEW if confidence < self.review else Verdict.ACCEPTED


def combined(local: Slot, answer: Slot) -> Slot:
    """The slot after a model's answer.

    Args:
        local: what was held.
        answer: what the model says, with the probability that it is right.
    """
    p, q = (min(max(c, 1e-3), 1 - 1e-3) for c in (local.confidence, answer.confidence))
    if _same(local, answer):
        sure = p * q / (p * q + (1 - p) * (1 - q) / WRONG_VALUES)
        return _with(local, sure)
    total = p * (1 - q) + q * (1 - p) + (1 - p) * (1 - q)
    return _with(answer, q * (1 - p) / total) if q >= p else _with(local, p * (1 - q) / total)


def _same(one: Slot, other: Slot) -> bool:
    if not one.mentions or not other.mentions:
        return not one.mentions and not other.mentions
    return one.mentions[0].raw == other.mentions[0].raw


def _with(slot: Slot, confidence: float) -> Slot:
    sure = round(min(max(confidence, 0.0), 1.0), 4)
    return Slot((replace(slot.mentions[0], confidence=sure), *slot.mentions[1:]) if slot.mentions else (), sure)
