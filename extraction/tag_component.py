"""The tagger as a spaCy component behind those of the rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from extraction.brand import BrandFinder
from extraction.combine import Slot
from extraction.parts import BATCH
from extraction.pipeline import build_pipeline, reading_of, travels
from extraction.tag_hints import HintMaker
from extraction.tag_part import TaggerPart
from extraction.tagger import TaggerModel

SLOTS = "clew.slots"
travels(Slot)


class TaggerComponent:
    """`TaggerPart` as a component; `doc.user_data["clew.slots"]` is what is held of each attribute."""

    def __init__(self) -> None:
        self.part = TaggerPart()

    def __call__(self, doc: Doc) -> Doc:
        """Read one Doc."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = BATCH) -> Iterator[Doc]:
        """Read many Docs."""
        docs = iter(stream)
        while batch := list(islice(docs, batch_size)):
            readings = [reading_of(doc) for doc in batch]
            self.part(readings)
            for doc, one in zip(batch, readings, strict=True):
                doc.user_data[SLOTS] = one.slots
                yield doc

    def goes_by(self, finder: BrandFinder) -> None:
        """Take hints from the statistics of the shop's titles."""
        self.part = TaggerPart(self.part.model, HintMaker(finder.statistics))

    def to_disk(self, path: Any, **kwargs: Any) -> None:
        """Write the model into a folder."""
        self.part.model.save(Path(path))

    def from_disk(self, path: Any, **kwargs: Any) -> TaggerComponent:
        """Read what `to_disk` wrote."""
        self.part = TaggerPart(TaggerModel.load(Path(path)), self.part.maker)
        return self


@Language.factory("clew_tagger")  # type: ignore[untyped-decorator]
def make_tagger(nlp: Language, name: str) -> TaggerComponent:
    """A tagger that is yet to be loaded."""
    return TaggerComponent()


def build_tagger_pipeline(finder: BrandFinder, model: TaggerModel) -> Language:
    """The pipeline of the rules with a tagger at its end.

    Args:
        finder: the brands of the shop, whose statistics are the tagger's hints.
        model: the tagger.
    """
    nlp = build_pipeline(finder)
    nlp.add_pipe("clew_tagger")
    component: TaggerComponent = nlp.get_pipe("clew_tagger")
    component.part = TaggerPart(model)
    component.goes_by(finder)
    return nlp
