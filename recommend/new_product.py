"""A product that the graph does not have: who would want it, and what is like it.

It is scored as any candidate without events is, by the same views and weights: its words and vectors against the catalogue's,
its entities, its components of v from `gnn.inductive`. Nothing is refitted and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kg.model import Entity, Fact, Product
from kg.ontology import Rel
from recommend.arrays import weighted_rows
from recommend.parts import Hop, Parts, PathPart
from recommend.profile import Branch
from recommend.profiles import weighted_profiles
from recommend.scorer import Scored, Scorer
from recommend.texts import product_text
from recommend.views.base import EMPTY, NEW_ROW, Candidate, SparseVector, Values
from recommend.views.facts import FactView, shared_entity, view_name, weighted_entities
from recommend.views.gnn import GnnView
from recommend.views.similar import SimilarView, near_of, wide_of

if TYPE_CHECKING:
    from gnn.inductive import NewProducts


@dataclass(frozen=True, slots=True, eq=False)
class NewProduct:
    """What a product that the graph does not have would meet.

    Args:
        users: score of each person for it; its paths end at row `NEW_ROW`.
        similar: products of the catalogue like it; paths start at it (`history_row` None) and end at the product.
    """

    users: Scored
    similar: Scored


def new_product(scorer: Scorer, product: Product, facts: Sequence[Fact]) -> NewProduct:
    """Scores over people, and over products of the catalogue, each to be taken apart."""
    made = _Made(scorer, product, facts)
    users, similar = _Users(scorer, made.candidate), _Similar(scorer, made)
    return NewProduct(Scored(users.scores, users.parts), Scored(similar.scores, similar.parts))


class _Made:
    """The new product as a candidate, and as one that is asked about."""

    def __init__(self, scorer: Scorer, product: Product, facts: Sequence[Fact]) -> None:
        text = product_text(product)
        words = scorer.words.vector(text)
        wide = self._wide(scorer, text)
        entities = _entity_rows(scorer, facts)
        weighted = {
            view.relation: weighted_entities(entities.get(view.relation, np.empty(0, np.int32)), view.idf)
            for view in scorer.views.values()
            if isinstance(view, FactView)
        }
        gnn = scorer.views.get("gnn")
        self.products: NewProducts | None = None
        vectors: dict[str, Values] = {}
        terms: dict[tuple[str, int], Values] = {}
        if isinstance(gnn, GnnView):
            self.products = _embedded(scorer, gnn, text, entities)
            vectors = {name: part[0].astype(np.float64) for name, part in self.products.target.items()}
            terms = gnn.new_entity_terms("target", self.products)
        self.candidate = Candidate(NEW_ROW, words, near_of(wide), wide, weighted, vectors, terms)

    def _wide(self, scorer: Scorer, text: str) -> SparseVector:
        cosine = None
        if scorer.text is not None:
            vector = np.asarray(scorer.text.encode(text), np.float64)
            length = float(np.linalg.norm(vector))
            cosine = np.asarray(scorer.text.vectors @ (vector / (length or 1.0)).astype(np.float32), np.float64)
        return wide_of(scorer.words.likeness(scorer.words.vector(text)), cosine)


def _entity_rows(scorer: Scorer, facts: Sequence[Fact]) -> dict[str, np.ndarray]:
    """Rows of the entities that the graph already has, by relation; others are new and say nothing yet."""
    found: dict[str, list[int]] = {}
    for fact in facts:
        if isinstance(fact.target, Entity) and (row := scorer.snapshot.entities.find(fact.target.key)) is not None:
            found.setdefault(fact.relation.name, []).append(row)
    return {name: np.unique(np.array(rows, np.int32)) for name, rows in found.items()}


def _embedded(scorer: Scorer, gnn: GnnView, text: str, entities: dict[str, np.ndarray]) -> NewProducts:
    from gnn.features import TextFeatures
    from gnn.inductive import embed_products

    matrix = scorer.words.index.transform([text])
    dense = np.zeros((1, gnn.table.source_side.text_map.shape[0]), np.float32)
    if scorer.text is not None and dense.shape[1]:
        dense[0] = scorer.text.encode(text)
    basis = np.zeros((matrix.shape[1], 1), np.float32)
    features = TextFeatures(dense, matrix, basis, gnn.table.text_digest)
    return embed_products(gnn.table, features, [{name: rows.tolist() for name, rows in entities.items()}])


class _Users:
    """Every person's score for the new product."""

    def __init__(self, scorer: Scorer, candidate: Candidate) -> None:
        self._scorer, self._candidate = scorer, candidate
        graph = scorer.snapshot
        self._profiles = weighted_profiles(graph.events, graph.n_users, graph.n_items, scorer.now, scorer.recency)
        sizes = np.diff(self._profiles.indptr)
        self.scores: Values = np.zeros(graph.n_users)
        columns = {name: view.column(candidate) for name, view in scorer.views.items()}
        for branch, people in scorer.branches_of(sizes):
            weights = scorer.weights.branch(branch)
            column = np.sum([weights.of(name, False) * values for name, values in columns.items()] or [np.zeros(graph.n_items)], axis=0)
            self.scores[people] = self._profiles[people].astype(np.float64) @ column + weights.newness

    def parts(self, user_row: int) -> Parts:
        """One person's score taken apart."""
        profile = self._scorer.user_profile(user_row)
        if not len(profile.item_rows):
            return Parts((), 0.0, 0.0, 0.0, 0.0)
        newness = self._scorer.weights.branch(profile.branch).newness
        return self._scorer.parts_of(profile, self._candidate, False, newness)


class _Similar:
    """The catalogue's products by likeness to the new one: as `Scorer.similar` scores, without what only events could tell."""

    def __init__(self, scorer: Scorer, made: _Made) -> None:
        self._scorer, self._made = scorer, made
        self._weights = scorer.weights.branch(Branch.SIMILAR)
        self.scores: Values = np.zeros(scorer.n_items)
        for name, view in scorer.views.items():
            scale = np.where(scorer.seen, self._weights.of(name, True), self._weights.of(name, False))
            values = self._row(view)
            if values is not None:
                self.scores += scale * values
        self.scores += np.where(scorer.seen, 0.0, self._weights.newness)

    def _row(self, view: object) -> Values | None:
        candidate = self._made.candidate
        if isinstance(view, SimilarView):
            return (candidate.near if view.name == "similar" else candidate.wide).dense(self._scorer.n_items)
        if isinstance(view, FactView):
            found = candidate.facts.get(view.relation, EMPTY)
            return weighted_rows(view.members, found.rows, found.values)
        if isinstance(view, GnnView) and self._made.products is not None:
            return view.spoken_to(self._made.products.source_vectors()[0])
        return None

    def parts(self, item_row: int) -> Parts:
        """One product's score taken apart."""
        scorer, candidate = self._scorer, self._made.candidate
        seen = bool(scorer.seen[item_row])
        paths: list[PathPart] = []
        latent = baseline = 0.0
        for name, view in scorer.views.items():
            weight = self._weights.of(name, seen)
            if not weight:
                continue
            if isinstance(view, SimilarView):
                value = (candidate.near if name == "similar" else candidate.wide).at(item_row)
                if value:
                    paths.append(PathPart(name, Rel.SIMILAR_TEXT, weight * value, None, (self._hop(item_row),)))
            elif isinstance(view, FactView):
                own = candidate.facts.get(view.relation, EMPTY)
                other = view.entities_of(Candidate(item_row))
                for row in np.intersect1d(own.rows, other.rows).tolist():
                    hops = shared_entity(view.relation, row, item_row)
                    paths.append(PathPart(name, view.relation, weight * own.at(row) * other.at(row), None, hops))
            elif isinstance(view, GnnView) and self._made.products is not None:
                found, mean, total = self._gnn_paths(view, item_row, seen)
                paths += [PathPart(v, r, weight * value, None, hops) for v, r, value, hops in found]
                baseline += weight * mean
                latent += weight * (total - mean - sum(value for _, _, value, _ in found))
        return Parts(tuple(paths), 0.0, 0.0 if seen else self._weights.newness, latent, baseline)

    def _hop(self, item_row: int) -> Hop:
        assert self._made.candidate.words is not None
        words = self._scorer.words.shared(self._made.candidate.words, self._scorer.words.of_item(item_row))
        return Hop(Rel.SIMILAR_TEXT, "out", "item", item_row, words=words, derived=True)

    def _gnn_paths(self, view: GnnView, item_row: int, seen: bool) -> tuple[list[tuple[str, str, float, tuple[Hop, ...]]], float, float]:
        products = self._made.products
        assert products is not None
        target, means = view.target(Candidate(item_row)), view.means[seen]
        source = products.source_vectors()[0]
        text = float(products.source["text"][0].astype(np.float64) @ (target["text"] - means["text"]))
        found: list[tuple[str, str, float, tuple[Hop, ...]]] = [("gnn_text", Rel.SIMILAR_TEXT, text, (self._hop(item_row),))]
        own, others = view.new_entity_terms("source", products), view.entity_terms("target", item_row)
        for relation, row in sorted(own.keys() & others.keys()):
            value = float(own[relation, row] @ others[relation, row])
            found.append((f"gnn_{view_name(relation)}", relation, value, shared_entity(relation, row, item_row)))
        total = float(source @ np.sum(list(target.values()), axis=0))
        return found, float(source @ np.sum(list(means.values()), axis=0)), total
