"""The words of a catalogue's texts: which products share them, and which words carry a likeness."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gnn.text_words import WordIndex, tokens
from recommend.arrays import Arrays, entries, pack, unpack, weighted_rows

_REMEMBERED = 50_000  # pairs of products whose shared words are kept


@dataclass(frozen=True, slots=True, eq=False)
class WordVector:
    """The words of one text.

    Args:
        columns: int32, ascending columns of the word index.
        values: float32, TF-IDF scaled to length 1 (empty when no word is known).
        unknown: words of the text that no product has, in their order; empty for a product of the catalogue.
    """

    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CatalogueWords:
    """TF-IDF rows of all products beside the index that made them.

    Args:
        index: vocabulary and idf.
        matrix: CSR float32 [n_items, n_terms], rows of length 1 or empty, columns ascending.
    """

    index: WordIndex
    matrix: sp.csr_array

    @classmethod
    def fit(cls, texts: Sequence[str]) -> CatalogueWords:
        """Learn the words of a catalogue (one text a product, by item row)."""
        index = WordIndex.fit(texts)
        return cls(index, index.transform(texts))

    @cached_property
    def postings(self) -> sp.csr_array:
        """Terms × products, for walking from words to products."""
        return sp.csr_array(self.matrix.T.tocsr())

    def vector(self, text: str) -> WordVector:
        """The word vector of any text."""
        columns, values = entries(self.index.transform([text]), 0)
        unknown = tuple(word for word in dict.fromkeys(tokens(text)) if word not in self._known)
        return WordVector(columns.astype(np.int32), values, unknown)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.index.vocabulary.to_pylist())

    def of_item(self, item_row: int) -> WordVector:
        """The word vector of a product of the catalogue."""
        columns, values = entries(self.matrix, item_row)
        return WordVector(columns, values)

    def likeness(self, vector: WordVector) -> NDArray[np.float64]:
        """Cosine of a word vector to each product (float64 [n_items])."""
        return weighted_rows(self.postings, vector.columns, vector.values)

    def shared(self, first: WordVector, second: WordVector, limit: int = 4) -> tuple[str, ...]:
        """Words that carry the likeness of two texts, largest products of weights first.

        A term that has a word in common with one already taken ("nail polish" after "polish") is left out: it says nothing new.
        """
        return self._strongest(dict(_pairs(first)), dict(_pairs(second)), limit)

    def _strongest(self, first: dict[int, float], second: dict[int, float], limit: int = 4) -> tuple[str, ...]:
        chosen: list[str] = []
        met: set[str] = set()
        for _, column in sorted([(-value * second[column], column) for column, value in first.items() if column in second]):
            term, words = self._term(column)
            if met.isdisjoint(words):
                chosen.append(term)
                met |= words
                if len(chosen) == limit:
                    break
        return tuple(chosen)

    @cached_property
    def _term(self) -> Callable[[int], tuple[str, frozenset[str]]]:
        return lru_cache(maxsize=_REMEMBERED)(lambda column: (term := self.index.term(column), frozenset(term.split())))

    @cached_property
    def _weights(self) -> Callable[[int], dict[int, float]]:
        """Column → weight of a product's words; remembered, because a product stands in many pairs."""
        return lru_cache(maxsize=_REMEMBERED)(lambda item_row: dict(_pairs(self.of_item(item_row))))

    def shared_rows(self, first_row: int, second_row: int) -> tuple[str, ...]:
        """The same for two products of the catalogue; remembered, because several views ask for one pair."""
        return self._remembered(first_row, second_row)

    @cached_property
    def _remembered(self) -> Callable[[int, int], tuple[str, ...]]:
        return lru_cache(maxsize=_REMEMBERED)(lambda first, second: self._strongest(self._weights(first), self._weights(second)))

    def arrays(self) -> Arrays:
        """Everything, for a bundle."""
        return {**self.index.arrays(), **pack("words", self.matrix)}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> CatalogueWords:
        """What `arrays` took apart, on the same memory."""
        return cls(WordIndex.of_arrays(arrays), unpack("words", arrays))


def _pairs(vector: WordVector) -> Iterator[tuple[int, float]]:
    return zip(vector.columns.tolist(), vector.values.tolist(), strict=True)
