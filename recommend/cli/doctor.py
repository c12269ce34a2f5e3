"""`clew doctor`: what is installed, what answers, what is missing."""

from __future__ import annotations

import sys

import click

from kg.cli.common import Session, command_options

_MARKS = {"ok": "✓", "warning": "!", "missing": "✗"}
_STYLES = {"ok": "green", "warning": "yellow", "missing": "red"}


@click.command()
@command_options
def doctor(session: Session) -> None:
    """What is installed, what answers, what is missing.

    Exits 3 when something that clew needs is missing.
    """
    from recommend.doctor import Finding, examine, report

    findings = examine(session.workspace)

    def shown() -> str:
        from rich.table import Table
        from rich.text import Text

        from recommend.cli.show import rendered, text

        def told(finding: Finding) -> Text:
            return Text.assemble(text(finding.detail), ("\n→ " + finding.fix if finding.fix else "", "bold"))

        grid = Table.grid(padding=(0, 1))
        for finding in findings:
            grid.add_row(Text(_MARKS[finding.status], _STYLES[finding.status]), text(finding.name), told(finding))
        worst = sum(finding.status == "missing" for finding in findings)
        return rendered(grid, "", "Everything that clew needs is here." if not worst else f"{worst} of {len(findings)} things are missing.")

    session.emit(report(findings), shown)
    if any(finding.status == "missing" for finding in findings):
        sys.exit(3)
