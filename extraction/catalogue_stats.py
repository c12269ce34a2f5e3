"""What a catalogue's own titles say about beginnings and words, with no label: the ground on which brands are told from other beginnings.

Counts are of distinct titles. A title that was itself learned from is taken out of its own counts (`known`), so that a beginning is judged
by the other titles alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extraction.words import Words, words_of
from kg.digest import digest_json

LONGEST = 6
# Columns of `CatalogueStatistics.words`: titles with the word; that begin with it; with it as second word; where it stands later in lower
# case, later with a capital; distinct first words of the titles where it stands later.
WORD_COLUMNS = ("titles", "first", "second", "lower", "capital", "neighbours")
# Columns of `CatalogueStatistics.beginnings`: titles; distinct next words; distinct kinds of product.
BEGINNING_COLUMNS = ("titles", "next_words", "kinds")


class CatalogueStatistics:
    """Counts over the titles of a catalogue.

    Args:
        word_rows: casefolded word → row of `words`.
        words: int32 [words, 6], columns as WORD_COLUMNS.
        beginning_rows: first words of titles, casefolded and joined by a blank → row of `beginnings`; only those of two titles or more.
        beginnings: int32 [beginnings, 3], columns as BEGINNING_COLUMNS.
        known: casefolded titles that were counted.
    """

    def __init__(
        self,
        word_rows: Mapping[str, int],
        words: NDArray[np.int32],
        beginning_rows: Mapping[str, int],
        beginnings: NDArray[np.int32],
        known: frozenset[str],
    ) -> None:
        self.word_rows = word_rows
        self.words = words
        self.beginning_rows = beginning_rows
        self.beginnings = beginnings
        self.known = known

    @classmethod
    def learn(cls, titles: Sequence[Words], kinds: Sequence[str]) -> CatalogueStatistics:
        """Count the titles of a catalogue; equal titles count once.

        Args:
            titles: words of each title.
            kinds: kind of product of each, "" where it is not known.
        """
        known: set[str] = set()
        words: dict[str, list[Any]] = {}
        beginnings: dict[str, tuple[list[int], set[str], set[str]]] = {}
        for title, kind in zip(titles, kinds, strict=True):
            folded = title.text.casefold()
            if folded not in known and len(title):
                known.add(folded)
                _count_words(title, words)
                _count_beginnings(title, kind, beginnings)
        frequent = {text: entry for text, entry in beginnings.items() if entry[0][0] > 1}
        return cls(
            {word: row for row, word in enumerate(words)},
            np.array([[*c[:5], len(c[5])] for c in words.values()], np.int32).reshape(-1, len(WORD_COLUMNS)),
            {text: row for row, text in enumerate(frequent)},
            np.array([[n[0], len(following), len(k)] for n, following, k in frequent.values()], np.int32).reshape(
                -1, len(BEGINNING_COLUMNS)
            ),
            frozenset(known),
        )

    @property
    def digest(self) -> str:
        """Digest of the titles that were counted."""
        return digest_json(sorted(self.known))


def _count_words(title: Words, words: dict[str, list[Any]]) -> None:
    first = title.folded[0]
    seen: set[str] = set()
    for place, (word, written) in enumerate(zip(title.folded, title.texts, strict=True)):
        if word in seen:
            continue
        seen.add(word)
        entry = words.get(word)
        if entry is None:
            entry = words[word] = [0, 0, 0, 0, 0, set()]
        entry[0] += 1
        if place < 2:
            entry[1 + place] += 1
        if place:
            entry[3 if written.islower() else 4] += 1
            if len(entry[5]) < 64:
                entry[5].add(first)


def _count_beginnings(title: Words, kind: str, beginnings: dict[str, tuple[list[int], set[str], set[str]]]) -> None:
    folded = title.folded
    for length in range(1, min(LONGEST, len(folded)) + 1):
        entry = beginnings.setdefault(" ".join(folded[:length]), ([0], set(), set()))
        entry[0][0] += 1
        entry[1].add(folded[length] if length < len(folded) else "")
        entry[2].add(kind)


def learn_from_texts(titles: Iterable[str], kinds: Iterable[str]) -> CatalogueStatistics:
    """`CatalogueStatistics.learn` for titles that are not cut yet."""
    return CatalogueStatistics.learn([words_of(title) for title in titles], list(kinds))
