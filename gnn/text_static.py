"""A transformer distilled to one vector a token: the model runs once over single tokens, never over texts.

Method of model2vec (Tulkens and van Dongen, 2024): each token is read alone by the transformer, its pooled output is
reduced by PCA and weighted by how rare the token is (SIF, Arora et al., 2017, with Zipf's law over the vocabulary's order);
a text is the mean of its tokens.
Differs from the paper: only tokens that stand in the catalogue's texts are distilled (and the PCA is fitted on them), since
the others cost minutes and would weigh nothing; a token that is not there is left out of the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gnn.arrays import Arrays, map_arrays, save_arrays
from kg.digest import digest_arrays, digest_bytes
from kg.progress import SILENT, Progress

if TYPE_CHECKING:
    from tokenizers import Tokenizer

DIM = 256
SIF = 1e-4
BATCH = 1024
MAX_TOKENS = 512


@dataclass(frozen=True, eq=False)
class StaticEncoder:
    """Token vectors and the tokenizer that finds the tokens; needs neither torch nor transformers.

    Args:
        token_ids: int32 [n_tokens], ascending, ids in the tokenizer's vocabulary.
        vectors: float32 [n_tokens, dim].
        tokenizer_json: the tokenizer, as the tokenizers library writes it.
    """

    token_ids: NDArray[np.int32]
    vectors: NDArray[np.float32]
    tokenizer_json: NDArray[np.uint8]

    name = "static"

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    @cached_property
    def digest(self) -> str:
        """Digest of vectors and tokenizer."""
        return digest_bytes(b"static", digest_arrays([self.token_ids, self.vectors, self.tokenizer_json]).encode())

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        return bare(Tokenizer.from_buffer(self.tokenizer_json.tobytes()))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts (float32 [n, dim], length 1; zero for a text without a known token)."""
        found = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts), add_special_tokens=False)]
        vectors = np.zeros((len(texts), self.dim), np.float32)
        if not len(self.token_ids):
            return vectors
        for row, ids in enumerate(found):
            wanted = np.array(ids[:MAX_TOKENS], np.int32)
            places = np.minimum(np.searchsorted(self.token_ids, wanted), len(self.token_ids) - 1)
            places = places[self.token_ids[places] == wanted]
            if len(places):
                mean = self.vectors[places].mean(axis=0, dtype=np.float64)
                length = np.linalg.norm(mean)
                vectors[row] = mean / length if length > 0 else mean
        return vectors

    def arrays(self) -> Arrays:
        """What `of_arrays` makes it from again."""
        return {"token_ids": self.token_ids, "token_vectors": self.vectors, "tokenizer": self.tokenizer_json}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> StaticEncoder:
        """An encoder over arrays that may be memory-mapped."""
        return cls(arrays["token_ids"], arrays["token_vectors"], arrays["tokenizer"])


def bare(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer without padding and truncation, so that a text's tokens do not depend on its neighbours."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def distil(texts: Sequence[str], folder: Path | None = None, progress: Progress = SILENT, model_name: str = "") -> StaticEncoder:
    """Static vectors of the tokens that occur in the texts, or the cached ones.

    Args:
        texts: the catalogue's texts.
        folder: cache; None keeps nothing.
        progress: hears a stage "token vectors" in tokens.
        model_name: folder of another model; the default is the pinned MiniLM.

    Raises:
        EngineError: the weights are not there or not the pinned ones.
    """
    from tokenizers import Tokenizer

    from gnn.text_transformer import TransformerEncoder

    source = TransformerEncoder.open(model_name)
    tokenizer_json = (Path(source.model_name) / "tokenizer.json").read_bytes()
    tokenizer = bare(Tokenizer.from_buffer(tokenizer_json))
    occurring = {token for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False) for token in encoding.ids}
    special = {token for token, added in tokenizer.get_added_tokens_decoder().items() if added.special}
    token_ids = np.array(sorted(occurring - special), np.int32)
    key = digest_bytes(b"static 1", source.digest.encode(), token_ids.tobytes()).removeprefix("sha256:")
    path = None if folder is None else folder / f"static-{key[:32]}.safetensors"
    if path is not None and path.exists():
        return StaticEncoder.of_arrays(map_arrays(path))
    pooled = _pooled(source.model_name, token_ids, progress)
    vectors = reduced(pooled, DIM) * sif_weights(token_ids, tokenizer.get_vocab_size())[:, None]
    encoder = StaticEncoder(token_ids, np.ascontiguousarray(vectors, np.float32), np.frombuffer(tokenizer_json, np.uint8))
    if path is not None:
        save_arrays(encoder.arrays(), path)
    return encoder


def _pooled(model_name: str, token_ids: NDArray[np.int32], progress: Progress) -> NDArray[np.float32]:
    """Mean-pooled output of the model for "[CLS] token [SEP]", one row a token (float32 [n_tokens, hidden])."""
    import torch

    from gnn.text_transformer import load_model

    tokenizer, model = load_model(model_name)
    before, after = tokenizer.cls_token_id, tokenizer.sep_token_id
    found = np.zeros((len(token_ids), int(model.config.hidden_size)), np.float32)
    with torch.inference_mode(), progress.stage("token vectors", len(token_ids)) as advance:
        for start in range(0, len(token_ids), BATCH):
            some = torch.from_numpy(token_ids[start : start + BATCH].astype(np.int64))
            row = [torch.full_like(some, before), some, torch.full_like(some, after)]
            hidden = model(input_ids=torch.stack(row, dim=1)).last_hidden_state  # [b, 3, hidden]
            found[start : start + len(some)] = hidden.mean(1).numpy()
            advance(len(some))
    return found


def reduced(vectors: NDArray[np.float32], dim: int) -> NDArray[np.float64]:
    """Principal components of rows: centred, rotated, the `dim` widest directions kept (float64 [n, ≤ dim])."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64) if len(vectors) else vectors.astype(np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    kept = directions[:, ::-1][:, :dim]
    signs = np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])  # an eigenvector's sign is arbitrary
    return np.asarray(centred @ (kept * np.where(signs == 0, 1, signs)))


def sif_weights(token_ids: NDArray[np.int32], vocabulary_size: int, coefficient: float = SIF) -> NDArray[np.float64]:
    """a / (a + p) with p after Zipf's law over the order of the vocabulary (float64 [n_tokens])."""
    harmonic = float(np.log(max(vocabulary_size, 2)) + np.euler_gamma)
    probability = 1.0 / ((token_ids.astype(np.float64) + 1.0) * harmonic)
    return np.asarray(coefficient / (coefficient + probability))
