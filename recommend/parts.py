"""A score taken apart: the paths that made it, and what is not a path."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from kg.errors import StateError
from kg.ontology import Rel


@dataclass(frozen=True, slots=True)
class Hop:
    """One edge of a path and the node it leads to.

    Args:
        edge: relation of the edge.
        direction: "out" when the edge points along the path, "in" when it is walked backwards.
        kind: "item" or "entity": which vocabulary `row` counts in.
        row: row of the node that the edge leads to.
        words: for a likeness of texts, the words that carry it, strongest first; empty where nobody can name them.
        count: for a collaborative edge, how many people carry it (of what was bought later: how often); None for others.
        derived: True for an edge that a model found (`CO_BOUGHT`, `SIMILAR_TEXT`), False for a fact or an event.
    """

    edge: Rel | str
    direction: Literal["out", "in"]
    kind: Literal["item", "entity"]
    row: int
    words: tuple[str, ...] = ()
    count: int | None = None
    derived: bool = False


@dataclass(frozen=True, slots=True)
class PathPart:
    """One path and what it adds to the score.

    Args:
        view: name of the view that made it ("brand", "co_bought", "gnn_text").
        relation: the relation that tells most about it (what a sentence is made from).
        contribution: what it adds, in units of the score; may be negative.
        history_row: item row of the history product where it starts; None when it starts at a `Query` node or the asked product.
        hops: edges from the history product (the asked product, the query) to the candidate; the last one ends there.
    """

    view: str
    relation: Rel | str
    contribution: float
    history_row: int | None
    hops: tuple[Hop, ...]

    def __post_init__(self) -> None:
        if not self.hops or not math.isfinite(self.contribution):
            raise StateError(f"A path of the view {self.view!r} has no edges or no finite contribution.")


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a score is made of: `score == Σ paths + text + popularity + latent + baseline` to 1e-9.

    Args:
        paths: all paths, in no particular order.
        text: likeness to the text of the query itself, beyond named words.
        popularity: what the product gets for being popular or new, whoever asks.
        latent: what nobody can name.
        baseline: what the mean candidate gets.
    """

    paths: tuple[PathPart, ...]
    text: float
    popularity: float
    latent: float
    baseline: float

    @property
    def score(self) -> float:
        """The sum of all parts."""
        return math.fsum((*(p.contribution for p in self.paths), self.text, self.popularity, self.latent, self.baseline))
