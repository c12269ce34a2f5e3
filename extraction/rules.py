"""The extractor that needs no model: columns, catalogue statistics, vocabularies and patterns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from extraction import vocabularies
from extraction.base import Mention
from extraction.brand import BrandFinder
from extraction.words import words_of
from kg.digest import digest_json
from kg.errors import StateError
from kg.model import Product

VERSION = 1


class RulesExtractor:
    """A spaCy pipeline of clew's components as an `Extractor`.

    Args:
        nlp: the pipeline (`extraction.pipeline.build_pipeline`), with the component `clew_brand` in it.
    """

    name = "rules"

    def __init__(self, nlp: Any) -> None:
        self.nlp = nlp
        finder: BrandFinder = nlp.get_pipe("clew_brand").finder
        self.names: Mapping[str, str] = finder.names
        self._digest = digest_json(["rules", VERSION, vocabularies.digest(), list(nlp.pipe_names), finder.digest])

    @classmethod
    def load(cls, folder: Path) -> RulesExtractor:
        """The extractor that `save` wrote.

        Raises:
            StateError: the folder does not hold one.
        """
        import spacy

        import extraction.pipeline  # noqa: F401 (registers the components)

        try:
            return cls(spacy.load(folder))
        except (OSError, ValueError, KeyError) as error:
            raise StateError(f"{folder} holds no rules extractor ({error}).", "Save one there with RulesExtractor.save.") from None

    def save(self, folder: Path) -> None:
        """Write the pipeline with all that it learned, in spaCy's own layout."""
        self.nlp.to_disk(folder)

    @property
    def digest(self) -> str:
        """Digest of rules, vocabularies and what was learned from the catalogue."""
        return self._digest

    def extract(self, products: Iterable[Product]) -> Iterator[list[Mention]]:
        """One list of mentions per product, sorted by attribute's place in the text; reads a batch ahead."""
        from extraction.pipeline import mentions_of

        return (mentions_of(doc) for doc in self.docs(products))

    def docs(self, products: Iterable[Product]) -> Iterator[Any]:
        """The spaCy Doc of each product's title, having gone through the pipeline."""
        from extraction.pipeline import FIELDS

        ahead, behind = itertools.tee(products)
        make_doc = self.nlp.make_doc

        def made() -> Iterator[Any]:
            for product in ahead:
                doc = make_doc(product.title)
                doc.user_data[FIELDS] = product.fields
                yield doc

        for _, doc in zip(behind, self.nlp.pipe(made()), strict=True):
            yield doc


def build_rules(products: Sequence[Product]) -> RulesExtractor:
    """The rules, having learned the brands of a catalogue from its titles.

    Args:
        products: the catalogue; may be empty.
    """
    from extraction.pipeline import build_pipeline

    kinds = [product.fields.get("category") or product.fields.get("product_type") or "" for product in products]
    return RulesExtractor(build_pipeline(BrandFinder.learn([words_of(product.title) for product in products], kinds)))
