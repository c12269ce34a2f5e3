"""Brands that may be one: names that differ as little as spellings do. Only proposed, with a score; a person joins them, or says no.

Three ways to be alike: the same letters ("L'Oréal", "Loreal"), the same but for words of companies ("Anker", "Anker Inc"), one letter
added, lost, changed or swapped in a long name ("Rubbermaid", "Rubermaid"). A name that only goes on is another one ("Speedo" is not
"Speed"), and so is one with another number ("Formula 1", "Formula 2").
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from rapidfuzz.distance import OSA

from kg.proposals import Likeness, Named

SAME_LETTERS, COMPANY_WORDS = 0.98, 0.85
LONG, LONGEST = 8, 40
_COMPANY = frozenset(
    ["inc", "incorporated", "co", "company", "corp", "corporation", "ltd", "limited", "llc", "gmbh", "brand", "brands", "official", "store"]
)
_JOINED = frozenset(["and", "the"])


def alike(named: Iterable[Named], apart: Collection[tuple[str, str]] = frozenset()) -> list[Likeness]:
    """Pairs of names that may be one, by key; of many that are alike, each with the most used one. Takes time in proportion to the names.

    Args:
        named: entities of one label.
        apart: pairs of keys (the smaller first) that a person said are different.
    """
    entities = sorted(named, key=lambda one: (-one.count, one.key))
    words = [_words(one.name) for one in entities]
    found: dict[tuple[str, str], Likeness] = {}
    for score, group in _groups(words):
        first = entities[group[0]]
        for place in group[1:]:
            _note(found, first, entities[place], score, apart)
    for first_place, place in _one_letter_apart(["".join(own) for own in words]):
        length = max(len("".join(words[first_place])), len("".join(words[place])))
        _note(found, entities[first_place], entities[place], 1.0 - 1.0 / length, apart)
    return sorted(found.values(), key=lambda pair: (pair.entity.key, pair.other.key))


def _note(found: dict[tuple[str, str], Likeness], other: Named, entity: Named, score: float, apart: Collection[tuple[str, str]]) -> None:
    pair = (min(entity.key, other.key), max(entity.key, other.key))
    if entity.key != other.key and pair not in apart:
        found.setdefault(pair, Likeness(entity, other, round(score, 4)))


def _words(name: str) -> list[str]:
    """Letters and digits of a name without accents, word by word, without "and" and "the"."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name).casefold() if not unicodedata.combining(c))
    words = re.findall(r"[^\W_]+", re.sub(r"['’.®™©]", "", plain))
    return [word for word in words if word not in _JOINED] or words


def _groups(words: Sequence[Sequence[str]]) -> Iterable[tuple[float, list[int]]]:
    """Places of names with the same letters, and of those that are the same without words of companies; each group in order of place."""
    for score, key in ((SAME_LETTERS, _letters), (COMPANY_WORDS, _without_company)):
        groups: dict[str, list[int]] = defaultdict(list)
        for place, own in enumerate(words):
            groups[key(own)].append(place)
        yield from ((score, group) for letters, group in groups.items() if len(group) > 1 and len(letters) > 1)


def _letters(words: Sequence[str]) -> str:
    return "".join(words)


def _without_company(words: Sequence[str]) -> str:
    return "".join(word for word in words if word not in _COMPANY)


def _one_letter_apart(names: Sequence[str]) -> Iterable[tuple[int, int]]:
    """Pairs of places whose names differ by one letter: those that become equal when each loses at most one are looked at."""
    shorter: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        if LONG <= len(name) <= LONGEST:
            for form in {name, *(name[:i] + name[i + 1 :] for i in range(len(name)))}:
                shorter[form].append(place)
    pairs = {(a, b) for places in shorter.values() for i, a in enumerate(places) for b in places[i + 1 :]}
    return sorted((a, b) for a, b in pairs if _is_misspelt(names[a], names[b]))


def _is_misspelt(a: str, b: str) -> bool:
    goes_on = a.startswith(b) or b.startswith(a)
    numbers = re.findall(r"\d+", a) != re.findall(r"\d+", b)
    return a[0] == b[0] and not goes_on and not numbers and OSA.distance(a, b, score_cutoff=1) == 1
