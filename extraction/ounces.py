"""Which ounce a size means: of mass, or the fluid one that cups and bottles are measured in.

A plain "oz" is read by what stands nearest to it that tells: another measure that is the same amount ("16.6oz (500ml)"), pounds before it,
the kind of product (a mug holds, a cracker weighs), then the words of the title. A word of a package ("Bottle", "Jar") tells only where no
word of its contents does: mustard in a bottle weighs. Where nothing tells, an ounce is one of mass, and the reading is not sure.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from extraction.canonical import canonical
from extraction.units import measure_of
from extraction.vocabularies import data
from extraction.words import words_of

_PLAIN = re.compile(r"\d\s*-?\s*(?:oz|ounces?)\.?\s*$", re.IGNORECASE)
_OTHER = r"\d[\d.,]*\s?(?:ml|millilit(?:er|re)s?|l|lit(?:er|re)s?|cc|g|gr|grams?|kg|mg)(?![^\W\d_])"
_BEHIND = re.compile(rf"\s*[(/|,=-]?\s*(?P<other>{_OTHER})", re.IGNORECASE)
_BEFORE = re.compile(rf"(?P<other>{_OTHER})\s*[)(/|,=-]?\s*\(?$", re.IGNORECASE)
_POUNDS = re.compile(r"(?:lbs?\.?|pounds?)[\s,&]*(?:and\s*)?$", re.IGNORECASE)
_SAME = 0.06  # labels round
_NEAR = 120  # characters to each side in which a word tells
_PIECES = re.compile(r"[^\W\d_]+")


def size_of(raw: str, text: str, start: int, category: str = "") -> tuple[str, bool]:
    """The value of a size (as `canonical`), and whether anything tells which unit it is in.

    "20oz" of a mug → ("591 ml", True), of crackers ("567 g", True), of a thing that nothing is known about ("567 g", False).

    Args:
        raw: the size as written.
        text: what it stands in, or the product's title where it comes from a column.
        start: where it stands in the text; the text's length where it comes from elsewhere.
        category: kind of product as the shop writes it.
    """
    if not _PLAIN.search(raw):
        return canonical("size", raw), True
    fluid = _said(raw, text, start)
    if fluid is None:
        near = words_of(text[max(0, start - _NEAR) : start + len(raw) + _NEAR]).folded
        fluid = _by_words(near, _of_category(category))
    measure = measure_of(raw, bool(fluid))
    return str(measure) if measure else canonical("size", raw), fluid is not None


def _said(raw: str, text: str, start: int) -> bool | None:
    """By what stands beside the size: pounds before it, or the same amount in millilitres or grams."""
    before, behind = text[max(0, start - 16) : start], text[start + len(raw) : start + len(raw) + 24]
    if _POUNDS.search(before):
        return False
    for match in (_BEHIND.match(behind), _BEFORE.search(before)):
        if match and (other := measure_of(match["other"])):
            for fluid in (True, False):
                own = measure_of(raw, fluid)
                if own and own.unit == other.unit and abs(own.values[0] - other.values[0]) <= _SAME * other.values[0]:
                    return fluid
    return None


@cache
def _kinds() -> Mapping[str, str]:
    return {word: kind for kind, words in data("kinds")["ounces"].items() for word in words}


@lru_cache(4096)
def _of_category(category: str) -> str | None:
    """What the last word of a kind of product that tells says: a food storage container is a vessel."""
    known = [kind for word in _PIECES.findall(category.casefold().replace("_", " ")) if (kind := _kind(word))]
    return known[-1] if known else None


def _by_words(words: Sequence[str], category: str | None) -> bool | None:
    """By the kind of product, then by the words of the title: one right before a vessel ("coffee mug") says what that is for."""
    kinds = [_kind(word) for word in words]
    if category == "liquid" and "dry" in kinds:
        return False
    if category is not None and category != "package":
        return category in ("vessel", "liquid")
    for i, (kind, following) in enumerate(itertools.pairwise(kinds)):
        if kind == "solid" and following in ("vessel", "package"):
            kinds[i] = None
    if "vessel" in kinds:
        return True
    if "solid" in kinds or "dry" in kinds:
        return False
    return True if category or "liquid" in kinds or "package" in kinds else None


def _kind(word: str) -> str | None:
    known = _kinds()
    return known.get(word) or known.get(word.removesuffix("s")) or known.get(word.removesuffix("es"))
