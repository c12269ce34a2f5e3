"""What a person said is wrong, right or the same: a file of its own that survives every ingest.

One JSON object a line:

    {"wrong": {"item_key": "B01", "attribute": "brand", "entity": "brand:stainless"}}
    {"wrong": {"attribute": "brand", "entity": "brand:stainless"}}          wrong for every product
    {"right": {"item_key": "B01", "attribute": "brand", "value": "Takeya"}}
    {"same": ["brand:l-oreal", "brand:l-oreal-paris"]}                        the first one stays

The last line about a thing wins, so a correction is taken back by a later one; `"undo": true` beside it removes it.
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

_EXAMPLE = 'A line reads {"wrong": {"item_key": …, "attribute": …, "entity": …}}, {"right": {…, "value": …}} or {"same": [KEY, KEY]}.'


@dataclass(frozen=True, slots=True)
class Corrections:
    """All corrections of a workspace, ready to be looked up.

    Args:
        wrong: (item key, entity key) pairs that are no facts; "" as item key: of no product.
        right: item key → attribute → values that a person gave.
        same: entity key → the key that it stands for.
    """

    wrong: frozenset[tuple[str, str]] = frozenset()
    right: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=lambda: MappingProxyType({}))
    same: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def digest(self) -> str:
        """Digest of the content, whatever the order of the lines was."""
        right = {item: {name: list(values) for name, values in by_name.items()} for item, by_name in self.right.items()}
        return digest_json([sorted(map(list, self.wrong)), right, dict(self.same)])

    def refuses(self, item_key: str, entity: str) -> bool:
        """Whether somebody said that the product does not have the entity."""
        return (item_key, entity) in self.wrong or ("", entity) in self.wrong

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
    wrong: dict[tuple[str, str], None] = {}
    right: dict[str, dict[str, tuple[str, ...]]] = {}
    same: dict[str, str] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.strip():
            _take(_parsed(line, f"{path}:{number}"), f"{path}:{number}", wrong, right, same)
    return Corrections(frozenset(wrong), right, same)


def append_correction(path: Path, entry: Mapping[str, Any]) -> None:
    """Add one line, after checking that it is a correction.

    Raises:
        InputError: it is not one.
    """
    _take(entry, "the correction", {}, {}, {})
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n")


def _parsed(line: str, where: str) -> Mapping[str, Any]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is not JSON: {error.msg}.", _EXAMPLE) from None
    if not isinstance(entry, dict):
        raise InputError(f"{where} is no JSON object.", _EXAMPLE)
    return entry


def _take(
    entry: Mapping[str, Any],
    where: str,
    wrong: dict[tuple[str, str], None],
    right: dict[str, dict[str, tuple[str, ...]]],
    same: dict[str, str],
) -> None:
    undo = entry.get("undo") is True
    kinds = set(entry) - {"undo"}
    if kinds == {"wrong"}:
        about = _texts(entry["wrong"], {"attribute", "entity"}, {"item_key"}, where)
        pair = (about.get("item_key", ""), about["entity"])
        wrong.pop(pair, None) if undo else wrong.setdefault(pair)
    elif kinds == {"right"}:
        about = _texts(entry["right"], {"item_key", "attribute", "value"}, set(), where)
        values = right.setdefault(about["item_key"], {})
        kept = tuple(v for v in values.get(about["attribute"], ()) if v != about["value"])
        values[about["attribute"]] = kept if undo else (*kept, about["value"])
    elif kinds == {"same"}:
        _join(entry["same"], where, same, undo)
    else:
        raise InputError(f"{where} is no correction.", _EXAMPLE)


def _texts(value: Any, needed: set[str], allowed: set[str], where: str) -> dict[str, str]:
    fits = isinstance(value, dict) and needed <= set(value) <= needed | allowed and all(isinstance(v, str) and v for v in value.values())
    if not fits:
        raise InputError(f"{where} needs the texts {', '.join(sorted(needed))} and nothing else.", _EXAMPLE)
    texts: dict[str, str] = value
    return texts


def _join(keys: Any, where: str, same: dict[str, str], undo: bool) -> None:
    if not isinstance(keys, list) or len(keys) < 2 or not all(isinstance(key, str) and ":" in key for key in keys):
        raise InputError(f"{where} needs two or more entity keys, such as brand:lego.", _EXAMPLE)
    if len({key.partition(":")[0] for key in keys}) > 1:
        raise InputError(f"{where} joins entities of different kinds: {', '.join(keys)}.", "Two brands can be the same, or two materials.")
    for key in keys[1:]:
        if undo:
            same.pop(key, None)
        elif key != keys[0]:
            same[key] = keys[0]
    _flatten(same)


def _flatten(same: dict[str, str]) -> None:
    for key in list(same):
        target, seen = same[key], {key}
        while target in same and target not in seen:
            seen.add(target)
            target = same[target]
        if target == key:
            same.pop(key)
        else:
            same[key] = target


def known_keys(corrections: Corrections) -> Iterable[str]:
    """Item keys that corrections name, so that an ingest can say which of them are gone."""
    return sorted({item for item, _ in corrections.wrong if item} | set(corrections.right))
