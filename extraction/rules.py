"""The extractor that needs no model: columns, catalogue statistics, vocabularies and patterns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from extraction import vocabularies
from extraction.base import Mention
from extraction.brand import BrandFinder
from extraction.words import words_of
from kg.digest import digest_json
from kg.model import Product

VERSION = 1


class RulesExtractor:
    """A spaCy pipeline of clew's components as an `Extractor`.

    Args:
        nlp: the pipeline (`extraction.pipeline.build_pipeline`).
        learned: digest of what it learned from the catalogue.
        names: entity key → the spelling that the catalogue uses most.
    """

    name = "rules"

    def __init__(self, nlp: Any, learned: str, names: Mapping[str, str]) -> None:
        self.nlp = nlp
        self.names = names
        self._digest = digest_json(["rules", VERSION, vocabularies.digest(), list(nlp.pipe_names), learned])

    @property
    def digest(self) -> str:
        """Digest of rules, vocabularies and what was learned from the catalogue."""
        return self._digest

    def extract(self, products: Iterable[Product]) -> Iterator[list[Mention]]:
        """One list of mentions per product, sorted by attribute's place in the text; reads a batch ahead."""
        from extraction.pipeline import FIELDS, mentions_of

        ahead, behind = itertools.tee(products)
        make_doc = self.nlp.make_doc

        def docs() -> Iterator[Any]:
            for product in ahead:
                doc = make_doc(product.title)
                doc.user_data[FIELDS] = product.fields
                yield doc

        for _, doc in zip(behind, self.nlp.pipe(docs()), strict=True):
            yield mentions_of(doc)


def build_rules(products: Sequence[Product]) -> RulesExtractor:
    """The rules, having learned the brands of a catalogue from its titles.

    Args:
        products: the catalogue; may be empty.
    """
    from extraction.pipeline import build_pipeline

    kinds = [product.fields.get("category") or product.fields.get("product_type") or "" for product in products]
    finder = BrandFinder.learn([words_of(product.title) for product in products], kinds)
    return RulesExtractor(build_pipeline(finder), finder.digest, finder.names)
