"""`clew graph`: build the graph, look at it, check it. Who reads facts out of text is injected by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kg.cli.common import Session, command_options
from kg.cli.graph_diff import diff_command
from kg.cli.graph_erase import make_erase_command
from kg.cli.graph_exchange import export_command, import_command, make_sync_command
from kg.cli.graph_ontology import ontology_command

if TYPE_CHECKING:
    from kg.cli.graph_erase import Models
    from kg.cli.graph_exchange import Derived, Vectors
    from kg.config import Config
    from kg.ingest import FactSourceFactory, IngestReport
    from kg.workspace import Workspace

    # (workspace, extractor's name) → (what makes the fact source of a catalogue, the reader of price text)
    Extraction = Callable[[Workspace, str], tuple[FactSourceFactory, Any]]


def make_graph_group(
    extraction: Extraction, derived: Derived | None = None, models: Models | None = None, vectors: Vectors | None = None
) -> click.Group:
    """The group `graph` with an extractor in it.

    Args:
        extraction: called only when an ingest needs it, so that looking at a graph loads no extractor.
        derived: edges that a model found, for `sync --with-model`.
        models: what models owe to a person, for `erase`.
        vectors: of products by the model in use, for `sync --with-model`.
    """

    @click.group()
    def graph() -> None:
        """Build, see, check and move the graph."""

    graph.add_command(_ingest_command(extraction))
    for command in (
        stats,
        show_node,
        validate_graph,
        verify_engine,
        ontology_command,
        diff_command,
        make_sync_command(derived, vectors),
        export_command,
        import_command,
    ):
        graph.add_command(command)
    graph.add_command(make_erase_command(models))
    return graph


def _ingest_command(extraction: Extraction) -> click.Command:
    file = click.Path(path_type=str)

    @click.command()
    @click.option("--catalogue", multiple=True, type=file, help="Products: CSV, TSV, JSONL, JSON, Parquet, also .gz, .zst; `-` is JSONL.")
    @click.option("--events", multiple=True, type=file, help="Who did what with which product.")
    @click.option("--triples", multiple=True, type=file, help="Facts from elsewhere.")
    @click.option("--mapping", type=click.Path(path_type=Path), help="clew.toml with the columns [default: the workspace's].")
    @click.option("--extractor", help="What reads attributes out of text [default: clew.toml's, else rules].")
    @click.option("--resume", is_flag=True, help="Go on with an interrupted ingest; without files, with the same ones.")
    @click.option("--prune", is_flag=True, help="Remove what the given files no longer say.")
    @click.option("--move-bands", is_flag=True, help="Lay the borders of all price bands anew.")
    @click.option("--relearn", is_flag=True, help="Let the extractor learn from the catalogue as it is now [default: by clew.toml].")
    @click.option("--dry-run", is_flag=True, help="Count what would change; write nothing.")
    @click.option("--rejects", type=click.Path(path_type=Path), help="Where rejected rows go [default: the workspace's rejects.jsonl].")
    @click.option("--max-rejects", type=click.IntRange(min=0), help="Publish nothing when more rows than this are rejected.")
    @command_options
    def ingest(session: Session, resume: bool, **asked: Any) -> None:
        """Files into facts with evidence into the graph; the same input twice changes nothing."""
        from kg.pending import interrupted, pending
        from kg.workspace import Workspace

        workspace = Workspace(session.workspace)
        if resume and not (asked["catalogue"] or asked["events"] or asked["triples"]):
            asked = {**asked, **interrupted(workspace)}
        asked = _absolute(asked)
        if asked["dry_run"]:
            report = _ingest(session, workspace, extraction, asked)
        else:
            workspace.open(create=True)
            with pending(workspace, {name: value for name, value in asked.items() if name != "dry_run"}):
                report = _ingest(session, workspace, extraction, asked)
        session.emit(report.to_dict(), lambda: _told(report, bool(asked["dry_run"]), workspace))

    return ingest


def _absolute(asked: dict[str, Any]) -> dict[str, Any]:
    """Paths that mean the same from any folder, as JSON has them."""
    found = dict(asked)
    for name in ("catalogue", "events", "triples"):
        found[name] = [path if path == "-" else str(Path(path).absolute()) for path in asked[name]]
    for name in ("mapping", "rejects"):
        found[name] = str(Path(asked[name]).absolute()) if asked[name] else None
    return found


def _ingest(session: Session, workspace: Workspace, extraction: Extraction, asked: dict[str, Any]) -> IngestReport:
    from kg.config import Config
    from kg.ingest import IngestOptions, ingest

    mapping = Path(asked["mapping"]) if asked["mapping"] else workspace.config_file
    config = Config.load(mapping) if asked["mapping"] or mapping.exists() else Config()
    catalogue, events, triples = _sources(config, asked)
    factory, price_parser = extraction(workspace, asked["extractor"] or config.extraction.extractor)
    options = IngestOptions(
        prune=asked["prune"],
        dry_run=asked["dry_run"],
        move_bands=asked["move_bands"],
        relearn="always" if asked["relearn"] else config.extraction.relearn,
        relearn_after=config.extraction.relearn_after,
        rejects=Path(asked["rejects"]) if asked["rejects"] else None,
        max_rejects=asked["max_rejects"],
    )
    return ingest(
        workspace,
        catalogue=catalogue,
        events=events,
        triples=triples,
        fact_source=factory,
        options=options,
        progress=session.progress(),
        price_parser=price_parser,
    )


def _sources(config: Config, asked: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The files of the command line with the configuration's columns; the configuration's own files when none was named."""
    from kg.config import SourceFile, TriplesSource
    from kg.errors import UsageError

    def named(paths: list[str]) -> tuple[SourceFile, ...]:
        return tuple(SourceFile(path=path) for path in paths)

    if not (asked["catalogue"] or asked["events"] or asked["triples"]):
        if not (config.catalogue.files or config.events.files or config.triples):
            raise UsageError("No file was named.", "Give --catalogue FILE, or name files in clew.toml.")
        return config.catalogue, config.events, config.triples
    first = config.triples[0] if config.triples else TriplesSource()
    return (
        config.catalogue.model_copy(update={"files": named(asked["catalogue"])}),
        config.events.model_copy(update={"files": named(asked["events"])}),
        (first.model_copy(update={"files": named(asked["triples"])}),) if asked["triples"] else (),
    )


def _told(report: IngestReport, dry_run: bool, workspace: Workspace) -> str:
    counted = ", ".join(f"{n:,} {word}" for word, n in report.changes.to_dict().items())
    lines = [f"{'Would be' if dry_run else 'Nodes and edges'}: {counted}"]
    lines += [_counts("nodes", report.nodes), _counts("edges", report.edges)]
    if report.rejected:
        lines.append(f"{report.rejected:,} rows rejected" + ("" if dry_run else f", see {workspace.rejects_file}") + ":")
        lines += [f"  {n:,} × {reason}" for reason, n in sorted(report.reasons.items(), key=lambda item: -item[1])]
    lines.append(f"{report.digest[:19]}…  {report.seconds:.1f} s")
    return "\n".join(lines)


def _counts(what: str, counts: Any) -> str:
    return f"{what}: " + (", ".join(f"{name} {n:,}" for name, n in counts.items()) or "none")


@click.command()
@command_options
def stats(session: Session) -> None:
    """How many nodes and edges there are, and the graph's digest."""
    from kg.look import graph_stats
    from kg.workspace import Workspace

    found = graph_stats(Workspace(session.workspace))

    def told() -> str:
        from kg.cli.tables import text_table

        rows = [["node", name, n] for name, n in found["nodes"].items()] + [["edge", name, n] for name, n in found["edges"].items()]
        return (
            text_table(["what", "name", "number"], rows) + f"\n\n{found['digest']}\n{found['rejected']:,} rows rejected by the last ingest"
        )

    session.emit(found, told)


@click.command(name="show")
@click.argument("key")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Edges shown of each node.")
@command_options
def show_node(session: Session, key: str, limit: int) -> None:
    """One node, its edges, and the words that each fact was read from."""
    from kg.look import show
    from kg.workspace import Workspace

    found = show(Workspace(session.workspace), key, limit)
    session.emit(found, lambda: "\n\n".join(_shown_node(one) for one in found))


def _shown_node(found: dict[str, Any]) -> str:
    from kg.cli.tables import shown, text_table

    node = found["node"]
    lines = [f"{node['label']} {shown(node['key'])}", *(f"  {name}: {shown(value)}" for name, value in node["properties"].items())]
    rows = []
    for edge in found["edges"]:
        end, properties = edge["node"], edge["properties"]
        said = f"{properties['field']}: {properties['text']!r}" if "field" in properties else ""
        arrow = "→" if edge["direction"] == "out" else "←"
        rows.append([arrow, edge["type"], end["key"], end["name"], properties.get("confidence", properties.get("count")), said])
    if rows:
        lines += ["", text_table(["", "relation", "key", "name", "sure/count", "evidence"], rows)]
    if found["truncated"]:
        lines.append("… and more; raise --limit")
    return "\n".join(lines)


@click.command(name="validate")
@click.option("--shacl", is_flag=True, help="Also hold the graph, as RDF, against SHACL shapes made from the ontology (minutes).")
@command_options
def validate_graph(session: Session, shacl: bool) -> None:
    """Check rows against the ontology, ends of edges, and every quoted span; exit 1 with the faults if there are any."""
    from kg.validate import validate, with_faults
    from kg.workspace import Workspace

    workspace = Workspace(session.workspace)
    found = validate(workspace)
    if shacl and found.digest:
        from kg.rdf_shacl import validate_shacl
        from kg.truth import Truth

        found = with_faults(found, validate_shacl(Truth(workspace.graph).tables(), session.progress()))

    def told() -> str:
        rows = sum(found.checked.values())
        if not found.n_faults:
            return f"{rows:,} rows checked, no fault."
        return "\n".join([*(f"{fault.where}: {fault.message}" for fault in found.faults), f"{found.n_faults:,} faults in {rows:,} rows."])

    session.emit(found.to_dict(), told)
    if found.n_faults:
        raise SystemExit(1)


@click.command(name="verify")
@click.option("--store", "address", help="bolt://… of a server; the embedded engine when not given.")
@command_options
def verify_engine(session: Session, address: str | None) -> None:
    """Compare an engine with the truth: counts and checksums; exit 1 where it differs."""
    from kg.engine import open_store
    from kg.exchange import held_graph
    from kg.sync import verify
    from kg.truth import Truth
    from kg.workspace import Workspace

    workspace = Workspace(session.workspace).open()
    truth = Truth(workspace.graph)
    store = open_store(workspace, address, progress=session.progress())
    try:
        graph = held_graph(store, truth)
        faults = verify(store, graph)
        name = store.name
    finally:
        store.close()
    counts = graph.counts()
    n = sum(counts.nodes.values()) + sum(counts.edges.values())
    document = {"schema_version": 1, "digest": graph.digest, "engine": name, "faults": faults}
    session.emit(
        document, lambda: "\n".join(faults) if faults else f"The {name} engine holds all {n:,} nodes and edges as the truth has them."
    )
    if faults:
        raise SystemExit(1)
