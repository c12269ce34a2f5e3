"""A two-tower model with interactions: cross features in the product's tower, attention over the history in the person's.

    x_i = [P f_i ; Σ_r Σ_e Â_ie x_e],   c_i = x_i ⊙ (W x_i + b) + x_i,   v_i = (A c_i + B relu(C c_i) + keep_i · id_i) / ‖·‖
    u = Σ_{j ∈ H} α_j q_j,   α = softmax over H of aᵀ tanh(G q_j)

The cross layer is DCN-v2's (Wang et al., 2021), the pooling additive attention (Bahdanau et al., 2015). Inductive: a product without
events has text and entities. It does not come apart into parts: that is what it is here to be compared with.

A known product's identity takes it nearer to those who bought it, so that new products are too quiet in one ranking with known ones:
their cosine is lifted by a number that is chosen on validation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gnn.batches import Batch, Batches
from gnn.config import GnnConfig
from gnn.descent import Descent, descend, softmax_loss
from gnn.device import choose_device
from gnn.features import TextFeatures
from gnn.layers import Operator
from gnn.validation import Part, Validation
from kg.progress import SILENT, Progress
from kg.seeds import derive
from kg.snapshot import GraphSnapshot

LIFTS = (0.0, 0.03, 0.06, 0.1, 0.15, 0.2)  # of the cosine of new products


@dataclass(frozen=True, slots=True)
class TwoTowerConfig:
    """Settings.

    Args:
        dim: length of the vectors.
        temperature: of the softmax.
        steps: at most.
        learning_rate: Adam's.
        people: people a step.
        identity_dropout: as in `GnnConfig`.
        seed: of the start and all draws.
        device: as in `GnnConfig`.
    """

    dim: int = 128
    temperature: float = 0.07
    steps: int = 200
    learning_rate: float = 2e-3
    people: int = 1024
    identity_dropout: float = 0.5
    seed: int = 0
    device: str = "auto"


class ProductTower(nn.Module):
    """Text, entities and a dropped-out identity through a cross layer and a hidden layer.

    Args:
        sizes: length of the text features, number of entities, number of products with an identity.
        config: settings.
    """

    def __init__(self, sizes: tuple[int, int, int], config: TwoTowerConfig) -> None:
        super().__init__()
        d_text, n_entities, n_known = sizes
        dim, self.dropout = config.dim, config.identity_dropout
        self.text = nn.Linear(d_text, dim, bias=False)
        self.entities = nn.Parameter(torch.randn(n_entities, dim) * 0.01)
        self.cross = nn.Linear(2 * dim, 2 * dim)
        self.straight = nn.Linear(2 * dim, dim, bias=False)
        self.deep = nn.Sequential(nn.Linear(2 * dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.identity = nn.Parameter(torch.randn(n_known, dim) * 0.001)
        with torch.no_grad():
            nn.init.orthogonal_(self.text.weight)
            self.straight.weight.copy_(torch.eye(dim).repeat(1, 2))

    def forward(self, text: Tensor, facts: Operator, known: Tensor, keep: Tensor) -> Tensor:
        """Unit vectors of products (float [n, d]).

        Args:
            text: float [n, d_text].
            facts: Â of all relations, [n, n_entities].
            known: int64 [n_known], rows that have an identity.
            keep: float [n_known, 1], 0 where it is left out.
        """
        both = torch.cat([self.text(text), facts @ self.entities], dim=1)
        crossed = both * self.cross(both) + both
        own = self.straight(crossed) + self.deep(crossed)
        return nn.functional.normalize(own.index_add(0, known, keep * self.identity), dim=1)


class TwoTower(nn.Module):
    """Both towers; products as history and products as candidates have parameters of their own."""

    def __init__(self, sizes: tuple[int, int, int], config: TwoTowerConfig) -> None:
        super().__init__()
        self.source, self.target = ProductTower(sizes, config), ProductTower(sizes, config)
        self.source.load_state_dict(self.target.state_dict())
        self.look = nn.Linear(config.dim, config.dim)
        self.weight = nn.Linear(config.dim, 1, bias=False)

    def people(self, histories: sp.csr_array, source: Tensor) -> Tensor:
        """Vectors of people (float [b, d]) from their histories (CSR [b, n]) and the products' vectors (float [n, d])."""
        strength = self.weight(torch.tanh(self.look(source))).squeeze(1)  # [n]
        rows = torch.from_numpy(np.repeat(np.arange(histories.shape[0]), np.diff(histories.indptr))).to(source.device)
        items = torch.from_numpy(histories.indices.astype(np.int64)).to(source.device)
        raised = torch.exp(strength - strength.max())[items]
        total = torch.zeros(histories.shape[0], device=source.device).index_add(0, rows, raised).clamp(min=1e-12)
        share = (raised / total[rows]).unsqueeze(1)
        return torch.zeros(histories.shape[0], source.shape[1], device=source.device).index_add(0, rows, share * source[items])


@dataclass(frozen=True, eq=False)
class Products:
    """What the towers read, on the device: text, facts, rows with an identity, and the same of those rows alone."""

    text: Tensor
    facts: Operator
    known: NDArray[np.int64]
    known_text: Tensor
    known_facts: Operator

    @classmethod
    def of(cls, snapshot: GraphSnapshot, features: TextFeatures, facts: sp.csr_array, device: torch.device) -> Products:
        """Move everything to the device; words go in by their vectors."""
        text = np.concatenate([features.dense, np.asarray(features.words @ features.word_basis)], axis=1).astype(np.float32)
        known = np.flatnonzero(snapshot.item_event_counts)
        dense = torch.from_numpy(text).to(device)
        return cls(dense, Operator(facts, device), known, dense[known], Operator(sp.csr_array(facts[known]), device))

    def vectors(self, tower: ProductTower) -> Tensor:
        """Vectors of all products, identities in (float [n_items, d])."""
        rows = torch.from_numpy(self.known).to(self.text.device)
        return cast(Tensor, tower(self.text, self.facts, rows, torch.ones(len(rows), 1, device=self.text.device)))

    def dropped(self, tower: ProductTower, random: torch.Generator) -> Tensor:
        """Vectors of the products with an identity, some of them without it in this step (float [n_known, d])."""
        rows = torch.arange(len(self.known), device=self.text.device)
        keep = (torch.rand(len(rows), 1, generator=random) >= tower.dropout).to(self.known_text)
        return cast(Tensor, tower(self.known_text, self.known_facts, rows, keep))


class FittedTowers:
    """A fit that scores histories: cosines, and what new products are given on top.

    Args:
        model: the towers.
        products: what they read.
        report: how the fit went, as JSON values.
        lift: added to the cosine of a product without events.
    """

    def __init__(self, model: TwoTower, products: Products, report: dict[str, object], lift: float = 0.0) -> None:
        self._model, self._new, self.report = model, np.ones(len(products.text), np.float32), report
        self._new[products.known] = 0
        with torch.no_grad():
            self._source, target = products.vectors(model.source), products.vectors(model.target)
        self.target: NDArray[np.float32] = np.concatenate([target.cpu().numpy(), lift * self._new[:, None]], axis=1)  # [n_items, d + 1]

    def people(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Vectors of people (CSR [b, n_items] → float32 [b, d + 1]), of length 1 but for the last number, which is 1."""
        with torch.no_grad():
            found = nn.functional.normalize(self._model.people(profiles, self._source), dim=1).cpu().numpy()
        return np.concatenate([found, np.ones((len(found), 1), np.float32)], axis=1)

    def best_lift(self, joint: Part) -> float:
        """The one of LIFTS under which people find most in one ranking of new and known products."""
        people, plain = self.people(joint.history), self.target[:, :-1]
        return max(LIFTS, key=lambda lift: joint.ndcg_of(people, np.concatenate([plain, lift * self._new[:, None]], axis=1)))

    def scores(self, profiles: sp.csr_array) -> NDArray[np.float32]:
        """Scores of many histories (CSR [b, n_items] → float32 [b, n_items])."""
        return np.asarray(self.people(profiles) @ self.target.T, np.float32)


def fit_two_tower(
    snapshot: GraphSnapshot,
    features: TextFeatures,
    facts: sp.csr_array,
    config: TwoTowerConfig | None = None,
    valid: Validation | None = None,
    progress: Progress = SILENT,
) -> FittedTowers:
    """Fit on the events of a snapshot.

    Args:
        snapshot: the graph.
        features: of the products' texts.
        facts: CSR [n_items, n_entities of all relations], rows of weighted entities.
        config: settings; the defaults when None.
        valid: a held-out part that stops the fit, and says how much louder new products are to be.
        progress: hears the stage "two-tower" in steps.
    """
    config = config or TwoTowerConfig()
    device = choose_device(config.device)
    products = Products.of(snapshot, features, facts, device)
    with torch.random.fork_rng():
        torch.manual_seed(derive(config.seed, "two-tower start"))
        model = TwoTower((products.text.shape[1], facts.shape[1], len(products.known)), config).to(device)
    events = snapshot.interactions
    histories = sp.csr_array(events[np.flatnonzero(np.diff(events.indptr) >= 2)][:, products.known])
    parts = [] if valid is None else list(valid.parts(snapshot).values())
    if not histories.shape[0]:
        return FittedTowers(model, products, {"steps": 0})
    batches = Batches(histories, GnnConfig(people=config.people, seed=config.seed))

    def loss(step: int) -> Tensor:
        random = torch.Generator().manual_seed(derive(config.seed, f"two-tower {step}"))
        source, target = (products.dropped(tower, random) for tower in (model.source, model.target))
        batch: Batch = batches.draw(step)
        return softmax_loss(batch, model.people(batch.inputs, source), target, config.temperature)

    def look() -> float:
        now = FittedTowers(model, products, {})
        return float(np.mean([part.ndcg_of(now.people(part.history), now.target) for part in parts]))

    report = descend("two-tower", model, loss, look if parts else None, Descent(config.steps, config.learning_rate), progress)
    fitted, joint = FittedTowers(model, products, report), None if valid is None else valid.joint(snapshot)
    if joint is None:
        return fitted
    lift = fitted.best_lift(joint)
    return FittedTowers(model, products, {**report, "lift": lift}, lift)
