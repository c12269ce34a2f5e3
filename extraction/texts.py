"""Descriptions and other running text: read with more doubt than titles, with spans in the text as the shop wrote it.

A description says what a product is like, but also what it goes with, what else there is and what it is not. So what it says is a fact only
where the title or a column says the same (more evidence for it), or where the text states it as a property ("Material: 60% cotton",
"颜色：红色") of which nothing else speaks. Everything else is shown and not accepted.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from extraction.base import Mention, entity_of
from extraction.gazetteer import ColorFinder, MaterialFinder
from extraction.han import find_named
from extraction.measures import find_quantities, find_sizes
from extraction.words import half_width, words_of

FIELDS = ("description", "features", "details", "summary")
LONGEST = 20_000
_STATED, _SHOWN, _MOST = 0.75, 0.4, 3
_MARKUP = re.compile(
    r"<!--.*?-->|<(script|style|template|head)\b.*?</\1\s*>"
    r"|<(\w+)\b[^<>]*(?:display\s*:\s*none|visibility\s*:\s*hidden|\shidden\b)[^<>]*>.*?</\2\s*>"
    r"|</?[a-z][^<>]*>|&(?:[a-z]{2,8}|#\d{1,6}|#x[0-9a-f]{1,5});",
    re.IGNORECASE | re.DOTALL,
)
_LABELS = {
    "material": r"materials?|fabric|made (?:of|from)|composition|材质|材料|面料|成分",
    "color": r"colou?rs?|颜色|色",
    "size": r"sizes?|dimensions?|measurements?|weight|capacity|volume|length|width|height|尺寸|规格|容量|重量",
    "quantity": r"quantity|pack size|package|contents|数量|包装",
}
_LABELLED = {attribute: re.compile(rf"(?<!\w)(?:{label})\s*[:：]?\s*$", re.IGNORECASE) for attribute, label in _LABELS.items()}
_BRAND = re.compile(r"(?<!\w)(?:brand|品牌)\s*[:：]\s*([^\n,;|<>，；。.]{2,40})", re.IGNORECASE)


def plain(text: str) -> str:
    """The text without markup, as long as it was: tags, comments, scripts and hidden elements are blanks, a character reference is its
    character and blanks. So a span of the one is a span of the other.
    """
    return _MARKUP.sub(_blanked, text) if "<" in text or "&" in text else text


def _blanked(match: re.Match[str]) -> str:
    written = match.group()
    character = html.unescape(written) if written.startswith("&") else " "
    return (character if len(character) == 1 else written if character == written else " ").ljust(len(written))


def _whole(text: str, shown: str, end: int) -> int:
    """The end of a span, after the whole of a character reference that it ends in."""
    return text.index(";", end) + 1 if end and text[end - 1] == "&" != shown[end - 1] else end


def labelled_brands(field: str, text: str, names: Mapping[str, str], mentions: Sequence[Mention]) -> list[Mention]:
    """Brands that a text states ("Brand: Anker") and that the shop is known to have; accepted where nothing else says another.

    Args:
        field: name of the field.
        text: as the shop wrote it.
        names: entity → name of the shop's brands.
        mentions: what was found so far.
    """
    stated = {m.entity for m in mentions if m.attribute == "brand" and m.accepted and m.confidence >= _STATED}
    found = []
    for match in _BRAND.finditer(plain(text[:LONGEST])):
        start, end = match.start(1), match.start(1) + len(match[1].rstrip())
        entity = entity_of("brand", match[1].rstrip())
        if entity and entity in names:
            fits = not stated or entity in stated
            sure = _STATED if fits else _SHOWN
            found.append(Mention("brand", text[start:end], names[entity], entity, field, start, end, sure, "rules", fits))
    return found[:_MOST]


class TextReader:
    """Reads running text of a product whose title and columns were read already; brands apart."""

    def __init__(self) -> None:
        self._material, self._color = MaterialFinder(), ColorFinder()

    def read(self, field: str, text: str, category: str, mentions: list[Mention]) -> list[Mention]:
        """What a text says, in its order.

        Args:
            field: name of the field.
            text: as the shop wrote it, markup and all; what is behind `LONGEST` characters is not read.
            category: the kind of product as the shop writes it.
            mentions: of title and columns.
        """
        shown = half_width(plain(text[:LONGEST]))
        said = {(m.attribute, m.entity or m.value) for m in mentions if m.accepted}
        spoken_of = {attribute for attribute, _ in said}
        times: Counter[tuple[str, str]] = Counter()
        found = []
        for mention in sorted(self._all(field, shown, category), key=lambda m: m.start):
            thing = mention.attribute, mention.entity or mention.value
            times[thing] += 1
            if times[thing] > _MOST:
                continue
            sure = mention.confidence if thing in said else 0.0
            if not sure and mention.accepted and mention.attribute not in spoken_of and self._is_stated(mention, shown):
                sure = min(_STATED, mention.confidence)
            end = _whole(text, shown, mention.end)
            sure = sure or min(_SHOWN, mention.confidence)
            found.append(replace(mention, raw=text[mention.start : end], end=end, confidence=sure, accepted=sure >= 0.5))
        return found

    def _all(self, field: str, text: str, category: str) -> Iterator[Mention]:
        words = words_of(text)
        yield from self._material.find(words, category, field)
        yield from self._color.find(words, category, field)
        if not text.isascii():
            yield from find_named("material", text, field)
            yield from find_named("color", text, field)
        yield from find_sizes(text, category, field)
        yield from find_quantities(text, field)

    @staticmethod
    def _is_stated(mention: Mention, text: str) -> bool:
        """Whether a label stands before it, or it is a share of a blend."""
        label = _LABELLED.get(mention.attribute)
        return mention.share is not None or (label is not None and bool(label.search(text, max(0, mention.start - 30), mention.start)))
