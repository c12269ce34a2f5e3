"""Columns that state an attribute outright: used as they are, and checked against the title."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from extraction.base import Mention, entity_of
from extraction.canonical import canonical, share_before
from extraction.ounces import size_of
from kg.canon import canonical_name
from kg.digest import digest_json
from kg.model import Product

# Column → attribute of its mentions.
_COLUMNS = {
    "brand": "brand",
    "material": "material",
    "color": "color",
    "size": "size",
    "category": "product_type",
    "product_type": "product_type",
    "quantity": "quantity",
}
# Attributes whose column may list several values, and what stands between them.
_LISTS = {
    "material": re.compile(r"\s*(?:[;|/+]|,(?!\d)|\band\b|&)\s*", re.IGNORECASE),
    "color": re.compile(r"\s*(?:[;|/]|,(?!\d))\s*"),
    "product_type": re.compile(r"\s*\|\s*"),
}
_NOTHING = "n-a na none null nan unknown unbranded no-brand generic not-applicable does-not-apply other - --"
_EMPTY = frozenset(["", *_NOTHING.split(" ")])
_SHARE = re.compile(r"^\d{1,3}(?:[.,]\d+)?\s?%\s*")
_STATED, _SEEN = 0.97, 0.99


def find_columns(fields: Mapping[str, str], title: str) -> list[Mention]:
    """Mentions of the columns of a row; a value that the title repeats is a mention there too, and both are surer.

    A cell that only says that nothing is known ("N/A", "Generic") is none.
    """
    found: list[Mention] = []
    for column, attribute in _COLUMNS.items():
        cell = fields.get(column)
        if cell is None or canonical_name(cell) in _EMPTY:
            continue
        for start, end in _parts(cell, attribute):
            kind = fields.get("category") or fields.get("product_type") or ""
            found += _stated(cell, start, end, column, attribute, title, kind)
    return found


def _parts(cell: str, attribute: str) -> Iterator[tuple[int, int]]:
    """Spans of the values of one cell, blanks and percentages cut off."""
    separator, place = _LISTS.get(attribute), 0
    cuts = [*separator.finditer(cell)] if separator else []
    for stop, following in [*((m.start(), m.end()) for m in cuts), (len(cell), len(cell))]:
        start, end = place, stop
        place = following
        if attribute == "material" and (share := _SHARE.match(cell[start:end].lstrip())):
            start += len(cell[start:end]) - len(cell[start:end].lstrip()) + share.end()
        while start < end and cell[start].isspace():
            start += 1
        while end > start and cell[end - 1].isspace():
            end -= 1
        if canonical_name(cell[start:end]) not in _EMPTY:
            yield start, end


def _stated(cell: str, start: int, end: int, column: str, attribute: str, title: str, kind: str) -> list[Mention]:
    raw = cell[start:end]
    path = [part.strip() for part in raw.split(">") if part.strip()] if attribute == "product_type" else []
    value = " > ".join(path) or (size_of(raw, title, len(title), kind)[0] if attribute == "size" else canonical(attribute, raw))
    share = _share(cell, start) if attribute == "material" else None
    entity = entity_of(attribute, value)
    place = None if attribute == "product_type" else place_in(raw, title)
    mentions = [Mention(attribute, raw, value, entity, column, start, end, _SEEN if place else _STATED, "columns", True, share)]
    if place:
        share = _share(title, place[0]) if attribute == "material" else None
        mentions.append(Mention(attribute, title[place[0] : place[1]], value, entity, "title", *place, _SEEN, "columns", True, share))
    return mentions


def _share(text: str, start: int) -> float | None:
    found = share_before(text, start)
    return found[0] if found else None


def place_in(value: str, title: str) -> tuple[int, int] | None:
    """Where the title states a value, as whole words and whatever its case; None when it does not."""
    pattern = r"[\W_]+".join(re.escape(word) for word in re.findall(r"[^\W_]+", value))
    if not pattern:
        return None
    match = re.search(rf"(?<![^\W_]){pattern}(?![^\W_])", title, re.IGNORECASE)
    return match.span() if match else None


class ColumnExtractor:
    """Nothing but the columns of a row."""

    name = "columns"
    names: Mapping[str, str] = {}

    @property
    def digest(self) -> str:
        """Digest of the columns that are read."""
        return digest_json(["columns", 3, _COLUMNS])

    def extract(self, products: Iterable[Product]) -> Iterator[list[Mention]]:
        """One list of mentions per product."""
        return (find_columns(product.fields, product.title) for product in products)


def build_columns(products: Sequence[Product]) -> ColumnExtractor:
    """The extractor of columns; learns nothing from the products."""
    return ColumnExtractor()
