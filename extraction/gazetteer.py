"""Materials and colours out of vocabularies, let through by gates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from extraction.base import Mention, entity_of
from extraction.gates import groups_of, groups_of_title
from extraction.vocabularies import Term, by_first_word, colors, data, materials
from extraction.words import Words

_JOIN = re.compile(r"[ \-‐‑]{1,2}\Z")


class Lexicon:
    """Finds the terms of a vocabulary in words, the longest first, never one inside another.

    Args:
        terms: the vocabulary.
    """

    def __init__(self, terms: tuple[Term, ...]) -> None:
        self._by_first: Mapping[str, tuple[Term, ...]] = by_first_word(terms)

    def find(self, words: Words) -> Iterator[tuple[int, int, Term]]:
        """(first word, word after the last, term) of each hit, from left to right."""
        i, folded = 0, words.folded
        while i < len(folded):
            hit = self._at(words, i)
            if hit is None:
                i += 1
                continue
            yield hit
            i = hit[1]

    def _at(self, words: Words, i: int) -> tuple[int, int, Term] | None:
        for term in self._by_first.get(words.folded[i], ()):
            n = len(term.words)
            if n == 1 or (tuple(words.folded[i : i + n]) == term.words and all(_JOIN.match(words.gap(j)) for j in range(i, i + n - 1))):
                return i, i + n, term
        return None


def _mention(words: Words, first: int, last: int, attribute: str, value: str, confidence: float, field: str) -> Mention:
    start, end = words.starts[first], words.ends[last - 1]
    return Mention(attribute, words.text[start:end], value, entity_of(attribute, value), field, start, end, confidence, "rules")


class MaterialFinder:
    """Materials of a title."""

    def __init__(self) -> None:
        self._lexicon = Lexicon(materials())
        self._not_before = frozenset(data("contexts")["after_material"])
        self._not_after = frozenset(data("contexts")["before_material"])

    def find(self, words: Words, category: str, field: str = "title") -> list[Mention]:
        """The materials that the words state.

        Args:
            words: words of the text.
            category: the kind of product as the shop writes it; may be empty.
            field: name of the field that the words are from.
        """
        hits = list(self._lexicon.find(words))
        if not hits:
            return []
        groups = groups_of(category) if category else groups_of_title(words)
        found: list[Mention] = []
        for first, last, term in hits:
            confidence = self._confidence(words, first, last, term, groups)
            if confidence > 0:
                found.append(_mention(words, first, last, "material", term.value, confidence, field))
        return found

    def _confidence(self, words: Words, first: int, last: int, term: Term, groups: frozenset[str]) -> float:
        if "consumable" in groups or "media" in groups:
            return 0.0
        following = words.folded[last] if last < len(words) and words.gap(last - 1).strip() in ("", "-") else ""
        before = words.folded[first - 1] if first and words.gap(first - 1).strip() in ("", "-") else ""
        if following in self._not_before or before in self._not_after:
            return 0.0
        if term.gate == "precious" and "jewelry" not in groups:
            return 0.0
        return 0.8


class ColorFinder:
    """Colours of a title, each with its base colour."""

    def __init__(self) -> None:
        self._lexicon = Lexicon(colors())

    def find(self, words: Words, category: str, field: str = "title") -> list[Mention]:
        """The colours that the words state (arguments as of `MaterialFinder.find`)."""
        hits = list(self._lexicon.find(words))
        if not hits:
            return []
        groups = groups_of(category) if category else groups_of_title(words)
        if "consumable" in groups:
            return []
        found = []
        for first, last, term in hits:
            following = words.folded[last] if last < len(words) and not words.gap(last - 1).strip() else ""
            if following in ("light", "friday", "label", "tea", "pepper", "noise"):
                continue
            closing = last == len(words) or words.gap(last - 1).strip()[:1] in (",", ")", "|", "]", "/")
            found.append(_mention(words, first, last, "color", term.value, 0.85 if closing else 0.6, field))
        return found
