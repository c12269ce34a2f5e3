"""`clew extract review`: a person looks at the least sure facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kg.cli.common import Session, command_options

if TYPE_CHECKING:
    from extraction.review import Doubt

KEYS = "[a]ccept  [c]orrect  [r]eject  [s]kip  [q]uit"


@click.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="At most so many facts.")
@command_options
def review(session: Session, limit: int) -> None:
    """Look at the least sure facts, the most used products first; keys accept, correct, reject.

    Answers are corrections of the workspace: they outlive every ingest, and `clew extract train --corrections` learns from them. With
    --json the queue is printed and nothing is asked.
    """
    from extraction.corrections import append_correction, read_corrections
    from extraction.review import accepted, corrected, queue, rejected
    from kg.truth import Truth
    from kg.workspace import Workspace

    workspace = Workspace(session.workspace).open()
    doubts = queue(Truth(workspace.graph).tables(), read_corrections(workspace.corrections_file), limit)
    if session.as_json:
        session.emit({"schema_version": 1, "facts": [doubt.to_dict() for doubt in doubts]}, lambda: "")
        return
    said = 0
    for number, doubt in enumerate(doubts, 1):
        click.echo(_shown(doubt, number, len(doubts)))
        key = _key()
        if key == "q":
            break
        if key == "s":
            continue
        value = click.prompt("right value").strip() if key == "c" else ""
        entry = corrected(doubt, value) if key == "c" else accepted(doubt) if key == "a" else rejected(doubt)
        append_correction(workspace.corrections_file, entry)
        said += 1
    click.echo(f"{said} answers in {workspace.corrections_file}; `clew graph ingest` applies them.")


def _shown(doubt: Doubt, number: int, total: int) -> str:
    seen = f"{doubt.worth - 1} events" if doubt.worth > 1 else "no event"
    return f"\n{number}/{total}  {doubt.attribute} = {doubt.entity}  ({doubt.confidence:.0%} sure, {seen})\n  {doubt.marked()}\n  {KEYS}"


def _key() -> str:
    """One of the keys; others are asked again. The end of the input quits."""
    while True:
        try:
            key = click.getchar().lower()
        except EOFError:
            return "q"
        if key in ("a", "c", "r", "s", "q"):
            return key
        if key in ("", "\x04"):
            return "q"
        click.echo(KEYS)
