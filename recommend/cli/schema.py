"""`clew schema`: the JSON Schemas of the answers."""

from __future__ import annotations

import json

import click

from kg.cli.common import Session, command_options


@click.command()
@click.argument("name", required=False)
@command_options
def schema(session: Session, name: str | None) -> None:
    """JSON Schemas of the answers: their names, or the one that is named."""
    from recommend.schema import schema as find
    from recommend.schema import schema_names

    if name is not None:
        document = find(name)
        session.emit(document, lambda: json.dumps(document, indent=1, ensure_ascii=False))
        return
    listed = [{"name": known, "answers": str(find(known)["title"])} for known in schema_names()]
    session.emit(listed, lambda: "\n".join(f"{entry['name']:<14} {entry['answers']}" for entry in listed))
