"""Ingest: files → products, facts with evidence, events → the truth. The same input twice changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from kg.align import Changes
from kg.column_facts import column_facts
from kg.config import CatalogueSource, EventsSource, TriplesSource
from kg.delta import delta
from kg.digest import digest_json
from kg.errors import InputError
from kg.learned import Relearn, keep_teaching, learned_source, teaching
from kg.merge import CATALOGUE, TREE, TRIPLES, Incoming, compare, merge, merged_products
from kg.model import Product
from kg.progress import SILENT, Progress
from kg.proposals import ProposingSource
from kg.rejects import Rejects
from kg.remembered import Remembered, Request, Source, file_digest, request_of, source_kind
from kg.staged import FactSource, FactSourceFactory, Staging
from kg.tables import PRODUCT_SCHEMA, GraphTables, content_digest, evidence_tables, products_table
from kg.truth import PRODUCTS, Truth
from kg.workspace import Workspace

T = TypeVar("T")
_KEY = pa.schema([PRODUCT_SCHEMA.field("key")])
__all__ = ["FactSource", "FactSourceFactory", "IngestOptions", "IngestReport", "ingest"]


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How an ingest goes about it.

    Args:
        prune: remove what the given inputs no longer say (products by the catalogue, events by the events, …).
        dry_run: count what would change and write nothing.
        move_bands: lay the borders of all price bands anew.
        relearn: whether an extractor learns from the catalogue as it is now ("always"), goes on with what it learned ("never"),
            or decides by how much has changed ("auto").
        relearn_after: with "auto", the share of changed products above which it learns again.
        rejects: where to write rejected rows; the workspace's `rejects.jsonl` when None.
        max_rejects: more rejected rows than this publish nothing.
    """

    prune: bool = False
    dry_run: bool = False
    move_bands: bool = False
    relearn: Relearn = "auto"
    relearn_after: float = 0.1
    rejects: Path | None = None
    max_rejects: int | None = None


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest found and did.

    Args:
        digest: of the graph as it is now (of the graph as it would be, for a dry run).
        nodes, edges: how many, by label and relation.
        changes: nodes and edges together.
        rejected: rows that were set aside.
        reasons: how many of them for each kind of reason.
        parts_written: Parquet files that had to be written.
        seconds: the whole.
        stages: seconds by stage.
    """

    digest: str
    nodes: Mapping[str, int]
    edges: Mapping[str, int]
    changes: Changes
    rejected: int
    reasons: Mapping[str, int]
    parts_written: int
    seconds: float
    stages: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew graph ingest --json`."""
        return {
            "schema_version": 1,
            "digest": self.digest,
            "nodes": dict(self.nodes),
            "edges": dict(self.edges),
            "rejected": self.rejected,
            "engine": "embedded",
            "changes": self.changes.to_dict(),
            "seconds": round(self.seconds, 3),
        }


def ingest(
    workspace: Workspace,
    *,
    catalogue: CatalogueSource | None = None,
    events: EventsSource | None = None,
    triples: Sequence[TriplesSource] = (),
    fact_source: FactSource | FactSourceFactory | None = None,
    options: IngestOptions | None = None,
    progress: Progress = SILENT,
    price_parser: Any = None,
) -> IngestReport:
    """Bring files into the graph of a workspace; nothing is visible before everything is.

    Args:
        workspace: made if it does not exist (not by a dry run).
        catalogue, events, triples: files and mappings; what is None or empty stays as the graph has it.
        fact_source: what reads facts out of products, or what makes it from the whole catalogue (which it may learn from);
            None reads none.
        price_parser: text → `Price` or None, for price columns of text.

    Raises:
        InputError: a file cannot be read, or more rows were rejected than `options.max_rejects`.
        StateError: another process is writing, or the graph that is there is damaged.
    """
    options = options or IngestOptions()
    if not options.dry_run:
        workspace.open(create=True)
    with workspace.lock() if not options.dry_run else nullcontext():
        work = _Ingest(workspace, options, progress, Inputs(catalogue, events, tuple(triples)), fact_source)
        return work.repeated() or work.run(price_parser)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files of an ingest, with their mappings."""

    catalogue: CatalogueSource | None
    events: EventsSource | None
    triples: tuple[TriplesSource, ...]

    @property
    def given(self) -> list[Source]:
        """Those that name files."""
        return [source for source in (self.catalogue, self.events, *self.triples) if source is not None and source.files]


class _Ingest:
    """One ingest, stage by stage."""

    def __init__(
        self,
        workspace: Workspace,
        options: IngestOptions,
        progress: Progress,
        inputs: Inputs,
        fact_source: FactSource | FactSourceFactory | None,
    ) -> None:
        self.started = time.perf_counter()
        kept = workspace.path.is_dir()
        self.truth = Truth(workspace.graph, ontology_may_change=True)
        self.ontology = self.truth.ontology
        self.options = options
        self.progress = progress
        self.inputs = inputs
        self.fact_source = fact_source
        self.rejects_file = None if options.dry_run else options.rejects or workspace.rejects_file
        self.rejects = Rejects(self.rejects_file, options.max_rejects)
        self.staging = Staging(workspace.cache / "extracted" if kept else None)
        self.learned = workspace.cache / "learned" if kept else None
        self.remembered = Remembered(workspace.cache)
        self.stages: dict[str, float] = {}

    @cached_property
    def request(self) -> Request:
        """What is asked, to be known again."""
        source = None if self.fact_source is None else [self.fact_source.name, self.fact_source.digest]
        asked = [self.options.prune, self.options.move_bands, self.options.relearn, self.options.relearn_after]
        found = request_of(self.inputs.given, [source, asked, self.ontology.structure()], self.options.prune)
        return replace(found, digest=None) if self.options.relearn == "always" else found

    def repeated(self) -> IngestReport | None:
        """The report of an ingest that the graph already holds whole; None where there is something to read."""
        if not self.truth.exists or (counts := self.truth.graph_counts) is None or not self.truth.ontology_is_the_same:
            return None
        done = self.remembered.find(self.request, self.truth.digest, self.rejects_file)
        if done is None or (self.options.max_rejects is not None and done.rejected > self.options.max_rejects):
            return None
        self.truth.check_presence()
        if not done.rejected:
            with self.rejects:  # the file of the last run tells of this one: of nothing
                pass
        unchanged = sum(n for whole in counts for n in whole.values())
        seconds = time.perf_counter() - self.started
        return IngestReport(self.truth.digest, *counts, Changes(unchanged=unchanged), done.rejected, done.reasons, 0, seconds, {})

    def run(self, price_parser: Any) -> IngestReport:
        """Read the files and bring what they say into the graph."""
        before = self.truth.digest if self.truth.exists else None
        with self.rejects:
            report = self._run(price_parser)
        if not self.options.dry_run:
            self.remembered.keep(self.request, report.digest, before, report.rejected, dict(report.reasons), self.rejects_file)
        return report

    def _run(self, price_parser: Any) -> IngestReport:
        products = self._timed("reading the catalogue", lambda: self._products(price_parser))
        table = None if products is None else products_table(products)
        source = self._source(table)
        incoming = self._incoming(products, table, source)
        run = _run_digest(incoming, source, self.options)

        def record(changes: Changes) -> dict[str, Any]:
            return self._record(run, source, changes)

        found = self._small(incoming, run, record) or self._whole(incoming, run, record)
        if not self.options.dry_run:
            self.staging.sweep()
        return found

    def _small(self, incoming: Incoming, run: str, record: Callable[[Changes], dict[str, Any]]) -> IngestReport | None:
        """The ingest as a change of the truth; None where it is too large for that, or reaches too far."""
        if self.options.prune or self.options.move_bands:
            return None
        found = self._timed("merging the change", lambda: delta(self.truth, incoming, run))
        if found is None:
            return None
        parts, digest = 0, self.truth.digest
        if found.tables and self.options.dry_run:
            digest = self.truth.digest_after(found.tables)
        elif found.tables:
            done = self._timed(
                "writing the change", lambda: self.truth.patch(found.tables, found.nodes, found.edges, record(found.changes))
            )
            parts, digest = done.parts_written, done.digest
        return self._report(digest, found.nodes, found.edges, found.changes, parts)

    def _whole(self, incoming: Incoming, run: str, record: Callable[[Changes], dict[str, Any]]) -> IngestReport:
        """The ingest as a whole new graph."""
        old = self._timed("loading the graph", lambda: self.truth.tables() if self.truth.exists else GraphTables.empty())
        new = self._timed("merging", lambda: merge(old, incoming, self.options.prune, self.options.move_bands, run))
        changes = self._timed("comparing", lambda: compare(old, new))
        parts = 0
        if self.options.dry_run:
            digest = self._timed("comparing", lambda: self.truth.digest_of(new))
        else:
            written = self._timed("writing the graph", lambda: self.truth.write(new, record(changes)))
            parts, digest = written.parts_written, written.digest
        return self._report(digest, *new.counts(), changes, parts)

    def _report(self, digest: str, nodes: Mapping[str, int], edges: Mapping[str, int], changes: Changes, parts: int) -> IngestReport:
        seconds = time.perf_counter() - self.started
        return IngestReport(digest, nodes, edges, changes, self.rejects.count, dict(self.rejects.reasons), parts, seconds, self.stages)

    def _timed(self, stage: str, work: Callable[[], T]) -> T:
        started = time.perf_counter()
        done = work()
        self.stages[stage] = self.stages.get(stage, 0.0) + time.perf_counter() - started
        return done

    def _products(self, price_parser: Any) -> list[Product] | None:
        catalogue = self.inputs.catalogue
        if catalogue is None or not catalogue.files:
            return None
        from kg.catalogue import read_catalogue

        return list(read_catalogue(catalogue.files, catalogue, self.rejects, self.progress, price_parser=price_parser))

    def _held(self, schema: pa.Schema) -> pa.Table:
        """The catalogue that is there, or some columns of it, in no order."""
        return self.truth.glance(PRODUCTS, schema) if self.truth.exists else schema.empty_table()

    def _source(self, products: pa.Table | None) -> FactSource | None:
        given = self.fact_source
        if given is None or isinstance(given, FactSource):
            return given
        catalogue = PRODUCT_SCHEMA.empty_table()
        if products is not None:
            catalogue = merged_products(self._held(PRODUCT_SCHEMA), products, self.options.prune)
        found = teaching(self.learned, catalogue, self.options.relearn, self.options.relearn_after)
        if found.changed:
            self.progress.note(
                f"The extractor goes on with what it learned earlier; {found.changed:.1%} of the catalogue changed since"
                " (learn again: --relearn)."
            )
        if self.learned is not None and products is not None and not self.options.dry_run:
            keep_teaching(self.learned, found)
        return learned_source(given, found, None if self.options.dry_run else self.learned, self.progress)

    def _incoming(self, products: list[Product] | None, table: pa.Table | None, source: FactSource | None) -> Incoming:
        known = {product.key for product in products or ()}
        if not (self.options.prune and products is not None):
            known.update(self._held(_KEY).column("key").to_pylist())
        facts: Mapping[str, pa.Table] = {}
        tree: Mapping[str, pa.Table] = {}
        stated_by_columns = column_facts(products or (), self.ontology)
        if source is not None and products is not None and table is not None:
            read = self._timed("reading attributes", lambda: self.staging.extract(products, source, CATALOGUE, self.progress))
            facts, table = read[0], _with_quantities(table, read[1])
            tree = self.staging.tree(source, TREE)
        facts = {**facts, **evidence_tables(stated_by_columns, CATALOGUE)}
        stated = self._timed("reading triples", lambda: self._triples(known))
        logs = self._timed("reading events", lambda: self._events(known))
        timed = _timed_tables(logs)
        proposing = self.fact_source if products is not None and isinstance(self.fact_source, ProposingSource) else None
        return Incoming(table, facts, tree, stated, logs, timed, proposing)

    def _triples(self, known: set[str]) -> dict[str, pa.Table] | None:
        sources = [source for source in self.inputs.triples if source.files]
        if not sources:
            return None
        from kg.triples import read_triples

        facts = (fact for source in sources for fact in read_triples(source.files, source, self.rejects, known, self.progress))
        return evidence_tables(facts, TRIPLES)

    def _events(self, known: set[str]) -> list[pa.Table] | None:
        events = self.inputs.events
        if events is None or not events.files:
            return None
        from kg.event_files import read_events

        # File by file: an event that stands in two files is one event, one that stands twice in a file happened twice.
        return [read_events([file], events, self.rejects, known, self.progress) for file in events.files]

    def _record(self, run: str, source: FactSource | None, changes: Changes) -> dict[str, Any]:
        """Where this state of the graph comes from, for the manifest (PROV-O: an activity, what it used, who did it)."""
        files = [
            {"role": source_kind(given), "path": file.path, "digest": file_digest(file.path)}
            for given in self.inputs.given
            for file in given.files
        ]
        return {
            "run": run,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "files": files,
            "extractor": None if source is None else {"name": source.name, "digest": source.digest},
            "changes": changes.to_dict(),
            "rejected": self.rejects.count,
        }


def _with_quantities(table: pa.Table, quantities: Mapping[str, str]) -> pa.Table:
    """The catalogue's own quantity stays; where it has none, the one that was read."""
    stated = zip(table.column("key").to_pylist(), table.column("quantity").to_pylist(), strict=True)
    values = pa.array([own or quantities.get(key) for key, own in stated], pa.string())
    return table.set_column(table.schema.get_field_index("quantity"), "quantity", values)


def _timed_tables(logs: Sequence[pa.Table] | None) -> bool:
    from kg.event_files import is_timed

    stated = {is_timed(log) for log in logs or () if log.num_rows}
    if len(stated) > 1:
        raise InputError("Some event files have times and some only an order.", "Map the same kind of column for all event files.")
    return stated != {False}


def _run_digest(incoming: Incoming, source: FactSource | None, options: IngestOptions) -> str:
    return digest_json(
        {
            "products": None if incoming.products is None else content_digest(incoming.products),
            "triples": None if incoming.triples is None else {name: content_digest(t) for name, t in incoming.triples.items()},
            "events": None if incoming.events is None else [content_digest(table) for table in incoming.events],
            "extractor": None if source is None else source.digest,
            "options": [options.prune, options.move_bands],
        }
    )
