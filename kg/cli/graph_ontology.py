"""`clew graph ontology`: what this workspace's graph is made of, with what its ontology.toml adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kg.cli.common import Session, command_options


@click.command(name="ontology")
@click.option("--shapes", is_flag=True, help="Print the SHACL shapes (Turtle) instead of the page.")
@command_options
def ontology_command(session: Session, shapes: bool) -> None:
    """What the graph is made of, as a page (Markdown, with a drawing): labels, properties, relations, the own ones of ontology.toml too."""
    from kg.own_ontology import adopt_beside
    from kg.workspace import Workspace

    path = Workspace(session.workspace).ontology_file
    own = adopt_beside(session.workspace).structure()
    document = {"schema_version": 1, "file": str(path) if path.is_file() else None, **_lists(), "own": own}
    session.emit(document, lambda: _shapes() if shapes else _page(path))


def _shapes() -> str:
    from kg.rdf_shacl import shapes_turtle

    return shapes_turtle()


def _page(path: Path) -> str:
    from kg.ontology_page import ontology_page

    return ontology_page(f"The core, and {path}" if path.is_file() else f"The core alone: there is no {path}")


def _lists() -> dict[str, Any]:
    from kg.ontology import Family, Label, all_relations, entity_labels
    from kg.store import edge_schema, node_schema

    labels = {}
    for label in (Label.PRODUCT, Label.USER, *entity_labels()):
        labels[str(label)] = {column.name: str(column.type) for column in node_schema(label)}
    relations = {}
    for name, found in all_relations().items():
        if found.family is not Family.ANSWER:
            ends = {"from": str(found.source), "to": str(found.target), "family": str(found.family)}
            relations[str(name)] = {**ends, "properties": edge_schema(found).names[2:]}
    return {"labels": labels, "relations": relations}
