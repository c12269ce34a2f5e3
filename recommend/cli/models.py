"""`clew models`: which trained model answers."""

from __future__ import annotations

from datetime import datetime

import click

from kg.cli.common import Session, command_options


@click.group()
def models() -> None:
    """Which model answers."""


@models.command("list")
@command_options
def list_models(session: Session) -> None:
    """All models, the newest first; a star marks the one that answers."""
    from kg.workspace import Workspace
    from recommend.bundle import bundles

    found = bundles(Workspace(session.workspace).open().models)
    document = {"models": [bundle.to_dict() for bundle in found]}
    session.emit(
        document,
        lambda: (
            "\n".join(
                f"{'*' if bundle.current else ' '} {bundle.name}  {datetime.fromtimestamp(bundle.trained):%Y-%m-%d %H:%M}"
                f"  {bundle.bytes / 2**20:6.0f} MB  graph {bundle.snapshot_digest[7:19]}"
                for bundle in found
            )
            or "No model yet; train one: clew train."
        ),
    )


@models.command()
@command_options
@click.argument("name", required=False)
@click.option("--undo", "back", is_flag=True, help="Go back to the model that answered before.")
def use(session: Session, name: str | None, back: bool) -> None:
    """Let another model answer (a unique beginning of its name is enough)."""
    from kg.errors import UsageError
    from kg.workspace import Workspace
    from recommend.bundle import undo
    from recommend.bundle import use as choose

    if (name is None) == (not back):
        raise UsageError("Name one model, or give --undo.", "See the names with clew models list.")
    workspace = Workspace(session.workspace).open()
    with workspace.lock():
        chosen = undo(workspace.models) if name is None else choose(workspace.models, name)
    session.emit({"current": chosen}, lambda: f"{chosen} answers now; clew models use --undo goes back.")


@models.command()
@command_options
@click.option("--keep", type=click.IntRange(0), default=1, show_default=True, help="How many that answered before to keep.")
def prune(session: Session, keep: int) -> None:
    """Delete models that do not answer."""
    from kg.workspace import Workspace
    from recommend.bundle import prune as delete

    workspace = Workspace(session.workspace).open()
    with workspace.lock():
        gone = delete(workspace.models, keep)
    session.emit({"deleted": gone}, lambda: f"Deleted {len(gone)}: {', '.join(gone)}." if gone else "Nothing to delete.")
