"""`clew graph erase`: forget a person, and say what that cannot reach."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import click

from kg.cli.common import Session, command_options

if TYPE_CHECKING:
    from kg.erase import Erased, Owing
    from kg.progress import Progress
    from kg.workspace import Workspace


class Models(Protocol):
    """What the composition root says of trained models."""

    def trained(self, workspace: Workspace) -> Sequence[tuple[str, str, bool]]:
        """Name, digest of the graph it learned from and whether it answers, of each model."""
        ...

    def forget_unfinished(self, workspace: Workspace) -> int:
        """Delete the state of trainings that were stopped; how many files."""
        ...

    def refit(self, workspace: Workspace, progress: Progress) -> str:
        """Train again, delete every other model, and return the new one's name."""
        ...


_TRAIN = "Train again to forget them: `clew train`, then `clew models prune --keep 0`; until then no model answers."
_REFIT = "With --refit a new model is trained without them and the others are deleted."


def make_erase_command(models: Models | None) -> click.Command:
    """The command `erase`.

    Args:
        models: the workspace's models; None where there are none (then --refit is refused).
    """

    @click.command(name="erase")
    @click.option("--user", "user_key", required=True, help="The shop's key of the person.")
    @click.option("--store", "addresses", multiple=True, help="bolt://… of a server that holds the graph too; may be given again.")
    @click.option("--refit", is_flag=True, help="Train again without the person, and delete the models that learned from them.")
    @click.option("--dry-run", is_flag=True, help="Say what would go; change nothing.")
    @command_options
    def erase_command(session: Session, user_key: str, addresses: tuple[str, ...], refit: bool, dry_run: bool) -> None:
        """Forget a person: their events, rejected rows, caches, questions that named them; and say what models still owe to them."""
        from kg.erase import erase
        from kg.errors import UsageError
        from kg.workspace import Workspace

        if refit and (models is None or dry_run):
            why = "There is nothing here that trains a model." if models is None else "A dry run trains no model."
            raise UsageError(why, "Leave --refit out.")
        workspace = Workspace(session.workspace).open()
        learned = () if models is None else models.trained(workspace)
        with ExitStack() as opened:
            stores = {} if dry_run else {address: _server(workspace, address, opened) for address in addresses}
            found = erase(workspace, user_key, stores, dry_run)
        owing: tuple[Owing, ...] = ()
        refitted = None
        if models is not None:
            if not dry_run:
                models.forget_unfinished(workspace)
            owing = found.owing(learned)
            if refit and owing:
                refitted = models.refit(workspace, session.progress())
        document = {
            "schema_version": 1,
            "user_key": user_key,
            "dry_run": dry_run,
            **found.to_dict(),
            "models": [one.to_dict() for one in owing],
            "refitted": refitted,
        }
        session.emit(document, lambda: _told(found, owing, refitted, dry_run))

    return erase_command


def _server(workspace: Workspace, address: str, opened: ExitStack) -> Any:
    from kg.engine import open_store
    from kg.errors import UsageError
    from kg.stores.embedded import EmbeddedStore

    if address == EmbeddedStore.name:
        raise UsageError("The embedded engine is emptied with the other caches.", "Name servers only: --store bolt://host:7687.")
    store = open_store(workspace, address)
    opened.callback(store.close)
    return store


def _told(found: Erased, owing: Sequence[Owing], refitted: str | None, dry_run: bool) -> str:
    counted = [
        f"{found.events:,} events",
        f"{found.rejects:,} rejected rows",
        f"{found.questions:,} questions",
        f"{found.files:,} cached files",
        *(f"the person at {address}" for address in found.engines),
    ]
    lines = [("Would be gone: " if dry_run else "Gone: ") + ", ".join(counted) + "."]
    lines.extend(_owed(one, refitted) for one in owing)
    if owing and not refitted:
        lines.append(_REFIT if dry_run else _TRAIN)
    if refitted:
        lines.append(f"The model {refitted} was trained without them and answers now.")
    if found.sources:
        lines.append("These files still hold them, and reading one again brings them back: " + ", ".join(found.sources) + ".")
    lines.append("Exports, backups and servers that were not named are yours to see to.")
    return "\n".join(lines)


def _owed(one: Owing, refitted: str | None) -> str:
    learned = (
        "learned from an earlier graph that may have held the person"
        if one.events is None
        else f"was trained with {one.events:,} event{'' if one.events == 1 else 's'} of this person"
    )
    return f"The model {one.name} {learned}{' and was deleted' if refitted else ''}."
