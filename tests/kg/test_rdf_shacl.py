"""SHACL shapes from the ontology: the graph that clew makes conforms, and each kind of fault is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from rdflib import Graph

from kg.cli.graph import make_graph_group
from kg.ontology import ENTITY_LABELS, RELATIONS, Family
from kg.rdf_shacl import shapes_turtle, validate_shacl
from kg.tables import GraphTables
from kg.testing import ColumnFacts, example_tables
from kg.truth import Truth
from kg.workspace import Workspace


def with_column(table: pa.Table, name: str, change: Callable[[list], list]) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, name, pa.array(change(table.column(name).to_pylist()), table.schema.field(name).type))


def test_the_example_conforms() -> None:
    assert validate_shacl(example_tables()) == []


def test_every_label_and_stored_relation_has_a_shape() -> None:
    text = shapes_turtle()
    assert len(Graph().parse(data=text, format="turtle")) > 100
    assert all(f"clew:{label}Shape" in text for label in ENTITY_LABELS)
    stored = [name for name, found in RELATIONS.items() if found.family in (Family.FACT, Family.LINK, Family.TREE)]
    assert all(f"clew:{name}Shape" in text for name in stored)


def _products(column: str, change: Callable[[list], list]) -> Callable[[GraphTables], GraphTables]:
    return lambda tables: replace(tables, products=with_column(tables.products, column, change))


def _brands(column: str, change: Callable[[list], list]) -> Callable[[GraphTables], GraphTables]:
    return lambda tables: replace(
        tables, evidence={**tables.evidence, "HAS_BRAND": with_column(tables.evidence["HAS_BRAND"], column, change)}
    )


@pytest.mark.parametrize(
    ("damage", "where", "message"),
    [
        (_products("title", lambda c: ["  ", *c[1:]]), "Product/p1", "A title is one text that is not blank."),
        (_products("price_high", lambda c: [*c[:1], 5.0, *c[2:]]), "Offer/p2", "A price range begins at 0 or more and is not upside down."),
        (_products("currency", lambda c: ["dollars", *c[1:]]), "Offer/p1", "A currency is an ISO 4217 code."),
        (_brands("confidence", lambda c: [1.5, *c[1:]]), "Evidence/HAS_BRAND/0", "A confidence is one number from 0 to 1."),
        (
            _brands("span_end", lambda c: [-1, *c[1:]]),
            "Evidence/HAS_BRAND/0",
            "A quoted span begins at 0 or later and ends after it begins.",
        ),
        (_brands("target_key", lambda c: ["lego", *c[1:]]), "Brand/lego", "A key of Brand begins with brand:"),
        (
            lambda t: replace(t, events=with_column(t.events, "item", lambda c: ["gone", *c[1:]])),
            "Event/0",
            "An event is about a product of the catalogue.",
        ),
    ],
)
def test_a_fault_is_found(damage: Callable[[GraphTables], GraphTables], where: str, message: str) -> None:
    found = validate_shacl(damage(example_tables()))
    assert (where, message) in [(fault.where, fault.message) for fault in found]


def test_the_command(tmp_path: Path) -> None:
    group = make_graph_group(lambda workspace, name: (ColumnFacts(), None))

    def call(*options: str) -> object:
        return CliRunner().invoke(group, ["validate", "--shacl", "-w", str(tmp_path), "--json", *options], catch_exceptions=False)

    Truth(Workspace(tmp_path).open(create=True).graph).write(example_tables())
    assert json.loads(call().stdout)["n_faults"] == 0
    broken = _products("currency", lambda c: ["dollars", *c[1:]])(example_tables())
    Truth(tmp_path / "graph").write(broken)
    done = call()
    assert done.exit_code == 1
    assert {"where": "Offer/p1", "message": "A currency is an ISO 4217 code."} in json.loads(done.stdout)["faults"]
