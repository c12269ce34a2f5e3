"""Conditions on properties that an ontology file types, of every type, with values that are there, missing or no value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from kg.interop import from_networkx, to_networkx
from kg.model import Product
from kg.ontology import adopt, scope
from kg.ontology_file import load_ontology
from kg.snapshot import GraphSnapshot
from kg.snapshot_io import build_snapshot, open_snapshot, save_snapshot
from kg.tables import EVENT_SCHEMA
from recommend.filters import ProductFilter
from recommend.where import WhereError, parse_where

ONTOLOGY = """
[labels.Product.properties]
pages = "integer"
weight = "number"
signed = "boolean"
printed = "date"
binding = "text"
"""
ROWS = {
    "p0": {"pages": "120", "weight": "0.5", "signed": "yes", "printed": "1999-12-31", "binding": "Soft Cover"},
    "p1": {"pages": "480", "weight": "1.25", "signed": "false", "printed": "2004-02-29", "binding": "hard cover"},
    "p2": {"pages": "many", "weight": "", "signed": "", "printed": "spring", "binding": ""},
    "p3": {"pages": "9007199254740993", "weight": "3", "signed": "true", "printed": "2020-01-01", "binding": "Leather"},
}


@pytest.fixture
def books(tmp_path: Path) -> Iterator[GraphSnapshot]:
    path = tmp_path / "ontology.toml"
    path.write_text(ONTOLOGY, encoding="utf-8")
    with scope():
        adopt(load_ontology(path), str(path))
        products = [Product(key, f"Book {key}", fields) for key, fields in ROWS.items()]
        yield build_snapshot(products, [], EVENT_SCHEMA.empty_table())


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("pages < 480", "p0"),
        ("pages <= 480.0", "p0 p1"),
        ("pages != 120", "p1 p3"),
        ("pages = 9007199254740993", "p3"),
        ("pages = 9007199254740992", ""),
        ("pages not in (120, 480)", "p3"),
        ("weight > 0.5", "p1 p3"),
        ("weight in (0.5, 3)", "p0 p3"),
        ("signed = true", "p0 p3"),
        ("signed = YES", "p0 p3"),
        ("signed != true", "p1"),
        ("not signed = true", "p1 p2"),
        ("printed >= 2004-02-29", "p1 p3"),
        ("printed < 2000-01-01", "p0"),
        ('binding = "SOFT  cover"', "p0"),
        ("binding ~ cover", "p0 p1"),
        ("binding != leather", "p0 p1"),
        ("binding not in (leather, 'hard cover')", "p0"),
    ],
)
def test_what_a_condition_selects(books: GraphSnapshot, where: str, expected: str) -> None:
    found, notes = ProductFilter(books).mask(where)
    assert " ".join(key for key, held in zip(books.items, found.tolist(), strict=True) if held) == expected
    assert notes == ()


@pytest.mark.parametrize(
    ("where", "place", "says", "hint"),
    [
        ("pages < many", 8, "'many' is no number", "pages <= 30"),
        ("signed = perhaps", 9, "'perhaps' is no boolean", "true or false"),
        ("signed < true", 7, "< does not compare signeds", "= or !="),
        ("signed ~ t", 7, "~ does not compare booleans", "= or !="),
        ("printed > 1999-02-30", 10, "'1999-02-30' is no date", "1999-12-31"),
        ("printed ~ 1999", 8, "~ does not compare dates", "<="),
        ("binding < soft", 8, "< does not compare bindings", "in or ~"),
    ],
)
def test_a_mistake_is_named_with_its_place(books: GraphSnapshot, where: str, place: int, says: str, hint: str) -> None:
    with pytest.raises(WhereError) as caught:
        parse_where(where)
    assert says in caught.value.message
    assert caught.value.place == place
    assert hint in caught.value.hint


def test_a_snapshot_is_kept_and_taken_elsewhere_with_them(books: GraphSnapshot, tmp_path: Path) -> None:
    assert books.products.column("printed").to_pylist() == ["1999-12-31", "2004-02-29", None, "2020-01-01"]
    assert books.products.schema.field("pages").type == pa.int64()
    save_snapshot(books, tmp_path / "kept")
    kept = open_snapshot(tmp_path / "kept", books.digest)
    assert kept is not None and kept.products.equals(books.products)
    assert from_networkx(to_networkx(books)).products.equals(books.products)
