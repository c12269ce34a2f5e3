"""The tagger as a part behind the rules, and as the extractor `tagger`; `extraction/tag_component.py` has it as a spaCy component."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from extraction.base import Mention
from extraction.brand import BrandFinder
from extraction.combine import Slot
from extraction.rules import RulesExtractor, build_rules
from extraction.tag_hints import HintMaker
from extraction.tag_part import TaggerPart
from extraction.tag_training import Lesson, rows_of_products, train_tagger
from extraction.tagger import TaggerModel
from kg.digest import digest_json
from kg.model import Product
from kg.seeds import generator

LEARNED_ROWS = 4000
_MODEL = "tagger"


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
    return train([rows[i] for i in picked], Lesson(about="the catalogue's columns", titles=products))[0]


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
