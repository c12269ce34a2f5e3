"""From a graph to a scorer: likeness, views, GNN, weights. `train` and `clew evaluate` both come through here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kg.seeds import derive
from kg.snapshot import GraphSnapshot
from recommend.choose import PEOPLE, Part, asked_rows, choose, ridge_of
from recommend.scorer import Scorer, TextVectors
from recommend.slices import Slice, slices_of
from recommend.tasks import Task
from recommend.texts import texts_vector
from recommend.training import Fitted, Training, held_out
from recommend.views.base import View
from recommend.views.build import Likeness, build_views
from recommend.views.ease import RIDGE
from recommend.views.gnn import GnnView
from recommend.views.next_ease import dense
from recommend.views.popular import popularity
from recommend.views.similar import ALL_PAIRS, unit_rows
from recommend.words import CatalogueWords

if TYPE_CHECKING:
    from gnn.embeddings import EmbeddingTable
    from gnn.features import TextFeatures
    from gnn.text import TextEncoder


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
    snapshot = training.snapshot
    texts = read_texts(training, "gnn" not in training.config.without)
    training = settled(training)
    parts = parts_of(training, texts)
    with training.progress.stage("choosing weights"):
        weights, report = choose(parts, snapshot, training)
    if training.valid:
        views = parts[0].views
    else:
        stop_at = _best_steps(parts)
        parts.clear()  # the slices' views are as large as those to come
        views = _views(training, snapshot, texts, _gnn(training, snapshot, texts, (), "gnn", stop_at))
    text = None if texts.vectors is None else TextVectors(texts.vectors, lambda one: texts_vector(texts.encoder, one))
    scorer = Scorer(snapshot, views, popularity(snapshot.interactions), weights, texts.alike.words, text)
    table = next((view.table for view in views if isinstance(view, GnnView)), None)
    report["ridge"] = training.config.settings.ridge
    if texts.alike.recall < 1:
        report["likeness"] = {"pairs": "found by Faiss and rarer words", "recall": texts.alike.recall}
    return Fitted(scorer, texts.encoder, table, report)


def settled(training: Training) -> Training:
    """The training with its ridge of EASE chosen on validation, where nobody gave one and there is anything to choose it on."""
    settings, slices = training.config.settings, _slices(training)
    if settings.ridge is not None or "ease" in training.config.without or not slices:
        return training
    chosen = settings.model_copy(update={"ridge": ridge_of(slices[0], training)})
    return replace(training, config=training.config.model_copy(update={"settings": chosen}))


def _slices(training: Training) -> list[Slice]:
    if not training.valid:
        return slices_of(training.snapshot, training.config.valid_fraction, 3, training.config.seed, PEOPLE)
    joint = frozenset(task.name for task in training.valid if task.candidates.all())
    return [Slice(training.snapshot, tuple(training.valid), joint)]


def parts_of(training: Training, texts: Texts) -> list[Part]:
    """What weights are chosen on: the graph and its valid tasks, or slices of train, each with its views.

    One GNN serves all slices: that of the earliest, which has seen nothing that any of them asks about.
    """
    slices = _slices(training)
    if not slices:
        return []
    earliest = slices[-1]
    table = _gnn(training, earliest.snapshot, texts, earliest.tasks, "gnn" if training.valid else "gnn-slice")
    if training.valid:  # the views are those of the model, too
        return [Part(one, _views(training, one.snapshot, texts, table)) for one in slices]
    asked = asked_rows(slices, training)
    return [Part(one, _views(training, one.snapshot, texts, table, rows)) for one, rows in zip(slices, asked, strict=True)]


def _views(
    training: Training, snapshot: GraphSnapshot, texts: Texts, table: EmbeddingTable | None, rows: NDArray[np.int32] | None = None
) -> list[View]:
    settings, without = training.config.settings, frozenset(training.config.without)
    if not dense(training.snapshot.events, training.snapshot.n_items):  # of the whole shop, so that its slices have the same views
        without |= {"next_ease"}
    return build_views(snapshot, texts.alike, table, without, settings.shrink, settings.ridge or RIDGE, rows, _scratch(training))


def _scratch(training: Training) -> Path | None:
    """Where the views of a large catalogue are built: 100,000 products have 1.5 GB of them."""
    return training.cache if training.snapshot.n_items > ALL_PAIRS else None


def read_texts(training: Training, for_gnn: bool) -> Texts:
    """Encode the catalogue's texts and measure their likeness; for a GNN, refuse a device that is not there before that takes its time."""
    from gnn.device import choose_device
    from gnn.features import text_features
    from gnn.text import JoinedEncoder, cached_encode, text_encoder, words_of
    from gnn.text_words import WordsEncoder

    if for_gnn:
        choose_device(training.config.device)
    encoder = text_encoder("+".join(training.config.text_encoder), training.texts, training.cache, training.progress)
    known = words_of(encoder)
    words = CatalogueWords.fit(training.texts) if known is None else CatalogueWords(known.index, known.index.transform(training.texts))
    parts = encoder.parts if isinstance(encoder, JoinedEncoder) else (encoder,)
    dense = [cached_encode(one, training.texts, training.cache, training.progress) for one in parts if not isinstance(one, WordsEncoder)]
    vectors = unit_rows(np.concatenate(dense, axis=1)) if dense else None
    features = text_features(encoder, training.texts, training.cache, training.progress) if for_gnn else None
    return Texts(encoder, Likeness.build(words, vectors, training.progress, _scratch(training)), vectors, features)


def _gnn(
    training: Training, snapshot: GraphSnapshot, texts: Texts, valid: Sequence[Task], name: str, stop_at: Sequence[int] = ()
) -> EmbeddingTable | None:
    """The towers side by side; `stop_at`: of each, the step to stop at."""
    if texts.features is None:
        return None
    from gnn.config import GnnConfig
    from gnn.embeddings import joined
    from gnn.train import fit as fit_gnn

    held = held_out(snapshot, valid)
    checkpoint = None if training.cache is None else training.cache / name
    chosen = training.config.settings
    people = int((np.diff(snapshot.interactions.indptr) >= 2).sum())
    tables = []
    for tower in range(chosen.gnn_towers):
        config = GnnConfig(
            seed=training.config.seed if tower == 0 else derive(training.config.seed, f"tower {tower}"),
            stop_at=stop_at[tower] if tower < len(stop_at) else 0,
            steps=max(1, round(GnnConfig().planned_steps(people) * chosen.gnn_effort)),
            temperature=chosen.gnn_temperature,
            identity_dropout=chosen.gnn_identity_dropout,
            device=training.config.device,
        )
        tables.append(fit_gnn(snapshot, texts.features, config, training.progress, held, checkpoint))
    return joined(tables)


def _best_steps(parts: Sequence[Part]) -> list[int]:
    """The step at which each tower of the slices was best: the whole graph's have nothing held out and stop there too."""
    return [step for part in parts[:1] for view in part.views if isinstance(view, GnnView) for step in view.table.best_steps]


def fit_gnn_view(training: Training) -> GnnView:
    """The tower alone, for the ranker `gnn`."""
    texts = read_texts(training, True)
    table = _gnn(training, training.snapshot, texts, training.valid, "gnn")
    assert table is not None
    return GnnView(table, training.snapshot.item_event_counts > 0, texts.alike.words)
