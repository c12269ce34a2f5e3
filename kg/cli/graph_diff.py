"""`clew graph diff`: what changed between two states of a graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kg.cli.common import Session, command_options

if TYPE_CHECKING:
    from kg.diff import Difference, GraphDiff


@click.command(name="diff")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--limit", type=click.IntRange(min=0), default=5, show_default=True, help="Rows named of each table.")
@command_options
def diff_command(session: Session, before: Path, after: Path, limit: int) -> None:
    """What changed from BEFORE to AFTER: two workspaces, or folders of exported graphs. Which ingest said it does not count."""
    from kg.diff import diff

    found = diff(before, after, limit)
    session.emit(found.to_dict(), lambda: _told(found))


def _told(found: GraphDiff) -> str:
    from kg.cli.tables import text_table

    differing = [table for table in found.tables if table.first or table.changes.new or table.changes.changed or table.changes.removed]
    if not differing:
        return f"No difference in {found.changes.unchanged:,} nodes, facts and events."
    counts = [[t.name, t.changes.new, t.changes.changed, t.changes.removed, t.changes.unchanged] for t in differing]
    lines = [text_table(["table", "new", "changed", "removed", "unchanged"], counts)]
    for table in differing:
        if table.first:
            lines += ["", table.name, *(_row(one) for one in table.first)]
    return "\n".join(lines)


def _row(one: Difference) -> str:
    from kg.cli.tables import shown

    sign = {"new": "+", "changed": "~", "removed": "-"}[one.kind]
    values = [
        f"{name} {shown(value[0]) or '–'} → {shown(value[1]) or '–'}" if isinstance(value, tuple) else f"{name} {shown(value)}"
        for name, value in one.values.items()
        if value is not None
    ]
    return f"  {sign} {' → '.join(map(shown, one.key))}" + (f"  ({', '.join(values)})" if values else "")
