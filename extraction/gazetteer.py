"""Materials and colours out of vocabularies, let through by gates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from extraction.base import Mention, entity_of
from extraction.canonical import share_before
from extraction.gates import groups_of, groups_of_title
from extraction.vocabularies import Term, by_first_word, colors, data, materials
from extraction.words import Words

_JOIN = re.compile(r"[ \-‐‑]{1,2}\Z")


_WHOLE = 0.4
_METALLIC = frozenset(["gold", "silver", "bronze"])
_METAL_WORDS = frozenset(["plated", "filled", "ring", "necklace", "earrings", "vermeil", "chain", "wire"])


class Lexicon:
    """Finds the terms of a vocabulary in words, the longest first, never one inside another.

    Args:
        terms: the vocabulary.
    """

    def __init__(self, terms: tuple[Term, ...]) -> None:
        self._by_first: Mapping[str, tuple[Term, ...]] = by_first_word(terms)

    def find(self, words: Words) -> Iterator[tuple[int, int, Term]]:
        """(first word, word after the last, term) of each hit, from left to right."""
        free, by_first = 0, self._by_first
        for i, word in enumerate(words.folded):
            if word in by_first and i >= free and (hit := self._at(words, i)):
                yield hit
                free = hit[1]

    def _at(self, words: Words, i: int) -> tuple[int, int, Term] | None:
        for term in self._by_first[words.folded[i]]:
            n = len(term.words)
            if n == 1 or (tuple(words.folded[i : i + n]) == term.words and all(_JOIN.match(words.gap(j)) for j in range(i, i + n - 1))):
                return i, i + n, term
        return None


def _mention(words: Words, first: int, last: int, attribute: str, value: str, confidence: float, field: str) -> Mention:
    start, end = words.starts[first], words.ends[last - 1]
    raw, accepted = words.text[start:end], confidence >= 0.5
    blended = share_before(words.text, start) if attribute == "material" and "%" in words.text else None
    share = blended[0] if blended else None
    return Mention(attribute, raw, value, entity_of(attribute, value), field, start, end, confidence, "rules", accepted, share)


class MaterialFinder:
    """Materials of a title.

    A name counts where its gate lets it through: materials of goods never in food and cosmetics, metals of price and gems in jewellery,
    doubtful names ("down", "iron") only where a word says that it is the material, carbon in what is made of it (rods). A name of any
    cloth ("fabric") counts where no material does. A name that belongs to a part ("with glass lid") or to
    what the product is for ("for wood") is shown as a mention that is not accepted.
    """

    def __init__(self) -> None:
        self._lexicon = Lexicon(materials())
        words = data("contexts")
        self._after, self._before, self._parts, self._stating, self._kinds, self._rods, self._whole = (
            frozenset(words[name]) for name in ("after", "before", "parts", "stating", "kinds", "rods", "whole")
        )

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
        if "consumable" in groups or "media" in groups or "cleaner" in groups:
            return []
        kind = frozenset(category.casefold().replace("_", " ").split())
        if kind & self._kinds:
            return []
        found: list[Mention] = []
        for first, last, term in hits:
            confidence = self._confidence(words, first, last, term, groups, kind)
            if confidence > 0:
                found.append(_mention(words, first, last, "material", term.value, confidence, field))
        if any(m.accepted and m.value not in self._whole for m in found):
            return [replace(m, confidence=_WHOLE, accepted=False) if m.value in self._whole and m.accepted else m for m in found]
        return found

    def _confidence(self, words: Words, first: int, last: int, term: Term, groups: frozenset[str], kind: frozenset[str]) -> float:
        """Probability that the hit is the material; below one half it is not accepted, 0 is not even shown."""
        following = words.folded[last] if last < len(words) and words.gap(last - 1).strip(" ") in ("", "-") else ""
        before = words.folded[first - 1] if first and words.gap(first - 1).strip(" -%") == "" else ""
        stated = before in self._stating or (before in ("from", "of") and first > 1 and words.folded[first - 2] == "made")
        if following in self._after or (before in self._before and not stated):
            return 0.0
        if kind.intersection(term.words):
            return 0.0
        if term.gate in ("precious", "gem") and "jewelry" not in groups:
            return 0.0
        if term.gate == "precious" and not following and not stated:
            return 0.2
        if (term.gate == "stated" and not stated) or (term.gate == "rods" and self._rods.isdisjoint(words.folded)):
            return 0.0
        if stated:
            return 0.9
        if self._in_part(words, first):
            return 0.3
        return 0.8 if first < 12 else 0.7

    def _in_part(self, words: Words, first: int) -> bool:
        """Whether a word before, in the same clause, makes what follows a part of the product or what it is for."""
        for i in range(first - 1, max(first - 9, -1), -1):
            if words.gap(i).strip(" -®™&'") or " - " in words.gap(i):
                return False
            if words.folded[i] in self._parts:
                return True
        return False


class ColorFinder:
    """Colours of a title, each with its base colour."""

    def __init__(self) -> None:
        self._lexicon = Lexicon(colors())
        self._not_before = frozenset(data("contexts")["after_color"])

    def find(self, words: Words, category: str, field: str = "title") -> list[Mention]:
        """The colours that the words state (arguments as of `MaterialFinder.find`)."""
        hits = list(self._lexicon.find(words))
        if not hits:
            return []
        groups = groups_of(category) if category else groups_of_title(words)
        painted = "consumable" not in groups or "makeup" in groups
        found = []
        for first, last, term in hits if painted else ():
            following = words.folded[last] if last < len(words) and not words.gap(last - 1).strip() else ""
            if following in self._not_before or (following in _METAL_WORDS and term.value in _METALLIC):
                continue
            before = words.before(first).strip()[-1:]
            closing = last == len(words) or words.gap(last - 1).strip()[:1] in (",", ")", "|", "]", "/", "-")
            alone = closing and (not first or before in (",", "(", "|", "[", "/", "-", "–", "—", ":"))
            if "consumable" in groups and not closing:
                continue
            found.append(_mention(words, first, last, "color", term.value, 0.9 if alone else 0.8 if closing else 0.6, field))
        return found
