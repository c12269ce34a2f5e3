"""The text of a product: what likeness of texts is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kg.model import Product
from kg.ontology import Rel
from kg.snapshot import GraphSnapshot

if TYPE_CHECKING:
    from gnn.text import TextEncoder

# A brand column is worth its words (on Beauty +0.7 NDCG@20 for new products); a category's words are not (−0.7): it is a fact.
_COLUMNS = ("brand",)
_RELATIONS = {"brand": Rel.HAS_BRAND}


def product_text(product: Product, columns: Sequence[str] = _COLUMNS) -> str:
    """Title (unless it only repeats the key), then some columns as written."""
    title = "" if product.title == product.key else product.title
    return " ".join(part for part in (title, *(product.text(name) for name in columns)) if part)


def snapshot_texts(snapshot: GraphSnapshot) -> list[str]:
    """The same texts from a graph: titles, and what facts quote from that column (list of n_items)."""
    texts = [["" if title == key else title] for key, title in zip(snapshot.items, snapshot.titles(), strict=True)]
    for field, relation in _RELATIONS.items():
        edges = snapshot.edges.get(relation)
        if edges is None:
            continue
        fields = edges.evidence.column("field").to_pylist()
        quoted = edges.evidence.column("text").to_pylist()
        for row, name, text in zip(edges.source_rows.tolist(), fields, quoted, strict=True):
            if name == field:
                texts[row].append(text)
    return [" ".join(part for part in parts if part) for parts in texts]


def texts_vector(encoder: TextEncoder, text: str) -> NDArray[np.float32]:
    """The vector of one text by the parts of an encoder that do not know words (float32 [d])."""
    from gnn.text import JoinedEncoder
    from gnn.text_words import WordsEncoder

    parts = encoder.parts if isinstance(encoder, JoinedEncoder) else (encoder,)
    return np.concatenate([one.encode([text])[0] for one in parts if not isinstance(one, WordsEncoder)])
