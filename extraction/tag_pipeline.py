"""The tagger as a spaCy component behind the rules, and as the extractor `tagger`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from extraction.base import Mention, entity_of
from extraction.brand import BrandFinder
from extraction.combine import Slot
from extraction.pipeline import PipelineExtractor, build_pipeline, mentions_of, reading_of, travels, words_in
from extraction.rules import build_rules
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
SLOTS = "clew.slots"
LEARNED_ROWS = 4000
travels(Slot)


@cache
def _bases(attribute: str) -> dict[tuple[str, ...], str]:
    terms = {"material": materials, "color": colors}.get(attribute)
    return {term.words: term.value for term in terms()} if terms else {}


def known_value(attribute: str, raw: str) -> str:
    """The vocabulary's name of a material or a colour, by the whole text or its last words that are known; else the text itself."""
    bases = _bases(attribute)
    words = tuple(words_of(raw.replace("-", " ")).folded) if bases else ()
    return next((bases[words[i:]] for i in range(len(words)) if words[i:] in bases), raw)


class TaggerComponent:
    """Adds the values that a trained tagger reads; those of the rules for the same attributes of the title give way.

    Args:
        model: the tagger; None: nothing yet (`from_disk` brings it).
        maker: makes the hints of the catalogue; without it the statistics know no title.
    """

    def __init__(self, model: TaggerModel | None = None, maker: HintMaker | None = None) -> None:
        self.model = model or EMPTY
        self.maker = maker or HintMaker(BrandFinder.learn([], []).statistics)

    def __call__(self, doc: Doc) -> Doc:
        """Read one Doc."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Read many Docs."""
        docs = iter(stream)
        while batch := list(islice(docs, batch_size)):
            tokens = [tokens_of(words_in(doc).text) for doc in batch]
            shown = [reading_of(doc) for doc in batch]
            hints = [self.maker.hints(t, r.words, r.mentions, r.category) for t, r in zip(tokens, shown, strict=True)]
            for doc, own, spans in zip(batch, tokens, self.model.read(tokens, hints), strict=True):
                mentions = mentions_of(doc)
                kept = [m for m in mentions if m.extractor != "rules" or m.attribute not in self.model.learned]
                stated = {m.attribute for m in kept if m.field != "title"}
                slots = {a: self._slot(a, own, self._joined(a, own, spans, mentions)) for a in self.model.learned if a not in stated}
                doc.user_data[SLOTS] = slots
                mentions[:] = [*kept, *(mention for slot in slots.values() for mention in slot.mentions)]
                yield doc

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

    def to_disk(self, path: Any, **kwargs: Any) -> None:
        """Write the model into a folder."""
        self.model.save(Path(path))

    def from_disk(self, path: Any, **kwargs: Any) -> TaggerComponent:
        """Read what `to_disk` wrote."""
        self.model = TaggerModel.load(Path(path))
        return self


@Language.factory("clew_tagger")  # type: ignore[untyped-decorator]
def make_tagger(nlp: Language, name: str) -> TaggerComponent:
    """A tagger that is yet to be loaded; it takes the statistics of the catalogue from `clew_brand` when that comes before it."""
    return TaggerComponent()


class TaggerExtractor(PipelineExtractor):
    """The rules with a trained tagger behind them, as an `Extractor`.

    Args:
        nlp: the pipeline, with the components `clew_brand` and `clew_tagger` in it.
    """

    name = "tagger"

    def __init__(self, nlp: Any) -> None:
        super().__init__(nlp)
        self.component: TaggerComponent = nlp.get_pipe("clew_tagger")
        self.component.maker = HintMaker(nlp.get_pipe("clew_brand").finder.statistics)
        self._digest = digest_json(["tagger", self._digest, self.component.model.digest])

    def read(self, products: Iterable[Product]) -> Iterator[tuple[list[Mention], dict[str, Slot]]]:
        """Mentions of each product, and what is held about every attribute that the tagger was asked for."""
        for doc in self.docs(products):
            yield mentions_of(doc), doc.user_data[SLOTS]


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
    nlp = build_pipeline(finder)
    nlp.add_pipe("clew_tagger")
    nlp.get_pipe("clew_tagger").model = model
    return TaggerExtractor(nlp)
