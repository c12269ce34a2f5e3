"""Catalogue files → products, every row checked."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from kg.chunks import Chunk
from kg.config import CatalogueColumns, CatalogueSource, SourceFile
from kg.errors import InputError
from kg.mapping import catalogue_columns
from kg.model import Price, Product
from kg.ontology import product_properties, stated_columns
from kg.own_ontology import property_value
from kg.progress import SILENT, Progress
from kg.rejects import Rejects
from kg.sources import Unseen, source_chunks
from kg.values import RowError, is_visible, key_of, text_of


class PriceParser(Protocol):
    """Reads a price out of text; the currency decides where a sign does not ("¥99", "$5", "5")."""

    def __call__(self, text: str, currency: str | None = None, /) -> Price | None:
        """The price, or None when the text holds none."""
        ...


_PLAIN_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_DIGIT = re.compile(r"\d")
_NEGATIVE = re.compile(r"[^\w\s]{0,2}\s*[-−–]\s*[^\w\s]?\s*\d")
_CURRENCY_SIGNS = {"€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "₫": "VND", "元": "CNY", "円": "JPY"}
# What shops write for "can be bought" and for "cannot", schema.org's words among them; without case, space, dashes, underscores.
_YES = frozenset(
    (
        *("true", "yes", "y", "t", "available", "instock", "onlineonly", "instoreonly", "limitedavailability", "preorder", "presale"),
        *("backorder", "ja", "oui", "si", "sí", "sì", "verfügbar", "auflager", "disponible", "enstock", "disponibile", "да", "вналичии"),
        *("有货", "有", "是", "在售", "在庫あり", "재고있음"),
    )
)
_NO = frozenset(
    (
        *("false", "no", "n", "f", "unavailable", "outofstock", "soldout", "discontinued", "reserved", "nein", "non", "nicht"),
        *("nichtverfügbar", "ausverkauft", "indisponible", "épuisé", "agotado", "esaurito", "нет", "нетвналичии"),
        *("无货", "无", "否", "缺货", "售罄", "下架", "在庫なし", "품절"),
    )
)


def read_catalogue(
    paths: Sequence[str | Path | SourceFile],
    mapping: CatalogueSource,
    rejects: Rejects,
    progress: Progress = SILENT,
    *,
    price_parser: PriceParser | None = None,
) -> Iterator[Product]:
    """The products of all files, in their order.

    Of two rows with one key the first is taken; the later one is rejected, unless it says the same (then it is counted in
    `rejects.repeats`). A title of emoji alone is taken: people see it and buy it, and only reading its text finds nothing.

    Args:
        paths: files; `-` is standard input.
        mapping: columns (guessed when it has none), joins, currency, highest price.
        rejects: takes the rows that are wrong.
        price_parser: reads a price out of text such as "was $50 now $35"; without it only plain numbers are read.

    Raises:
        InputError: a file or column is missing, there are too many rejects, or no row at all was taken.
    """
    reader = _Reader(mapping, rejects, price_parser)
    with progress.stage("reading the catalogue") as advance:
        for chunk in source_chunks(paths, mapping.join, rejects, advance):
            yield from reader.products(chunk)
    for name, role in reader.unseen.columns.items():
        # A note, not an error: a new product typed in as JSON may well have no brand.
        progress.note(f"No row of {reader.unseen.file} has {name!r} ({role}).")
    if not reader.seen:
        most = max(rejects.reasons, key=lambda reason: rejects.reasons[reason], default="")
        why = f"all {rejects.rows:,} rows were rejected, most often: {most}" if rejects.count else "there is no row"
        files = ", ".join(str(p.path if isinstance(p, SourceFile) else p) for p in paths) or "no file"
        hint = "Save the file as UTF-8." if most == "not UTF-8" else "Check the file and its columns under [catalogue]."
        raise InputError(f"The catalogue has no product ({files}): {why}.", hint)


class _Reader:
    def __init__(self, mapping: CatalogueSource, rejects: Rejects, price_parser: PriceParser | None) -> None:
        self._mapping = mapping
        self._rejects = rejects
        self._parse = price_parser
        self._columns: CatalogueColumns | None = None
        self._file = ""
        self.unseen = Unseen()
        self._properties = product_properties()
        self._own_columns = dict.fromkeys([*(each.column for each in stated_columns()), *(each.column for each in self._properties)])
        # Key → hashes of title and of the whole row, and its line: a million keys fit into memory, a million rows might not.
        self.seen: dict[str, tuple[int, int, str]] = {}

    def products(self, chunk: Chunk) -> Iterator[Product]:
        if self._columns is None or self._file != chunk.file:
            self._columns, self._file = catalogue_columns(self._mapping.columns, chunk), chunk.file
            self.unseen.start(chunk, self._columns)
        columns = self._columns
        self.unseen.see(chunk)
        text = {role: getattr(columns, role) for role in CatalogueColumns.TEXT if getattr(columns, role)}
        text.update({name: name for name in columns.other})
        text.update({name: name for name in self._own_columns})
        names = [columns.item, columns.title, columns.price, columns.currency, columns.available, *text.values()]
        cells = [chunk.column(name) if name else [None] * len(chunk) for name in names]
        roles, what, name = tuple(text), f"product key ({columns.item})", Path(chunk.file).name
        for place, values in enumerate(zip(*cells, strict=True)):
            try:
                product = self._product(roles, what, values, f"{name}:{chunk.lines[place]}")
            except RowError as error:
                self._rejects.add(chunk.file, chunk.lines[place], str(error), chunk.row(place))
                continue
            if product is not None:
                yield product

    def _product(self, roles: tuple[str, ...], what: str, values: tuple[Any, ...], source: str) -> Product | None:
        """The product of a row, or None when an earlier row said the same."""
        key = key_of(values[0], what)
        title = text_of(values[1]) or ""
        if self._mapping.untitled == "key" and not is_visible(title):
            title = key
        if not is_visible(title):
            raise RowError(f"blank title: the product {key!r} has no character that can be seen")
        fields = {role: text for role, value in zip(roles, values[5:], strict=True) if (text := text_of(value)) and not text.isspace()}
        self._check_properties(fields)
        price = self._price(values[2], values[3])
        product = Product(key, title, fields, price, values[4] is None or _available(values[4]), source)
        digests = (hash(title), hash((title, tuple(fields.items()), price, product.available)), source)
        first = self.seen.setdefault(key, digests)
        if first is digests:
            return product
        if first[1] == digests[1]:
            self._rejects.repeats += 1
            return None
        differs = "title" if first[0] != digests[0] else "content (the title is the same)"
        raise RowError(f"key again with another {differs}: {key!r} was taken from {first[2]}")

    def _check_properties(self, fields: dict[str, str]) -> None:
        for each in self._properties:
            text = fields.get(each.column, "")
            if each.required and not text.strip():
                raise RowError(f"no {each.name}: the column {each.column} is blank")
            try:
                property_value(text, each.type)
            except ValueError:
                raise RowError(f"wrong {each.name}: {text[:40]!r} is no {each.type}") from None

    def _price(self, value: Any, currency: Any) -> Price | None:
        if value is None:
            return None
        stated = _currency(currency) if currency else None
        price = self._read_price(value, stated or self._mapping.currency)
        if price is None:
            return None
        for bound in (price.low, price.high):
            if bound is not None and bound > self._mapping.max_price:
                raise RowError(f"absurd price: {bound:g} is above {self._mapping.max_price:g} (max_price under [catalogue])")
        code = stated or price.currency or self._mapping.currency
        return price if code == price.currency else Price(price.low, price.high, code, price.was, price.per, price.count)

    def _read_price(self, value: Any, currency: str | None) -> Price | None:
        if isinstance(value, bool | list | dict):
            raise RowError(f"unreadable price: {str(value)[:80]}")
        if isinstance(value, int | float | Decimal):
            return _number_price(_as_float(value))
        text = (text_of(value) or "").strip()
        if _PLAIN_NUMBER.fullmatch(text):
            return _number_price(float(text))
        if not _DIGIT.search(text):
            return None  # "", "n/a", "call us": the shop states no price
        if _NEGATIVE.match(text):
            raise RowError(f"negative price: {text[:80]!r}")
        try:
            price = self._parse(text, currency) if self._parse else None
        except InputError as error:
            raise RowError(f"unreadable price: {text[:80]!r} ({error.message.rstrip('.')})") from None
        if price is None:
            raise RowError(f"unreadable price: {text[:80]!r}")
        return price


def _as_float(value: float | Decimal) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of more than 308 digits
        return math.inf if value > 0 else -math.inf


def _number_price(value: float) -> Price | None:
    if math.isnan(value):
        return None
    if value < 0:
        raise RowError(f"negative price: {value:g}")
    if math.isinf(value):
        raise RowError("absurd price: infinite")
    return Price(value, value)


def _currency(value: Any) -> str | None:
    text = (text_of(value) or "").strip()
    if not text:
        return None
    code = _CURRENCY_SIGNS.get(text, text.upper())
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise RowError(f"unknown currency: {text[:20]!r} is no ISO 4217 code such as USD")
    return code


def _available(value: Any) -> bool:
    """Whether it can be bought; a number is a stock, nothing said means yes.

    Raises:
        RowError: words that say neither.
    """
    text = (text_of(value) or "").strip()
    if not text:
        return True
    if re.fullmatch(r"[-+]?\d+(\.\d+)?", text):
        return float(text) > 0
    word = re.sub(r"[\s_\-]+", "", text.casefold().rpartition("/")[2])
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise RowError(f"unknown availability: {text[:40]!r}")
