"""Trains the accurate tier: the CRFs and an encoder on the same folds, and for each attribute how their answers become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extraction.encoder_training import SCHEDULE, Labelled, Schedule, train_encoder
from extraction.evaluate import GoldRow, attribute_of
from extraction.rules import build_rules
from extraction.tag_mix import Mix, fit_mix
from extraction.tag_pipeline import TaggerExtractor, tagger_of, taught_by_columns
from extraction.tag_training import (
    FEWEST,
    LESSON,
    Lesson,
    Rows,
    Slot,
    fit_crfs,
    labelled_rows,
    tags_of,
    tuned,
)
from extraction.tagger import TaggerModel
from kg.errors import StateError
from kg.model import Product
from kg.progress import SILENT, Progress

# Of the folds of the CRFs, those that an encoder of the others reads: each costs minutes.
HELD_FOLDS = 2


def train_accurate(
    rows: Sequence[GoldRow], lesson: Lesson = LESSON, progress: Progress = SILENT, schedule: Schedule = SCHEDULE
) -> tuple[TaggerModel, dict[str, list[Slot]]]:
    """`tag_training.train_tagger` with an encoder beside the CRFs; takes minutes where that takes seconds.

    The encoder learns every attribute with enough values, also those that are not asked for: they teach it the titles.

    Args:
        rows: partly labelled titles; names of attributes as the files write them.
        lesson: what to learn from them; its seed is that of the encoder too.
        progress: hears the stages.
        schedule: how long and how fast the encoder learns.

    Returns:
        The model, and the labelled slots of HELD_FOLDS folds as both read them, by attribute.

    Raises:
        InputError, UnknownKeyError: as `train_tagger`; also where no label stands on whole words.
        EngineError: the weights that the encoder starts from are not installed.
    """
    crfs = fit_crfs(rows, lesson, progress)
    labelled = tagged(crfs.prepared, lesson.absent)
    wanted = list(crfs.model.learned)
    read = _held_out(labelled, wanted, crfs.fold, lesson.seed, schedule, progress)
    learned, slots = {}, {}
    for attribute, one in crfs.model.learned.items():
        held = [slot for slot in crfs.slots[attribute] if crfs.fold[slot.row] < HELD_FOLDS]
        own = [_readings(slot, read[slot.row].get(attribute, ()), rows) for slot in held]
        mix = fit_mix(own)
        mixed = [_mixed(slot, mix, *pair[:2]) for slot, pair in zip(held, own, strict=True)]
        learned[attribute], slots[attribute] = tuned(replace(one, mix=mix), mixed, crfs.prepared)
    encoder = train_encoder(labelled, range(len(rows)), wanted, lesson.seed, schedule, progress)
    return replace(crfs.model, learned=learned, encoder=encoder), slots


def build_accurate(products: Sequence[Product], model: Path | None = None) -> TaggerExtractor:
    """The accurate tier as an extractor.

    Args:
        products: the catalogue; may be empty when a model is given.
        model: folder of the model; when not given, the catalogue's own filled columns teach one, which takes minutes.

    Raises:
        StateError: the folder holds no model, or one without an encoder.
        EngineError: the weights that the encoder starts from are not installed.
        InputError: no model is given and no column is filled often enough to learn from.
    """
    tagger = TaggerModel.load(model) if model else taught_by_columns(products, train_accurate)
    if tagger.encoder is None:
        raise StateError(f"The tagger in {model} has no encoder.", "Train one with `clew extract train FILE --tier accurate --model DIR`.")
    return tagger_of(build_rules(products).finder, tagger)


def tagged(prepared: Rows, absent: bool) -> Labelled:
    """What the encoder learns from: the tags of every attribute with enough values, where a row labels it.

    Args:
        prepared: the rows.
        absent: whether a slot without a label counts as absent.
    """
    tags: dict[str, dict[int, list[str]]] = {}
    for name in (name for name, count in labelled_rows(prepared.rows).items() if count >= FEWEST):
        own = tags.setdefault(attribute_of(name), {})
        for i, (row, tokens) in enumerate(zip(prepared.rows, prepared.tokens, strict=True)):
            if name in row.values or absent:
                said = tags_of(tokens, row.values.get(name, frozenset()))
                if said is not None:
                    own[i] = said
    return Labelled(prepared.tokens, prepared.hints, tags)


CharSpan = tuple[int, int, float]


def _held_out(
    labelled: Labelled, wanted: Sequence[str], fold: NDArray[np.int64], seed: int, schedule: Schedule, progress: Progress
) -> list[dict[str, list[CharSpan]]]:
    """Spans in characters of the rows of HELD_FOLDS folds, each read by an encoder of the other folds; of other rows none."""
    read: list[dict[str, list[CharSpan]]] = [{} for _ in fold]
    for part in range(HELD_FOLDS):
        held = np.flatnonzero(fold == part).tolist()
        encoder = train_encoder(labelled, np.flatnonzero(fold != part).tolist(), wanted, seed, schedule, progress)
        found = encoder.read([labelled.titles[i] for i in held], [labelled.hints[i] for i in held])
        for i, spans in zip(held, found, strict=True):
            at = labelled.titles[i]
            read[i] = {a: [(at.starts[s.first], at.ends[s.last - 1], s.probability) for s in listed] for a, listed in spans.items()}
    return read


Read = dict[tuple[int, int], float]


def _readings(slot: Slot, encoder: Sequence[CharSpan], rows: Sequence[GoldRow]) -> tuple[Read, Read, frozenset[tuple[int, int]]]:
    title = rows[slot.row].product.title
    both = [{(start, end): p for start, end, p in spans} for spans in (slot.spans, encoder)]
    right = frozenset(place for one in both for place in one if title[place[0] : place[1]] in slot.gold)
    return both[0], both[1], right


def _mixed(slot: Slot, mix: Mix, crf: Read, encoder: Read) -> Slot:
    table = mix(crf, encoder)
    return replace(slot, spans=tuple(sorted(((*place, p) for place, p in table.items()), key=lambda span: (-span[2], span[0]))))
