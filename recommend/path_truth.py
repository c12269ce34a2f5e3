"""Whether a path is there: each of its edges looked up in the facts and events of train, not in what the model made of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache

import numpy as np

from gnn.text_words import terms
from kg.events import NO_TIME
from kg.ontology import Family, Rel, relation
from kg.snapshot import GraphSnapshot
from recommend.arrays import entries
from recommend.parts import Hop, PathPart
from recommend.views.co_bought import buyers_of
from recommend.views.transitions import WINDOW


class PathTruth:
    """Looks paths up in a graph.

    Args:
        graph: train's.
        texts: one a product, by item row: what likeness of texts was read from.
    """

    def __init__(self, graph: GraphSnapshot, texts: Sequence[str]) -> None:
        self._graph = graph
        self._texts = texts
        self._words = lru_cache(65536)(lambda row: frozenset(terms(self._texts[row])))
        self.both = lru_cache(65536)(self._both)
        self.next = lru_cache(65536)(self._next)

    @cached_property
    def _buyers(self):  # type: ignore[no-untyped-def]
        return buyers_of(self._graph.interactions)

    def holds(self, history: frozenset[int], path: PathPart) -> bool:
        """Whether a path starts at something that the person did and each of its edges is true.

        `CO_BOUGHT` and `NEXT_BOUGHT`: the people, counted again, are as many as the edge says; `SIMILAR_TEXT`: every word stands in both
        texts (an edge without words claims none); facts, links and trees: the graph has the edge.

        Args:
            history: item rows that the person had.
            path: from there to the candidate.
        """
        at = path.history_row
        if at not in history:
            return False
        for hop in path.hops:
            if not self._edge(at, hop):
                return False
            at = hop.row
        return True

    def _edge(self, at: int, hop: Hop) -> bool:
        if hop.edge == Rel.CO_BOUGHT:
            return hop.count == self.both(at, hop.row) > 0
        if hop.edge == Rel.NEXT_BOUGHT:
            return hop.count == self.next(at, hop.row) > 0
        if hop.edge == Rel.SIMILAR_TEXT:
            return set(hop.words) <= self._words(at) & self._words(hop.row)
        source, target = (at, hop.row) if hop.direction == "out" else (hop.row, at)
        edges = self._graph.edges.get(str(hop.edge))
        return edges is not None and relation(str(hop.edge)).family is not Family.EVENT and edges.find(source, target) is not None

    def _both(self, first: int, second: int) -> int:
        return len(np.intersect1d(entries(self._buyers, first)[0], entries(self._buyers, second)[0], assume_unique=True))

    def _next(self, first: int, second: int) -> int:
        log, found = self._graph.events, 0
        for user in np.intersect1d(entries(self._buyers, first)[0], entries(self._buyers, second)[0]).tolist():
            own = log.of_user(int(user))
            own = own.take(own.times != NO_TIME)
            for gap in range(1, WINDOW + 1):
                same = (own.item_rows[:-gap] == first) & (own.item_rows[gap:] == second) & (own.times[:-gap] < own.times[gap:])
                found += int(same.sum())
        return found
