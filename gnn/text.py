"""Text to vectors: one protocol, one registry, vectors cached by digest.

`words` knows exact words (TF-IDF) and can name them; `static` is a transformer distilled to one vector a token, made
in seconds; `transformer` is the whole model, offline by default. "words+static" sets vectors side by side.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from gnn.arrays import map_arrays, save_arrays
from gnn.text_static import StaticEncoder
from gnn.text_words import WordsEncoder
from kg.digest import digest_bytes
from kg.errors import StateError, UnknownKeyError
from kg.progress import SILENT, Progress
from kg.whole_files import whole_file

FORMAT = 1


@runtime_checkable
class TextEncoder(Protocol):
    """What turns texts into vectors; the vector of a text does not depend on the texts beside it."""

    @property
    def name(self) -> str:
        """Name in the registry ("words", "static", "transformer")."""
        ...

    @property
    def digest(self) -> str:
        """Digest of everything that the vectors depend on."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts, float32 [n, dim], all finite."""
        ...


@dataclass(frozen=True, eq=False)
class JoinedEncoder:
    """Several encoders side by side; each one's vectors keep their own columns.

    Args:
        parts: the encoders, in the order of their columns.
    """

    parts: tuple[TextEncoder, ...]

    @property
    def name(self) -> str:
        """Names of the parts, joined by "+"."""
        return "+".join(part.name for part in self.parts)

    @property
    def digest(self) -> str:
        """Digest over the parts."""
        return digest_bytes(b"joined", *(part.digest.encode() for part in self.parts))

    @property
    def dim(self) -> int:
        """Sum of the parts' lengths."""
        return sum(part.dim for part in self.parts)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts (float32 [n, dim])."""
        return np.concatenate([part.encode(texts) for part in self.parts], axis=1)


Builder = Callable[[Sequence[str], Path | None, Progress], TextEncoder]


def _words(corpus: Sequence[str], folder: Path | None, progress: Progress) -> TextEncoder:
    with progress.stage("words"):
        return WordsEncoder.fit(corpus)


def _static(corpus: Sequence[str], folder: Path | None, progress: Progress) -> TextEncoder:
    from gnn.text_static import distil

    return distil(corpus, folder, progress)


def _transformer(corpus: Sequence[str], folder: Path | None, progress: Progress) -> TextEncoder:
    from gnn.text_transformer import TransformerEncoder

    return TransformerEncoder.open()


ENCODERS: dict[str, Builder] = {"words": _words, "static": _static, "transformer": _transformer}


def text_encoder(spec: str, corpus: Sequence[str] = (), folder: Path | None = None, progress: Progress = SILENT) -> TextEncoder:
    """An encoder by name.

    Args:
        spec: "words", "static", "transformer", a folder with a transformers model, a name "organisation/model" that
            transformers finds, or several of these joined by "+".
        corpus: the catalogue's texts; `words` learns its vocabulary from them, `static` distils the tokens in them.
        folder: cache for what is expensive; None keeps nothing.
        progress: who listens.

    Raises:
        UnknownKeyError: no such encoder; the known ones are named.
        EngineError: the weights are not installed or are not the pinned ones.
    """
    names = [part.strip() for part in spec.split("+")]
    found = tuple(_one(name, corpus, folder, progress) for name in names)
    return found[0] if len(found) == 1 else JoinedEncoder(found)


def _one(name: str, corpus: Sequence[str], folder: Path | None, progress: Progress) -> TextEncoder:
    if name in ENCODERS:
        return ENCODERS[name](corpus, folder, progress)
    if "/" in name or Path(name).is_dir():
        from gnn.text_transformer import TransformerEncoder

        return TransformerEncoder.open(name)
    error = UnknownKeyError("text encoder", name, ENCODERS)
    if not error.near:
        error.hint = f"Known are {', '.join(sorted(ENCODERS))}, or the path or name of a transformers model."
    raise error


def cached_encode(
    encoder: TextEncoder, texts: Sequence[str], folder: Path | None, progress: Progress = SILENT, batch: int = 512
) -> NDArray[np.float32]:
    """Vectors of texts, read from a cache when the same encoder has seen the same texts.

    Args:
        encoder: who encodes.
        texts: the texts.
        folder: the cache; None encodes without one.
        progress: hears a stage "text vectors" in texts.
        batch: texts between two reports of progress.

    Returns:
        float32 [n, dim].
    """
    key = digest_bytes(encoder.digest.encode(), *(text.encode() for text in texts)).removeprefix("sha256:")
    path = None if folder is None else folder / f"text-{key[:32]}.npy"
    if path is not None and path.exists():
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    vectors = np.empty((len(texts), encoder.dim), np.float32)
    with progress.stage("text vectors", len(texts)) as advance:
        for start in range(0, len(texts), batch):
            some = texts[start : start + batch]
            vectors[start : start + len(some)] = encoder.encode(some)
            advance(len(some))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, vectors, allow_pickle=False)
    return vectors


def save_encoder(encoder: TextEncoder, folder: Path) -> None:
    """Write what makes the encoder again: JSON with names and digests, safetensors with arrays.

    A transformer is named, not copied.

    Raises:
        StateError: an encoder that is not from the registry.
    """
    parts = encoder.parts if isinstance(encoder, JoinedEncoder) else (encoder,)
    described = []
    for place, part in enumerate(parts):
        if isinstance(part, (WordsEncoder, StaticEncoder)):
            save_arrays(part.arrays(), folder / f"encoder-{place}.safetensors")
            described.append({"kind": part.name, "digest": part.digest})
        elif part.name == "transformer":
            described.append({"kind": part.name, "digest": part.digest, "model": getattr(part, "requested", "")})
        else:
            raise StateError(f"The text encoder {part.name!r} cannot be saved.")
    (folder / "encoder.json").write_text(json.dumps({"format": FORMAT, "parts": described}, indent=1) + "\n", encoding="utf-8")


def open_encoder(folder: Path) -> TextEncoder:
    """The encoder that `save_encoder` wrote; words and static vectors open without torch or scikit-learn.

    Raises:
        StateError: nothing is there, a newer version wrote it, or a transformer's weights are others than those of the fit.
    """
    try:
        manifest = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError) as error:
        raise StateError(f"There is no text encoder in {folder}.", "Run clew train.") from error
    if manifest["format"] > FORMAT:
        raise StateError(f"The text encoder in {folder} was written by a newer version.", "Update clew, or train again.")
    parts = tuple(_opened(folder, place, entry) for place, entry in enumerate(manifest["parts"]))
    return parts[0] if len(parts) == 1 else JoinedEncoder(parts)


def _opened(folder: Path, place: int, entry: dict[str, str]) -> TextEncoder:
    if entry["kind"] == "transformer":
        from gnn.text_transformer import TransformerEncoder

        encoder = TransformerEncoder.open(entry["model"])
        if encoder.digest != entry["digest"]:
            raise StateError("The transformer's weights are others than those of the fit.", "Run clew train again.")
        return encoder
    arrays = map_arrays(folder / f"encoder-{place}.safetensors")
    kinds: dict[str, type[WordsEncoder] | type[StaticEncoder]] = {"words": WordsEncoder, "static": StaticEncoder}
    return kinds[entry["kind"]].of_arrays(arrays)


def words_of(encoder: TextEncoder) -> WordsEncoder | None:
    """The part of an encoder that knows exact words (its index names them), if it has one."""
    parts = encoder.parts if isinstance(encoder, JoinedEncoder) else (encoder,)
    return next((part for part in parts if isinstance(part, WordsEncoder)), None)
