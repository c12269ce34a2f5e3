"""What reads facts out of products, for an ingest and for a product that comes later: an extractor and what people corrected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kg.model import Product
from kg.workspace import Workspace

if TYPE_CHECKING:
    from extraction.resolve import FactExtractor


def fact_source(workspace: Workspace, name: str) -> Callable[[Sequence[Product]], FactExtractor]:
    """A function that makes the fact source of a catalogue, which it learns from.

    Args:
        workspace: whose corrections hold.
        name: of the extractor.
    """

    def made(products: Sequence[Product]) -> FactExtractor:
        from extraction import FactExtractor, build_extractor
        from extraction.corrections import read_corrections

        return FactExtractor(build_extractor(name, products), read_corrections(workspace.corrections_file))

    return made
