"""What reads facts out of products, for an ingest and for a product that comes later: an extractor and what people corrected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kg.model import Product
from kg.workspace import Workspace

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from extraction.resolve import FactExtractor
    from kg.staged import FactSource


@dataclass(frozen=True, slots=True)
class FactExtractors:
    """Makes the fact source of a catalogue (implements `kg.staged.FactSourceFactory`).

    Args:
        workspace: whose corrections hold.
        name: of the extractor.
    """

    workspace: Workspace
    name: str

    @property
    def digest(self) -> str:
        """Digest of the extractor's name, its trained model, the extraction room as it is installed, and the corrections."""
        from importlib.resources import files

        from extraction.base import model_digest
        from extraction.corrections import read_corrections
        from kg.digest import digest_bytes, digest_json

        room = sorted(_files(files("extraction")), key=lambda file: file[0])
        code = digest_bytes(*(part for path, content in room for part in (path.encode(), content)))
        return digest_json([self.name, model_digest(self.name), code, read_corrections(self.workspace.corrections_file).digest])

    def __call__(self, products: Sequence[Product]) -> FactExtractor:
        """The fact source that these products teach."""
        from extraction import FactExtractor, build_extractor
        from extraction.corrections import read_corrections

        return FactExtractor(build_extractor(self.name, products), read_corrections(self.workspace.corrections_file))

    def keep(self, source: FactSource, folder: Path) -> bool:
        """See `kg.learned.KeepingFactory`; of the extractors that come with clew, `rules` can be kept."""
        from extraction import FactExtractor
        from extraction.rules import RulesExtractor

        if not (isinstance(source, FactExtractor) and type(source.extractor) is RulesExtractor):
            return False
        source.extractor.save(folder)
        return True

    def recall(self, folder: Path) -> FactExtractor:
        """See `kg.learned.KeepingFactory`; the corrections are those of now."""
        from extraction import FactExtractor
        from extraction.corrections import read_corrections
        from extraction.rules import RulesExtractor

        return FactExtractor(RulesExtractor.load(folder), read_corrections(self.workspace.corrections_file))


class Remembering:
    """Makes a fact source once and keeps it, so that a product that comes right after the ingest needs no second learning.

    Args:
        inner: makes it.
    """

    def __init__(self, inner: FactExtractors) -> None:
        self.name = inner.name
        self.made: FactExtractor | None = None
        self._inner = inner

    @property
    def digest(self) -> str:
        """The inner one's."""
        return self._inner.digest

    def __call__(self, products: Sequence[Product]) -> FactExtractor:
        """The fact source that these products teach."""
        self.made = self._inner(products)
        return self.made


def fact_source(workspace: Workspace, name: str) -> FactExtractors:
    """What makes the fact source of a catalogue, which it learns from.

    Args:
        workspace: whose corrections hold.
        name: of the extractor.
    """
    return FactExtractors(workspace, name)


def _files(folder: Traversable, path: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _files(entry, f"{path}{entry.name}/")
        elif entry.is_file():
            yield f"{path}{entry.name}", entry.read_bytes()
