"""Facts of columns that an ontology file maps to relations: a film's `director` cell is its HAS_DIRECTOR."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kg.model import Entity, Evidence, Fact, Product
from kg.ontology import Ontology, StatedColumn, relation

_EXTRACTOR = "columns"


def column_facts(products: Iterable[Product], ontology: Ontology) -> Iterator[Fact]:
    """One fact for each value of each mapped cell, with the span that states it; a cell of nothing states nothing."""
    for product in products:
        for column in ontology.columns:
            yield from _of_cell(product, column)


def _of_cell(product: Product, column: StatedColumn) -> Iterator[Fact]:
    cell, found = product.text(column.column), relation(column.relation)
    start = 0
    for part in cell.split(column.separator):
        name = part.strip()
        if any(character.isalnum() for character in name):
            place = start + part.index(name)
            evidence = Evidence(column.column, place, place + len(name), name, _EXTRACTOR, 1.0)
            yield Fact(product.key, found, Entity(found.target, name), (evidence,))
        start += len(part) + len(column.separator)
