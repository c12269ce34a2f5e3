"""A hybrid of features and identities in the manner of LightFM (Kula, 2015), fitted by WARP (Weston et al., 2011).

    v_i = Σ_{f ∈ features(i)} a_if x_f,   u = Σ_{j ∈ H} q_j / |H|,   score = ⟨u, v_i⟩ + b_i

Features of a product: itself, its entities, its words; a_i· sums to 1. Differs from the paper: a person's features are the products of
the history (so that anybody has a vector), with vectors of their own; the wanted product is left out of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gnn.descent import Descent, descend
from gnn.device import choose_device
from gnn.factors import Factors
from gnn.layers import Operator
from gnn.validation import Validation
from kg.progress import SILENT, Progress
from kg.seeds import derive
from kg.snapshot import GraphSnapshot


@dataclass(frozen=True, slots=True)
class HybridConfig:
    """Settings; length and learning rate were chosen on Beauty's validation (docs/model.md, "Against the references").

    Args:
        dim: length of the vectors.
        passes: over all events.
        learning_rate: Adagrad's.
        pairs: events a step.
        draws: products drawn for an event in search of one that is ranked too high.
        seed: of the start and all draws.
        device: as in `GnnConfig`.
    """

    dim: int = 128
    passes: int = 30
    learning_rate: float = 0.2
    pairs: int = 4096
    draws: int = 20
    seed: int = 0
    device: str = "auto"


class Hybrid(nn.Module):
    """Vectors of features on both sides, and a bias a feature.

    Args:
        features: CSR [n_items, n_features], rows summing to 1.
        config: settings.
        device: where it lives.
    """

    def __init__(self, features: sp.csr_array, config: HybridConfig, device: torch.device) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(derive(config.seed, "hybrid start"))
        shape = (features.shape[1], config.dim)
        self.given, self.found = (nn.Parameter(((torch.rand(shape, generator=random) - 0.5) / config.dim).to(device)) for _ in range(2))
        self.biases = nn.Parameter(torch.zeros(shape[0], 1, device=device))
        self.features = Operator(features, device)

    def forward(self) -> tuple[Tensor, Tensor, Tensor]:
        """What products give to people, their own vectors (float [n_items, d] each), their biases (float [n_items])."""
        return self.features @ self.given, self.features @ self.found, (self.features @ self.biases).squeeze(1)


def features_of(snapshot: GraphSnapshot, words: sp.csr_array) -> sp.csr_array:
    """Identity, entities and words of each product side by side (CSR float32, rows summing to 1).

    Identities of products that nobody has bought are left out: nothing would ever be learnt about them.
    """
    seen = (snapshot.item_event_counts > 0).astype(np.float32)
    blocks = [sp.diags_array(seen), *(snapshot.fact_matrix(name) for name in snapshot.facts()), words > 0]
    joined = sp.csr_array(sp.hstack([sp.csr_array(block) for block in blocks], format="csr")).astype(np.float32)
    joined.eliminate_zeros()
    sums = np.maximum(np.asarray(joined.sum(axis=1)).ravel(), 1)
    return sp.csr_array(sp.diags_array((1 / sums).astype(np.float32)) @ joined)


def fit_hybrid(
    snapshot: GraphSnapshot,
    words: sp.csr_array,
    config: HybridConfig | None = None,
    valid: Validation | None = None,
    progress: Progress = SILENT,
) -> Factors:
    """Fit on the events of a snapshot.

    Args:
        snapshot: the graph.
        words: CSR [n_items, n_words], not 0 where a product's text has a word.
        config: settings; the defaults when None.
        valid: a held-out part that stops the fit.
        progress: hears the stage "hybrid" in steps.

    Returns:
        Vectors and biases of all products; profiles whose weights sum to 1 give the scores of the fit.
    """
    config = config or HybridConfig()
    device = choose_device(config.device)
    model = Hybrid(features_of(snapshot, words), config, device)
    parts = [] if valid is None else list(valid.parts(snapshot).values())
    events = snapshot.interactions
    report: dict[str, object] = {"steps": 0}
    if events.nnz and snapshot.n_items > 1 and (np.diff(events.indptr) > 1).any():
        pairs = _Pairs(events, config)

        def look() -> float:
            source, target, bias = _arrays(model)
            with_bias = np.concatenate([target, bias[:, None]], axis=1)
            found = []
            for part in parts:
                mean = np.asarray(part.history @ source) / np.maximum(np.diff(part.history.indptr), 1)[:, None]
                found.append(part.ndcg_of(np.concatenate([mean, np.ones((len(mean), 1))], axis=1).astype(np.float32), with_bias))
            return float(np.mean(found))

        a_pass = max(1, pairs.n // config.pairs)
        how = Descent(config.passes * a_pass, config.learning_rate, check_every=2 * a_pass, adagrad=True)
        report = descend("hybrid", model, lambda step: _warp(model, pairs, step, device), look if parts else None, how, progress)
    return Factors(*_arrays(model), report)


def _arrays(model: Hybrid) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    with torch.no_grad():
        source, target, bias = (part.cpu().numpy().astype(np.float32) for part in model())
    return source, target, bias


class _Pairs:
    """Events of people with two products or more, drawn in a new order in each pass."""

    def __init__(self, events: sp.csr_array, config: HybridConfig) -> None:
        lengths = np.diff(events.indptr)
        people = np.repeat(np.arange(events.shape[0]), lengths)
        enough = lengths[people] > 1
        self.events, self.config = events, config
        self.people, self.items = people[enough], events.indices[enough].astype(np.int64)
        self.n = len(self.people)
        self._codes = people.astype(np.int64) * events.shape[1] + events.indices

    def draw(self, step: int) -> tuple[sp.csr_array, NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Of a step: the rest of each history (CSR, rows summing to 1), wanted products, drawn ones [b, draws], which of them are free."""
        random = np.random.default_rng(derive(self.config.seed, f"hybrid {step}"))
        chosen = random.integers(0, self.n, min(self.config.pairs, self.n))
        people, wanted = self.people[chosen], self.items[chosen]
        rows = sp.csr_array(self.events[people])  # a copy
        of_row = np.repeat(np.arange(len(people)), np.diff(rows.indptr))
        rows.data = np.where(rows.indices == wanted[of_row], 0, 1 / (np.diff(rows.indptr)[of_row] - 1)).astype(np.float32)
        drawn = random.integers(0, self.events.shape[1], (len(people), self.config.draws))
        return rows, wanted, drawn, ~np.isin(people[:, None].astype(np.int64) * self.events.shape[1] + drawn, self._codes)


def _warp(model: Hybrid, pairs: _Pairs, step: int, device: torch.device) -> Tensor:
    """Weighted approximate-rank loss: the first drawn product within 1 of the wanted one, weighted by log of the rank it betrays."""
    rest, wanted, drawn, free = pairs.draw(step)
    source, target, bias = model()
    people = Operator(rest, device) @ source  # [b, d]
    places, others = torch.from_numpy(wanted).to(device), torch.from_numpy(drawn).to(device)
    own = (people * target[places]).sum(1) + bias[places]  # [b]
    with torch.no_grad():
        found = torch.einsum("bd,bkd->bk", people, target[others]) + bias[others]
        above = (found > own[:, None] - 1) & torch.from_numpy(free).to(device)
        any_above = above.any(1)
        first = above.float().argmax(1)  # [b]
        weight = torch.log(torch.clamp((len(target) - 1) // (first + 1), min=1).float()) * any_above
    other = others.gather(1, first[:, None]).squeeze(1)
    too_high = (people * target[other]).sum(1) + bias[other]
    return cast(Tensor, (weight * torch.relu(1 - own + too_high)).mean())
