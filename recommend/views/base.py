"""What every view does: score a profile, name the paths of one pair, lie down as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.ontology import Rel
from recommend.arrays import Arrays, entry, weighted_rows
from recommend.parts import Hop
from recommend.words import WordVector

NEW_ROW = -1  # the row of a candidate that the catalogue does not hold yet

Rows = NDArray[np.int32]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SparseVector:
    """A few rows and their values.

    Args:
        rows: int32, ascending.
        values: float64, as many.
    """

    rows: Rows
    values: Values

    def at(self, row: int) -> float:
        """The value of a row, 0 where there is none."""
        place = int(np.searchsorted(self.rows, row))
        return float(self.values[place]) if place < len(self.rows) and self.rows[place] == row else 0.0

    def dense(self, size: int) -> Values:
        """All values, zeros included (float64 [size])."""
        full = np.zeros(size)
        full[self.rows] = self.values
        return full


EMPTY = SparseVector(np.empty(0, np.int32), np.empty(0))


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A product that is scored: a row of the catalogue, or one that training never saw.

    Args:
        row: its item row, or `NEW_ROW`; only then do the others say anything.
        words: its word vector.
        near, wide: its likeness to the products of the catalogue, as the views `similar` and `similar_wide` weigh it.
        facts: its entity rows and weights Â by relation name.
        vectors: its components of v by name, float64 [d] each; empty without a GNN.
        entity_terms: Â_e · x_e / norm of v by entity row, float64 [d] each, with the relation's name.
    """

    row: int
    words: WordVector | None = None
    near: SparseVector = EMPTY
    wide: SparseVector = EMPTY
    facts: Mapping[str, SparseVector] = field(default_factory=dict)
    vectors: Mapping[str, Values] = field(default_factory=dict)
    entity_terms: Mapping[tuple[str, int], Values] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawPath:
    """One path of one view with its raw contribution, before any weight.

    Args:
        relation: the relation that tells most about it.
        hops: from the history product to the candidate.
        value: what view(j, i) owes to it.
    """

    relation: Rel | str
    hops: tuple[Hop, ...]
    value: float


class View(Protocol):
    """An operator view(j, i) from a history product j to a candidate i, with `view(j, i) == Σ paths(j, i).value` (see `LatentView`)."""

    @property
    def name(self) -> str:
        """Its name in weights, answers and files."""
        ...

    def scores(self, rows: Rows, weights: Values) -> Values:
        """Σ_k weights[k] · view(rows[k], ·), float64 [n_items]."""
        ...

    def block(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """The same for many profiles at once: CSR [b, n_items] → float32 [b, n_items]."""
        ...

    def column(self, candidate: Candidate) -> Values:
        """view(·, candidate), float64 [n_items]."""
        ...

    def paths(self, history_row: int, candidate: Candidate) -> Iterator[RawPath]:
        """All paths of one pair."""
        ...

    def arrays(self) -> Arrays:
        """What it is made of, for a bundle."""
        ...


class LatentView:
    """A view of which a part, or all, has no path: `view(j, i) == mean(j) + Σ paths + latent`."""

    def total(self, history_row: int, candidate: Candidate) -> float:
        """view(j, i) of one pair in float64."""
        raise NotImplementedError

    def mean(self, history_row: int, known: bool) -> float:
        """What the mean candidate gets of it, by whether it has events; 0 for a sparse view."""
        return 0.0


class SparseView:
    """A view that is one CSR matrix [n_items, n_items], history product → candidate, and one edge a path.

    Args:
        name: name of the view.
        relation: the edge between the two products.
        matrix: float32, columns ascending, zero diagonal.
    """

    def __init__(self, name: str, relation: Rel | str, matrix: sp.csr_array) -> None:
        self.name = name
        self.relation = relation
        self.matrix = matrix

    def scores(self, rows: Rows, weights: Values) -> Values:
        """Σ_k weights[k] · matrix[rows[k], ·]."""
        return weighted_rows(self.matrix, rows, weights)

    def block(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Many profiles at once."""
        return np.asarray((profiles @ self.matrix).toarray(), np.float32)

    def value(self, history_row: int, candidate: Candidate) -> float:
        """view(j, i) of one pair; 0 for a candidate outside the catalogue unless a view knows better."""
        return entry(self.matrix, history_row, candidate.row) if candidate.row != NEW_ROW else 0.0

    def column(self, candidate: Candidate) -> Values:
        """Nothing leads to a product that is not in the catalogue, unless a view knows better."""
        size = self.matrix.shape[0]
        if candidate.row == NEW_ROW:
            return np.zeros(size)
        return np.asarray(self.matrix[:, [candidate.row]].toarray(), np.float64).ravel()

    def hop(self, history_row: int, candidate: Candidate) -> Hop:
        """The edge from j to i."""
        return Hop(self.relation, "out", "item", candidate.row, derived=True)

    def paths(self, history_row: int, candidate: Candidate) -> Iterator[RawPath]:
        """One path, if there is any."""
        value = self.value(history_row, candidate)
        if value:
            yield RawPath(self.relation, (self.hop(history_row, candidate),), value)
