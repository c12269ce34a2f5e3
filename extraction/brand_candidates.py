"""Which spans of a title may be its brand: beginnings of up to five words, at the start and at a few other places."""

from __future__ import annotations

import re
from typing import NamedTuple

from extraction.words import Words

LONGEST = 5
START, AFTER_COUNT, AFTER_BREAK, AFTER_BY = range(4)
# "2 Pack ", "(Pack of 3) - ", "[2 Pcs]", "100 ", "New ", "Original ": what a title may say before its brand.
_COUNTED = r"pack|packs|pcs|pieces?|count|ct|sets?|pk|pairs?|rolls|boxes"
_LEADING = re.compile(
    rf"(?:[\W_]*(?:\d+\s*x\s+|\d+[ -]?(?:{_COUNTED})\b(?: of\b)?|(?:pack|set|lot|box) of \d+|\d+"
    r"|(?:20[12]\d\s+)?(?:brand\s+)?new\b|genuine\b|original\b|official\b|upgraded\b|amazon brand\b"
    r"|\([^)]{1,30}\)|\[[^\]]{1,30}\])[\s\-–—:,|]*)+",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"[ \-‐‑'’.&+/!]{1,3}\Z|[ ]?[®™©℠][ ]?\Z")
_BREAK = re.compile(r"[,|:;()\[\]•·–—]| - ")
_BY = frozenset(["by", "from"])


class Candidate(NamedTuple):
    """A span of words (first word, word after the last) and the place that it was found at."""

    first: int
    last: int
    place: int


def candidates(words: Words) -> list[Candidate]:
    """The spans that may be the brand, from left to right; none that runs over a comma, a bar or a bracket."""
    found: list[Candidate] = []
    for anchor, place in _anchors(words):
        for last in range(anchor + 1, min(anchor + LONGEST, len(words)) + 1):
            found.append(Candidate(anchor, last, place))
            if (gap := words.gap(last - 1)) != " " and not _PLAIN.match(gap):
                break
    return found


def _anchors(words: Words) -> list[tuple[int, int]]:
    """(word, place) where a brand may begin."""
    if not len(words):
        return []
    anchors = {0: START}
    leading = _LEADING.match(words.text)
    if leading:
        after = next((i for i, start in enumerate(words.starts[:12]) if start >= leading.end()), 0)
        if after:
            anchors.setdefault(after, AFTER_COUNT)
    texts, folded, text, starts, ends = words.texts, words.folded, words.text, words.starts, words.ends
    for i in range(1, len(texts)):
        plain = starts[i] - ends[i - 1] == 1 and text[ends[i - 1]] == " "
        if (plain and folded[i - 1] not in _BY) or not texts[i][0].isupper():
            continue
        if plain:
            anchors.setdefault(i, AFTER_BY)
        elif i <= 12 and len(anchors) < 5 and _BREAK.search(text, ends[i - 1], starts[i]):
            anchors.setdefault(i, AFTER_BREAK)
    return sorted(anchors.items())


def characters(words: Words, first: int, last: int) -> tuple[int, int]:
    """Span in characters of a span of words; "Inc." and "Dunkin'" keep the mark that ends them."""
    start, end = words.starts[first], words.ends[last - 1]
    rest = words.text[end : end + 2]
    if (rest[:1] == "." and words.folded[last - 1] in ("inc", "co", "ltd", "corp")) or (
        rest in ("' ", "’ ") and words.folded[last - 1][-1] == "n"
    ):
        end += 1
    return start, end
