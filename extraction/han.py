"""Titles in Chinese: where the brand ends, colours and materials. Nothing is cut into words; names stand in a list, or end where an
ordinary word begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from extraction.base import Mention, entity_of
from extraction.vocabularies import data
from extraction.words import HAN

_RUN = re.compile(rf"[{HAN}]+")
# What stands before a brand: 【官方正品】, [包邮], the year, "new", "genuine".
_BRACKETS = r"【[^】]{0,20}】|\[[^\]]{0,20}\]|［[^］]{0,20}］|\([^)]{0,20}\)|（[^）]{0,20}）"
_LEADING = re.compile(rf"(?:[\s\W]*(?:{_BRACKETS}|20[12]\d年?|[新正热爆][款品卖]))*[\s\W]*")
_LATIN = re.compile(rf"([A-Za-z][A-Za-z0-9.&'’+-]*)\s*[/(（\s]\s*[{HAN}]")
LISTED, CUT, ALONE, OF_SHOP = 0.8, 0.55, 0.6, 0.6
_LONGEST, _OFTEN = 5, 3


def is_chinese(text: str) -> bool:
    """Whether at least a third of a text's letters are Chinese characters (a word of Latin letters counts as two)."""
    if text.isascii():
        return False
    han = sum(len(run) for run in _RUN.findall(text))
    return han >= 2 and 3 * han >= han + 2 * len(re.findall(r"[A-Za-z]+", text))


@cache
def _brands() -> tuple[str, ...]:
    return tuple(sorted(data("chinese")["brands"], key=len, reverse=True))


@cache
def _ordinary() -> re.Pattern[str]:
    words = [*data("chinese")["ordinary"], *data("chinese")["colors"], *data("chinese")["materials"]]
    return re.compile("|".join(sorted(map(re.escape, words), key=len, reverse=True)))


@cache
def _named(attribute: str) -> tuple[re.Pattern[str], Mapping[str, str]]:
    names: Mapping[str, str] = data("chinese")[f"{attribute}s"]
    return re.compile("|".join(sorted(map(re.escape, names), key=len, reverse=True))), names


class HanBrands:
    """Brands of Chinese titles.

    Args:
        titles: of the shop; beginnings that several of them share and that go on differently are brands there.
    """

    def __init__(self, titles: Iterable[str]) -> None:
        following: dict[str, set[str]] = {}
        times: dict[str, int] = {}
        for title in titles:
            run = self._first_run(title)
            for length in range(2, min(4, len(run)) + 1):
                times[run[:length]] = times.get(run[:length], 0) + 1
                following.setdefault(run[:length], set()).add(run[length : length + 1])
        self._of_shop = frozenset(start for start, n in times.items() if n >= _OFTEN and len(following[start]) >= _OFTEN)

    @staticmethod
    def _first_run(title: str) -> str:
        leading = _LEADING.match(title)
        run = _RUN.match(title, leading.end() if leading else 0)
        return run.group() if run else ""

    def find(self, title: str) -> tuple[int, int, float] | None:
        """(start, end, probability) of the brand of a title, or None where none can be told."""
        leading = _LEADING.match(title)
        start = leading.end() if leading else 0
        if latin := _LATIN.match(title, start):
            return start, latin.end(1), ALONE
        run = self._first_run(title)
        if not run:
            return None
        listed = next((name for name in _brands() if run.startswith(name)), None)
        if listed:
            return start, start + len(listed), LISTED
        shared = next((run[:length] for length in (4, 3, 2) if run[:length] in self._of_shop), None)
        ordinary = _ordinary().search(run)
        if ordinary and ordinary.start() < 2:
            return None
        if shared and not (ordinary and ordinary.start() < len(shared)):
            return start, start + len(shared), OF_SHOP
        if ordinary:
            return (start, start + ordinary.start(), CUT) if ordinary.start() <= _LONGEST else None
        return (start, start + len(run), ALONE) if len(run) <= 4 else None


def find_named(attribute: str, text: str, field: str = "title") -> Iterator[Mention]:
    """Colours or materials that a text names in Chinese, from left to right.

    Args:
        attribute: "color" or "material".
        text: the text.
        field: name of the field that the text is from.
    """
    pattern, names = _named(attribute)
    for match in pattern.finditer(text):
        value = names[match.group()]
        yield Mention(attribute, match.group(), value, entity_of(attribute, value), field, *match.span(), 0.8, "rules")
