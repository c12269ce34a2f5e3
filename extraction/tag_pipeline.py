"""The tagger as a part behind the rules, and as the extractor `tagger`; `extraction/tag_component.py` has it as a spaCy component."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from extraction.base import Mention, entity_of
from extraction.brand import BrandFinder
from extraction.combine import Slot
from extraction.parts import Reading
from extraction.rules import RulesExtractor, build_rules
from extraction.tag_decode import Span
from extraction.tag_features import Tokens, tokens_of
from extraction.tag_hints import HintMaker
from extraction.tag_training import rows_of_products, train_tagger
from extraction.tagger import TaggerModel
from extraction.vocabularies import colors, materials
from extraction.words import words_of
from kg.digest import digest_json
from kg.model import Product
from kg.seeds import generator

EMPTY = TaggerModel({}, "", {})
BATCH = 128
LEARNED_ROWS = 4000
_MODEL = "tagger"


@cache
def _bases(attribute: str) -> dict[tuple[str, ...], str]:
    terms = {"material": materials, "color": colors}.get(attribute)
    return {term.words: term.value for term in terms()} if terms else {}


def known_value(attribute: str, raw: str) -> str:
    """The vocabulary's name of a material or a colour, by the whole text or its last words that are known; else the text itself."""
    bases = _bases(attribute)
    words = tuple(words_of(raw.replace("-", " ")).folded) if bases else ()
    return next((bases[words[i:]] for i in range(len(words)) if words[i:] in bases), raw)


class TaggerPart:
    """Adds the values that a trained tagger reads; those of the rules for the same attributes of the title give way.

    Args:
        model: the tagger.
        maker: makes the hints of the catalogue; without it the statistics know no title.
    """

    def __init__(self, model: TaggerModel = EMPTY, maker: HintMaker | None = None) -> None:
        self.model = model
        self.maker = maker or HintMaker(BrandFinder.learn([], []).statistics)

    def __call__(self, batch: Sequence[Reading]) -> None:
        """Read the titles of a batch, which the rules have read; what is held of each attribute stays with the reading (`slots`)."""
        for start in range(0, len(batch), BATCH):
            self._read(batch[start : start + BATCH])

    def _read(self, batch: Sequence[Reading]) -> None:
        tokens = [tokens_of(one.words.text) for one in batch]
        hints = [self.maker.hints(t, one.words, one.mentions, one.category) for t, one in zip(tokens, batch, strict=True)]
        for one, own, spans in zip(batch, tokens, self.model.read(tokens, hints), strict=True):
            kept = [m for m in one.mentions if m.extractor != "rules" or m.field != "title" or m.attribute not in self.model.learned]
            stated = {m.attribute for m in kept if m.extractor == "columns"}
            for attribute in self.model.learned:
                if attribute not in stated:
                    one.slots[attribute] = self._slot(attribute, own, self._joined(attribute, own, spans, one.mentions))
            one.mentions[:] = [*kept, *(mention for slot in one.slots.values() for mention in slot.mentions)]

    def _joined(self, attribute: str, tokens: Tokens, spans: Mapping[str, Sequence[Span]], mentions: Sequence[Mention]) -> Sequence[Span]:
        """Spans of an attribute with the rules' share in them, where they have one and stand on whole tokens."""
        share, read = self.model.learned[attribute].rules, spans.get(attribute, [])
        if not share:
            return read
        table = {(s.first, s.last): (1 - share) * s.probability for s in read}
        for m in mentions:
            if m.attribute == attribute and m.extractor == "rules" and m.start in tokens.starts and m.end in tokens.ends:
                place = (tokens.starts.index(m.start), tokens.ends.index(m.end) + 1)
                table[place] = table.get(place, 0.0) + share * m.confidence
        return sorted((Span(*place, p) for place, p in table.items()), key=lambda span: (-span.probability, span.first))

    def _slot(self, attribute: str, tokens: Tokens, spans: Sequence[Span]) -> Slot:
        """The best span, when it is likely enough, and others that are more likely than not."""
        one = self.model.learned[attribute]
        taken = [s for k, s in enumerate(spans) if s.probability >= (max(one.threshold, 0.5) if k else one.threshold)]
        if not taken:
            return Slot((), round(one.absence.one(1.0 - (spans[0].probability if spans else 0.0)), 4))
        mentions = []
        for span in taken:
            start, end = tokens.starts[span.first], tokens.ends[span.last - 1]
            raw = tokens.text[start:end]
            value, sure = known_value(attribute, raw), round(one.calibration.one(span.probability), 4)
            mentions.append(Mention(attribute, raw, value, entity_of(attribute, value), "title", start, end, sure, "tagger"))
        return Slot(tuple(mentions), mentions[0].confidence)


class TaggerExtractor(RulesExtractor):
    """The rules with a trained tagger behind them, as an `Extractor`.

    Args:
        finder: the brands that the shop's titles taught.
        model: the tagger.
    """

    name = "tagger"

    def __init__(self, finder: BrandFinder, model: TaggerModel) -> None:
        super().__init__(finder)
        self.component = TaggerPart(model, HintMaker(finder.statistics))
        self.parts.append(self.component)
        self._digest = digest_json(["tagger", self._digest, model.digest])

    @cached_property
    def nlp(self) -> Any:
        """The same as a spaCy pipeline (`spacy.Language`), to be extended or saved."""
        from extraction.tag_component import build_tagger_pipeline

        return build_tagger_pipeline(self.finder, self.component.model)

    @classmethod
    def load(cls, folder: Path) -> TaggerExtractor:
        """The extractor that `save` wrote.

        Raises:
            StateError: the folder does not hold one.
        """
        return cls(RulesExtractor.load(folder).finder, TaggerModel.load(folder / _MODEL))

    def save(self, folder: Path) -> None:
        """Write what was learned into a folder."""
        super().save(folder)
        self.component.model.save(folder / _MODEL)

    def read(self, products: Iterable[Product]) -> Iterator[tuple[list[Mention], dict[str, Slot]]]:
        """Mentions of each product, and what is held about every attribute that the tagger was asked for."""
        return ((one.mentions, one.slots) for one in self.readings(products))


def taught_by_columns(products: Sequence[Product], train: Callable[..., tuple[TaggerModel, Any]] = train_tagger) -> TaggerModel:
    """A model of a catalogue's own filled columns, for its rows where they are empty.

    Args:
        products: the catalogue.
        train: what fits it (`train_tagger`, or `accurate.train_accurate`).

    Raises:
        InputError: no column is filled often enough.
    """
    rows = rows_of_products(products)
    labelled = [i for i, row in enumerate(rows) if row.values]
    picked = sorted(generator(0, "rows of columns").permutation(labelled)[:LEARNED_ROWS].tolist())
    return train([rows[i] for i in picked], about="the catalogue's columns", titles=products)[0]


def build_tagger(products: Sequence[Product], model: Path | None = None) -> TaggerExtractor:
    """The tagger, its statistics learned from a catalogue's titles.

    Args:
        products: the catalogue; may be empty when a model is given.
        model: folder of the model; when not given, the catalogue's own filled columns teach one (`LEARNED_ROWS` rows at most).

    Raises:
        StateError: the folder holds no model.
        InputError: no model is given and no column is filled often enough to learn from.
    """
    return tagger_of(build_rules(products).finder, TaggerModel.load(model) if model else taught_by_columns(products))


def tagger_of(finder: BrandFinder, model: TaggerModel) -> TaggerExtractor:
    """A tagger behind the rules of a shop."""
    return TaggerExtractor(finder, model)
