"""Which products may be recommended, and which of the best are taken: conditions, deny lists, stock, brands, equal titles."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kg.canon import canonical_name
from kg.errors import InputError
from kg.ontology import Family, Rel, relation
from kg.own_ontology import property_value
from kg.snapshot import GraphSnapshot
from recommend.where import Comparison, Condition, Every, Not, Some, entity_fields, parse_where, property_fields

Mask = NDArray[np.bool_]
_COMPARE: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64], float], Mask]] = {
    # A product sold from `low` to `high` passes when one price of that range does.
    "=": lambda low, high, value: (low <= value) & (value <= high),
    "!=": lambda low, high, value: (low != value) | (high != value),
    "<": lambda low, high, value: low < value,
    "<=": lambda low, high, value: low <= value,
    ">": lambda low, high, value: high > value,
    ">=": lambda low, high, value: high >= value,
}


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


_NUMBERS: dict[str, Callable[[str], Any]] = {"integer": Decimal, "number": float}  # "year < 1999.5" is a condition too


class ProductFilter:
    """Evaluates conditions on the products of a snapshot and takes the best that may stand together.

    Args:
        snapshot: the graph; its columns are read when a condition asks for them.
    """

    def __init__(self, snapshot: GraphSnapshot) -> None:
        self._snapshot = snapshot

    @cached_property
    def available(self) -> Mask:
        """bool [n_items], False for products that are out of stock."""
        # Not `to_numpy`: that imports pandas wherever it is installed, for a third of a second.
        return np.fromiter((one is not False for one in self._snapshot.products.column("available").to_pylist()), bool)

    @cached_property
    def titles(self) -> list[str]:
        """Titles in the form in which two are the same, by item row."""
        return [_folded(title) for title in self._snapshot.titles()]

    @cached_property
    def title_groups(self) -> NDArray[np.int32]:
        """int32 [n_items], equal for products of equal title."""
        number: dict[str, int] = {}
        return np.fromiter((number.setdefault(title, len(number)) for title in self.titles), np.int32, len(self.titles))

    def twins(self, rows: NDArray[np.int32]) -> Mask:
        """bool [n_items], products with the title of one of these (int32) item rows, those among them."""
        which = np.zeros(len(self.title_groups), bool)
        which[self.title_groups[rows]] = True
        return which[self.title_groups]

    @cached_property
    def brands(self) -> NDArray[np.int32]:
        """int32 [n_items], entity row of the first brand of a product, −1 without one."""
        first = np.full(self._snapshot.n_items, -1, np.int32)
        edges = self._snapshot.edges.get(Rel.HAS_BRAND)
        if edges is not None:
            first[edges.source_rows[::-1]] = edges.target_rows[::-1]
        return first

    def mask(self, where: str) -> tuple[Mask, tuple[str, ...]]:
        """Where a condition holds (bool [n_items]), and notes on values that no product has.

        Raises:
            WhereError: the condition cannot be read.
        """
        notes: list[str] = []
        if not where.strip():
            return np.ones(self._snapshot.n_items, bool), ()
        return self._evaluate(parse_where(where), notes), tuple(notes)

    def _evaluate(self, condition: Condition, notes: list[str]) -> Mask:
        if isinstance(condition, Not):
            return ~self._evaluate(condition.inner, notes)
        if isinstance(condition, Every):
            return reduce(operator.and_, [self._evaluate(part, notes) for part in condition.parts])
        if isinstance(condition, Some):
            return reduce(operator.or_, [self._evaluate(part, notes) for part in condition.parts])
        if condition.field == "price":
            return self._price(condition)
        if condition.field == "title":
            return self._text(condition, self.titles)
        if condition.field in property_fields():
            return self._property(condition)
        return self._entity(condition, notes)

    def _price(self, test: Comparison) -> Mask:
        columns = [self._snapshot.products.column(name).to_pylist() for name in ("price_low", "price_high")]
        low, high = (np.array(column, np.float64) for column in columns)
        low, high = np.where(np.isnan(low), high, low), np.where(np.isnan(high), low, high)
        sign = {"in": "=", "not in": "!="}.get(test.operator, test.operator)
        held = [_COMPARE[sign](low, high, float(value)) for value in test.values]
        return reduce(operator.and_ if sign == "!=" else operator.or_, held) & ~np.isnan(low)

    def _text(self, test: Comparison, texts: Sequence[str]) -> Mask:
        if test.operator == "~":
            found = _word(test.values[0])
            return np.fromiter((found(text) for text in texts), bool, len(texts))
        wanted = {_folded(value) for value in test.values}
        same = np.fromiter((text in wanted for text in texts), bool, len(texts))
        return ~same if test.operator in ("!=", "not in") else same

    def _property(self, test: Comparison) -> Mask:
        """A property that the ontology file types; a product without it is in no comparison."""
        kind = property_fields()[test.field]
        column = self._snapshot.products.column(test.field).to_pylist()
        there = np.fromiter((value is not None for value in column), bool, len(column))
        if kind == "text":
            found: Mask = self._text(test, [_folded(value or "") for value in column]) & there
            return found
        wanted = [_NUMBERS[kind](value) if kind in _NUMBERS else property_value(value, kind) for value in test.values]
        compare = _ORDER[{"in": "=", "not in": "!="}.get(test.operator, test.operator)]
        every = test.operator in ("!=", "not in")
        held = ((all if every else any)(compare(value, one) for one in wanted) if value is not None else False for value in column)
        return np.fromiter(held, bool, len(column))

    def _entity(self, test: Comparison, notes: list[str]) -> Mask:
        name = entity_fields()[test.field]
        matching = self._entities(test, name, notes)
        edges = self._snapshot.edges.get(name)
        held = np.zeros(self._snapshot.n_items, bool)
        if edges is None:
            return held
        held[edges.source_rows[matching[edges.target_rows]]] = True
        if test.operator in ("!=", "not in"):
            some = np.zeros(self._snapshot.n_items, bool)
            some[edges.source_rows] = True
            return some & ~held
        return held

    def _entities(self, test: Comparison, relation_name: str, notes: list[str]) -> Mask:
        """The entities that a test names (bool [n_entities]), and those below them in a tree."""
        table, label = self._snapshot.entity_table, relation(relation_name).target
        names = zip(table.column("label").to_pylist(), table.column("name").to_pylist(), self._snapshot.entities, strict=True)
        rows = [(row, str(name), key) for row, (kind, name, key) in enumerate(names) if kind == label]
        matching = np.zeros(self._snapshot.n_entities, bool)
        for value in test.values:
            named = _named(value, test.operator == "~")
            hit = [row for row, name, key in rows if named(name) or key == value]
            matching[hit] = True
            if not hit:
                notes.append(_nothing_like(test.field, value, [name for _, name, _ in rows]))
        return self._below(matching)

    def _below(self, matching: Mask) -> Mask:
        """With every entity also those that are a kind or part of it."""
        trees = [edges for edges in self._snapshot.edges.values() if edges.relation.family is Family.TREE]
        while True:
            grown = matching.copy()
            for edges in trees:
                grown[edges.source_rows[matching[edges.target_rows]]] = True
            if (grown == matching).all():
                return grown
            matching = grown

    def take(self, rows: Iterable[int], k: int, max_per_brand: int | None = None) -> list[int]:
        """The first k item rows that may stand together.

        Args:
            rows: item rows, best first.
            k: how many.
            max_per_brand: at most so many of one brand; None for no limit.
        """
        groups, brands = self.title_groups, self.brands
        seen: set[int] = set()
        of_brand: dict[int, int] = {}
        taken: list[int] = []
        for row in rows:
            brand, group = int(brands[row]), int(groups[row])
            if group in seen or (max_per_brand is not None and brand >= 0 and of_brand.get(brand, 0) >= max_per_brand):
                continue
            seen.add(group)
            of_brand[brand] = of_brand.get(brand, 0) + 1
            taken.append(row)
            if len(taken) == k:
                break
        return taken


def best_first(scores: NDArray[np.float64], allowed: Mask, k: int) -> Iterator[int]:
    """Allowed rows by falling score, ties by row; sorts only as many as are asked for."""
    rows = np.flatnonzero(allowed)
    size, done = max(4 * k, 64), 0
    while done < len(rows):
        if size < len(rows):
            border = np.partition(scores[rows], len(rows) - size)[len(rows) - size]
            part = rows[scores[rows] >= border]
        else:
            part = rows
        part = part[np.lexsort((part, -scores[part]))]
        yield from part[done:].tolist()
        done, size = len(part), size * 8


def _folded(text: str) -> str:
    """The form in which two texts are the same."""
    return " ".join(text.casefold().split())


def _word(value: str) -> Callable[[str], bool]:
    """Whether a casefolded text holds the value at the start of a word (anywhere, for a script without spaces)."""
    folded = _folded(value)
    pattern = re.compile((r"(?<!\w)" if folded[:1].isascii() and folded[:1].isalnum() else "") + re.escape(folded))
    return lambda text: pattern.search(text) is not None


def _named(value: str, contains: bool) -> Callable[[str], bool]:
    if contains:
        holds = _word(value)
        return lambda name: holds(name.casefold())
    wanted = canonical_name(value)
    return lambda name: canonical_name(name) == wanted


def _nothing_like(field: str, value: str, names: list[str]) -> str:
    from rapidfuzz import fuzz, process, utils  # only on the way to a note

    near = [
        name for name, _, _ in process.extract(value, names, scorer=fuzz.WRatio, processor=utils.default_process, limit=3, score_cutoff=70)
    ]
    return f"No product has the {field} {value!r}" + (f"; near ones are {', '.join(near)}." if near else ".")


def read_keys(path: Path) -> frozenset[str]:
    """Keys of a deny list: one a line; blank lines and lines that start with # are passed over.

    Raises:
        InputError: the file is not there, is a folder, or is not UTF-8.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise InputError(f"The deny list {path} {what}.", "Give a text file with one product key a line.")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"The deny list {path} is not UTF-8 (byte {error.start}).", "Save it as UTF-8.") from None
    return frozenset(line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#"))
