"""One additive score, and the same score taken apart. See docs/identity.md for what is summed.

    score(u, i) = Σ_j a_j Σ_v w_v(branch, i seen or not) · v(j, i)  +  w_pop · popularity_i  +  δ · [i has no event]

a: the profile's weights; v: the views. Nothing here needs torch, spaCy or scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.ontology import Rel
from kg.snapshot import GraphSnapshot
from recommend.parts import Parts, PathPart
from recommend.profile import KNOWN_FROM, Branch, Profile, profile_of_events, profile_of_items
from recommend.views.base import Candidate, LatentView, Values, View
from recommend.views.co_bought import CoBoughtSimilarView
from recommend.views.facts import view_name
from recommend.views.gnn import GnnView
from recommend.weights import Weights
from recommend.words import CatalogueWords

_EXACT = 1024  # how many of the best are scored in float64; the rest keep float32's error


class Scored:
    """Scores of many candidates for one question, each of which can be taken apart.

    Args:
        scores: float64, by item row (by user row for `NewProduct.users`); or what makes them when somebody asks for all.
        parts: takes the score of one row apart.
        fallback: one sentence when there was nothing to go on and the scores are popularity's; else None.
    """

    def __init__(self, scores: Values | Callable[[], Values], parts: Callable[[int], Parts], fallback: str | None = None) -> None:
        self._scores, self.parts, self.fallback = scores, parts, fallback

    @property
    def scores(self) -> Values:
        """All of them."""
        if callable(self._scores):
            self._scores = self._scores()
        return self._scores


class Scorer:
    """Scores and their parts, over one snapshot.

    Args:
        snapshot: the graph that the model was made from.
        views: all views; one of the name "gnn" is taken apart by components.
        popularity: float64 [n_items], 0..1.
        weights: fusion weights.
        words: the words of the catalogue.
        text: vectors of the catalogue and the encoder that made them; None where texts are known by words alone.
        digest: of the bundle; empty for a model that was never saved.
    """

    def __init__(
        self,
        snapshot: GraphSnapshot,
        views: Iterable[View],
        popularity: Values,
        weights: Weights,
        words: CatalogueWords,
        text: TextVectors | None = None,
        digest: str = "",
    ) -> None:
        self.snapshot = snapshot
        self.views: dict[str, View] = {view.name: view for view in views}
        self.popularity = popularity
        self.weights = weights
        self.words = words
        self.text = text
        self.digest = digest
        self.seen: NDArray[np.bool_] = snapshot.item_event_counts > 0
        self._scales: dict[tuple[Branch, str], Values | None] = {}
        self._own: dict[Branch, Values] = {}
        self.recency = replace(weights.recency, rating_border=snapshot.rating_border)
        self.now = int(snapshot.events.times.max(initial=0)) if snapshot.events.timed else 0

    @property
    def n_items(self) -> int:
        """How many products."""
        return self.snapshot.n_items

    @property
    def notes(self) -> tuple[str, ...]:
        """What an answer must say about how it was found; nothing where every product was looked at."""
        gnn = self.views.get("gnn")
        if not isinstance(gnn, GnnView) or gnn.near is None:
            return ()
        return (f"Of {self.n_items:,} products the GNN looked at the nearest that Faiss finds ({gnn.near.recall:.0%} of the true ones).",)

    # Profiles ---------------------------------------------------------------------------------------------------------

    def user_profile(self, user_row: int) -> Profile:
        """The profile of a person of the graph (branch `known` from 5 products on, `few_events` below, `new_user` without any)."""
        return profile_of_events(self.snapshot.events.of_user(user_row), self.now, self.recency)

    def session_profile(self, item_rows: Sequence[int]) -> Profile:
        """The profile of a session: products that count alike (branch `session`)."""
        return profile_of_items(item_rows, Branch.SESSION)

    def similar(self, item_row: int) -> Profile:
        """The question "what is like this product" as a profile (branch `similar`; paths then have no history row)."""
        return profile_of_items([item_row], Branch.SIMILAR)

    def branches_of(self, sizes: NDArray[np.integer]) -> list[tuple[Branch, NDArray[np.int64]]]:
        """People of the branches `known` and `few_events`, by how many products they have."""
        known, few = np.flatnonzero(sizes >= KNOWN_FROM), np.flatnonzero((sizes > 0) & (sizes < KNOWN_FROM))
        return [(branch, people) for branch, people in ((Branch.KNOWN, known), (Branch.FEW_EVENTS, few)) if len(people)]

    # Scores -----------------------------------------------------------------------------------------------------------

    def score(self, profile: Profile) -> Values:
        """Scores of all products (float64 [n_items]); the best 1,024 exactly as `parts` adds them up, the others within float32's error.

        A profile without products, or of the branch `popular`, is scored by popularity alone.
        """
        if not len(profile.item_rows) or profile.branch is Branch.POPULAR:
            return self.popularity.copy()
        amounts = profile.weights.astype(np.float64)
        total = self.item_terms(profile.branch).copy()
        rough: list[tuple[GnnView | CoBoughtSimilarView, Values, Values]] = []
        for name, view in self.views.items():
            scale = self.scale(profile.branch, name)
            if scale is not None:
                values = view.scores(profile.item_rows, amounts)
                total += scale * values
                if isinstance(view, GnnView | CoBoughtSimilarView):
                    rough.append((view, scale, values))
        if rough:
            best = np.arange(self.n_items) if self.n_items <= _EXACT else np.argpartition(-total, _EXACT)[:_EXACT]
            for one, scale, values in rough:
                total[best] += scale[best] * (one.exact(profile.item_rows, amounts, best.astype(np.int32)) - values[best])
        return total

    def scale(self, branch: Branch, view: str) -> Values | None:
        """The weight of a view for each product (float64 [n_items]), None where it is 0 for all; made once, not to be written to."""
        if (branch, view) not in self._scales:
            weights = self.weights.branch(branch)
            seen, unseen = weights.of(view, True), weights.of(view, False)
            self._scales[branch, view] = np.where(self.seen, seen, unseen) if seen or unseen else None
        return self._scales[branch, view]

    def item_terms(self, branch: Branch) -> Values:
        """What each product gets whoever asks, for being popular or new (float64 [n_items]); made once, not to be written to."""
        if branch not in self._own:
            weights = self.weights.branch(branch)
            self._own[branch] = weights.popularity * self.popularity + np.where(self.seen, 0.0, weights.newness)
        return self._own[branch]

    def block(self, profiles: sp.csr_array, branch: Branch) -> NDArray[np.float32]:
        """Scores of many profiles of one branch (CSR [b, n_items] → float32 [b, n_items]), for evaluation and batches."""
        total = np.repeat(self.item_terms(branch).astype(np.float32)[None, :], profiles.shape[0], axis=0)
        for name, view in self.views.items():
            scale = self.scale(branch, name)
            if scale is not None:
                total += view.block(profiles) * scale.astype(np.float32)
        return total

    # Parts ------------------------------------------------------------------------------------------------------------

    def parts(self, profile: Profile, item_row: int) -> Parts:
        """The score of one product taken apart; equals `score(profile)[item_row]` to 1e-9 for the best 1,024."""
        if not len(profile.item_rows) or profile.branch is Branch.POPULAR:
            return Parts((), 0.0, float(self.popularity[item_row]), 0.0, 0.0)
        seen = bool(self.seen[item_row])
        own = float(self.item_terms(profile.branch)[item_row])
        return self.parts_of(profile, Candidate(item_row), seen, own)

    def parts_of(self, profile: Profile, candidate: Candidate, seen: bool, own: float) -> Parts:
        """Any candidate's score taken apart; `own` is what it gets whoever asks."""
        weights = self.weights.branch(profile.branch)
        paths: list[PathPart] = []
        latent = baseline = 0.0
        for name, view in self.views.items():
            weight = weights.of(name, seen)
            if not weight:
                continue
            for row, amount in zip(profile.item_rows.tolist(), profile.weights.astype(np.float64).tolist(), strict=True):
                factor = weight * amount
                found = self._paths_of(view, row, candidate, factor, profile.branch)
                paths += found
                if isinstance(view, LatentView):
                    mean = factor * view.mean(row, seen)
                    baseline += mean
                    latent += factor * view.total(row, candidate) - mean - sum(path.contribution for path in found)
        return Parts(tuple(paths), 0.0, own, latent, baseline)

    def _paths_of(self, view: View, row: int, candidate: Candidate, factor: float, branch: Branch) -> list[PathPart]:
        start = None if branch is Branch.SIMILAR else row
        return [
            PathPart(path_view(view, str(path.relation)), path.relation, factor * path.value, start, path.hops)
            for path in view.paths(row, candidate)
        ]

    # Questions that are not a history -----------------------------------------------------------------------------------

    def popular(self) -> Scored:
        """Products by popularity alone."""
        return Scored(self.popularity.copy(), lambda row: Parts((), 0.0, float(self.popularity[row]), 0.0, 0.0))


@dataclass(frozen=True, eq=False)
class TextVectors:
    """Vectors of texts.

    Args:
        vectors: float32 [n_items, d], rows of length 1 or zero.
        encode: text → float32 [d], by the same encoder; may load a transformer.
    """

    vectors: NDArray[np.float32]
    encode: Callable[[str], NDArray[np.float32]]


def path_view(view: View, relation: str) -> str:
    """Name of the view that a path is of; the GNN's paths say which pair of components they are: "gnn_text", "gnn_brand"."""
    if not isinstance(view, GnnView):
        return view.name
    return "gnn_text" if relation == Rel.SIMILAR_TEXT else f"gnn_{view_name(relation)}"
