"""The words that texts share, quoted as the texts have them: "stainless steel water bottle", not "steel water" and "bottle"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from gnn.text_words import MARKS

# What every title has, so that sharing it says nothing; single words, as the index has them.
_LITTLE = """a an and as at by for from in is it of on or the this to up with your you w/ w/o
amazon com count ct each inch inches new pack packs pc pcs piece pieces set size"""
COMMON = frozenset(_LITTLE.split())
LONGEST = 8  # words of a quotation that grew
_READ = 2000  # characters of a text that are looked at
_WIDER = 24  # characters that a term within a word may bring along: "oleum" of "rust-oleum", not a list joined by slashes
_LETTER = rf"[\w{MARKS}]"
_INCHES = '"″'  # behind a number they belong to it: 10.5"x11"
_BREAK = re.compile(rf"(?:[^\w{MARKS}\s'’&./+{_INCHES}-]|(?<!\d)[{_INCHES}])+|(?<=\w)[.](?=\s|$)|\s[-–—]+\s")
_PIECE = re.compile(rf"{_LETTER}+")
_GAP = " | "  # between what punctuation keeps apart


def quoted(words: Sequence[str], texts: Sequence[str]) -> tuple[str, ...]:
    """Terms that carry a likeness as they stand in the texts.

    Each grows over the words beside it for as long as all texts go on alike and no other quotation has them; a term whose words all
    stand in one is left out. What punctuation keeps apart does not grow together, and articles, prepositions and signs do not begin
    or end what grew.

    Args:
        words: terms in lower case, the strongest first; words of a term are joined by a space.
        texts: that all of them stand in.
    """
    flat = [_flat(text) for text in texts]
    found: list[str] = []
    used: set[str] = set()
    for term in words:
        word = _standing(term, flat)
        if not used.issuperset(_PIECE.findall(word)):
            found.append(_trimmed(_grown(word, flat, used), word))
            used.update(_PIECE.findall(found[-1]))
    return tuple(found)


@lru_cache(16384)
def _flat(text: str) -> str:
    return f" {' '.join(_BREAK.sub(_GAP, text[:_READ].casefold()).split())} "


def _inside(short: str, long: str) -> bool:
    """Whether a run of whole words stands in a flat text or another run."""
    return f" {short} " in (long if long[:1] == " " else f" {long} ")


def _standing(term: str, flat: Sequence[str]) -> str:
    """A term with the whole words that it is a part of ("oleum" of "rust-oleum"), the shortest that all texts have; else as it is."""
    if not flat or all(_inside(term, text) for text in flat):
        return term
    first, *others = flat
    sought = rf"(?<!{_LETTER})" + rf"[^\w{MARKS}|]+".join(map(re.escape, term.split())) + rf"(?!{_LETTER})"
    whole = {first[first.rfind(" ", 0, hit.start() + 1) + 1 : first.find(" ", hit.end())] for hit in re.finditer(sought, first)}
    there = [one for one in whole if len(one) <= len(term) + _WIDER and all(_inside(one, text) for text in others)]
    return min(there, key=lambda one: (len(one), one), default=term)


def _grown(word: str, flat: Sequence[str], used: set[str]) -> str:
    """A term and the words around it that all texts have and that are not used yet, first to the left, then to the right."""
    if not flat or not all(_inside(word, text) for text in flat):
        return word
    first, *others = flat
    for side in (-1, 1):
        while len(word.split()) < LONGEST:
            beside = _beside(word, first, others, side)
            pieces = _PIECE.findall(beside or "")
            if beside is None or (pieces and used.issuperset(pieces)):
                break
            word = f"{word} {beside}" if side > 0 else f"{beside} {word}"
    return word


def _beside(word: str, first: str, others: Sequence[str], side: int) -> str | None:
    """The word that stands on one side of a term in the first text, and in the others too."""
    place = first.find(f" {word} ")
    while place >= 0:
        end = place + len(word) + 2
        beside = first[end : first.find(" ", end)] if side > 0 else first[first.rfind(" ", 0, place) + 1 : place]
        longer = f"{word} {beside}" if side > 0 else f"{beside} {word}"
        if beside not in ("", _GAP.strip()) and all(_inside(longer, text) for text in others):
            return beside
        place = first.find(f" {word} ", place + 1)
    return None


def _trimmed(grown: str, word: str) -> str:
    """Without common words and signs at the ends that only growing brought."""
    parts = grown.split()
    while len(parts) > 1 and _says_nothing(parts[-1]) and _inside(word, " ".join(parts[:-1])):
        parts.pop()
    while len(parts) > 1 and _says_nothing(parts[0]) and _inside(word, " ".join(parts[1:])):
        parts.pop(0)
    return " ".join(parts)


def _says_nothing(part: str) -> bool:
    return part in COMMON or not _PIECE.search(part)
