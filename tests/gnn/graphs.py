"""Small random graphs and fits for the tests of this room."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from gnn.config import GnnConfig
from gnn.features import TextFeatures
from kg.ontology import Rel
from kg.snapshot import GraphSnapshot
from kg.testing import snapshot_of, stated

QUICK = GnnConfig(dim=16, steps=12, people=32, warmup=2, check_every=4)


def random_shop(seed: int, n_items: int = 20, n_users: int = 12, n_entities: int = 6, with_events: bool = True) -> GraphSnapshot:
    """Products with brands and materials at random, people with a few products each; some products without events."""
    random = np.random.default_rng(seed)
    titles = {f"p{i:02}": f"thing {random.integers(5)} sort {random.integers(5)}" for i in range(n_items)}
    facts = {}
    for item in titles:
        for relation, kind in ((Rel.HAS_BRAND, "brand"), (Rel.MADE_OF, "material")):
            for entity in random.choice(n_entities, random.integers(0, 3), replace=False):
                facts[item, relation, f"{kind} {entity}"] = stated(item, relation, f"{kind} {entity}")
    events = {
        (f"u{user:02}", f"p{item:02}")
        for user in range(n_users if with_events else 0)
        for item in random.choice(max(n_items * 3 // 4, 1), random.integers(1, min(6, n_items) + 1))
    }
    return snapshot_of(titles, facts.values(), sorted(events), timed=False)


def random_features(seed: int, n_items: int, n_dense: int = 5, n_words: int = 9) -> TextFeatures:
    random = np.random.default_rng(seed)
    words = sp.random_array((n_items, n_words), density=0.4, rng=random, format="csr", dtype=np.float32)
    basis = random.standard_normal((n_words, min(n_words, 4))).astype(np.float32)
    return TextFeatures(random.standard_normal((n_items, n_dense)).astype(np.float32), words, basis, "sha256:test")
