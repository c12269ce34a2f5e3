"""The words that texts share, quoted as the texts have them: "stainless steel water bottle", not "steel water" and "bottle"."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from functools import lru_cache

# What every title has, so that sharing it says nothing; single words, as the index has them.
_LITTLE = """a an and as at by for from in is it of on or the this to up with your you
amazon com count ct each inch inches new pack packs pc pcs piece pieces set size"""
COMMON = frozenset(_LITTLE.split())
LONGEST = 6  # words of a quotation that grew
_BREAK = re.compile(r"[^\w\s'’&./+-]+|(?<=\w)[.](?=\s|$)|\s[-–—]+\s")
_GAP = " | "  # between what punctuation keeps apart


def quoted(words: Sequence[str], texts: Sequence[str]) -> tuple[str, ...]:
    """Terms that carry a likeness as they stand in the texts.

    Each grows over the words beside it for as long as all texts go on alike and no other quotation has them; a term whose words all
    stand in one is left out. What punctuation keeps apart does not grow together, and articles and prepositions do not begin or end
    what grew.

    Args:
        words: terms in lower case, the strongest first; words of a term are joined by a space.
        texts: that all of them stand in.
    """
    flat = [_flat(text) for text in texts]
    found: list[str] = []
    used: set[str] = set()
    for word in words:
        if not used.issuperset(word.split()):
            found.append(_trimmed(_grown(word, flat, used), word))
            used.update(found[-1].split())
    return tuple(found)


@lru_cache(65536)
def _flat(text: str) -> str:
    return f" {' '.join(_BREAK.sub(_GAP, text.casefold()).split())} "


def _inside(short: str, long: str) -> bool:
    """Whether a run of whole words stands in a flat text or another run."""
    return f" {short} " in (long if long[:1] == " " else f" {long} ")


def _grown(word: str, flat: Sequence[str], used: Set[str]) -> str:
    """The longest run of whole words around a term that all texts have and that are not used yet, first to the right, then to the left."""
    if not flat or not all(_inside(word, text) for text in flat):
        return word
    first, *others = flat
    for side in (1, -1):
        while len(word.split()) < LONGEST:
            beside = _beside(word, first, others, side)
            if beside is None or beside in used:
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
    """Without common words at the ends that only growing brought."""
    parts = grown.split()
    while len(parts) > 1 and parts[-1] in COMMON and _inside(word, " ".join(parts[:-1])):
        parts.pop()
    while len(parts) > 1 and parts[0] in COMMON and _inside(word, " ".join(parts[1:])):
        parts.pop(0)
    return " ".join(parts)
