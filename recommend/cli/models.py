"""`clew models`: which trained model answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

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
    document = {"schema_version": 1, "models": [bundle.to_dict() for bundle in found]}
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


@models.command("show")
@command_options
@click.argument("name", required=False)
def show_model(session: Session, name: str | None) -> None:
    """One model: what it was fitted with, what was chosen on validation, and its weights (the one that answers by default)."""
    from kg.workspace import Workspace
    from recommend.bundle import card

    found = card(Workspace(session.workspace).open().models, name)
    session.emit(found, lambda: _card(found))


def _card(found: dict[str, Any]) -> str:
    settings = ", ".join(f"{name} {'chosen' if value is None else f'{value:g}'}" for name, value in found["settings"].items())
    alike = found["likeness"]
    lines = [
        f"model {found['name']}{' (it answers)' if found['current'] else ''}",
        f"  graph {found['graph'][7:19]}, text {' + '.join(found['text_encoder'])}, preset {found['preset']}, seed {found['seed']}",
        f"  settings: {settings}",
        f"  likeness of texts: pairs {alike['pairs']}, {alike['recall']:.1%} of true neighbours",
    ]
    for branch, weights in found["weights"]["branches"].items():
        figures = found["report"].get("branches", {}).get(branch, {}).get("ndcg@20")
        chosen = f", NDCG@20 on validation {figures['all']:.4f}" if figures else ""
        lines.append(f"  {branch}{chosen}")
        for kind in ("seen", "unseen"):
            words = ", ".join(f"{view} {weight:.3g}" for view, weight in sorted(weights[kind].items(), key=lambda one: -abs(one[1])))
            lines.append(f"    {'known' if kind == 'seen' else 'new'} products: {words or 'nothing'}")
    return "\n".join(lines)


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
    session.emit({"schema_version": 1, "current": chosen}, lambda: f"{chosen} answers now; clew models use --undo goes back.")


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
    session.emit(
        {"schema_version": 1, "deleted": gone}, lambda: f"Deleted {len(gone)}: {', '.join(gone)}." if gone else "Nothing to delete."
    )
