"""Exact words: TF-IDF over words and word pairs, frozen so that it serves without scikit-learn."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray

from gnn.arrays import Arrays
from kg.digest import digest_arrays, digest_bytes
from kg.errors import StateError
from kg.seeds import derive

# Scripts written without spaces: each character is a token, so that "pairs" become character bigrams.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
# Vowel signs and accents that Python's \w leaves out although they are inside words.
MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0900-\u0dff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[\w{MARKS}]){{2,}}")
_UNSPACED_CHARACTER = re.compile(rf"[{_UNSPACED}]\Z")
_SIGNS = str.maketrans("™®©℠", "    ")  # NFKC would make letters of them: "Shave™" → "shavetm"
MAX_TERMS = 200_000


def tokens(text: str) -> list[str]:
    """Words of two or more characters, casefolded, NFKC; a character of Chinese, Japanese or Thai is a token of its own."""
    return _TOKEN.findall(unicodedata.normalize("NFKC", text.translate(_SIGNS)).lower())


def terms(text: str) -> list[str]:
    """Tokens, then pairs of neighbours: "red lipstick" → red, lipstick, "red lipstick"; "口红" → 口, 红, 口红."""
    words = tokens(text)
    unspaced = [_UNSPACED_CHARACTER.match(word) is not None for word in words]
    pairs = [words[i] + ("" if unspaced[i] and unspaced[i + 1] else " ") + words[i + 1] for i in range(len(words) - 1)]
    return words + pairs


@dataclass(frozen=True, eq=False)
class WordIndex:
    """A vocabulary of terms with their idf; turns texts into TF-IDF rows.

    Args:
        vocabulary: Arrow string array [n_terms], sorted by bytes; the column of a term is its place.
        idf: float32 [n_terms], ln((1 + n) / (1 + df)) + 1, as scikit-learn smooths it.

    Raises:
        StateError: the two differ in length.
    """

    vocabulary: pa.StringArray
    idf: NDArray[np.float32]

    def __post_init__(self) -> None:
        if len(self.vocabulary) != len(self.idf):
            raise StateError(f"A word index has {len(self.vocabulary)} terms but {len(self.idf)} weights.")

    def __len__(self) -> int:
        return len(self.vocabulary)

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {term: column for column, term in enumerate(self.vocabulary.to_pylist())}

    @cached_property
    def digest(self) -> str:
        """Digest of terms and weights."""
        return digest_bytes("\n".join(self.vocabulary.to_pylist()).encode(), digest_arrays([self.idf]).encode())

    def term(self, column: int) -> str:
        """The term of a column."""
        return str(self.vocabulary[int(column)].as_py())

    def transform(self, texts: Sequence[str]) -> sp.csr_array:
        """TF-IDF rows (float32 CSR [n_texts, n_terms], columns sorted, rows of length 1; unknown terms are left out)."""
        known = self._columns
        columns: list[int] = []
        counts: list[int] = []
        starts = [0]
        for text in texts:
            found = sorted((known[term], count) for term, count in Counter(terms(text)).items() if term in known)
            columns.extend(column for column, _ in found)
            counts.extend(count for _, count in found)
            starts.append(len(columns))
        places = np.array(columns, np.int32)
        values = (1 + np.log(np.array(counts, np.float64))) * self.idf[places]  # sublinear: protocols.md J is reached to rounding with it
        matrix = sp.csr_array((values, places, np.array(starts, np.int32)), shape=(len(texts), len(self)))
        lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        values /= np.repeat(np.where(lengths > 0, lengths, 1.0), np.diff(matrix.indptr))
        return sp.csr_array((values.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)

    def shared(self, first: sp.csr_array, second: sp.csr_array) -> list[tuple[str, float]]:
        """Terms that two TF-IDF rows ([1, n_terms]) share with what each adds to their cosine, strongest first."""
        products = first.multiply(second).tocoo()
        found = [(self.term(column), float(value)) for column, value in zip(products.coords[1], products.data, strict=True)]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def arrays(self) -> Arrays:
        """What `of_arrays` makes it from again: UTF-8 bytes and offsets of the terms, idf."""
        encoded = [term.encode() for term in self.vocabulary.to_pylist()]
        offsets = np.concatenate([[0], np.cumsum([len(term) for term in encoded], dtype=np.int64)]).astype(np.int32)
        return {"word_bytes": np.frombuffer(b"".join(encoded), np.uint8), "word_offsets": offsets, "word_idf": self.idf}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> WordIndex:
        """A word index over arrays that may be memory-mapped."""
        offsets = np.ascontiguousarray(arrays["word_offsets"], np.int32)
        data = np.ascontiguousarray(arrays["word_bytes"], np.uint8)
        vocabulary = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
        return cls(vocabulary, np.asarray(arrays["word_idf"], np.float32))

    @classmethod
    def fit(cls, texts: Sequence[str], min_count: int | None = None) -> WordIndex:
        """The index of a catalogue's texts, by scikit-learn.

        Args:
            texts: titles, or whatever text a product has.
            min_count: a term must stand in so many texts; by default 2, and 1 below 50 texts.
        """
        from sklearn.feature_extraction.text import CountVectorizer

        least = min_count if min_count is not None else (2 if len(texts) >= 50 else 1)
        try:
            counter = CountVectorizer(analyzer=terms, min_df=least, max_features=MAX_TERMS, dtype=np.int32)
            counts = counter.fit_transform(texts)
        except ValueError:  # scikit-learn's only answer to texts without a single word
            return cls(pa.array([], pa.string()), np.empty(0, np.float32))
        names = counter.get_feature_names_out().tolist()
        frequency = np.bincount(counts.indices, minlength=len(names))
        order = sorted(range(len(names)), key=lambda column: names[column].encode())
        idf = np.log((1 + len(texts)) / (1 + frequency)) + 1
        return cls(pa.array([names[column] for column in order], pa.string()), idf[order].astype(np.float32))


@dataclass(frozen=True, eq=False)
class WordsEncoder:
    """TF-IDF rows projected to a few dimensions by a truncated SVD: linear in the words, so each word has a vector.

    Args:
        index: the vocabulary.
        basis: float32 [n_terms, dim], right singular vectors of the catalogue's TF-IDF matrix.
    """

    index: WordIndex
    basis: NDArray[np.float32]

    name = "words"

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.basis.shape[1])

    @cached_property
    def digest(self) -> str:
        """Digest of vocabulary and basis."""
        return digest_bytes(b"words", self.index.digest.encode(), digest_arrays([self.basis]).encode())

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts (float32 [n, dim]); zero for a text without a known word."""
        return np.asarray(self.index.transform(texts) @ self.basis, np.float32)

    def arrays(self) -> Arrays:
        """What `of_arrays` makes it from again."""
        return {**self.index.arrays(), "word_basis": self.basis}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> WordsEncoder:
        """An encoder over arrays that may be memory-mapped."""
        return cls(WordIndex.of_arrays(arrays), np.asarray(arrays["word_basis"], np.float32))

    @classmethod
    def fit(cls, texts: Sequence[str], dim: int = 384) -> WordsEncoder:
        """Learn vocabulary and basis from a catalogue's texts (deterministic).

        Randomised SVD after Halko, Martinsson and Tropp (2011), algorithm 5.1 with power iterations.
        """
        from sklearn.utils.extmath import randomized_svd
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

        index = WordIndex.fit(texts)
        matrix = index.transform(texts)
        rank = min(dim, *matrix.shape)
        if rank == 0:
            return cls(index, np.zeros((len(index), 1), np.float32))
        seed = derive(0, "words svd") % (1 << 32)
        with threadpool_limits(1):  # many small products: threads on a busy machine make it ten times slower
            _, _, right = randomized_svd(sp.csr_matrix(matrix), rank, n_iter=2, random_state=seed)
        return cls(index, np.ascontiguousarray(right.T, np.float32))
