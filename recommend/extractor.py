"""What reads facts out of products, for an ingest and for a product that comes later: an extractor and what people corrected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kg.digest import digest_json
from kg.model import Product
from kg.workspace import Workspace

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from extraction.corrections import Corrections
    from extraction.resolve import FactExtractor
    from kg.proposals import Likeness, Named
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
        """Digest of what decides what is learned, and of the corrections."""
        return digest_json([self.learned_digest, self._corrections.digest])

    @property
    def learned_digest(self) -> str:
        """Digest of the extractor's name, its trained model, and the extraction room as it is installed."""
        from importlib.resources import files

        from extraction.base import model_digest
        from kg.digest import digest_bytes

        room = sorted(_files(files("extraction")), key=lambda file: file[0])
        code = digest_bytes(*(part for path, content in room for part in (path.encode(), content)))
        return digest_json([self.name, model_digest(self.name), code])

    @property
    def _corrections(self) -> Corrections:
        from extraction.corrections import read_corrections

        return read_corrections(self.workspace.corrections_file)

    def alike(self, named: Sequence[Named]) -> list[Likeness]:
        """See `kg.proposals.ProposingSource`."""
        from extraction.likeness import alike

        return alike(named, self._corrections.different)

    def __call__(self, products: Sequence[Product]) -> FactExtractor:
        """The fact source that these products teach."""
        from extraction import FactExtractor, build_extractor

        return FactExtractor(build_extractor(self.name, products), self._corrections)

    def keep(self, source: FactSource, folder: Path) -> bool:
        """See `kg.learned.KeepingFactory`; what `extraction.base` knows how to load can be kept."""
        from extraction import FactExtractor
        from extraction.base import keeps

        if not (isinstance(source, FactExtractor) and keeps(source.extractor)):
            return False
        source.extractor.save(folder)
        return True

    def recall(self, folder: Path) -> FactExtractor:
        """See `kg.learned.KeepingFactory`; the corrections are those of now."""
        from extraction import FactExtractor
        from extraction.base import kept_extractor

        return FactExtractor(kept_extractor(self.name, folder), self._corrections)


def fact_source(workspace: Workspace, name: str) -> FactExtractors:
    """What makes the fact source of a catalogue, which it learns from.

    Args:
        workspace: whose corrections hold.
        name: of the extractor.
    """
    return FactExtractors(workspace, name)


def last_source(workspace: Workspace, name: str) -> FactExtractor:
    """The fact source of the workspace's last ingest, for a product that comes later.

    Args:
        workspace: its `cache/learned` holds what was learned; where it does not, the stored catalogue teaches again, and that is kept.
        name: of the extractor.
    """
    from extraction import FactExtractor
    from kg.learned import source_of_last
    from kg.truth import Truth

    factory = fact_source(workspace, name)
    found = source_of_last(factory, workspace.cache / "learned", lambda: Truth(workspace.graph).tables().products)
    assert isinstance(found, FactExtractor)
    return found


def _files(folder: Traversable, path: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _files(entry, f"{path}{entry.name}/")
        elif entry.is_file():
            yield f"{path}{entry.name}", entry.read_bytes()
