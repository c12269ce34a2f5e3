"""Rows of a file as products for an extractor: no workspace, no mapping, the column names that people give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kg.errors import ClewError, InputError
from kg.model import Product
from kg.progress import Progress
from kg.readers import read_rows
from kg.rejects import Rejects

LEARNED = 50_000
# Columns by other names that people give them.
_KEYS = ("key", "item_key", "item_id", "item", "id", "asin", "sku")
_TITLES = ("title", "input", "name", "product_name")
_FIELDS = {
    "description": "description",
    "features": "features",
    "details": "details",
    "summary": "summary",
    "product_type": "category",
    "category": "category",
    "brand": "brand",
    "material": "material",
    "color": "color",
    "colour": "color",
    "size": "size",
    "quantity": "quantity",
    "price": "price",
}


def read_products(path: str | Path, rejects: Rejects, name: str = "") -> Iterator[Product]:
    """The products of a file (any format of `kg.readers`); a row without a usable title or key is set aside.

    A row without a key goes by its line. A list of values is read as one text, its values joined by `|`.

    Args:
        path: the file.
        rejects: hears of the rows that are set aside.
        name: what the file is called there; its path when not given.

    Raises:
        InputError: the file cannot be read, or no row of it has a title.
    """
    taken = 0
    for line, row in read_rows(path, rejects):
        rejects.rows += 1
        try:
            product = product_of(row, str(line))
        except ClewError as error:
            rejects.add(name or path, line, error.message.rstrip("."), row)
            continue
        taken += 1
        yield product
    if not taken:
        hint = f"The first row: {rejects.first[0]['reason']}." if rejects.first else "It has no rows."
        raise InputError(f"{name or path} has no product that can be read.", hint)


def products_to_learn(path: str | Path, progress: Progress) -> Iterator[Product]:
    """The products of a file that is learned from; rows that teach nothing are counted aloud, the first with its reason.

    Args:
        path: the file.
        progress: hears of the rows that are set aside.

    Raises:
        InputError: as `read_products`.
    """
    rejects = Rejects()
    yield from read_products(path, rejects)
    if rejects.count:
        first = rejects.first[0]
        rows = "1 row teaches" if rejects.count == 1 else f"{rejects.count:,} rows teach"
        progress.note(f"{path}: {rows} nothing, such as line {first['line']}: {first['reason']}.")


def thinned(products: Iterable[Product], most: int = LEARNED) -> tuple[list[Product], int]:
    """Products to learn from, evenly spread over a catalogue that may not fit in memory, and how many there were.

    Args:
        products: read once, as they come.
        most: all of them up to so many; else every second, fourth, eighth …, at least half as many.
    """
    kept: list[Product] = []
    step, count = 1, 0
    for count, product in enumerate(products, 1):
        if (count - 1) % step == 0:
            kept.append(product)
            if len(kept) > most:
                kept, step = kept[::2], step * 2
    return kept, count


def product_of(row: Mapping[str, Any], fallback_key: str) -> Product:
    """One row as a product.

    Args:
        row: column → value, as a file or a JSON document has them.
        fallback_key: key of a row that has none.

    Raises:
        InputError: no title, a blank one, or a key that is too long.
    """
    title = next((_text(row[name]) for name in _TITLES if name in row and _text(row[name])), "")
    if not title:
        named = " or ".join(repr(name) for name in _TITLES[:1])
        raise InputError(
            f"the row has no {named}" if not any(n in row for n in _TITLES) else "the title is blank", "Give each row a title."
        )
    key = next((_text(row[name]) for name in _KEYS if row.get(name) not in (None, "")), "") or fallback_key
    fields = {ours: text for theirs, ours in _FIELDS.items() if theirs in row and (text := _text(row[theirs]))}
    return Product(key, title, fields)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return "|".join(_text(v) for v in value if v is not None)
    text = str(value)
    return text if text.strip() else ""
