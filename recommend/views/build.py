"""All views of a snapshot. Likeness of texts depends on the catalogue alone, so that slices of events share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gnn.embeddings import EmbeddingTable
from kg.errors import StateError
from kg.progress import SILENT, Progress
from kg.snapshot import GraphSnapshot
from recommend.arrays import Arrays, unpack
from recommend.views.base import View
from recommend.views.co_bought import SHRINK, CoBoughtSimilarView, CoBoughtView, buyers_of, co_bought
from recommend.views.ease import RIDGE, EaseView, ease
from recommend.views.facts import FactView
from recommend.views.gnn import GnnView
from recommend.views.large import recall_of
from recommend.views.links import LinkView
from recommend.views.next_ease import NextEaseView, next_ease
from recommend.views.similar import ALL_PAIRS, NEAR, SimilarView, likeness, nearest
from recommend.views.transitions import NextBoughtView, in_order, transitions
from recommend.words import CatalogueWords


@dataclass(frozen=True, eq=False)
class Likeness:
    """What texts say about the catalogue.

    Args:
        words: TF-IDF rows.
        wide: K, CSR float32 [n_items, n_items].
        near: Nᵀ, CSR float32 [candidate, neighbour].
        recall: share of the true neighbours in `near`, on a sample; 1 where every pair was compared.
    """

    words: CatalogueWords
    wide: sp.csr_array
    near: sp.csr_array
    recall: float = 1.0

    @classmethod
    def build(
        cls, words: CatalogueWords, vectors: NDArray[np.float32] | None, progress: Progress = SILENT, scratch: Path | None = None
    ) -> Likeness:
        """From words and, where there are any, text vectors (float32 [n_items, d], rows of length 1 or zero)."""
        wide = likeness(words, vectors, progress, scratch=scratch)
        recall = 1.0 if wide.shape[0] <= ALL_PAIRS else recall_of(wide, words, vectors, NEAR)
        return cls(words, wide, nearest(wide), recall)


def build_views(
    snapshot: GraphSnapshot,
    alike: Likeness,
    table: EmbeddingTable | None,
    without: frozenset[str] = frozenset(),
    shrink: float = SHRINK,
    ridge: float = RIDGE,
    rows: NDArray[np.int32] | None = None,
    scratch: Path | None = None,
) -> list[View]:
    """The views that a snapshot has evidence for.

    Args:
        snapshot: the graph.
        alike: likeness of its texts.
        table: the GNN's, or None.
        without: views left out, by name.
        shrink: as in `co_bought`.
        ridge: as in `ease`.
        rows: int32, ascending, the only products whose buyers will be asked about; all when None.
        scratch: a folder for views that memory may not hold, or None; see `RowStack`.
    """
    purchases = co_bought(snapshot.interactions, shrink=shrink, rows=rows, scratch=scratch)
    bought = CoBoughtView(purchases, buyers_of(snapshot.interactions), shrink)
    seen = snapshot.item_event_counts > 0
    spread = sp.csr_array(alike.near.T.tocsr())
    found: list[View] = [
        bought,
        CoBoughtSimilarView(bought, alike.near, alike.words),
        SimilarView("similar", spread, alike.words),
        SimilarView("similar_wide", alike.wide, alike.words),
        *(FactView.build(snapshot, name) for name in snapshot.facts()),
        *(LinkView.build(snapshot, name) for name in snapshot.links()),
    ]
    if "ease" not in without:
        found.append(EaseView(ease(snapshot.interactions, ridge), alike.near, seen))
    if in_order(snapshot.events):
        found.append(NextBoughtView(*transitions(snapshot.events, snapshot.n_items, rows=rows, scratch=scratch)))
        if "next_ease" not in without:
            found.append(NextEaseView(next_ease(snapshot.events, snapshot.n_items)))
    if table is not None:
        found.append(GnnView(table, seen, alike.words))
    return [view for view in found if view.name not in without]


def recounted(
    views: Mapping[str, View],
    bought: Callable[[CoBoughtView], CoBoughtView],
    following: Callable[[NextBoughtView], NextBoughtView],
    seen: NDArray[np.bool_],
) -> list[View]:
    """The views of a graph whose events have changed: those that are counted from events are made again, all else stays.

    Args:
        views: of the graph as it was.
        bought: U as it is now, from what it was; V is made of it too.
        following: T as it is now, from what it was.
        seen: bool [n_items], products that have an event now.
    """
    made: list[View] = []
    again: CoBoughtView | None = None
    for view in views.values():
        if isinstance(view, CoBoughtView | CoBoughtSimilarView):
            if again is None:
                again = bought(view if isinstance(view, CoBoughtView) else view.bought)
            made.append(again if isinstance(view, CoBoughtView) else CoBoughtSimilarView(again, view.near, view.words))
        elif isinstance(view, NextBoughtView):
            made.append(following(view))
        elif isinstance(view, GnnView):
            made.append(view.among(seen))
        else:
            made.append(view)
    return made


def views_to_arrays(views: Mapping[str, View]) -> Arrays:
    """Arrays of all views, each name led by that of its view, and what a view stands on where that is itself left out."""
    kept = dict(views)
    similar = views.get("co_bought_similar")
    if isinstance(similar, CoBoughtSimilarView):
        kept.setdefault("co_bought", similar.bought)
    return {f"{name}/{array}": value for name, view in kept.items() for array, value in view.arrays().items()}


def views_of_arrays(
    kinds: Mapping[str, str], arrays: Arrays, words: CatalogueWords, table: EmbeddingTable | None, seen: NDArray[np.bool_]
) -> list[View]:
    """The views that `views_to_arrays` took apart.

    Args:
        kinds: view name → kind and relation, as `kind_of` says.
        arrays: of all views.
        words: of the catalogue.
        table: the GNN's.
        seen: bool [n_items].

    Raises:
        StateError: a kind that this version does not know.
    """
    parts = {name: _Part(name, arrays) for name in kinds}
    found: dict[str, View] = {}
    for name, kind in kinds.items():
        kind, _, relation = kind.partition(":")
        part = parts[name]
        if kind == "co_bought":
            found[name] = _co_bought(arrays)
        elif kind == "co_bought_similar":
            found[name] = CoBoughtSimilarView(_co_bought(arrays), part.matrix("near"), words)
        elif kind == "similar":
            found[name] = SimilarView(name, part.matrix("matrix"), words)
        elif kind == "fact":
            found[name] = FactView(relation, part.matrix("factor"), part.array("idf"))
        elif kind == "link":
            found[name] = LinkView(relation, part.matrix("forward"))
        elif kind == "ease":
            found[name] = EaseView(part.matrix("matrix"), part.matrix("near"), seen)
        elif kind == "next_ease":
            found[name] = NextEaseView(part.matrix("matrix"))
        elif kind == "next_bought":
            found[name] = NextBoughtView(part.matrix("matrix"), part.matrix("counts"))
        elif kind == "gnn" and table is not None:
            found[name] = GnnView(table, seen, words, part.all())
        else:
            raise StateError(
                f"The model has a view of the kind {kind!r}, which this version does not know.", "Update clew, or train again."
            )
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    arrays: Arrays

    def matrix(self, what: str) -> sp.csr_array:
        return unpack(f"{self.name}/{what}", self.arrays)

    def all(self) -> Arrays:
        start = f"{self.name}/"
        return {name.removeprefix(start): value for name, value in self.arrays.items() if name.startswith(start)}

    def array(self, what: str) -> NDArray[Any]:
        return self.arrays[f"{self.name}/{what}"]


def _co_bought(arrays: Arrays) -> CoBoughtView:
    part = _Part("co_bought", arrays)
    shrink = float(part.array("shrink")[0]) if "shrink" in part.all() else SHRINK
    return CoBoughtView(part.matrix("matrix"), part.matrix("buyers"), shrink)


def kind_of(view: View) -> str:
    """How a bundle says what a view is."""
    if isinstance(view, FactView):
        return f"fact:{view.relation}"
    if isinstance(view, LinkView):
        return f"link:{view.relation}"
    if isinstance(view, SimilarView):
        return "similar"
    return view.name
