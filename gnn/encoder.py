"""The tower: what turns text, facts and identity of a product into its two vectors.

    v_i = (P f_i + Σ_t tfidf_it w_t + Σ_r w_r Σ_e Â_ie x_e + keep_i · id_i) / ‖·‖,  and q_j likewise with parameters of its own.

f: dense text features. w_t: vector of a term, its SVD vector through P at the start plus a learnt rest. x_e: vector of an entity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gnn.config import GnnConfig
from gnn.embeddings import ItemEdges
from gnn.features import TextFeatures
from gnn.layers import Operator, WeightedSum, orthogonal

START = 0.001  # standard deviation of entities and identities at the start
TEXT_SCALE = 2.0  # of text features in the fit: Adam moves every parameter alike, so this is how much text outweighs identity


@dataclass(frozen=True, eq=False)
class Gather:
    """Several relations that share no entity, as one product: Σ_r w_r Σ_e Â_ie x_e = Σ_e Â_ie (w_{r(e)} x_e).

    Args:
        weights: operator Â [n_items, n_entities].
        relation_places: int64 [n_entities], the relation of each entity (0 where it has none here).
    """

    weights: Operator
    relation_places: Tensor


def _gathers(
    edges: ItemEdges,
    inside: NDArray[np.bool_],
    item_places: NDArray[np.int64],
    shape: tuple[int, int],
    n_relations: int,
    device: torch.device,
) -> list[Gather]:
    """Relations packed greedily; one operator, unless an entity stands under two relations."""
    layers: list[tuple[NDArray[np.bool_], NDArray[np.int64]]] = []  # edges taken, relation of each entity (−1: none)
    for relation_place in range(n_relations):
        wanted = inside & (edges.relation_places == relation_place)
        ends = edges.entity_rows[wanted]
        free = [layer for layer in layers if (layer[1][ends] < 0).all()]
        if not free:
            free = [(np.zeros(len(inside), np.bool_), np.full(shape[1], -1, np.int64))]
            layers += free
        taken, relation_of = free[0]
        taken |= wanted
        relation_of[ends] = relation_place
    found = []
    for taken, relation_of in layers:
        matrix = sp.csr_array((edges.weights[taken], (item_places[taken], edges.entity_rows[taken])), shape=shape)
        found.append(Gather(Operator(matrix, device), torch.from_numpy(np.maximum(relation_of, 0)).to(device)))
    return found


@dataclass(frozen=True, eq=False)
class Inputs:
    """What both sides read, on the device.

    Args:
        dense: float32 [n_items, d_text], times TEXT_SCALE.
        words: operator [n_items, n_words], TF-IDF times TEXT_SCALE.
        basis: float32 [n_words, k].
        projected: float32 [n_items, k], TF-IDF times basis.
        gathers: Â of all relations, in as few operators as hold each entity under one relation.
        touched: bool [n_entities], whether any of these products (or of those that they were taken from) has the entity.
        places: int64 [n_items], which of the known products these are; None: all of them.
    """

    dense: Tensor
    words: Operator | None
    basis: Tensor
    projected: Tensor
    gathers: tuple[Gather, ...]
    n_relations: int
    touched: Tensor
    places: Tensor | None = None

    def some(self, places: NDArray[np.int64]) -> Inputs:
        """Those of some products (ascending places): what a step that looks at no others reads, with their neighbours."""
        if len(places) == self.n_items:
            return self
        chosen = torch.from_numpy(places).to(self.dense.device)
        return replace(
            self,
            dense=self.dense[chosen],
            words=None if self.words is None else self.words.some(places),
            projected=self.projected[chosen],
            gathers=tuple(replace(gather, weights=gather.weights.some(places)) for gather in self.gathers),
            places=chosen if self.places is None else self.places[chosen],
        )

    @property
    def n_items(self) -> int:
        """How many products."""
        return int(self.dense.shape[0])

    @classmethod
    def of(
        cls,
        features: TextFeatures,
        edges: ItemEdges,
        n_relations: int,
        n_entities: int,
        item_rows: NDArray[np.int64],
        device: torch.device,
    ) -> Inputs:
        """Move the features and edges of some products, in the order of their rows (int64 [n], ascending), to the device."""
        of_edge = np.repeat(np.arange(len(edges.starts) - 1), np.diff(edges.starts))
        places = np.full(len(edges.starts) - 1, -1)
        places[item_rows] = np.arange(len(item_rows))
        inside = places[of_edge] >= 0
        touched = np.zeros((n_entities, 1), np.bool_)
        touched[edges.entity_rows[inside]] = True
        return cls(
            torch.from_numpy(np.array(features.dense[item_rows]) * np.float32(TEXT_SCALE)).to(device),
            Operator(features.words[item_rows] * np.float32(TEXT_SCALE), device) if features.words.shape[1] else None,
            torch.from_numpy(np.array(features.word_basis)).to(device),
            torch.from_numpy(np.asarray(features.words[item_rows] @ features.word_basis * TEXT_SCALE, np.float32)).to(device),
            tuple(_gathers(edges, inside, places[of_edge], (len(item_rows), n_entities), n_relations, device)),
            n_relations,
            torch.from_numpy(touched).to(device),
        )


class Side(nn.Module):
    """One side of the tower (source or target).

    Args:
        inputs: for the shapes.
        config: dim and dropouts.
        start: what P ([d_text + k, dim]), entities ([n_entities, dim]) and identities ([n_items, dim]) start as.
    """

    def __init__(self, inputs: Inputs, config: GnnConfig, start: tuple[Tensor, Tensor, Tensor]) -> None:
        super().__init__()
        d_text, n_words = inputs.dense.shape[1], inputs.basis.shape[0]
        self.config = config
        self.text_map = nn.Parameter(start[0][:d_text].clone())
        self.word_map = nn.Parameter(start[0][d_text:].clone())
        self.word_rest = nn.Parameter(torch.zeros(n_words, config.dim))
        self.entity_vectors = nn.Parameter(start[1].clone())
        self.relation_weights = nn.Parameter(torch.ones(inputs.n_relations))
        self.identity = nn.Parameter(start[2].clone())
        self.gather = WeightedSum()

    def word_vectors(self, inputs: Inputs) -> Tensor:
        """Vectors of the terms (float [n_words, dim])."""
        return inputs.basis @ self.word_map + self.word_rest

    def components(self, inputs: Inputs, word_keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Text and entity component of every product, before the norm.

        Args:
            inputs: features and edges.
            word_keep: float [n_words, 1], 0 for terms whose learnt rest is left out in this step, scaled up otherwise; None keeps all.

        Returns:
            two float tensors [n_items, dim].
        """
        text = inputs.dense @ self.text_map  # [n_items, dim]
        if inputs.words is not None:
            rest = self.word_rest if word_keep is None else self.word_rest * word_keep
            # Σ_t tfidf_it w_t with w_t = basis_t · map + rest_t; the product tfidf · basis never changes.
            text = text + inputs.projected @ self.word_map + inputs.words @ rest
        entity = torch.zeros_like(text)
        for gather in inputs.gathers:
            entity = entity + self.gather(self.relation_weights[gather.relation_places].unsqueeze(1) * self.entity_vectors, gather.weights)
        return text, entity

    def forward(self, inputs: Inputs, generator: torch.Generator) -> Tensor:
        """Unit vectors for one training step, with dropouts (float [n_items, dim]); the inputs are known products."""
        word_keep = None  # what is dropped is drawn on the CPU: the same on every device
        if inputs.words is not None and self.config.word_dropout > 0:
            kept = torch.rand(len(self.word_rest), 1, generator=generator) >= self.config.word_dropout
            word_keep = kept.to(inputs.dense) / (1 - self.config.word_dropout)
        text, entity = self.components(inputs, word_keep)
        keep = (torch.rand(inputs.n_items, 1, generator=generator) >= self.config.identity_dropout).to(inputs.dense)
        identity = self.identity if inputs.places is None else self.identity[inputs.places]
        return nn.functional.normalize(text + entity + keep * identity, dim=1)


class Tower(nn.Module):
    """Both sides; the source starts as a copy of the target."""

    def __init__(self, inputs: Inputs, n_entities: int, config: GnnConfig, generator: torch.Generator) -> None:
        super().__init__()
        # Not zero: where no text is, the product of two zeros would have no gradient.
        small = [torch.randn(n, config.dim, generator=generator) * START for n in (n_entities, inputs.n_items)]
        device = inputs.dense.device
        start = (
            orthogonal(inputs.dense.shape[1] + inputs.basis.shape[1], config.dim, generator).to(device),
            small[0].to(device) * inputs.touched,  # entities of new products only are never trained and stay zero
            small[1].to(device),
        )
        self.source = Side(inputs, config, start)
        self.target = Side(inputs, config, start)

    def text_only(self) -> None:
        """Take entities and identities out, for a tower that nothing was learnt by."""
        with torch.no_grad():
            for side in (self.source, self.target):
                side.entity_vectors.zero_()
                side.identity.zero_()
