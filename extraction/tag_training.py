"""Teaches a tagger from partly labelled rows: a slot with a value or known to be absent is learned from, an unknown one is not."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extraction.base import Mention
from extraction.calibrate import fit_calibration
from extraction.columns import place_in
from extraction.crf import CrfWeights, read_crf, train_crf
from extraction.evaluate import GoldRow, attribute_of
from extraction.parts import category_of
from extraction.rules import RulesExtractor, build_rules
from extraction.tag_features import Hints, Tokens, features_of, tokens_of
from extraction.tag_hints import HintMaker
from extraction.tag_known import KnownValues
from extraction.tagger import ANY_CASE, Learned, Member, TaggerModel
from extraction.words import words_of
from kg.errors import InputError, UnknownKeyError
from kg.model import Product
from kg.progress import SILENT, Progress
from kg.seeds import generator

FOLDS = 4
FEWEST = 10  # values of an attribute that can be learned from
SHARES = (0.0, 0.1, 0.2, 0.3)  # of the rules' own answer that are tried
THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
# Columns that teach, as attributes.
TEACHING = ("brand", "material", "color", "size", "quantity")
# Regularisation (l1, l2) of attributes written in any case and of the others, by four folds of the train titles of OA-Mine and AE-110K.
_PENALTIES = {True: (0.05, 0.01), False: (0.02, 0.1)}


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a tagger is to learn from rows.

    Args:
        attributes: names as the rows write them; None: all that have enough values.
        about: where the rows came from.
        seed: of the folds.
        absent: whether a slot without a label counts as absent (not so by default: it is unknown).
        titles: more titles of the same shop; they teach the statistics.
        gazetteer: whether known values are looked up too; it pays for short texts without blanks (Chinese requests).
    """

    attributes: Sequence[str] | None = None
    about: str = ""
    seed: int = 0
    absent: bool = False
    titles: Sequence[Product] = ()
    gazetteer: bool = False


LESSON = Lesson()


@dataclass(frozen=True, slots=True)
class Slot:
    """One labelled slot read by a model that had not learned from its row.

    Args:
        row: row of the training rows.
        gold: right values, none when known to be absent.
        spans: (characters, probability) of the likely values, the best first.
    """

    row: int
    gold: frozenset[str]
    spans: tuple[tuple[int, int, float], ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Training rows as a tagger sees them: tokens, what the rules found, hints, and the hints without what the rules found."""

    rows: Sequence[GoldRow]
    tokens: list[Tokens]
    found: list[list[Mention]]
    hints: list[Hints]
    plain: list[Hints]


def rows_of_products(products: Sequence[Product]) -> list[GoldRow]:
    """Training rows of a catalogue's own columns, without any hand label.

    A cell whose value stands in the title labels it there. A cell of whose words none stands in the title says that the title does not
    state the attribute. A cell that the title repeats in part, and an empty one, say nothing.

    Args:
        products: the catalogue, columns as fields.
    """
    rows = []
    for product in products:
        folded = product.title.casefold()
        values: dict[str, frozenset[str]] = {}
        for attribute in TEACHING:
            cell = product.fields.get(attribute, "")
            parts = [part for part in cell.replace("|", ";").split(";") if part.strip()]
            places = [place for part in parts if (place := place_in(part, product.title))]
            if places:
                values[attribute] = frozenset(product.title[start:end] for start, end in places)
            elif parts and not any(word in folded for word in words_of(cell).folded):
                values[attribute] = frozenset()
        kind = category_of(product.fields)
        rows.append(GoldRow(Product(product.key, product.title, {"category": kind} if kind else {}), values))
    return rows


def train_tagger(
    rows: Sequence[GoldRow], lesson: Lesson = LESSON, progress: Progress = SILENT
) -> tuple[TaggerModel, dict[str, list[Slot]]]:
    """Fit a CRF pair per attribute: one that hears what the rules found, one that does not.

    Threshold and calibration come from `FOLDS` folds of the rows, each read by a model that did not learn from it.

    Args:
        rows: partly labelled titles; names of attributes as the files write them.
        lesson: what to learn from them.
        progress: hears the stages.

    Returns:
        The model, and every labelled slot as read in the folds, by attribute.

    Raises:
        InputError: no attribute has enough values.
        UnknownKeyError: a name that no row labels.
    """
    crfs = fit_crfs(rows, lesson, progress)
    tuned_slots = {attribute: tuned(one, crfs.slots[attribute], crfs.prepared) for attribute, one in crfs.model.learned.items()}
    model = replace(crfs.model, learned={attribute: one for attribute, (one, _) in tuned_slots.items()})
    return model, {attribute: slots for attribute, (_, slots) in tuned_slots.items()}


@dataclass(frozen=True, slots=True)
class Crfs:
    """CRFs of several attributes, of which nothing is tuned yet.

    Args:
        model: the CRFs of all rows; thresholds and calibration are those of nothing.
        slots: attribute → every labelled slot, read by CRFs that had not learned from its row.
        prepared: the rows as they were learned from.
        fold: int64 [rows], the fold that held each row out.
    """

    model: TaggerModel
    slots: dict[str, list[Slot]]
    prepared: Rows
    fold: NDArray[np.int64]


def fit_crfs(rows: Sequence[GoldRow], lesson: Lesson, progress: Progress) -> Crfs:
    """Fit the CRFs of all attributes, and read every row by CRFs of the other folds; arguments and errors as `train_tagger`."""
    named = _names(rows, lesson.attributes)
    with progress.stage("reading by rules", len(rows)) as advance:
        prepared = rows_of_shop(rows, lesson)
        advance(len(rows))
    fold = folds_of(len(rows), lesson.seed)
    learned, weights, held_out = {}, {}, {}
    with progress.stage("training", len(named)) as advance, tempfile.TemporaryDirectory() as place:
        for attribute, name in named.items():
            fitter = Fitter(prepared, attribute, name, lesson.absent, Path(place))
            held_out[attribute] = fitter.held_out(fold)
            learned[attribute], own = fitter.learned()
            weights.update(own)
            advance(1)
    known = KnownValues.count(_labels(row) for row in rows) if lesson.gazetteer else None
    return Crfs(TaggerModel(learned, lesson.about, weights, known), held_out, prepared, fold)


def folds_of(rows: int, seed: int) -> NDArray[np.int64]:
    """The fold of each row, int64 in 0..FOLDS−1."""
    return generator(seed, "tagger folds").permutation(rows) % FOLDS


def labelled_rows(rows: Sequence[GoldRow]) -> dict[str, int]:
    """Name of an attribute, as the rows write it → how many rows have a value of it (0 where it is only known to be absent)."""
    counts: dict[str, int] = {}
    for row in rows:
        for name, values in row.values.items():
            counts[name] = counts.get(name, 0) + bool(values)
    return counts


def _names(rows: Sequence[GoldRow], attributes: Sequence[str] | None) -> dict[str, str]:
    counts = labelled_rows(rows)
    for name in attributes or ():
        if name not in counts:
            raise UnknownKeyError("attribute", name, sorted(counts))
    wanted = [name for name in counts if (attributes is None or name in attributes) and counts[name] >= FEWEST]
    if not wanted:
        said = ", ".join(f"{name}: {n}" for name, n in sorted(counts.items())) or "none at all"
        raise InputError(f"No attribute has the {FEWEST} values that a tagger needs to learn from ({said}).", "Label more rows.")
    return {attribute_of(name): name for name in wanted}


def _labels(row: GoldRow) -> dict[str, frozenset[str]]:
    return {attribute_of(name): values for name, values in row.values.items()}


def rows_of_shop(rows: Sequence[GoldRow], lesson: Lesson) -> Rows:
    """The rows as a tagger sees them, read by rules that know them and the lesson's titles."""
    return prepared_rows(rows, build_rules([*(row.product for row in rows), *lesson.titles]), lesson.gazetteer)


def prepared_rows(rows: Sequence[GoldRow], rules: RulesExtractor, gazetteer: bool = False) -> Rows:
    """Read the rows by the rules of their shop."""
    products = [row.product for row in rows]
    maker = HintMaker(rules.finder.statistics)
    tokens = [tokens_of(product.title) for product in products]
    found = list(rules.extract(products))
    kinds = [category_of(product.fields) for product in products]
    hints = [maker.hints(t, words_of(t.text), m, kind) for t, m, kind in zip(tokens, found, kinds, strict=True)]
    if gazetteer:
        known = KnownValues.count(_labels(row) for row in rows)
        hints = [known.hints(t, hint, _labels(row)) for t, hint, row in zip(tokens, hints, rows, strict=True)]
    return Rows(rows, tokens, found, hints, [hint.without_rules() for hint in hints])


class Fitter:
    """Fits one attribute."""

    def __init__(self, prepared: Rows, attribute: str, name: str, absent: bool, place: Path) -> None:
        self.prepared, self.attribute, self.name, self.place = prepared, attribute, name, place
        self.rows = [i for i, row in enumerate(prepared.rows) if name in row.values or absent]
        self.tags = {i: tags_of(prepared.tokens[i], prepared.rows[i].values.get(name, frozenset())) for i in self.rows}

    def fit(self, rows: Sequence[int]) -> TaggerModel:
        """A model of some of the rows."""
        members, weights = [], {}
        for k, (hints, uses_rules) in enumerate(((self.prepared.hints, True), (self.prepared.plain, False))):
            path = self.place / f"member-{k}.crf"
            examples = [
                (features_of(self.prepared.tokens[i], hints[i], self.attribute not in ANY_CASE), tags)
                for i in rows
                if (tags := self.tags[i]) is not None
            ]
            train_crf(examples, path, *_PENALTIES[self.attribute in ANY_CASE])
            weights[f"{self.attribute}#{k}"] = read_crf(path)
            members.append(Member(path.read_bytes(), uses_rules, 0.5))
        return TaggerModel({self.attribute: Learned(self.name, tuple(members), 0.5)}, "", weights)

    def kinds(self) -> dict[str, float]:
        """Kind of product → share of its rows that label the attribute, drawn towards a half by one row."""
        kinds = [category_of(row.product.fields) for row in self.prepared.rows]
        every, own = Counter(kinds), Counter(kinds[i] for i in self.rows)
        return {kind: round((own[kind] + 0.5) / (n + 1), 4) for kind, n in every.items()}

    def held_out(self, fold: NDArray[np.int64]) -> list[Slot]:
        """Every labelled slot, read by a model of the other folds (whose gazetteer holds the values of all rows but its own)."""
        slots = []
        for part in range(FOLDS):
            model = self.fit([i for i in self.rows if fold[i] != part])
            held = [i for i in self.rows if fold[i] == part]
            read = model.read_hinted([self.prepared.tokens[i] for i in held], [self.prepared.hints[i] for i in held])
            for i, found in zip(held, read, strict=True):
                tokens = self.prepared.tokens[i]
                spans = tuple((tokens.starts[s.first], tokens.ends[s.last - 1], s.probability) for s in found.get(self.attribute, []))
                slots.append(Slot(i, self.prepared.rows[i].values.get(self.name, frozenset()), spans))
        return sorted(slots, key=lambda slot: slot.row)

    def learned(self) -> tuple[Learned, dict[str, CrfWeights]]:
        """What all rows teach, of which nothing is tuned yet."""
        model = self.fit(self.rows)
        labels = [self.prepared.rows[i].values.get(self.name, frozenset()) for i in self.rows]
        values = frozenset(v.casefold() for own in labels for v in own)
        members = model.learned[self.attribute].members
        learned = Learned(self.name, members, 0.5, rows=len(self.rows), values=sum(map(bool, labels)), known=values, kinds=self.kinds())
        return learned, dict(model.weights)


def tuned(one: Learned, slots: Sequence[Slot], prepared: Rows) -> tuple[Learned, list[Slot]]:
    """What was learned, with the rules' share, threshold and calibration of held-out slots; and the slots with that share in them."""
    attribute, rows, wanted = attribute_of(one.name), prepared.rows, sum(bool(slot.gold) for slot in slots)
    tried = [[with_rules(slot, prepared, attribute, share) for slot in slots] for share in SHARES]
    heard = [[(s.spans[0][2], is_right(s, rows), bool(s.gold)) for s in own if s.spans] for own in tried]
    best = [best_threshold(said, wanted) for said in heard]
    k = max(range(len(SHARES)), key=lambda k: (round(f1_above(best[k], heard[k], wanted), 3), -k))
    threshold, said, slots = best[k], heard[k], tried[k]
    silent = [s for s in slots if not s.spans or s.spans[0][2] < threshold]
    learned = replace(
        one,
        threshold=threshold,
        rules=SHARES[k],
        calibration=fit_calibration([p for p, _, _ in said], [right for _, right, _ in said]),
        absence=fit_calibration([1.0 - (s.spans[0][2] if s.spans else 0.0) for s in silent], [not s.gold for s in silent]),
    )
    return learned, slots


def with_rules(slot: Slot, prepared: Rows, attribute: str, share: float) -> Slot:
    """A slot with the rules' own answer in its probabilities, where it stands on whole tokens; the share is as in `Learned.rules`."""
    tokens, table = prepared.tokens[slot.row], {(start, end): (1 - share) * p for start, end, p in slot.spans}
    for m in prepared.found[slot.row] if share else ():
        if (m.attribute, m.field, m.extractor) == (attribute, "title", "rules") and m.start in tokens.starts and m.end in tokens.ends:
            table[m.start, m.end] = table.get((m.start, m.end), 0.0) + share * m.confidence
    return replace(slot, spans=tuple(sorted(((*place, p) for place, p in table.items()), key=lambda span: (-span[2], span[0]))))


def is_right(slot: Slot, rows: Sequence[GoldRow]) -> bool:
    """Whether the best span of a slot is a gold value."""
    start, end, _ = slot.spans[0]
    return rows[slot.row].product.title[start:end] in slot.gold


def best_threshold(said: Sequence[tuple[float, bool, bool]], wanted: int) -> float:
    """The threshold of THRESHOLDS with the best F1 of the published protocol; of equals the one nearest to .3.

    Args:
        said: (probability, right, whether the slot has a value) of each best span.
        wanted: slots with a value.
    """

    return max(THRESHOLDS, key=lambda threshold: (round(f1_above(threshold, said, wanted), 3), -abs(threshold - 0.3)))


def f1_above(threshold: float, said: Sequence[tuple[float, bool, bool]], wanted: int) -> float:
    """F1 of the published protocol when the best spans from a threshold on are taken; arguments as of `best_threshold`."""
    taken = [right for p, right, _ in said if p >= threshold]
    return 2 * sum(taken) / max(len(taken) + wanted, 1)


def tags_of(tokens: Tokens, values: frozenset[str]) -> list[str] | None:
    """Tags of a title that states these values, of two that overlap the longer; None when one does not stand at the edges of tokens."""
    tags = ["O"] * len(tokens)
    for value in sorted(values, key=len, reverse=True):
        place = aligned(tokens, value)
        if place is None:
            return None
        first, last = place
        if any(tag != "O" for tag in tags[first:last]):
            continue
        tags[first:last] = ["B"] + ["I"] * (last - first - 1)
    return tags


def aligned(tokens: Tokens, value: str) -> tuple[int, int] | None:
    """(first token, token after the last) of the first place where a value stands as whole tokens."""
    start = tokens.text.find(value)
    while start >= 0:
        if start in tokens.starts and start + len(value) in tokens.ends:
            return tokens.starts.index(start), tokens.ends.index(start + len(value)) + 1
        start = tokens.text.find(value, start + 1)
    return None
