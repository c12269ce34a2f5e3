"""Settings of the tower, checked when they are made. Free of torch, so that a command can read them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from kg.config import checked_device
from kg.digest import digest_json
from kg.errors import InputError


@dataclass(frozen=True, slots=True)
class GnnConfig:
    """Settings of one fit; the defaults are meant to hold from a few hundred people to a few ten thousand.

    Args:
        dim: length of the vectors.
        steps: optimiser steps at most; longer overfits. 0: by the number of people (`planned_steps`).
        stop_at: leave the plan after so many of its steps (what an earlier fit found best); 0 runs all of them.
        people: people a step.
        learning_rate: Adam's, after the warm-up, falling linearly to 0.
        word_learning_rate: Adam's for the learnt part of word vectors.
        weight_decay: Adam's L2 term.
        warmup: steps in which the learning rate rises.
        temperature: cosine / temperature are the logits.
        identity_dropout: probability that a product goes without its identity in a step, on each side independently.
        word_dropout: probability that a term is left out in a step.
        target_share: share of a history that is to be found from the rest; at least one product on each side.
        max_history: products of one history a step looks at; a longer one is sampled.
        candidates: known products in the softmax at most; more are sampled in each step.
        crowd: a relation with more edges a product than this is left to its view: here it would cost more than all else.
        check_every: steps between two looks at the validation part.
        patience: looks without gain before the fit stops; at 3 it stops before the learning rate has fallen (Beauty: .097 for .099).
        seed: of everything that is drawn.
        device: "auto", "cpu", "cuda" or "mps".
        logits: "auto", "float32" or "bfloat16": precision of the logits alone.

    Raises:
        InputError: a value outside its range.
    """

    dim: int = 128
    steps: int = 0
    stop_at: int = 0
    people: int = 1024
    learning_rate: float = 4e-3
    word_learning_rate: float = 1e-3
    weight_decay: float = 1e-5
    warmup: int = 20
    temperature: float = 0.07
    identity_dropout: float = 0.5
    word_dropout: float = 0.3
    target_share: float = 0.3
    max_history: int = 256
    candidates: int = 32_768
    crowd: float = 16.0
    check_every: int = 20
    patience: int = 5
    seed: int = 0
    device: str = "auto"
    logits: str = "auto"

    def __post_init__(self) -> None:
        for name in ("dim", "people", "candidates", "check_every", "patience"):
            _require(name, getattr(self, name), getattr(self, name) >= 1, "1 or more")
        for name in ("learning_rate", "temperature", "crowd"):
            _require(name, getattr(self, name), getattr(self, name) > 0, "more than 0")
        for name in ("word_learning_rate", "weight_decay", "warmup", "steps", "stop_at"):
            _require(name, getattr(self, name), getattr(self, name) >= 0, "0 or more")
        for name in ("identity_dropout", "word_dropout"):
            _require(name, getattr(self, name), 0 <= getattr(self, name) < 1, "in 0 ≤ x < 1")
        _require("target_share", self.target_share, 0 < self.target_share < 1, "in 0 < x < 1")
        _require("max_history", self.max_history, self.max_history >= 2, "2 or more")
        checked_device(self.device)
        _require("logits", self.logits, self.logits in {"auto", "float32", "bfloat16"}, "auto, float32 or bfloat16")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> GnnConfig:
        """A configuration from a table of clew.toml.

        Raises:
            InputError: a key that does not exist (the nearest is named) or a value of the wrong type or range.
        """
        known = {field.name: field for field in fields(cls)}
        for key, value in values.items():
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                raise InputError(f"The GNN has no setting {key!r}.", f"Did you mean {near[0]}?" if near else f"It has {', '.join(known)}.")
            wanted = type(known[key].default)
            if (not isinstance(value, wanted) and not (wanted is float and isinstance(value, int))) or isinstance(value, bool):
                raise InputError(f"The GNN's setting {key} is {value!r}.", f"It takes a value such as {known[key].default!r}.")
        return cls(**dict(values))

    def planned_steps(self, n_people: int) -> int:
        """Steps of a fit on so many people: 60 at 600, 180 at 22,000 (found on two shops), between 40 and 200 always."""
        return self.steps or int(min(200, max(40, round(60 * (max(n_people, 1) / 600) ** 0.3))))

    @property
    def digest(self) -> str:
        """Digest of all settings."""
        return digest_json(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return asdict(self)


def _require(name: str, value: Any, holds: bool, range_text: str) -> None:
    if not holds or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(f"The GNN's setting {name} is {value!r}.", f"It must be {range_text}.")
