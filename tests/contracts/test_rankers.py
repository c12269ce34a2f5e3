"""Every ranker of the registry holds to the contract."""

import pytest

from recommend.rankers import RANKERS
from recommend.testing import RankerContract


@pytest.mark.parametrize("name", sorted(RANKERS))
class TestRankers(RankerContract):
    @pytest.fixture(autouse=True)
    def _named(self, name):
        self.name = name

    def test_contract(self, name):
        super().test_contract()
