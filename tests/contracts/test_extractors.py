"""Every registered extractor that needs no model of its own holds to the contract."""

from __future__ import annotations

import pytest

from extraction.base import Extractor, build_extractor, extractor_names
from extraction.testing import PRODUCTS, ExtractorContract

# Those that ask a language model or were trained run the kit beside it (tests/extraction/test_llm*.py, test_hybrid.py, test_tagger.py).
NEEDS_A_MODEL = {"llm", "hybrid", "tagger", "trained", "accurate"}


@pytest.fixture(scope="module")
def extractor(request: pytest.FixtureRequest) -> Extractor:
    return build_extractor(request.param, PRODUCTS)


@pytest.mark.parametrize("extractor", sorted(set(extractor_names()) - NEEDS_A_MODEL), scope="module", indirect=True)
class TestRegisteredExtractors(ExtractorContract):
    pass
