"""For tests: the contract that every text encoder keeps, as a kit to inherit from, and small random shops to fit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from gnn.config import GnnConfig
from gnn.features import TextFeatures
from gnn.text import TextEncoder, cached_encode, open_encoder, save_encoder
from kg.ontology import Rel
from kg.snapshot import GraphSnapshot
from kg.testing import snapshot_of, stated

SAMPLE_TEXTS: tuple[str, ...] = (
    "OPI Nail Lacquer, Simmer and Shimmer, 0.5-Fluid Ounce",
    "red lipstick",
    "Red   LIPSTICK",
    "LEGO City Forest Tractor 60181",
    "迪奥 哑光口红 正红色",
    "Crème brûlée kitchen torch — 1,300 °C",
    "",
    " \t\n",
    "🧸🎈",
    "हिन्दी किताब",
    "word " * 1200,
)


class TextEncoderContract:
    """Inherit, name the class `Test…`, and override `make`."""

    def make(self) -> TextEncoder:
        """The encoder under test."""
        raise NotImplementedError

    def texts(self) -> Sequence[str]:
        """Texts of many scripts, an empty one and a very long one among them."""
        return SAMPLE_TEXTS

    def test_says_what_it_is(self) -> None:
        """Name and digest."""
        encoder = self.make()
        assert isinstance(encoder, TextEncoder)
        assert encoder.name
        assert encoder.digest.startswith("sha256:") and len(encoder.digest) == 71

    def test_shape_and_dtype(self) -> None:
        """float32 [n, dim], finite, for texts of all kinds."""
        encoder = self.make()
        vectors = encoder.encode(self.texts())
        assert vectors.dtype == np.float32
        assert vectors.shape == (len(self.texts()), encoder.dim)
        assert np.isfinite(vectors).all()

    def test_no_texts(self) -> None:
        """An empty list gives [0, dim]."""
        encoder = self.make()
        assert encoder.encode([]).shape == (0, encoder.dim)

    def test_same_text_same_vector_whatever_stands_beside_it(self) -> None:
        """Batch size and order change nothing."""
        encoder = self.make()
        together = encoder.encode(self.texts())
        for row, text in enumerate(self.texts()):
            np.testing.assert_allclose(encoder.encode([text])[0], together[row], atol=2e-5)
        backwards = encoder.encode(list(reversed(self.texts())))[::-1]
        np.testing.assert_allclose(backwards, together, atol=2e-5)

    def test_deterministic(self) -> None:
        """Made twice, it gives the same bytes."""
        first, second = self.make(), self.make()
        assert first.digest == second.digest
        np.testing.assert_array_equal(first.encode(self.texts()), second.encode(self.texts()))

    def test_tells_texts_apart(self) -> None:
        """Texts that share a meaning are nearer than texts that do not."""
        encoder = self.make()
        lipstick, same, tractor = encoder.encode(["red lipstick", "lipstick red matte", "LEGO City Forest Tractor 60181"]).astype(float)
        assert lipstick @ same / _length(lipstick, same) > lipstick @ tractor / _length(lipstick, tractor)

    def test_cache_gives_the_same(self, tmp_path: Path) -> None:
        """The cache is read the second time and changes nothing."""
        encoder = self.make()
        first = cached_encode(encoder, self.texts(), tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
        np.testing.assert_array_equal(cached_encode(encoder, self.texts(), tmp_path), first)
        np.testing.assert_array_equal(cached_encode(encoder, self.texts(), None), first)

    def test_saved_and_opened_it_is_the_same(self, tmp_path: Path) -> None:
        """What a bundle keeps makes the same encoder."""
        encoder = self.make()
        save_encoder(encoder, tmp_path)
        opened = open_encoder(tmp_path)
        assert opened.digest == encoder.digest
        np.testing.assert_array_equal(opened.encode(self.texts()), encoder.encode(self.texts()))


def _length(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.linalg.norm(first) * np.linalg.norm(second)) or 1.0


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
    """Dense vectors and sparse words at random, under the digest "sha256:test"."""
    random = np.random.default_rng(seed)
    words: sp.csr_array = sp.csr_array(sp.random_array((n_items, n_words), density=0.4, rng=random, dtype=np.float32))
    basis = random.standard_normal((n_words, min(n_words, 4))).astype(np.float32)
    return TextFeatures(random.standard_normal((n_items, n_dense)).astype(np.float32), words, basis, "sha256:test")
