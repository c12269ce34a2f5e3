"""Shipped helpers for tests: the contract of rankers, a workspace of a given graph, and graphs whose right answer is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnn.embeddings import COMPONENTS, EmbeddingTable, ItemEdges, TowerSide, joined
from kg.config import TrainConfig
from kg.events import EventLog
from kg.ontology import Rel
from kg.snapshot import GraphSnapshot
from kg.testing import EventRow, snapshot_of, stated
from kg.workspace import Workspace
from recommend.rankers import ranker
from recommend.texts import snapshot_texts
from recommend.training import Ranker, Training
from recommend.views.facts import entity_idf, weighted_facts
from recommend.words import CatalogueWords

DAY = 86_400
MATERIALS = ("cotton", "steel", "wood", "wool", "silk")


def planted_material(n_items: int = 100, n_new: int = 20, n_users: int = 60, seed: int = 0) -> tuple[GraphSnapshot, list[str]]:
    """A shop in which only the material predicts: titles and brands are drawn by lot, everybody buys one material.

    Args:
        n_items: products.
        n_new: how many of them (the last) nobody has bought.
        n_users: people; person k buys material k mod 5.
        seed: of the lot.

    Returns:
        The graph, and the material of each product by item row.
    """
    random = np.random.default_rng(seed)
    keys = [f"p{place:03}" for place in range(n_items)]
    materials = [str(random.choice(MATERIALS)) for _ in keys]
    titles = {key: f"{random.choice(['lamp', 'bowl', 'hat', 'chair'])} {random.choice(['red', 'blue', 'old', 'new'])}" for key in keys}
    facts = [stated(key, Rel.MADE_OF, material) for key, material in zip(keys, materials, strict=True)]
    facts += [stated(key, Rel.HAS_BRAND, str(random.choice(["acme", "bolt", "corp"]))) for key in keys]
    events: list[EventRow] = []
    for user in range(n_users):
        wanted = MATERIALS[user % len(MATERIALS)]
        own = [key for key, material in zip(keys[: n_items - n_new], materials, strict=False) if material == wanted]
        for place, key in enumerate(random.permutation(own)[:7]):
            events.append((f"u{user:03}", str(key), (place * 30 + user % 30) * DAY))
    return snapshot_of(titles, facts, events), materials


def random_table(
    snapshot: GraphSnapshot, words: CatalogueWords, random: np.random.Generator, dim: int = 5, towers: int = 1
) -> EmbeddingTable:
    """An embedding table of random parameters that holds to every identity of a fitted one, made without torch."""
    return joined([_random_tower(snapshot, words, random, dim) for _ in range(towers)])


def _random_tower(snapshot: GraphSnapshot, words: CatalogueWords, random: np.random.Generator, dim: int) -> EmbeddingTable:
    relations = tuple(snapshot.facts())
    idf = np.zeros((len(relations), snapshot.n_entities), np.float32)
    parts = []
    for place, name in enumerate(relations):
        facts = snapshot.fact_matrix(name)
        idf[place] = entity_idf(facts)
        weighted = weighted_facts(facts).tocoo()
        parts.append((weighted.coords[0], weighted.coords[1], np.full(weighted.nnz, place), weighted.data))
    items, entities, places, weights = (np.concatenate([part[column] for part in parts] or [np.empty(0)]) for column in range(4))
    order = np.argsort(items, kind="stable")
    starts = np.searchsorted(items[order], np.arange(snapshot.n_items + 1)).astype(np.int32)
    edges = ItemEdges(starts, entities[order].astype(np.int32), places[order].astype(np.int32), weights[order].astype(np.float32))
    known = snapshot.item_event_counts > 0
    sides = [_random_side(snapshot, words, edges, known, random, dim, len(relations)) for _ in range(2)]
    return EmbeddingTable(
        snapshot.digest, "text", sides[0][0], sides[1][0], sides[0][1], sides[1][1], relations, idf, edges, known, {"steps": 0}
    )


def _random_side(
    snapshot: GraphSnapshot,
    words: CatalogueWords,
    edges: ItemEdges,
    known: NDArray[np.bool_],
    random: np.random.Generator,
    dim: int,
    n_relations: int,
) -> tuple[dict[str, NDArray[np.float32]], TowerSide]:
    def normal(*shape: int) -> NDArray[np.float32]:
        return random.normal(size=shape).astype(np.float32)

    word_vectors, entity_vectors, relation_weights = (
        normal(words.matrix.shape[1], dim),
        normal(snapshot.n_entities, dim),
        normal(n_relations),
    )
    text = words.matrix @ word_vectors.astype(np.float64)
    entity = np.zeros((snapshot.n_items, dim))
    rows = np.repeat(np.arange(snapshot.n_items), np.diff(edges.starts))
    scale = edges.weights.astype(np.float64) * relation_weights[edges.relation_places]
    np.add.at(entity, rows, scale[:, None] * entity_vectors[edges.entity_rows])
    identity = normal(snapshot.n_items, dim) * known[:, None]
    norms = np.linalg.norm(text + entity + identity, axis=1).astype(np.float32)
    norms[norms < 1e-12] = 1.0
    parts = dict(zip(COMPONENTS, (text, entity, identity), strict=True))
    components = {name: (part / norms[:, None].astype(np.float64)).astype(np.float32) for name, part in parts.items()}
    return components, TowerSide(np.zeros((0, dim), np.float32), word_vectors, entity_vectors, relation_weights, norms)


class Shop(Workspace):
    """A workspace whose graph is given.

    Args:
        path: its folder, made where it is not there.
        snapshot: the graph.
    """

    def __init__(self, path: Path | str, snapshot: GraphSnapshot) -> None:
        super().__init__(path)
        self.given = snapshot
        self.open(create=True)

    def snapshot(self) -> GraphSnapshot:
        """The given graph."""
        return self.given


class RankerContract:
    """What every ranker of the registry holds to. A test class inherits it and names the ranker.

    Attributes:
        name: name in the registry.
    """

    name: str

    def fitted(self) -> tuple[Ranker, GraphSnapshot]:
        """The ranker, fitted on the planted shop."""
        snapshot, _ = planted_material()
        found = ranker(self.name)
        found.fit(Training(snapshot, snapshot_texts(snapshot), config=TrainConfig(text_encoder=("words",))))
        return found, snapshot

    def test_contract(self) -> None:
        """Shape, finite values, one person's scores whoever is asked about beside, people without events."""
        found, snapshot = self.fitted()
        some = [0, 1, 5]
        history, n_users = _histories(snapshot, some)
        scores = found.scores(history, n_users)
        assert scores.shape == (3, snapshot.n_items) and scores.dtype == np.float32
        assert np.isfinite(scores).all()
        alone, _ = _histories(snapshot, [5])
        assert np.allclose(found.scores(alone, 1)[0], scores[2], atol=1e-5)
        nobody, _ = _histories(snapshot, [])
        assert np.isfinite(found.scores(nobody, 2)).all()


def _histories(snapshot: GraphSnapshot, user_rows: Sequence[int]) -> tuple[EventLog, int]:
    log = snapshot.events.take(np.isin(snapshot.events.user_rows, user_rows))
    places = np.searchsorted(np.array(sorted(user_rows), np.int32), log.user_rows).astype(np.int32)
    return replace(log, user_rows=places), len(user_rows)
