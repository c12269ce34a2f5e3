"""From a graph to a scorer: likeness, views, GNN, weights. `train` and `clew evaluate` both come through here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kg.seeds import generator
from kg.snapshot import GraphSnapshot
from recommend import fuse
from recommend.profile import KNOWN_FROM, Branch
from recommend.profiles import weighted_profiles
from recommend.scorer import Scorer, TextVectors
from recommend.slices import Slice, profile_sizes, shortened, slices_of
from recommend.tasks import Task
from recommend.texts import texts_vector
from recommend.training import Fitted, Training, held_out
from recommend.views.base import View
from recommend.views.build import Likeness, build_views
from recommend.views.facts import view_name
from recommend.views.gnn import GnnView
from recommend.views.popular import popularity
from recommend.views.similar import unit_rows
from recommend.weights import Weights
from recommend.words import CatalogueWords

if TYPE_CHECKING:
    from gnn.embeddings import EmbeddingTable
    from gnn.features import TextFeatures
    from gnn.text import TextEncoder

PEOPLE = 3000  # people of a slice that weights are chosen on
FEW = 3  # products that a person is shortened to for the branch `few_events`
RECENCY_DAYS = (None, 730.0, 365.0, 180.0)
_FACT_START = 0.3


@dataclass(frozen=True, eq=False)
class Texts:
    """What the catalogue's texts give, whatever the events.

    Args:
        encoder: of texts.
        alike: likeness.
        vectors: float32 [n_items, d] of the encoder's part that does not know words, of length 1, or None.
        features: for the GNN; None when it is left out.
    """

    encoder: TextEncoder
    alike: Likeness
    vectors: NDArray[np.float32] | None
    features: TextFeatures | None


def fit(training: Training) -> Fitted:
    """Fit everything; weights are chosen on `training.valid`, or on slices cut from train when there is none."""
    snapshot, without = training.snapshot, frozenset(training.config.without)
    texts = read_texts(training, "gnn" not in without)
    if training.valid:
        table = _gnn(training, snapshot, texts, training.valid, "gnn")
        views = build_views(snapshot, texts.alike, table, without)
        joint = frozenset(task.name for task in training.valid if task.candidates.all())
        parts = [_Part(Slice(snapshot, tuple(training.valid), joint), views)]
    else:
        slices = slices_of(snapshot, training.config.valid_fraction, 3, training.config.seed)
        parts = _sliced(training, slices, texts, without)
        table = _gnn(training, snapshot, texts, (), "gnn")
        views = build_views(snapshot, texts.alike, table, without)
    with training.progress.stage("choosing weights"):
        weights, report = choose(parts, snapshot, training)
    text = None if texts.vectors is None else TextVectors(texts.vectors, lambda one: texts_vector(texts.encoder, one))
    scorer = Scorer(snapshot, views, popularity(snapshot.interactions), weights, texts.alike.words, text)
    return Fitted(scorer, texts.encoder, table, report)


@dataclass(frozen=True, eq=False)
class _Part:
    slice: Slice
    views: Sequence[View]


def read_texts(training: Training, for_gnn: bool) -> Texts:
    """Encode the catalogue's texts and measure their likeness."""
    from gnn.features import text_features
    from gnn.text import JoinedEncoder, cached_encode, text_encoder, words_of
    from gnn.text_words import WordsEncoder

    encoder = text_encoder("+".join(training.config.text_encoder), training.texts, training.cache, training.progress)
    known = words_of(encoder)
    words = CatalogueWords.fit(training.texts) if known is None else CatalogueWords(known.index, known.index.transform(training.texts))
    parts = encoder.parts if isinstance(encoder, JoinedEncoder) else (encoder,)
    dense = [cached_encode(one, training.texts, training.cache, training.progress) for one in parts if not isinstance(one, WordsEncoder)]
    vectors = unit_rows(np.concatenate(dense, axis=1)) if dense else None
    features = text_features(encoder, training.texts, training.cache, training.progress) if for_gnn else None
    return Texts(encoder, Likeness.build(words, vectors, training.progress), vectors, features)


def _gnn(training: Training, snapshot: GraphSnapshot, texts: Texts, valid: Sequence[Task], name: str) -> EmbeddingTable | None:
    if texts.features is None:
        return None
    from gnn.config import GnnConfig
    from gnn.train import fit as fit_gnn

    held = held_out(snapshot, valid)
    checkpoint = None if training.cache is None else training.cache / name
    return fit_gnn(snapshot, texts.features, GnnConfig(seed=training.config.seed), training.progress, held, checkpoint)


def _sliced(training: Training, slices: Sequence[Slice], texts: Texts, without: frozenset[str]) -> list[_Part]:
    """Views of each slice. One GNN serves all: that of the earliest slice, which has seen nothing that any of them asks about."""
    if not slices:
        return []
    earliest = slices[-1]
    table = _gnn(training, earliest.snapshot, texts, earliest.tasks, "gnn-slice")
    return [_Part(one, build_views(one.snapshot, texts.alike, table, without)) for one in slices]


# Weights ----------------------------------------------------------------------------------------------------------------


def choose(parts: Sequence[_Part], snapshot: GraphSnapshot, training: Training) -> tuple[Weights, dict[str, Any]]:
    """Fusion weights of each branch that the slices have people for."""
    links = frozenset(name.lower() for name in snapshot.links())
    facts = {view_name(name): _FACT_START for name in snapshot.facts()}
    if not parts:
        start = fuse.branch_weights(dict(fuse.START_SEEN), {**fuse.START_UNSEEN, **facts}, 1.0, 0.0)
        training.progress.note("There are too few events to choose weights on; the defaults hold.")
        return Weights({Branch.KNOWN: start}), {"validation": None}
    days = _recency(parts, snapshot, training)
    report: dict[str, Any] = {"recency_days": days, "branches": {}}
    branches = {}
    for branch in (Branch.KNOWN, Branch.FEW_EVENTS):
        found = [(part, task) for part in parts for task in _of_branch(part.slice, branch, training)]
        if not found:
            continue
        weights, figures = _branch(found, days, facts, links, training)
        branches[branch] = weights
        report["branches"][str(branch)] = figures
    return Weights(branches, recency_days=days), report


def _of_branch(one: Slice, branch: Branch, training: Training) -> list[Task]:
    """One task a slice: its people of a branch. Where few people have few products, others are shortened to stand for them."""
    random = generator(training.config.seed, f"people of {branch}")
    found = []
    for task in one.tasks:
        sizes = profile_sizes(task)
        inside = np.flatnonzero((sizes >= KNOWN_FROM) if branch is Branch.KNOWN else ((sizes > 0) & (sizes < KNOWN_FROM)))
        if branch is Branch.FEW_EVENTS and len(inside) < 200:
            inside = np.flatnonzero(sizes > 0)
            task = shortened(task, FEW)
        if len(inside) > PEOPLE // len(one.tasks):
            inside = np.sort(random.choice(inside, PEOPLE // len(one.tasks), replace=False))
        if len(inside):
            found.append(task.some(inside))
    return found


def _profiles(part: _Part, task: Task, days: float | None):  # type: ignore[no-untyped-def]
    log = part.slice.snapshot.events
    now = int(log.times.max(initial=0)) if log.timed else 0
    return weighted_profiles(task.history, task.n_users, part.slice.snapshot.n_items, now, days)


def _groups(part: _Part, task: Task, days: float | None) -> dict[bool, fuse.Group]:
    snapshot = part.slice.snapshot
    seen = snapshot.item_event_counts > 0
    popular = popularity(snapshot.interactions)
    return fuse.collect(part.views, popular, task, _profiles(part, task, days), seen)


def _recency(parts: Sequence[_Part], snapshot: GraphSnapshot, training: Training) -> float | None:
    """How fast a purchase ages, chosen with the starting weights; only where events have times."""
    if not snapshot.events.timed:
        return None
    tasks = [(part, task) for part in parts for task in _of_branch(part.slice, Branch.KNOWN, training)]
    best, value = None, -1.0
    for days in RECENCY_DAYS:
        figures = []
        for part, task in tasks:
            for kind, group in _groups(part, task.some(np.arange(min(task.n_users, 250))), days).items():
                start = fuse.START_SEEN if kind else fuse.START_UNSEEN
                weights = np.array([start.get(name, 0.0) for name in group.names])
                people = group.n_targets > 0
                if people.any():
                    figures.append(fuse.ndcg_of(group.scores(weights), group.targets, group.n_targets)[people].mean())
        found = float(np.mean(figures)) if figures else 0.0
        if found > value + fuse.GAIN:
            best, value = days, found
    return best


def _branch(found: Sequence[tuple[_Part, Task]], days: float | None, facts: dict[str, float], links: frozenset[str], training: Training):  # type: ignore[no-untyped-def]
    groups = [_groups(part, task, days) for part, task in found]
    seen, seen_ndcg = fuse.search([group[True] for group in groups], (fuse.WORDS_ALONE, fuse.START_SEEN), links)
    unseen, unseen_ndcg = fuse.search([group[False] for group in groups], ({**fuse.START_UNSEEN, **facts}, fuse.WORDS_ALONE), links)
    people = [np.full(task.n_users, not part.slice.joint or task.name.split(",")[0] in part.slice.joint) for part, task in found]
    factor, delta, all_ndcg = fuse.joint([(group[True], group[False]) for group in groups], people, seen, unseen)
    weights = fuse.branch_weights(seen, unseen, factor, delta)
    figures = {"people": [task.n_users for _, task in found], "ndcg@20": {"seen": seen_ndcg, "unseen": unseen_ndcg, "all": all_ndcg}}
    return weights, {**figures, "factor": factor, "weights": weights.to_dict()}


def fit_gnn_view(training: Training) -> GnnView:
    """The tower alone, for the ranker `gnn`."""
    texts = read_texts(training, True)
    table = _gnn(training, training.snapshot, texts, training.valid, "gnn")
    assert table is not None
    return GnnView(table, training.snapshot.item_event_counts > 0, texts.alike.words)
