"""Neo4j and the embedded engine give the same paths of a score, and each adds what the arrays say."""

from __future__ import annotations

import importlib.util
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from kg.store import engine_graph
from kg.stores.launcher import Server
from kg.stores.neo4j import Neo4jStore
from kg.sync import synchronise
from kg.truth import Truth
from kg.workspace import Workspace
from recommend.service import Recommender

pytestmark = pytest.mark.live


def _beside() -> ModuleType:
    file = Path(__file__).parents[1] / "recommend" / "test_contributions.py"
    spec = importlib.util.spec_from_file_location("contributions_of_arrays", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_neo4j_says_what_the_arrays_say(neo4j: Server, small_shop: Path) -> None:
    shop = Recommender.open(small_shop)
    with closing(Neo4jStore(neo4j.uri)) as store:
        synchronise(store, engine_graph(Truth(Workspace(small_shop).graph).tables(), "sha256:shop"))
        assert _beside().compare(shop.scorer, store, list(shop.snapshot.users)[:6], 3) > 200
