"""Values that were learned from, as a gazetteer: where they stand in a text is a hint. A training row never sees its own labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from extraction.tag_features import Hints, Tokens

LONGEST = 8
_SHORT = 4


class KnownValues:
    """How many rows label a value with an attribute, and how many label one that ends alike.

    Args:
        values: casefolded value → attribute → rows.
        endings: last two characters of a value → attribute → rows; for languages without blanks the head of a name.
    """

    def __init__(self, values: Mapping[str, Mapping[str, int]], endings: Mapping[str, Mapping[str, int]]) -> None:
        self.values, self.endings = values, endings

    @classmethod
    def count(cls, rows: Iterable[Mapping[str, frozenset[str]]]) -> KnownValues:
        """Count the values of rows (attribute → values)."""
        values: dict[str, dict[str, int]] = {}
        endings: dict[str, dict[str, int]] = {}
        for row in rows:
            for table, own in zip((values, endings), _own(row), strict=True):
                for text, attribute in own:
                    entry = table.setdefault(text, {})
                    entry[attribute] = entry.get(attribute, 0) + 1
        return cls(values, endings)

    def hints(self, tokens: Tokens, base: Hints, own: Mapping[str, frozenset[str]] | None = None) -> Hints:
        """The hints of a text with those of known values.

        Args:
            tokens: of the text.
            base: hints that are there already.
            own: labels of the row itself, when it was counted; they are taken out.
        """
        left_out, ends_out = _own(own) if own else (set(), set())
        names: dict[int, list[str]] = {i: list(said) for i, said in base.names.items()}
        text, n = tokens.text, len(tokens)
        for i in range(n):
            for j in range(i + 1, min(n, i + LONGEST) + 1):
                piece = text[tokens.starts[i] : tokens.ends[j - 1]].casefold()
                for attribute, rows in self.values.get(piece, {}).items():
                    if rows > ((piece, attribute) in left_out):
                        _mark(names, i, j, attribute)
                if j - i == 2:
                    for attribute, rows in self.endings.get(piece, {}).items():
                        others = rows - ((piece, attribute) in ends_out)
                        if others:
                            names.setdefault(j - 1, []).append(f"t:{attribute}:{min(others.bit_length(), 3)}")
        return Hints({i: list(dict.fromkeys(said)) for i, said in names.items()}, base.rules, base.kind)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"values": self.values, "endings": self.endings}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> KnownValues:
        """The gazetteer of a JSON form."""
        return cls(kept["values"], kept["endings"])


def _own(row: Mapping[str, frozenset[str]]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    values = {(value.casefold(), attribute) for attribute, said in row.items() for value in said}
    return values, {(value[-2:], attribute) for value, attribute in values if len(value) > 1}


def _mark(names: dict[int, list[str]], first: int, last: int, attribute: str) -> None:
    length = min(last - first, _SHORT)
    names.setdefault(first, []).append(f"g:{attribute}:{'S' if last - first == 1 else 'B'}:{length}")
    for i in range(first + 1, last):
        names.setdefault(i, []).append(f"g:{attribute}:{'E' if i == last - 1 else 'M'}:{length}")
