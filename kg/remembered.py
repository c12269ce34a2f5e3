"""Which ingests a graph already holds whole, so that the same files again are not even read.

An ingest is known by the digests of its files and of everything that decides what is read out of them: columns, extractor,
ontology, options. It holds as long as the graph is the one that it left, or was only changed by ingests of other kinds of
input. The memory lies in `cache/`; without it, or with a graph that somebody else changed, the files are read and compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kg.config import CatalogueSource, EventsSource, TriplesSource
from kg.digest import digest_json
from kg.whole_files import write_whole

_FILE = "ingested.json"
Source = CatalogueSource | EventsSource | TriplesSource


def source_kind(source: Source) -> str:
    """ "catalogue", "events" or "triples"."""
    return type(source).__name__.removesuffix("Source").lower()


def file_digest(path: str | Path) -> str | None:
    """Digest of a file's bytes; None for standard input and where there is no file."""
    if path == "-" or not Path(path).is_file():
        return None
    with Path(path).open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


@dataclass(frozen=True, slots=True)
class Request:
    """What an ingest was asked.

    Args:
        kinds: of its input.
        digest: of its files, mappings, extractor and options; None where it cannot be known again (standard input).
        prunes: whether it removes what its files no longer say.
    """

    kinds: tuple[str, ...]
    digest: str | None
    prunes: bool


def request_of(sources: Sequence[Source], decides: Any, prunes: bool) -> Request:
    """What an ingest is asked.

    Args:
        sources: those that have files.
        decides: JSON of all else that decides the outcome.
        prunes: see `Request`.
    """
    files = [[source.model_dump(mode="json"), [file_digest(file.path) for file in source.files]] for source in sources]
    joins = [[file_digest(join.path) for join in source.join] for source in sources]
    known = all(digest is not None for listed in [*(digests for _, digests in files), *joins] for digest in listed)
    kinds = tuple(sorted({source_kind(source) for source in sources}))
    return Request(kinds, digest_json([files, joins, decides]) if known else None, prunes)


@dataclass(frozen=True, slots=True)
class Done:
    """An ingest that the graph holds.

    Args:
        request: its digest.
        kinds: of its input.
        rejected, reasons: the rows that it set aside, by kind of reason.
        rejects: digest of the file that they are in; None when there were none.
    """

    request: str
    kinds: tuple[str, ...]
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    rejects: str | None = None


class Remembered:
    """The memory of a workspace.

    Args:
        cache: the workspace's `cache/`.
    """

    def __init__(self, cache: Path) -> None:
        self._path = cache / _FILE

    def find(self, request: Request, graph: str, rejects: Path | None) -> Done | None:
        """The same ingest as the graph holds it.

        Args:
            graph: digest of the graph that is there.
            rejects: where rejected rows would go: rows that were set aside must still be told of there.
        """
        for done in self._held(graph):
            if done.request == request.digest and (not done.rejected or (rejects is not None and file_digest(rejects) == done.rejects)):
                return done
        return None

    def keep(self, request: Request, graph: str, before: str | None, rejected: int, reasons: dict[str, int], rejects: Path | None) -> None:
        """Remember an ingest that was just done.

        Args:
            graph, before: digest of the graph now and before it; None before the first.
        """
        held = [] if before is None else self._held(before)
        # Rows set aside for an unknown product would be taken once the catalogue has it, so such an ingest is forgotten too.
        kept = [d for d in held if graph == before or not (request.prunes or d.rejected or {*d.kinds} & {*request.kinds})]
        kept = [done for done in kept if done.request != request.digest]
        waits = any("in the future" in reason for reason in reasons)  # those rows will be taken when their day has come
        if request.digest is not None and not waits:
            kept.append(Done(request.digest, request.kinds, rejected, reasons, file_digest(rejects) if rejected and rejects else None))
        document = {"graph": graph, "done": [asdict(done) for done in kept]}
        write_whole(self._path, json.dumps(document, ensure_ascii=False))

    def _held(self, graph: str) -> list[Done]:
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            if document["graph"] != graph:
                return []
            return [Done(**{**one, "kinds": tuple(one["kinds"])}) for one in document["done"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []  # nothing is remembered: the files are read
