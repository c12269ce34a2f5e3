"""Constraints and indexes in a real Neo4j, and the queries that go by them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kg.errors import InputError
from kg.exchange import bring_up_to_date, graph_to_hold
from kg.explore import run_named
from kg.ontology import Label, scope
from kg.stores.launcher import Server
from kg.stores.neo4j import Neo4jStore
from kg.sync import verify
from kg.truth import Truth

pytestmark = pytest.mark.live
FILMS = Path(__file__).parents[1] / "data" / "small-films"
INDEXES = "SHOW INDEXES YIELD name, type, labelsOrTypes, properties WHERE name STARTS WITH 'clew' RETURN *"


@pytest.fixture(scope="module")
def films(neo4j: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Neo4jStore, Truth]]:
    """The small film catalogue, with labels, relations and properties of its own, in the server."""
    from click.testing import CliRunner

    from recommend.cli import cli

    folder = tmp_path_factory.mktemp("films")
    for name in ("ontology.toml", "clew.toml"):
        shutil.copy(FILMS / name, folder)
    files = [f"--catalogue={FILMS}/films.csv", f"--triples={FILMS}/facts.csv"]
    assert CliRunner().invoke(cli, ["graph", "ingest", "-w", str(folder), *files]).exit_code == 0
    with scope():
        truth, store = Truth(folder / "graph"), Neo4jStore(neo4j.uri)
        store.set_digest(None)
        bring_up_to_date(store, graph_to_hold(truth))
        yield store, truth
        store.close()


def test_own_labels_are_held_and_unique(films: tuple[Neo4jStore, Truth]) -> None:
    store, truth = films
    assert verify(store, graph_to_hold(truth)) == []
    made = {row["name"]: row for row in store._bolt.read(INDEXES)}
    assert made["clew_director_key"]["labelsOrTypes"] == ["Director"] and made["clew_director_key"]["properties"] == ["key"]
    assert made["clew_product_year"]["properties"] == ["year"] and made["clew_product_year"]["type"] == "RANGE"
    assert made["clew_titles"]["type"] == "FULLTEXT"
    assert store.node(Label.PRODUCT, "tt6").properties["year"] == 2020  # type: ignore[union-attr]


def test_titles_are_found_by_their_words(films: tuple[Neo4jStore, Truth]) -> None:
    found = run_named(films[0], "search_titles", {"text": "moving OR samurai"})
    assert {row[0] for row in found.rows} == {"tt10", "tt12"}
    with pytest.raises(InputError, match="Neo4j cannot run this query"):
        run_named(films[0], "search_titles", {"text": "AND AND"})


def test_the_nearest_by_vectors(films: tuple[Neo4jStore, Truth]) -> None:
    store, _ = films
    keys = ["tt1", "tt2", "tt3", "tt4"]
    vectors = np.array([[1, 0, 0], [1, 0.1, 0], [0, 0, 1], [0, 0, 0]], np.float32)
    store.write_vectors(keys, vectors, "sha256:vectors")
    made = {row["name"]: row["type"] for row in store._bolt.read(INDEXES)}
    assert made["clew_embeddings"] == "VECTOR"
    found = run_named(store, "similar_by_text", {"item": "tt1", "limit": 5})
    assert [row[0] for row in found.rows] == ["tt2", "tt3"]
    assert [row[2] for row in found.rows] == pytest.approx([1 / np.sqrt(1.01), 0.0], abs=2e-3)  # the index keeps vectors in 8 bits
    assert run_named(store, "similar_by_text", {"item": "tt4"}).rows == (), "a product without a vector is like nothing"
