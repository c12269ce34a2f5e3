"""The text of a product: what likeness of texts is measured on."""

from __future__ import annotations

from kg.model import Product
from kg.ontology import Rel
from kg.snapshot import GraphSnapshot

# Columns that are words of the shop's own; a kind of product such as TOY_BUILDING_BLOCK is a fact and no text.
_COLUMNS = ("brand", "category")
_RELATIONS = {"brand": Rel.HAS_BRAND, "category": Rel.IN_CATEGORY}


def product_text(product: Product) -> str:
    """Title, then the columns brand and category as written."""
    return " ".join(part for part in (product.title, *(product.text(name) for name in _COLUMNS)) if part)


def snapshot_texts(snapshot: GraphSnapshot) -> list[str]:
    """The same texts from a graph: titles, and what facts quote from those columns (list of n_items)."""
    texts = [[title] for title in snapshot.titles()]
    for field, relation in _RELATIONS.items():
        edges = snapshot.edges.get(relation)
        if edges is None:
            continue
        fields = edges.evidence.column("field").to_pylist()
        quoted = edges.evidence.column("text").to_pylist()
        for row, name, text in zip(edges.source_rows.tolist(), fields, quoted, strict=True):
            if name == field:
                texts[row].append(text)
    return [" ".join(parts) for parts in texts]
