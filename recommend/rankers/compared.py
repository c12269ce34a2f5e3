"""Models of the literature to compare with: LightGCN, a two-tower model, a feature hybrid. They live in `gnn`, torch's door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from kg.events import EventLog
from kg.snapshot import GraphSnapshot
from recommend.profiles import profiles_of
from recommend.training import Scores, Training, held_out
from recommend.views.facts import weighted_facts
from recommend.words import CatalogueWords

if TYPE_CHECKING:
    from gnn.factors import Factors
    from gnn.two_tower import FittedTowers


class _Compared:
    """What the three share: histories as profiles, and what the fit said about itself."""

    def _keep(self, fitted: Factors | FittedTowers, n_items: int) -> None:
        self._fitted, self._n_items = fitted, n_items
        self.details: dict[str, Any] = dict(fitted.report)

    def scores(self, history: EventLog, n_users: int) -> Scores:
        """Inner products of what the histories add up to."""
        return self._fitted.scores(profiles_of(history, n_users, self._n_items))


class LightGcn(_Compared):
    """`gnn.lightgcn`: who bought what, and nothing else."""

    def fit(self, training: Training) -> None:
        """Fit on train, stopped on valid."""
        from gnn.lightgcn import LightGcnConfig, fit_lightgcn

        snapshot, config = training.snapshot, LightGcnConfig(seed=training.config.seed, device=training.config.device)
        self._keep(fit_lightgcn(snapshot, config, held_out(snapshot, training.valid), training.progress), snapshot.n_items)


class TwoTower(_Compared):
    """`gnn.two_tower`: text, entities and identity with cross features and attention."""

    def fit(self, training: Training) -> None:
        """Fit on train, stopped on valid."""
        from gnn.features import text_features
        from gnn.text import text_encoder
        from gnn.two_tower import TwoTowerConfig, fit_two_tower

        snapshot, config = training.snapshot, TwoTowerConfig(seed=training.config.seed, device=training.config.device)
        encoder = text_encoder("+".join(training.config.text_encoder), training.texts, training.cache, training.progress)
        features = text_features(encoder, training.texts, training.cache, training.progress)
        held = held_out(snapshot, training.valid)
        self._keep(fit_two_tower(snapshot, features, _entities(snapshot), config, held, training.progress), snapshot.n_items)


class Hybrid(_Compared):
    """`gnn.hybrid`: sums of feature vectors under a ranking loss."""

    def fit(self, training: Training) -> None:
        """Fit on train, stopped on valid."""
        from gnn.hybrid import HybridConfig, fit_hybrid

        snapshot, config = training.snapshot, HybridConfig(seed=training.config.seed, device=training.config.device)
        words = CatalogueWords.fit(training.texts).matrix
        self._keep(fit_hybrid(snapshot, words, config, held_out(snapshot, training.valid), training.progress), snapshot.n_items)

    def scores(self, history: EventLog, n_users: int) -> Scores:
        """A person is the mean over the history, as in the fit."""
        profiles = profiles_of(history, n_users, self._n_items)
        lengths = np.maximum(np.diff(profiles.indptr), 1)
        return self._fitted.scores(sp.csr_array(sp.diags_array((1 / lengths).astype(np.float32)) @ profiles))


def _entities(snapshot: GraphSnapshot) -> sp.csr_array:
    """Weighted entities of all relations side by side (CSR float32 [n_items, relations × n_entities])."""
    facts = [weighted_facts(snapshot.fact_matrix(name)) for name in snapshot.facts()]
    return sp.csr_array(sp.hstack(facts, format="csr") if facts else (snapshot.n_items, 0), dtype=np.float32)
