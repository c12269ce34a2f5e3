"""The tower's score of two products, taken apart into pairs of named components. Free of torch.

    ⟨q_j, v_i⟩ = Σ_a Σ_b ⟨a, b⟩,   a: components of q_j, b: components of v_i

A component is the text as a whole, a word of it, an entity through a relation, or the identity; the norms of q_j and v_i are
fixed numbers inside the components. The sum is exact because what rounding leaves goes into the text or the strongest entity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gnn.embeddings import COMPONENTS, EmbeddingTable, ItemEdges, TowerSide
from gnn.inductive import NewProducts

SideName = Literal["source", "target"]


@dataclass(frozen=True, slots=True)
class Component:
    """One summand of a product's vector.

    Args:
        kind: "text" (what nobody can name in it), "word", "entity" or "identity".
        relation: of an entity, the relation that leads to it; else empty.
        row: of an entity its row in the snapshot, of a word its column in the word index; else None.
    """

    kind: Literal["text", "word", "entity", "identity"]
    relation: str = ""
    row: int | None = None


@dataclass(frozen=True, eq=False)
class Components:
    """A product's vector as a sum.

    Args:
        names: the summands.
        vectors: float64 [m, d], in the same order.
    """

    names: tuple[Component, ...]
    vectors: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """The product's vector (float64 [d])."""
        return np.asarray(self.vectors.sum(axis=0))


@dataclass(frozen=True, eq=False)
class PairParts:
    """All pairs of components of two products.

    Args:
        source: components of q_j.
        target: components of v_i.
        values: float64 [m, n], their inner products.
    """

    source: tuple[Component, ...]
    target: tuple[Component, ...]
    values: NDArray[np.float64]

    @property
    def total(self) -> float:
        """⟨q_j, v_i⟩."""
        return float(self.values.sum())

    def kinds(self) -> dict[tuple[str, str], float]:
        """Sums over pairs of kinds; their sum is the total."""
        found: dict[tuple[str, str], float] = {}
        for row, first in enumerate(self.source):
            for column, second in enumerate(self.target):
                pair = (first.kind, second.kind)
                found[pair] = found.get(pair, 0.0) + float(self.values[row, column])
        return found

    def strongest(self, limit: int = 10) -> list[tuple[Component, Component, float]]:
        """The pairs that add most, strongest first; of equals, the first in order."""
        flat = self.values.ravel()
        order = np.argsort(-flat, kind="stable")[:limit]
        rows, columns = np.divmod(order, max(len(self.target), 1))
        return [(self.source[r], self.target[c], float(flat[place])) for r, c, place in zip(rows, columns, order, strict=True)]


def components_of(table: EmbeddingTable, side: SideName, item_row: int, words: sp.csr_array | None = None) -> Components:
    """Components of a product of the table.

    Args:
        table: a fit.
        side: "source" (the product speaks) or "target" (it is spoken to).
        item_row: which product.
        words: float32 CSR [1, n_words], its TF-IDF row under the encoder of the fit; None leaves the text whole.
    """
    parts: Mapping[str, NDArray[np.float32]] = getattr(table, side)
    parameters: TowerSide = getattr(table, f"{side}_side")
    vectors = {name: parts[name][item_row].astype(np.float64) for name in COMPONENTS}
    return _components(table.relations, parameters, parameters.norms[[item_row]], vectors, table.edges, item_row, words)


def components_of_new(
    table: EmbeddingTable, products: NewProducts, side: SideName, place: int, words: sp.csr_array | None = None
) -> Components:
    """Components of a product that `gnn.inductive` embedded; arguments as in `components_of`."""
    parts: Mapping[str, NDArray[np.float32]] = getattr(products, side)
    norm = getattr(products, f"{side}_norms")[[place]]
    vectors = {name: parts[name][place].astype(np.float64) for name in COMPONENTS}
    return _components(table.relations, getattr(table, f"{side}_side"), norm, vectors, products.edges, place, words)


def pairs(source: Components, target: Components) -> PairParts:
    """All pairs of components of two products."""
    return PairParts(source.names, target.names, source.vectors @ target.vectors.T)


def history_pairs(
    table: EmbeddingTable, item_rows: NDArray[np.int32], weights: NDArray[np.float32]
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Scores of all products by pair of components ("text", "entity", "identity") for a history.

    Args:
        item_rows: int32 [h], the history.
        weights: float32 [h].

    Returns:
        float64 [n_items] for each of the nine pairs; their sum is the tower's score.
    """
    spoken = {name: weights.astype(np.float64) @ part[item_rows].astype(np.float64) for name, part in table.source.items()}
    return {(a, b): part @ spoken[a] for a in COMPONENTS for b, part in table.target.items()}


def _components(
    relations: tuple[str, ...],
    side: TowerSide,
    norm: NDArray[np.float32],
    vectors: dict[str, NDArray[np.float64]],
    edges: ItemEdges,
    row: int,
    words: sp.csr_array | None,
) -> Components:
    names, found, factor = [Component("text")], [vectors["text"]], side.across(norm)
    if words is not None and words.nnz:
        named = words.data.astype(np.float64)[:, None] * side.word_vectors[words.indices].astype(np.float64) / factor
        names += [Component("word", "", int(column)) for column in words.indices]
        found += list(named)
        found[0] = found[0] - named.sum(axis=0)
    entity_rows, places, weights = edges.of_item(row)
    if len(entity_rows):
        entities = side.entity_terms(entity_rows, places, weights) / factor
        strongest = int(np.linalg.norm(entities, axis=1).argmax())
        entities[strongest] += vectors["entity"] - entities.sum(axis=0)
        names += [Component("entity", relations[p], int(e)) for p, e in zip(places, entity_rows, strict=True)]
        found += list(entities)
    return Components((*names, Component("identity")), np.stack([*found, vectors["identity"]]))
