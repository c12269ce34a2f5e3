"""One value for all the ways to write it: sizes in SI units, counts as numbers, colours by their base, materials by their name.

What was written stays in the mention (`raw`) and in the evidence of the fact.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from extraction.units import measure_of
from extraction.vocabularies import colors, data, materials
from extraction.words import words_of

_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "eight": 8, "ten": 10, "twelve": 12}
_COUNT = re.compile(r"\d{1,3}(?:,\d{3})+|\d+")
_SHARE_BEFORE = re.compile(r"(?<![\d.,])(\d{1,3}(?:[.,]\d+)?)\s?%\s*$")


@lru_cache(1 << 16)
def canonical(attribute: str, raw: str) -> str:
    """The value that a text states.

    "12 oz" → "340 g"; "X-Large" → "XL"; "Pack of 6" → "6"; "Heather Navy" → "blue"; "aluminium" → "aluminum"; a text that is not
    understood, and any other attribute, stays as it is. A canonical value is its own.
    """
    if attribute == "size":
        measure = measure_of(raw)
        return str(measure) if measure else _letters(raw) or raw
    if attribute == "quantity":
        return _count(raw) or raw
    if attribute in ("color", "material"):
        return _named(attribute, raw)
    return raw


def share_before(text: str, start: int) -> tuple[float, int] | None:
    """The share of a blend that stands before a material ("60% cotton" → .6) and where it begins; None where none does."""
    match = _SHARE_BEFORE.search(text, max(0, start - 12), start)
    share = float(match[1].replace(",", ".")) / 100 if match else 0.0
    return (share, match.start()) if match and 0 < share <= 1 else None


def _letters(raw: str) -> str:
    """ "X-Large", "2X-Large" and "Extra Large" are sizes of letters."""
    written = re.sub(r"[\s-]", "", raw.casefold().replace("extra", "x"))
    match = re.fullmatch(r"(?:(\d)x|(x*))(small|medium|large|s|m|l)", written)
    if not match or (match[3] in ("medium", "m") and (match[1] or match[2])):
        return ""
    times = int(match[1]) if match[1] else len(match[2])
    return "X" * times + match[3][0].upper() if times <= 6 else ""


def _count(raw: str) -> str:
    numbers = _COUNT.findall(raw) or [str(_NUMBERS[word]) for word in raw.casefold().split() if word in _NUMBERS]
    return str(int(numbers[0].replace(",", ""))) if len(numbers) == 1 else ""


@cache
def _terms(attribute: str) -> dict[tuple[str, ...], str]:
    chinese = {(word,): name for word, name in data("chinese")[f"{attribute}s"].items()}
    return chinese | {term.words: term.value for term in (colors if attribute == "color" else materials)()}


def _named(attribute: str, raw: str) -> str:
    """The vocabulary's name of the whole text; of a colour also of its last words, which is what the others shade."""
    words, terms = tuple(words_of(raw.replace("-", " ")).folded), _terms(attribute)
    cuts = range(len(words)) if attribute == "color" else range(min(len(words), 1))
    return next((terms[words[i:]] for i in cuts if words[i:] in terms), raw)
