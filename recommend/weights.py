"""The few numbers that fuse the views: per branch, for products that people have bought and for new ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from kg.errors import StateError
from recommend.profile import Branch, Recency

# A branch that no weights were chosen for takes those of the branch that is most like it.
STAND_INS: dict[Branch, tuple[Branch, ...]] = {
    Branch.KNOWN: (Branch.FEW_EVENTS,),
    Branch.FEW_EVENTS: (Branch.KNOWN,),
    Branch.SESSION: (Branch.FEW_EVENTS, Branch.KNOWN),
    Branch.NEW_USER: (Branch.FEW_EVENTS, Branch.KNOWN),
    Branch.SIMILAR: (Branch.FEW_EVENTS, Branch.KNOWN),
    Branch.NEW_PRODUCT: (Branch.KNOWN, Branch.FEW_EVENTS),
}


# Views of what people want beside or after a product, which need not be like it.
BEYOND = ("co_bought_similar", "ease", "next_bought", "next_ease")


@dataclass(frozen=True, slots=True)
class BranchWeights:
    """Weights of one branch, all on the scale of the joint list.

    Args:
        seen: weight of each view for products with an event.
        unseen: weight of each view for products without one.
        newness: δ, what a product without an event gets.
        popularity: weight of popularity.

    Raises:
        StateError: a weight that is not finite.
    """

    seen: Mapping[str, float]
    unseen: Mapping[str, float]
    newness: float = 0.0
    popularity: float = 0.0

    def __post_init__(self) -> None:
        for value in (*self.seen.values(), *self.unseen.values(), self.newness, self.popularity):
            if not math.isfinite(value):
                raise StateError("A fusion weight is not finite.", "Train again: clew train.")
        object.__setattr__(self, "seen", MappingProxyType(dict(self.seen)))
        object.__setattr__(self, "unseen", MappingProxyType(dict(self.unseen)))

    def of(self, view: str, seen: bool) -> float:
        """Weight of a view for known or new candidates; 0 for a view that none was chosen for."""
        return (self.seen if seen else self.unseen).get(view, 0.0)

    def of_likeness(self) -> BranchWeights:
        """Weights of the question what is like a product, which no validation asks.

        Content counts as it does for products that nobody has bought, where nothing else speaks, whether anybody bought them or not;
        beside it, for those that somebody bought, who bought both, and stated links. Being new or popular makes nothing like another
        product, and neither does what its buyers wanted next (`BEYOND`), unless nothing else has any weight.
        """
        seen, unseen = ({name: value for name, value in some.items() if name not in BEYOND} for some in (self.seen, self.unseen))
        content = unseen or seen
        return BranchWeights({**seen, **content}, content) if content else BranchWeights(self.seen, self.unseen)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"seen": dict(self.seen), "unseen": dict(self.unseen), "newness": self.newness, "popularity": self.popularity}


@dataclass(frozen=True, slots=True)
class QueryWeights:
    """Weights of a text query: exact words, names of entities, the rest of the text.

    Args:
        words: cosine of TF-IDF.
        entities: Â of a product for each entity named in the query.
        text: cosine of text vectors above the mean product's.
    """

    words: float = 1.0
    entities: float = 0.3
    text: float = 0.5


@dataclass(frozen=True, slots=True)
class Weights:
    """All weights of a model.

    Args:
        branches: weights by branch; `Weights.branch` finds a stand-in for the others.
        query: weights of a text query.
        recency: how a history fades.
    """

    branches: Mapping[Branch, BranchWeights]
    query: QueryWeights = field(default_factory=QueryWeights)
    recency: Recency = field(default_factory=Recency)
    _found: Mapping[Branch, BranchWeights] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = {}
        for branch in Branch:
            name = next((name for name in (branch, *STAND_INS.get(branch, ())) if name in self.branches), None)
            if name is not None:
                found[branch] = self.branches[name].of_likeness() if branch is Branch.SIMILAR else self.branches[name]
        object.__setattr__(self, "_found", MappingProxyType(found))

    def branch(self, branch: Branch) -> BranchWeights:
        """The weights of a branch or of its stand-in, the same object each time.

        Raises:
            StateError: the model has none that fit.
        """
        if branch in self._found:
            return self._found[branch]
        raise StateError(f"The model has no weights for the branch {branch}.", "Train again: clew train.")

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "branches": {str(branch): weights.to_dict() for branch, weights in self.branches.items()},
            "query": {"words": self.query.words, "entities": self.query.entities, "text": self.query.text},
            "recency": {"days": self.recency.days, "events": self.recency.events, "kinds": dict(self.recency.kinds)},
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Weights:
        """What `to_dict` gave."""
        branches = {Branch(name): BranchWeights(**weights) for name, weights in values["branches"].items()}
        return cls(branches, QueryWeights(**values["query"]), Recency(**values["recency"]))
