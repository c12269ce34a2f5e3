"""Why a product is not among the first k: its parts beside those of the product on the last place that counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recommend.parts import Parts
from recommend.path import printed
from recommend.wording import relation_words, short_title


@dataclass(frozen=True, slots=True)
class Missing:
    """One kind of part in both scores.

    Args:
        part: name of the view, or of what is no path.
        here: what the product in question gets from it.
        there: what the product on place k gets.
    """

    part: str
    here: float
    there: float

    def to_dict(self) -> dict[str, Any]:
        """The two numbers and their difference."""
        return {"part": self.part, "here": printed(self.here), "there": printed(self.there), "difference": printed(self.there - self.here)}


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why a product is not among the first k.

    Args:
        rank: its rank.
        k: the last place that counts.
        against: key and title of the product there.
        score, needed: both scores.
        missing: parts, the largest difference first; they sum to `needed − score`.
    """

    rank: int
    k: int
    against: tuple[str, str]
    score: float
    needed: float
    missing: tuple[Missing, ...]

    @property
    def sentence(self) -> str:
        """The answer in words."""
        if self.rank <= self.k:
            return f"It is: its rank is {self.rank}."
        short = [part for part in self.missing if part.there > part.here][:2]
        most = " and ".join(f"{relation_words(part.part)} ({part.there - part.here:+.3f})" for part in short) or "nothing in particular"
        return (
            f"It is on rank {self.rank}, {self.needed - self.score:.3f} behind “{short_title(self.against[1])}” on rank {self.k}, "
            f"which gets more from {most}."
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `clew explain --why-not`."""
        return {
            "rank": self.rank,
            "k": self.k,
            "against": self.against[0],
            "score": printed(self.score),
            "needed": printed(self.needed),
            "missing": [part.to_dict() for part in self.missing],
            "sentence": self.sentence,
        }


def totals(parts: Parts) -> Mapping[str, float]:
    """A score by view and, for what is no path, by name; sums to the score."""
    views: dict[str, list[float]] = {}
    for path in parts.paths:
        views.setdefault(path.view, []).append(path.contribution)
    rest = {name: getattr(parts, name) for name in ("text", "popularity", "latent", "baseline")}
    return {**{name: math.fsum(values) for name, values in views.items()}, **rest}


def why_not(parts: Parts, rank: int, other: Parts, k: int, against: tuple[str, str]) -> WhyNot:
    """Compare a score with the one on place k.

    Args:
        parts: of the product in question.
        rank: its rank.
        other: of the product on place k.
        k: that place.
        against: key and title of the product there.
    """
    here, there = totals(parts), totals(other)
    names = sorted(here.keys() | there.keys())
    missing = [Missing(name, here.get(name, 0.0), there.get(name, 0.0)) for name in names]
    kept = [part for part in missing if part.here or part.there]
    return WhyNot(rank, k, against, parts.score, other.score, tuple(sorted(kept, key=lambda part: part.here - part.there)))
