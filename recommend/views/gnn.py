"""The GNN's inner product ⟨q_j, v_i⟩ as a view, taken apart over pairs of components.

    ⟨q_j, v_i⟩ = Σ_{a,b} ⟨q_j^a, v_i^b⟩        a, b ∈ {text, entity, identity}
    text–text:      ⟨q_j^text, v_i^text⟩ − ⟨q_j^text, m^text⟩    a SIMILAR_TEXT path; m: the mean candidate
    entity–entity:  ⟨q_j^entity(e), v_i^entity(e)⟩ for an entity e of both: a path j → e ← i, raw
    the mean candidate, ⟨q_j, m⟩: the baseline; everything else: latent.

The mean is taken over the candidates of the same kind (known or new), because their weights differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gnn.embeddings import COMPONENTS, EmbeddingTable
from gnn.inductive import NewProducts
from kg.ontology import Rel
from recommend import topk
from recommend.arrays import Arrays
from recommend.parts import Hop
from recommend.topk import NearVectors
from recommend.views.base import NEW_ROW, Candidate, LatentView, RawPath, Rows, Values
from recommend.views.facts import shared_entity
from recommend.views.similar import similar_hop
from recommend.words import CatalogueWords

_BLOCK = 4096
_FOUND = 4096  # products that the index is asked for


class GnnView(LatentView):
    """⟨q_j, v_i⟩.

    Args:
        table: the embeddings.
        seen: bool [n_items], products with an event.
        words: names the words of text pairs; None where only a transformer knows them.
    """

    name = "gnn"

    def __init__(
        self, table: EmbeddingTable, seen: NDArray[np.bool_], words: CatalogueWords | None, kept: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        self.table = table
        self.seen = seen
        self.words = words
        self._kept = kept or {}
        self._last: tuple[Candidate, Mapping[tuple[str, int], Values]] | None = None

    @cached_property
    def means(self) -> dict[bool, dict[str, Values]]:
        """m by component, for known (True) and for new candidates."""
        if "means" in self._kept:
            return {bool(kind): dict(zip(COMPONENTS, self._kept["means"][kind], strict=True)) for kind in (0, 1)}
        return {kind: {name: self._mean(name, self.seen == kind) for name in COMPONENTS} for kind in (False, True)}

    def _mean(self, component: str, which: NDArray[np.bool_]) -> Values:
        part = self.table.target[component]
        total = np.zeros(part.shape[1])
        for start in range(0, len(part), _BLOCK):
            total += part[start : start + _BLOCK][which[start : start + _BLOCK]].sum(axis=0, dtype=np.float64)
        return np.asarray(total / max(int(which.sum()), 1))

    @cached_property
    def targets(self) -> NDArray[np.float32]:
        """v of all products (float32 [n_items, d])."""
        if "targets" in self._kept:
            return self._kept["targets"]
        return np.asarray(sum(self.table.target[name] for name in COMPONENTS), np.float32)

    def source(self, rows: Rows, weights: Values) -> Values:
        """Σ_k weights[k] · q of rows[k] (float64 [d])."""
        return np.asarray(np.sum([weights @ self.table.source[name][rows].astype(np.float64) for name in COMPONENTS], axis=0))

    @cached_property
    def near(self) -> NearVectors | None:
        """An index over the targets of more products than are gone through for one question; else None."""
        if len(self.seen) <= topk.EXACT_UP_TO:
            return None
        if "index" in self._kept:
            return NearVectors.of_array(self._kept["index"], float(self._kept["recall"][0]))
        return NearVectors.fit(self.targets, _FOUND // 4)

    def scores(self, rows: Rows, weights: Values) -> Values:
        """In float32 (error about 1e-7 of the largest term); `exact` has no such error.

        With an index, products that it does not find among the nearest get what the mean product gets.
        """
        source = self.source(rows, weights)
        if self.near is None:
            return np.asarray(self.targets @ source.astype(np.float32), np.float64)
        known, new = (float(source @ np.sum(list(self.means[kind].values()), axis=0)) for kind in (True, False))
        scores = np.where(self.seen, known, new)
        found, values = self.near.search(source.astype(np.float32)[None, :], _FOUND)
        scores[found[0][found[0] >= 0]] = values[0][found[0] >= 0]
        return scores

    def exact(self, rows: Rows, weights: Values, item_rows: Rows) -> Values:
        """⟨Σ q, v⟩ of some candidates in float64."""
        source = self.source(rows, weights)
        return np.asarray(sum(self.table.target[name][item_rows].astype(np.float64) @ source for name in COMPONENTS))

    def block(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Many profiles at once."""
        sources = np.sum([profiles @ self.table.source[name] for name in COMPONENTS], axis=0)
        return np.asarray(np.asarray(sources, np.float32) @ self.targets.T)

    def target(self, candidate: Candidate) -> Mapping[str, Values]:
        """Components of v of a candidate."""
        if candidate.row == NEW_ROW:
            return candidate.vectors
        return {name: self.table.target[name][candidate.row].astype(np.float64) for name in COMPONENTS}

    def column(self, candidate: Candidate) -> Values:
        """⟨q_·, v_i⟩ in float64."""
        target = np.sum(list(self.target(candidate).values()), axis=0)
        return np.asarray(np.sum([self.table.source[name] @ target for name in COMPONENTS], axis=0))

    def total(self, history_row: int, candidate: Candidate) -> float:
        """⟨q_j, v_i⟩ of one pair in float64."""
        source = np.sum([self.table.source[name][history_row].astype(np.float64) for name in COMPONENTS], axis=0)
        return float(source @ np.sum(list(self.target(candidate).values()), axis=0))

    def mean(self, history_row: int, known: bool) -> float:
        """⟨q_j, m⟩."""
        source = np.sum([self.table.source[name][history_row].astype(np.float64) for name in COMPONENTS], axis=0)
        return float(source @ np.sum(list(self.means[known].values()), axis=0))

    def paths(self, history_row: int, candidate: Candidate) -> Iterator[RawPath]:
        """The paths that can be named; what they leave of `total − mean` is latent."""
        text = self._text_term(history_row, candidate)
        if text:
            yield RawPath(Rel.SIMILAR_TEXT, (self.text_hop(history_row, candidate),), text)
        own = self.entity_terms("source", history_row)
        others = self._entity_terms_of(candidate)
        for relation, entity_row in sorted(own.keys() & others.keys()):
            value = float(own[relation, entity_row] @ others[relation, entity_row])
            if value:
                yield RawPath(relation, shared_entity(relation, entity_row, candidate.row), value)

    def _text_term(self, history_row: int, candidate: Candidate) -> float:
        """⟨q_j^text, v_i^text − m^text⟩."""
        known = candidate.row != NEW_ROW and bool(self.seen[candidate.row])
        source = self.table.source["text"][history_row].astype(np.float64)
        return float(source @ (self.target(candidate)["text"] - self.means[known]["text"]))

    def text_term(self, history_row: int, item_row: int) -> float:
        """What the texts of two products add beyond the mean candidate's."""
        return self._text_term(history_row, Candidate(item_row))

    def among(self, seen: NDArray[np.bool_]) -> GnnView:
        """The same embeddings where other products have events (bool [n_items]): other means."""
        return self if np.array_equal(seen, self.seen) else GnnView(self.table, seen, self.words, {"targets": self.targets})

    def _entity_terms_of(self, candidate: Candidate) -> Mapping[tuple[str, int], Values]:
        """Of v of a candidate; the last one is kept, since a whole history asks for it."""
        if self._last is None or self._last[0] is not candidate:
            new = candidate.row == NEW_ROW
            self._last = candidate, candidate.entity_terms if new else self.entity_terms("target", candidate.row)
        return self._last[1]

    def text_hop(self, history_row: int, candidate: Candidate) -> Hop:
        """The edge `SIMILAR_TEXT` of a pair, with its words where words are known."""
        if self.words is None:
            return Hop(Rel.SIMILAR_TEXT, "out", "item", candidate.row, derived=True)
        return similar_hop(self.words, history_row, candidate)

    def entity_terms(self, side: str, item_row: int) -> dict[tuple[str, int], Values]:
        """Each entity's share of a product's entity component (float64 [d]), by relation and entity row."""
        one = self.table.source_side if side == "source" else self.table.target_side
        return self._terms(side, one.norms[[item_row]], *self.table.edges.of_item(item_row))

    def _terms(
        self,
        side: str,
        norm: NDArray[np.float32],
        entities: NDArray[np.int32],
        relations: NDArray[np.int32],
        weights: NDArray[np.float32],
    ) -> dict[tuple[str, int], Values]:
        one = self.table.source_side if side == "source" else self.table.target_side
        terms = one.entity_terms(entities, relations, weights) / one.across(norm)
        return {(self.table.relations[r], int(e)): term for e, r, term in zip(entities, relations, terms, strict=True)}

    def new_entity_terms(self, side: str, products: NewProducts) -> dict[tuple[str, int], Values]:
        """The same of the first of some products that `gnn.inductive` embedded."""
        norm = (products.source_norms if side == "source" else products.target_norms)[[0]]
        return self._terms(side, norm, *products.edges.of_item(0))

    def spoken_to(self, source: Values) -> Values:
        """⟨q, v_i⟩ of one q for all products, in float64 (float64 [n_items])."""
        return np.asarray(np.sum([self.table.target[name] @ source for name in COMPONENTS], axis=0))

    def arrays(self) -> Arrays:
        """What opening should not add up again; the table itself lies in files of its own."""
        means = np.array([[self.means[kind][name] for name in COMPONENTS] for kind in (False, True)])
        kept: Arrays = {"means": means, "targets": self.targets}
        return kept if self.near is None else {**kept, "index": self.near.array(), "recall": np.array([self.near.recall])}
