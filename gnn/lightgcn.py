"""LightGCN (He et al., 2020): vectors of products and people, smoothed over who bought what.

    u⁽ᵏ⁺¹⁾ = Σ_{i ∈ N(u)} i⁽ᵏ⁾ / √(d_u d_i),   i⁽ᵏ⁺¹⁾ = Σ_{u ∈ N(i)} u⁽ᵏ⁾ / √(d_u d_i),   result: mean over the layers

Differs from the paper: people start at zero, so that anybody's vector is a sum over a history (that of a person whom training never
saw, too); softmax over all products with cosine / τ instead of BPR; targets are left out of the person's own sum in a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gnn.batches import Batch, Batches
from gnn.config import GnnConfig
from gnn.descent import Descent, descend, softmax_loss
from gnn.device import choose_device
from gnn.factors import Factors
from gnn.layers import Operator, WeightedSum
from gnn.validation import Validation
from kg.progress import SILENT, Progress
from kg.seeds import derive
from kg.snapshot import GraphSnapshot


@dataclass(frozen=True, slots=True)
class LightGcnConfig:
    """Settings; the defaults were chosen on the validation parts of Beauty and ml1m.

    Args:
        dim: length of the vectors.
        smoothings: how often products' vectors go to people and back; k of them are 2 k + 1 layers of the paper's.
        temperature: τ.
        steps: at most.
        learning_rate: Adam's.
        people: people a step.
        seed: of the start and the batches.
        device: as in `GnnConfig`.
    """

    dim: int = 64
    smoothings: int = 1
    temperature: float = 0.1
    steps: int = 200
    learning_rate: float = 1e-2
    people: int = 1024
    seed: int = 0
    device: str = "auto"


class LightGcn(nn.Module):
    """The products' own vectors and the smoothing.

    Args:
        interactions: CSR of ones, people × products.
        config: settings.
        device: where it lives.
    """

    def __init__(self, interactions: sp.csr_array, config: LightGcnConfig, device: torch.device) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(derive(config.seed, "lightgcn start"))
        self.items = nn.Parameter((torch.randn(interactions.shape[1], config.dim, generator=random) * 0.1).to(device))
        people = np.maximum(np.diff(interactions.indptr), 1)
        bought = np.maximum(np.bincount(interactions.indices, minlength=interactions.shape[1]), 1)
        self.scale = torch.from_numpy((1 / np.sqrt(bought)).astype(np.float32)).unsqueeze(1).to(device)
        weights = sp.csr_array(sp.diags_array(1 / np.sqrt(people)) @ interactions @ sp.diags_array(1 / np.sqrt(bought)))
        self.to_people, self.to_items = Operator(weights, device), Operator(sp.csr_array(weights.T.tocsr()), device)
        self.smooth, self.smoothings = WeightedSum(), config.smoothings

    def forward(self) -> tuple[Tensor, Tensor]:
        """What a product gives to a person's sum, and the unit vector that it is found by (float [n_items, d] each)."""
        layer = total = self.items
        for _ in range(self.smoothings):
            layer = self.smooth(self.smooth(layer, self.to_people), self.to_items)
            total = total + layer
        return total * self.scale, nn.functional.normalize(total, dim=1)

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The same as arrays."""
        source, target = (part.detach().cpu().numpy() for part in self())
        return source, target


def fit_lightgcn(
    snapshot: GraphSnapshot, config: LightGcnConfig | None = None, valid: Validation | None = None, progress: Progress = SILENT
) -> Factors:
    """Fit on the events of a snapshot.

    Args:
        snapshot: the graph; products without events get vectors of zero.
        config: settings; the defaults when None.
        valid: a held-out part; the fit stops when known products gain nothing any more.
        progress: hears the stage "lightgcn" in steps.

    Returns:
        Vectors of all products.
    """
    config = config or LightGcnConfig()
    device = choose_device(config.device)
    events = snapshot.interactions
    known = np.flatnonzero(np.bincount(events.indices, minlength=events.shape[1]))
    model = LightGcn(sp.csr_array(events[:, known]), config, device)
    histories = sp.csr_array(events[np.flatnonzero(np.diff(events.indptr) >= 2)][:, known])
    parts = [] if valid is None else [part for name, part in valid.parts(snapshot).items() if name == "warm"]

    def spread() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        source, target = (np.zeros((snapshot.n_items, config.dim), np.float32) for _ in range(2))
        source[known], target[known] = model.arrays()
        return source, target

    report: dict[str, object] = {"steps": 0}
    if histories.shape[0]:
        batches = Batches(histories, GnnConfig(people=config.people, seed=config.seed))
        look = None if not parts else lambda: float(np.mean([part.ndcg(*spread()) for part in parts]))
        how = Descent(config.steps, config.learning_rate)
        report = descend("lightgcn", model, lambda step: _loss(model, batches.draw(step), config.temperature), look, how, progress)
    source, target = spread()
    return Factors(source, target, np.zeros(snapshot.n_items, np.float32), report)


def _loss(model: LightGcn, batch: Batch, temperature: float) -> Tensor:
    source, target = model()
    return softmax_loss(batch, Operator(batch.inputs, target.device) @ source, target, temperature)
