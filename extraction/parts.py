"""The parts of the rules: each reads one attribute out of texts on their way through and appends what it found.

A part knows nothing of spaCy, so that a product is read without loading it; `extraction/pipeline.py` makes a spaCy component of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from extraction.base import Mention, entity_of
from extraction.brand import BrandFinder
from extraction.columns import find_columns
from extraction.gazetteer import ColorFinder, MaterialFinder
from extraction.han import HanBrands, find_named, is_chinese
from extraction.measures import find_price_mentions, find_quantities, find_sizes
from extraction.texts import FIELDS as TEXT_FIELDS
from extraction.texts import TextReader, labelled_brands
from extraction.words import Words, words_of
from kg.model import Product

BATCH = 1024


@dataclass(slots=True)
class Reading:
    """A title on its way through the parts.

    Args:
        words: of the title.
        fields: the other columns of the row.
        mentions: what was found so far; parts append to it.
        slots: attribute → what a tagger holds about it (`extraction.combine.Slot`).
        written: the title as it is written; the words' text is of the same length.
        category: the kind of product as the shop writes it; empty when it does not.
    """

    words: Words
    fields: Mapping[str, str]
    mentions: list[Mention] = field(default_factory=list)
    written: str = ""
    slots: dict[str, Any] = field(default_factory=dict)
    category: str = field(init=False)

    def __post_init__(self) -> None:
        self.category = category_of(self.fields)
        self.written = self.written or self.words.text

    def quote(self) -> None:
        """Let the mentions of the title quote it as it is written, full-width forms and all."""
        if self.written != self.words.text:
            for place, mention in enumerate(self.mentions):
                if mention.field == "title" and mention.raw != (raw := self.written[mention.start : mention.end]):
                    self.mentions[place] = replace(mention, raw=raw)


Part = Callable[[Sequence[Reading]], None]


def category_of(fields: Mapping[str, str]) -> str:
    """The kind of product as a row writes it; empty when it does not."""
    return fields.get("category") or fields.get("product_type") or ""


def readings(products: Iterable[Product]) -> Iterator[list[Reading]]:
    """Products as batches of readings, lazily."""
    rows = iter(products)
    while batch := [Reading(words_of(p.title), p.fields, written=p.title) for p in islice(rows, BATCH)]:
        yield batch


def read_columns(batch: Sequence[Reading]) -> None:
    """The columns of the row."""
    for one in batch:
        if one.fields:
            one.mentions += find_columns(one.fields, one.words.text)


class BrandPart:
    """Brands, learned from the shop's titles, where no column states one; a batch is scored together.

    Args:
        finder: what was learned.
    """

    def __init__(self, finder: BrandFinder) -> None:
        self.finder = finder
        self._han = HanBrands(title for title in finder.statistics.known if is_chinese(title))

    def __call__(self, batch: Sequence[Reading]) -> None:
        """Add the brand of each."""
        open_ = []
        for one in batch:
            if any(mention.attribute == "brand" for mention in one.mentions):
                continue
            if not is_chinese(one.words.text):
                open_.append(one)
            elif place := self._han.find(one.words.text):
                raw = one.words.text[place[0] : place[1]]
                one.mentions.append(Mention("brand", raw, raw, entity_of("brand", raw), "title", *place, "rules"))
        found = self.finder.find([one.words for one in open_], [one.category for one in open_])
        for one, mention in zip(open_, found, strict=True):
            if mention is not None:
                one.mentions.append(mention)
        for one in batch:
            for name in TEXT_FIELDS:
                if text := one.fields.get(name):
                    self._add_stated(one, labelled_brands(name, text, self.finder.names, one.mentions))

    @staticmethod
    def _add_stated(one: Reading, stated: Sequence[Mention]) -> None:
        """Brands that a text states; a guess from the title that says another gives way."""
        kept = {mention.entity for mention in stated if mention.accepted}
        for place, mention in enumerate(one.mentions):
            if kept and mention.attribute == "brand" and mention.entity not in kept:
                one.mentions[place] = replace(mention, accepted=False)
        one.mentions += stated


def _words_part(attribute: str, finder: MaterialFinder | ColorFinder) -> Part:
    def read(batch: Sequence[Reading]) -> None:
        for one in batch:
            one.mentions += finder.find(one.words, one.category)
            if not one.words.text.isascii():
                one.mentions += find_named(attribute, one.words.text)

    return read


def read_measures(batch: Sequence[Reading]) -> None:
    """Sizes and quantities."""
    for one in batch:
        one.mentions += find_sizes(one.words.text, one.category)
        one.mentions += find_quantities(one.words.text)


def _texts_part() -> Part:
    reader = TextReader()

    def read(batch: Sequence[Reading]) -> None:
        for one in batch:
            for name in TEXT_FIELDS:
                if text := one.fields.get(name):
                    one.mentions += reader.read(name, text, one.category, one.mentions)

    return read


def read_prices(batch: Sequence[Reading]) -> None:
    """Prices with a currency."""
    for one in batch:
        one.mentions += find_price_mentions(one.words.text)


# Component → what makes its part from the brands of the shop, in the order in which they run.
PARTS: Mapping[str, Callable[[BrandFinder], Part]] = {
    "clew_columns": lambda finder: read_columns,
    "clew_brand": BrandPart,
    "clew_material": lambda finder: _words_part("material", MaterialFinder()),
    "clew_color": lambda finder: _words_part("color", ColorFinder()),
    "clew_measures": lambda finder: read_measures,
    "clew_price": lambda finder: read_prices,
    "clew_texts": lambda finder: _texts_part(),
}
