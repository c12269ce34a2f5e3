"""The extractor that needs no model: columns, catalogue statistics, vocabularies and patterns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from extraction import vocabularies
from extraction.base import Mention
from extraction.brand import BrandFinder
from extraction.parts import PARTS, Part, Reading, category_of, readings
from extraction.words import words_of
from kg.digest import digest_json
from kg.errors import StateError
from kg.model import Product

VERSION = 5
FEW = 300
_FILE = "rules.json"


class RulesExtractor:
    """The rules of a shop as an `Extractor`; reads without loading spaCy.

    Args:
        finder: the brands that the shop's titles taught.
    """

    name = "rules"

    def __init__(self, finder: BrandFinder) -> None:
        self.finder = finder
        self.names: Mapping[str, str] = finder.names
        self.parts: list[Part] = [make(finder) for make in PARTS.values()]
        self._digest = digest_json(["rules", VERSION, vocabularies.digest(), list(PARTS), finder.digest])

    @cached_property
    def nlp(self) -> Any:
        """The same rules as a spaCy pipeline (`spacy.Language`), to be extended or saved."""
        from extraction.pipeline import build_pipeline

        return build_pipeline(self.finder)

    @classmethod
    def load(cls, folder: Path) -> RulesExtractor:
        """The extractor that `save` wrote.

        Raises:
            StateError: the folder does not hold one.
        """
        try:
            return cls(BrandFinder.from_dict(json.loads((folder / _FILE).read_bytes())))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateError(f"{folder} holds no rules extractor ({error!r}).", "Save one there with RulesExtractor.save.") from None

    def save(self, folder: Path) -> None:
        """Write what was learned into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _FILE).write_text(json.dumps(self.finder.to_dict(), ensure_ascii=False, separators=(",", ":")), "utf-8")

    @property
    def digest(self) -> str:
        """Digest of rules, vocabularies and what was learned from the catalogue."""
        return self._digest

    def extract(self, products: Iterable[Product]) -> Iterator[list[Mention]]:
        """One list of mentions per product; reads a batch ahead."""
        return (one.mentions for one in self.readings(products))

    def readings(self, products: Iterable[Product]) -> Iterator[Reading]:
        """Each product's title, having gone through the parts."""
        for batch in readings(products):
            for part in self.parts:
                part(batch)
            for one in batch:
                one.quote()
                yield one


def build_rules(products: Sequence[Product]) -> RulesExtractor:
    """The rules, having learned the brands of a catalogue from its titles.

    Args:
        products: the catalogue; may be empty. One of fewer than FEW titles is counted together with titles of other shops, without which
            every word of it would look rare.
    """
    titles = [(product.title, category_of(product.fields)) for product in products]
    if 0 < len(titles) < FEW:
        titles += [(title, kind) for title, kind in vocabularies.data("titles")["titles"]]
    return RulesExtractor(BrandFinder.learn([words_of(title) for title, _ in titles], [kind for _, kind in titles]))
