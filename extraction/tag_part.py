"""A trained tagger as a part of reading: its spans over those of the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from extraction.base import Mention, entity_of
from extraction.brand import BrandFinder
from extraction.combine import Slot
from extraction.ounces import size_of
from extraction.parts import Reading
from extraction.tag_decode import Span
from extraction.tag_features import Tokens, tokens_of
from extraction.tag_hints import HintMaker
from extraction.tagger import TaggerModel
from extraction.vocabularies import colors, materials
from extraction.words import words_of

EMPTY = TaggerModel({}, "", {})
BATCH = 128


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
                    one.slots[attribute] = self._slot(attribute, own, self._joined(attribute, own, spans, one.mentions), one.category)
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

    def _slot(self, attribute: str, tokens: Tokens, spans: Sequence[Span], kind: str) -> Slot:
        """The best span, when it is likely enough, and others that are more likely than not."""
        one = self.model.learned[attribute]
        taken = [s for k, s in enumerate(spans) if s.probability >= (max(one.threshold, 0.5) if k else one.threshold)]
        if not taken:
            return Slot((), round(one.absence.one(1.0 - (spans[0].probability if spans else 0.0)), 4))
        mentions = []
        for span in taken:
            start, end = tokens.starts[span.first], tokens.ends[span.last - 1]
            raw = tokens.text[start:end]
            value = size_of(raw, tokens.text, start, kind)[0] if attribute == "size" else known_value(attribute, raw)
            sure = round(one.calibration.one(span.probability), 4)
            mentions.append(Mention(attribute, raw, value, entity_of(attribute, value), "title", start, end, sure, "tagger"))
        return Slot(tuple(mentions), mentions[0].confidence)
