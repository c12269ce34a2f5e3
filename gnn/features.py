"""Text features of all products, ready for a fit. Free of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gnn.text import JoinedEncoder, TextEncoder, cached_encode
from gnn.text_words import WordsEncoder
from kg.digest import digest_arrays
from kg.errors import StateError
from kg.progress import SILENT, Progress


@dataclass(frozen=True, eq=False)
class TextFeatures:
    """What a fit needs to know about the texts of n products.

    Args:
        dense: float32 [n, d_text]; d_text may be 0. Nobody can name what is in it.
        words: float32 CSR [n, n_words], TF-IDF rows; n_words may be 0. Each term gets a vector, so text parts have names.
        word_basis: float32 [n_words, k], where the terms' vectors start (right singular vectors).
        digest: digest of the encoder.

    Raises:
        StateError: parts that do not fit together.
    """

    dense: NDArray[np.float32]
    words: sp.csr_array
    word_basis: NDArray[np.float32]
    digest: str

    def __post_init__(self) -> None:
        if self.dense.ndim != 2 or self.words.shape != (len(self.dense), len(self.word_basis)):
            raise StateError(f"Text features of shapes {self.dense.shape}, {self.words.shape} and {self.word_basis.shape} do not fit.")

    def __len__(self) -> int:
        return len(self.dense)

    @classmethod
    def of_vectors(cls, dense: NDArray[np.float32], digest: str = "") -> TextFeatures:
        """Features that are vectors only (float32 [n, d]); without a digest they are named by their content."""
        no_words: sp.csr_array = sp.csr_array((len(dense), 0), dtype=np.float32)  # type: ignore[assignment]
        return cls(np.asarray(dense, np.float32), no_words, np.empty((0, 0), np.float32), digest or digest_arrays([dense]))


def text_features(
    encoder: TextEncoder, texts: Sequence[str], folder: Path | None = None, progress: Progress = SILENT, learn_words: bool = True
) -> TextFeatures:
    """Features of texts under an encoder.

    Args:
        encoder: one from the registry.
        texts: one text a product, in the order of the snapshot's rows.
        folder: cache of dense vectors; None keeps nothing.
        progress: who listens.
        learn_words: give each term of a `words` encoder a learnt vector; without it, its SVD vectors are dense features.
    """
    parts = encoder.parts if isinstance(encoder, JoinedEncoder) else (encoder,)
    found = next((part for part in parts if isinstance(part, WordsEncoder)), None) if learn_words else None
    blocks = [np.zeros((len(texts), 0), np.float32)]
    blocks += [cached_encode(part, texts, folder, progress) for part in parts if part is not found]
    dense = np.concatenate(blocks, axis=1)
    if found is None:
        return TextFeatures.of_vectors(dense, encoder.digest)
    return TextFeatures(dense, found.index.transform(texts), found.basis, encoder.digest)
