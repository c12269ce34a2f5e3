"""Rankers by name: what clew is compared with, and clew itself."""

from __future__ import annotations

from collections.abc import Callable

from kg.errors import UnknownKeyError
from recommend.rankers.compared import Hybrid, LightGcn, TwoTower
from recommend.rankers.ease import Ease
from recommend.rankers.learned import Clew, Gnn
from recommend.rankers.simple import Attributes, ItemKnn, Popularity, TextKnn
from recommend.training import Ranker

RANKERS: dict[str, Callable[[], Ranker]] = {
    "popularity": Popularity,
    "item-knn": ItemKnn,
    "text-knn": TextKnn,
    "attributes": Attributes,
    "ease": Ease,
    "lightgcn": LightGcn,
    "two-tower": TwoTower,
    "hybrid": Hybrid,
    "gnn": Gnn,
    "clew": Clew,
}


def ranker(name: str) -> Ranker:
    """A ranker by name, not yet fitted.

    Raises:
        UnknownKeyError: no such ranker; those that exist are named.
    """
    if name not in RANKERS:
        error = UnknownKeyError("ranker", name, RANKERS)
        error.hint = f"There are {', '.join(RANKERS)}."
        raise error
    return RANKERS[name]()
