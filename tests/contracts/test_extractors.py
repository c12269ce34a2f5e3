"""Every registered extractor that needs no model of its own holds to the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from extraction.base import Extractor, build_extractor, extractor_names
from extraction.testing import PRODUCTS, ExtractorContract

# An extractor that asks a language model runs the kit beside its recorded answers (tests/extraction/test_llm*.py).
NEEDS_A_MODEL = {"llm"}


@pytest.mark.parametrize("extractor", sorted(set(extractor_names()) - NEEDS_A_MODEL), scope="class", indirect=True)
class TestRegisteredExtractors(ExtractorContract):
    @pytest.fixture(scope="class")
    def extractor(self, request: pytest.FixtureRequest) -> Iterator[Extractor]:
        yield build_extractor(request.param, PRODUCTS)
