"""Titles with their mentions marked, for people: displaCy's picture of them as one HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from extraction.base import Mention
from kg.model import Product

_COLORS = {"brand": "#ffd8a8", "material": "#b2f2bb", "color": "#d0bfff", "size": "#a5d8ff", "quantity": "#ffec99", "price": "#ffc9c9"}


def page(read: Iterable[tuple[Product, Sequence[Mention]]]) -> str:
    """One HTML page with the accepted mentions of each title; a mention inside another is left to the longer one."""
    from spacy import displacy

    docs = [
        {"text": product.title, "ents": [{"start": m.start, "end": m.end, "label": m.attribute} for m in _apart(mentions)]}
        for product, mentions in read
    ]
    html: str = displacy.render(docs, style="ent", manual=True, page=True, jupyter=False, options={"colors": _COLORS})
    return html


def _apart(mentions: Sequence[Mention]) -> list[Mention]:
    """Accepted mentions of the title that do not overlap, from left to right."""
    kept: list[Mention] = []
    for mention in sorted((m for m in mentions if m.accepted and m.field == "title"), key=lambda m: (m.start - m.end, m.start)):
        if all(mention.end <= other.start or mention.start >= other.end for other in kept):
            kept.append(mention)
    return sorted(kept, key=lambda m: m.start)
