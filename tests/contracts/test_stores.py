"""Every engine holds to the contract of engines; the live Neo4j does so in tests/live."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg.store import GraphStore
from kg.stores.embedded import EmbeddedStore
from kg.stores.memory import MemoryStore
from kg.testing import StoreContract

# Any text but lone surrogates (readers refuse them) and blanks alone (no name is blank).
NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(str.strip), min_size=1, max_size=30)


class TestMemory(StoreContract):
    def make(self) -> GraphStore:
        return MemoryStore()


class TestEmbedded(StoreContract):
    def make(self) -> GraphStore:
        return EmbeddedStore()


@given(NAMES)
@settings(max_examples=50, deadline=None)
def test_any_name_comes_back_the_same_from_memory(names: list[str]) -> None:
    TestMemory().check_names(names)


@given(NAMES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_name_comes_back_the_same_from_the_embedded_engine(names: list[str]) -> None:
    TestEmbedded().check_names(names)
