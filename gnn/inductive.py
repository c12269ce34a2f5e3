"""Vectors of products and people that training never saw, from the table's parameters alone. Free of torch.

The parameters stay as they are, idf included; a product without events has no identity. What comes out is what the tower
would give with the product in the graph and the same parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnn.embeddings import EmbeddingTable, ItemEdges, TowerSide
from gnn.features import TextFeatures
from kg.errors import StateError


@dataclass(frozen=True, eq=False)
class NewProducts:
    """Components of products that are not in the table.

    Args:
        source, target: components by name, float32 [n, d] each, divided by the norm.
        source_norms, target_norms: float32 [n], or [n, towers].
        edges: product → entity edges with their weights, as in the table.
    """

    source: Mapping[str, NDArray[np.float32]]
    target: Mapping[str, NDArray[np.float32]]
    source_norms: NDArray[np.float32]
    target_norms: NDArray[np.float32]
    edges: ItemEdges

    def source_vectors(self) -> NDArray[np.float64]:
        """q, the sum of the components (float64 [n, d])."""
        return np.asarray(np.sum([part.astype(np.float64) for part in self.source.values()], axis=0))

    def target_vectors(self) -> NDArray[np.float64]:
        """v, the sum of the components (float64 [n, d])."""
        return np.asarray(np.sum([part.astype(np.float64) for part in self.target.values()], axis=0))


def embed_products(
    table: EmbeddingTable, features: TextFeatures, entities: Sequence[Mapping[str, Sequence[int]]] | None = None
) -> NewProducts:
    """Components of new products, or of plain texts.

    Args:
        table: a fit.
        features: text features of n texts under the encoder of the fit.
        entities: for each text, entity rows of the snapshot by relation name; a row of −1 (an entity that the graph does not
            hold) and a relation that the fit did not know are left out. None: no facts.

    Raises:
        StateError: features of another encoder, or another number of texts.
    """
    if features.digest != table.text_digest:
        raise StateError("The texts were encoded by another text encoder than the one of the fit.", "Open the encoder beside the model.")
    facts = entities if entities is not None else [{}] * len(features)
    if len(facts) != len(features):
        raise StateError(f"There are {len(features)} texts but facts of {len(facts)} products.")
    edges = _edges(table, facts)
    source, source_norms = _side(table.source_side, features, edges)
    target, target_norms = _side(table.target_side, features, edges)
    return NewProducts(source, target, source_norms, target_norms, edges)


def person(table: EmbeddingTable, item_rows: NDArray[np.int32], weights: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
    """Vector of a person: the weighted sum of q over the history (float64 [d]); ⟨person, v_i⟩ is the tower's score.

    Args:
        item_rows: int32 [h], the history.
        weights: float32 [h]; 1 each when None.
    """
    chosen = np.sum([part[item_rows].astype(np.float64) for part in table.source.values()], axis=0)
    return np.asarray((np.ones(len(item_rows)) if weights is None else weights.astype(np.float64)) @ chosen)


def _edges(table: EmbeddingTable, facts: Sequence[Mapping[str, Sequence[int]]]) -> ItemEdges:
    starts, rows, places, weights = [0], [], [], []
    for of_product in facts:
        for place, name in enumerate(table.relations):
            known = np.unique([row for row in of_product.get(name, ()) if row >= 0]).astype(np.int32)
            idf = table.entity_idf[place, known].astype(np.float64)
            length = np.sqrt((idf**2).sum())
            rows.append(known)
            places.append(np.full(len(known), place, np.int32))
            weights.append(idf / length if length > 1e-12 else idf)
        starts.append(sum(len(part) for part in rows))
    nothing = np.empty(0)
    return ItemEdges(
        np.array(starts, np.int32),
        np.concatenate([nothing, *rows]).astype(np.int32),
        np.concatenate([nothing, *places]).astype(np.int32),
        np.concatenate([nothing, *weights]).astype(np.float32),
    )


def _side(side: TowerSide, features: TextFeatures, edges: ItemEdges) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
    text = features.dense.astype(np.float64) @ side.text_map
    if features.words.shape[1]:
        text = text + features.words @ side.word_vectors.astype(np.float64)
    entity = np.zeros_like(text)
    item_rows = np.repeat(np.arange(len(features)), np.diff(edges.starts))
    np.add.at(entity, item_rows, side.entity_terms(edges.entity_rows, edges.relation_places, edges.weights))
    norms = side.norms_of(text + entity)
    parts = {"text": text, "entity": entity, "identity": np.zeros_like(text)}
    return {name: (part / side.across(norms)).astype(np.float32) for name, part in parts.items()}, norms
