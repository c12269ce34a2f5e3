"""Shared entities, one view a relation: j → e ← i.

D_ji = Σ_e Â_je Â_ie, Â = idf(e) / length of the product's row, idf(e) = ln((1 + n) / (1 + df)). Kept as its factor: one row of
entities a product. A brand of half the catalogue weighs little (idf), a product of many materials spreads its weight (length).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.ontology import ATTRIBUTE_RELATIONS
from kg.snapshot import GraphSnapshot
from recommend.arrays import Arrays, entries, mostly, pack, transposed, weighted_rows
from recommend.parts import Hop
from recommend.views.base import EMPTY, NEW_ROW, Candidate, RawPath, Rows, SparseVector, Values

_DENSE = 8192  # products up to which a dense products × products matrix may be held: 256 MB
_SHORT = {str(relation): name for name, relation in ATTRIBUTE_RELATIONS.items()}


def view_name(relation_name: str) -> str:
    """Name of the view of a relation: "brand" for HAS_BRAND, "directed_by" for DIRECTED_BY."""
    return _SHORT.get(relation_name, relation_name.lower())


def entity_idf(facts: sp.csr_array) -> NDArray[np.float64]:
    """ln((1 + n) / (1 + df)) of each entity (float64 [n_entities])."""
    return np.log((1 + facts.shape[0]) / (1 + np.bincount(facts.indices, minlength=facts.shape[1])))


def weighted_facts(facts: sp.csr_array) -> sp.csr_array:
    """Â of one relation: CSR of ones [n_items, n_entities] → CSR float32, rows of length 1 or empty."""
    weighted = sp.csr_array((entity_idf(facts)[facts.indices], facts.indices, facts.indptr), shape=facts.shape)
    rows = np.repeat(np.arange(facts.shape[0]), np.diff(facts.indptr))
    lengths = np.sqrt(np.bincount(rows, weighted.data**2, minlength=facts.shape[0]))
    values = weighted.data / np.where(lengths > 0, lengths, 1)[rows]
    return sp.csr_array((values.astype(np.float32), facts.indices, facts.indptr), shape=facts.shape)


def weighted_entities(entity_rows: Rows, idf: NDArray[np.float64]) -> SparseVector:
    """Â of one product outside the catalogue."""
    rows = np.unique(entity_rows).astype(np.int32)
    values = idf[rows]
    length = float(np.sqrt((values**2).sum()))
    return SparseVector(rows, values / length) if length > 0 else EMPTY


class FactView:
    """D of one relation.

    Args:
        relation: name of the relation.
        factor: Â, CSR float32 [n_items, n_entities].
        idf: float64 [n_entities], for products that come later.
    """

    def __init__(self, relation: str, factor: sp.csr_array, idf: NDArray[np.float64]) -> None:
        self.relation = relation
        self.name = view_name(relation)
        self.factor = factor
        self.idf = idf
        self._last: tuple[Candidate, dict[int, float]] | None = None

    @classmethod
    def build(cls, snapshot: GraphSnapshot, relation_name: str) -> FactView:
        """The view of one relation of a snapshot."""
        facts = snapshot.fact_matrix(relation_name)
        return cls(relation_name, weighted_facts(facts), entity_idf(facts))

    @cached_property
    def members(self) -> sp.csr_array:
        """Entities × products: Âᵀ."""
        return transposed(self.factor)

    def scores(self, rows: Rows, weights: Values) -> Values:
        """Through the entities of the profile."""
        entities = weighted_rows(self.factor, rows, weights)
        active = np.flatnonzero(entities)
        if mostly(self.members, active):
            return np.asarray(self._whole @ entities)
        return weighted_rows(self.members, active, entities[active])

    @cached_property
    def _whole(self) -> sp.csr_array:
        return self.factor.astype(np.float64)

    def block(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Many profiles at once."""
        if self._pairs is not None:
            return np.asarray(profiles @ self._pairs, np.float32)
        return np.asarray((profiles @ self.factor @ self.members).toarray(), np.float32)

    @cached_property
    def _pairs(self) -> NDArray[np.float32] | None:
        """D itself, float32 [n_items, n_items], of a small catalogue in which walking it costs more (films: 44 pages of Wikipedia each)."""
        n_items = self.factor.shape[0]
        steps = float((np.bincount(self.factor.indices).astype(np.float64) ** 2).sum())
        if n_items > _DENSE or steps < n_items**2 / 8:
            return None
        return np.asarray((self.factor @ self.members).toarray(), np.float32)

    def entities_of(self, candidate: Candidate) -> SparseVector:
        """Entity rows and weights Â of a candidate."""
        if candidate.row == NEW_ROW:
            return candidate.facts.get(self.relation, EMPTY)
        columns, values = entries(self.factor, candidate.row)
        return SparseVector(columns, values.astype(np.float64))

    def column(self, candidate: Candidate) -> Values:
        """D[·, i]."""
        found = self.entities_of(candidate)
        return weighted_rows(self.members, found.rows, found.values)

    def paths(self, history_row: int, candidate: Candidate) -> Iterator[RawPath]:
        """One path for each entity that both have."""
        own = self._weights_of(candidate)
        columns, values = entries(self.factor, history_row)
        for entity_row, weight in zip(columns.tolist(), values.tolist(), strict=True):
            value = weight * own.get(entity_row, 0.0)
            if value:
                yield RawPath(self.relation, shared_entity(self.relation, entity_row, candidate.row), value)

    def _weights_of(self, candidate: Candidate) -> dict[int, float]:
        """Â of a candidate by entity row; the last one is kept, since a whole history asks for it."""
        if self._last is None or self._last[0] is not candidate:
            found = self.entities_of(candidate)
            self._last = candidate, dict(zip(found.rows.tolist(), found.values.tolist(), strict=True))
        return self._last[1]

    def arrays(self) -> Arrays:
        """Â and the weights of entities."""
        return {**pack("factor", self.factor), "idf": self.idf}


def shared_entity(relation: str, entity_row: int, item_row: int) -> tuple[Hop, Hop]:
    """The two edges of j → e ← i."""
    return Hop(relation, "out", "entity", entity_row), Hop(relation, "in", "item", item_row)
