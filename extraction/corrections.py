"""What a person said is wrong, right or the same: a file of its own that survives every ingest.

One JSON object a line:

    {"wrong": {"item_key": "B01", "attribute": "brand", "entity": "brand:stainless"}}
    {"wrong": {"attribute": "brand", "entity": "brand:stainless"}}          wrong for every product
    {"right": {"item_key": "B01", "attribute": "brand", "value": "Takeya"}}
    {"same": ["brand:l-oreal", "brand:l-oreal-paris"]}                        the first one stays
    {"different": ["brand:youtopia", "brand:youcopia"]}                       alike, and not the same

The last line about a thing wins, so a correction is taken back by a later one; `"undo": true` beside it removes it. Nothing is lost by
joining two: each fact keeps what it quotes, and without the line the next ingest tells them apart again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kg.digest import digest_json
from kg.errors import InputError

_EXAMPLE = 'A line reads {"wrong": {"item_key": …, "attribute": …, "entity": …}}, {"right": {…, "value": …}}, {"same": [KEY, KEY]} …'


@dataclass(frozen=True, slots=True)
class Corrections:
    """All corrections of a workspace, ready to be looked up.

    Args:
        wrong: (item key, entity key) pairs that are no facts; "" as item key: of no product.
        right: item key → attribute → values that a person gave.
        same: entity key → the key that it stands for.
        different: pairs of entity keys, the smaller first, that are not the same however alike.
    """

    wrong: frozenset[tuple[str, str]] = frozenset()
    right: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=lambda: MappingProxyType({}))
    same: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    different: frozenset[tuple[str, str]] = frozenset()

    @property
    def digest(self) -> str:
        """Digest of the content, whatever the order of the lines was."""
        right = {item: {name: list(values) for name, values in by_name.items()} for item, by_name in self.right.items()}
        return digest_json([sorted(map(list, self.wrong)), right, dict(self.same), sorted(map(list, self.different))])

    def refuses(self, item_key: str, entity: str) -> bool:
        """Whether somebody said that the product does not have the entity."""
        return (item_key, entity) in self.wrong or ("", entity) in self.wrong

    def speaks_of(self, one: str, other: str) -> bool:
        """Whether somebody said that two entities are the same, or that they are not."""
        return _pair(one, other) in self.different or self.canonical(one) == self.canonical(other)

    def canonical(self, entity: str) -> str:
        """The key that an entity goes by."""
        return self.same.get(entity, entity)


NO_CORRECTIONS = Corrections()


def read_corrections(path: Path) -> Corrections:
    """The corrections of a file; none when the file is not there.

    Raises:
        InputError: a line that is not a correction; names file and line.
    """
    if not path.exists():
        return NO_CORRECTIONS
    said = _Said()
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.strip():
            said.take(_parsed(line, f"{path}:{number}"), f"{path}:{number}")
    return Corrections(frozenset(said.wrong), said.right, {key: _last(key, said.same) for key in said.same}, frozenset(said.different))


def append_correction(path: Path, entry: Mapping[str, Any]) -> None:
    """Add one line, after checking that it is a correction.

    Raises:
        InputError: it is not one.
    """
    _Said().take(entry, "the correction")
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n")


def taken_back(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The line that takes a correction back."""
    return {**entry, "undo": True}


def _parsed(line: str, where: str) -> Mapping[str, Any]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is not JSON: {error.msg}.", _EXAMPLE) from None
    if not isinstance(entry, dict):
        raise InputError(f"{where} is no JSON object.", _EXAMPLE)
    return entry


class _Said:
    """What lines say together, the last one about a thing on top."""

    def __init__(self) -> None:
        self.wrong: dict[tuple[str, str], None] = {}
        self.right: dict[str, dict[str, tuple[str, ...]]] = {}
        self.same: dict[str, str] = {}
        self.different: dict[tuple[str, str], None] = {}

    def take(self, entry: Mapping[str, Any], where: str) -> None:
        """Add one line.

        Raises:
            InputError: it is no correction.
        """
        undo = entry.get("undo") is True
        kinds = set(entry) - {"undo"}
        if kinds == {"wrong"}:
            about = _texts(entry["wrong"], {"attribute", "entity"}, {"item_key"}, where)
            _set(self.wrong, (about.get("item_key", ""), about["entity"]), undo)
        elif kinds == {"right"}:
            self._give(_texts(entry["right"], {"item_key", "attribute", "value"}, set(), where), undo)
        elif kinds == {"same"}:
            keys = _keys(entry["same"], where)
            for key in keys[1:]:
                _set(self.different, _pair(keys[0], key), True)
            _join(keys, self.same, undo)
        elif kinds == {"different"}:
            keys = _keys(entry["different"], where)
            for key in keys[1:]:
                _set(self.different, _pair(keys[0], key), undo)
        else:
            raise InputError(f"{where} is no correction.", _EXAMPLE)

    def _give(self, about: Mapping[str, str], undo: bool) -> None:
        values = self.right.setdefault(about["item_key"], {})
        kept = tuple(value for value in values.pop(about["attribute"], ()) if value != about["value"])
        if left := kept if undo else (*kept, about["value"]):
            values[about["attribute"]] = left
        if not values:
            del self.right[about["item_key"]]


def _set(found: dict[tuple[str, str], None], pair: tuple[str, str], undo: bool) -> None:
    if undo:
        found.pop(pair, None)
    else:
        found.setdefault(pair)


def _pair(one: str, other: str) -> tuple[str, str]:
    return min(one, other), max(one, other)


def _texts(value: Any, needed: set[str], allowed: set[str], where: str) -> dict[str, str]:
    fits = isinstance(value, dict) and needed <= set(value) <= needed | allowed and all(isinstance(v, str) and v for v in value.values())
    if not fits:
        raise InputError(f"{where} needs the texts {', '.join(sorted(needed))} and nothing else.", _EXAMPLE)
    texts: dict[str, str] = value
    return texts


def _keys(keys: Any, where: str) -> list[str]:
    if not isinstance(keys, list) or len(keys) < 2 or not all(isinstance(key, str) and ":" in key for key in keys):
        raise InputError(f"{where} needs two or more entity keys, such as brand:lego.", _EXAMPLE)
    if len({key.partition(":")[0] for key in keys}) > 1:
        raise InputError(f"{where} joins entities of different kinds: {', '.join(keys)}.", "Two brands can be the same, or two materials.")
    return keys


def _join(keys: list[str], same: dict[str, str], undo: bool) -> None:
    for key in keys[1:]:
        if undo:
            same.pop(key, None)
        elif key != keys[0]:
            if _last(keys[0], same) == key:  # said the other way round before: the later line says which one stays
                same.pop(keys[0])
            same[key] = keys[0]


def _last(key: str, same: Mapping[str, str]) -> str:
    while key in same:
        key = same[key]
    return key


def known_keys(corrections: Corrections) -> Iterable[str]:
    """Item keys that corrections name, so that an ingest can say which of them are gone."""
    return sorted({item for item, _ in corrections.wrong if item} | set(corrections.right))
