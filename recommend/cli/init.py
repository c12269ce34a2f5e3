"""`clew init`: look at files and write a `clew.toml` that fits them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kg.cli.common import Session, command_options

if TYPE_CHECKING:
    from kg.proposal import Proposal


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--catalogue", multiple=True, required=True, type=click.Path(path_type=Path), help="A file of products; again for more.")
@click.option("--events", multiple=True, type=click.Path(path_type=Path), help="A file of who bought what; again for more.")
@click.option("--force", is_flag=True, help="Write over a clew.toml that is there.")
@command_options
def init(session: Session, folder: Path | None, catalogue: tuple[Path, ...], events: tuple[Path, ...], force: bool) -> None:
    """Look at files, propose what each column is, and write DIR/clew.toml (DIR: the workspace).

    Shows the first rows as it read them, so that a wrong guess is seen before anything is built on it.
    """
    from extraction import parse_price
    from kg.errors import InputError
    from kg.proposal import propose, write_config

    folder = folder or session.workspace
    config = folder / "clew.toml"
    if config.exists() and not force:
        raise InputError(f"{config} exists already.", "Edit it, or write it anew with --force.")
    proposal = propose(catalogue, events, folder, parse_price)
    write_config(config, proposal.text, force)
    session.emit(_document(config, proposal), lambda: _report(config, folder, proposal))


def _document(config: Path, proposal: Proposal) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "config": str(config),
        "catalogue": {
            "columns": dict(proposal.catalogue),
            "unused": list(proposal.unused["catalogue"]),
            "rows": [dict(row) for row in proposal.products],
            "rejected": dict(proposal.rejected),
        },
        "events": {
            "columns": dict(proposal.events),
            "unused": list(proposal.unused["events"]),
            "rows": [dict(row) for row in proposal.actions],
            "looked_up": proposal.asked,
            "matched": proposal.matched,
        },
    }


def _report(config: Path, folder: Path, proposal: Proposal) -> str:
    width = shutil.get_terminal_size((100, 24)).columns
    lines = ["Products, as they were read:", *_rows(proposal.products, width)]
    lines += [f"  ({n} rejected: {reason})" for reason, n in proposal.rejected.items()]
    if proposal.actions:
        lines += ["", "Events, as they were read:", *_rows(proposal.actions, width)]
    if proposal.matched is not None:
        lines.append(f"  {proposal.matched} of the first {proposal.asked} events name a product of the catalogue.")
        if not proposal.matched:
            lines.append("  Correct item under [catalogue.columns] or [events.columns]: the two must hold the same keys.")
    for name, columns in proposal.unused.items():
        if columns:
            lines += ["", f"Not read of the {name}: {', '.join(columns)}"]
    return "\n".join(
        [
            *lines,
            "",
            f"Wrote {config}. Look at it, then:",
            f"  clew graph ingest --workspace {folder}",
            f"  clew train --workspace {folder}",
        ]
    )


def _rows(rows: Sequence[Mapping[str, str]], width: int) -> list[str]:
    """One line a row: the values of its roles, each cut to half of the terminal's width, the whole to all of it."""
    lines = []
    for row in rows:
        cells = (_cut(value if role in ("item", "title", "user") else f"{role}: {value}", width // 2) for role, value in row.items())
        lines.append(_cut("  " + " · ".join(cells), width))
    return lines


def _cut(text: str, width: int) -> str:
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain if len(plain) <= width else f"{plain[: width - 1]}…"
