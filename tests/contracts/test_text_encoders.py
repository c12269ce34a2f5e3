"""Every text encoder of the registry runs the shipped contract kit."""

from __future__ import annotations

from functools import cache

import pytest

from gnn.testing import SAMPLE_TEXTS, TextEncoderContract
from gnn.text import ENCODERS, TextEncoder, text_encoder

CORPUS = (*SAMPLE_TEXTS, "lipstick red matte", "red nail polish", "LEGO tractor", "口红 哑光")
SPECS = (*ENCODERS, "words+static")


@cache
def first_built(spec: str) -> TextEncoder:
    return text_encoder(spec, CORPUS)


@pytest.mark.parametrize("spec", SPECS)
class TestTextEncoders(TextEncoderContract):
    @pytest.fixture(autouse=True)
    def _spec(self, spec: str) -> None:
        self.spec = spec

    def make(self) -> TextEncoder:
        return first_built(self.spec)

    def test_deterministic(self) -> None:
        first, second = self.make(), text_encoder(self.spec, CORPUS)
        assert first.digest == second.digest
        assert (first.encode(CORPUS) == second.encode(CORPUS)).all()


def test_every_encoder_of_the_registry_is_here() -> None:
    assert set(ENCODERS) <= set(SPECS)
