from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from gnn.text_words import WordIndex, WordsEncoder, terms, tokens
from kg.errors import StateError

TITLES = [
    "OPI Nail Lacquer, Simmer and Shimmer",
    "OPI Red Shatter Crackle Nail Polish E55",
    "Red matte lipstick, red",
    "迪奥 哑光口红",
    "LEGO City Forest Tractor",
    "lego city police car",
]


def test_tokens_of_many_scripts() -> None:
    assert tokens("L'Oréal Paris 2-in-1 5ml") == ["oréal", "paris", "in", "5ml"]
    assert tokens("ＡＢＣ lipstick") == ["abc", "lipstick"]  # full-width letters
    assert tokens("哑光口红MAC") == ["哑", "光", "口", "红", "mac"]
    assert tokens("हिन्दी किताब") == ["हिन्दी", "किताब"]  # vowel signs do not cut a word
    assert tokens("") == tokens(" \n") == tokens("🧸") == []


def test_terms_are_words_then_pairs() -> None:
    assert terms("red matte lipstick") == ["red", "matte", "lipstick", "red matte", "matte lipstick"]
    assert terms("口红") == ["口", "红", "口红"]
    assert terms("dior 口红") == ["dior", "口", "红", "dior 口", "口红"]


def by_scikit_learn(index: WordIndex, texts: list[str], fitted_on: list[str], least: int) -> np.ndarray:
    vectorizer = TfidfVectorizer(analyzer=terms, min_df=least, sublinear_tf=True).fit(fitted_on)
    dense = vectorizer.transform(texts).toarray()
    return dense[:, [vectorizer.vocabulary_[index.term(column)] for column in range(len(index))]]


def test_equal_to_scikit_learn() -> None:
    index = WordIndex.fit(TITLES, 1)
    asked = [*TITLES, "red unknownword tractor", "", "red red red nail"]
    np.testing.assert_allclose(index.transform(asked).toarray(), by_scikit_learn(index, asked, TITLES, 1), atol=1e-6)


def test_ascii_terms_are_those_of_scikit_learns_own_analyzer() -> None:
    texts = [title for title in TITLES if title.isascii()]
    theirs = TfidfVectorizer(ngram_range=(1, 2)).fit(texts)
    assert set(WordIndex.fit(texts, 1).vocabulary.to_pylist()) == set(theirs.vocabulary_)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(alphabet="ab é口红1 -", max_size=12), min_size=1, max_size=8))
def test_equal_to_scikit_learn_on_any_texts(texts: list[str]) -> None:
    index = WordIndex.fit(texts, 1)
    if len(index):
        np.testing.assert_allclose(index.transform(texts).toarray(), by_scikit_learn(index, texts, texts, 1), atol=1e-6)
    else:
        assert not any(terms(text) for text in texts)


def test_shared_words_add_up_to_the_cosine() -> None:
    index = WordIndex.fit(TITLES, 1)
    rows = index.transform(TITLES)
    shared = index.shared(rows[[4]], rows[[5]])
    assert {term for term, _ in shared} == {"lego", "city", "lego city"}
    assert sum(value for _, value in shared) == pytest.approx((rows[[4]] @ rows[[5]].T).toarray()[0, 0], abs=1e-6)
    assert index.shared(rows[[0]], rows[[4]]) == []


def test_arrays_make_it_again() -> None:
    index = WordIndex.fit(TITLES, 1)
    again = WordIndex.of_arrays(index.arrays())
    assert again.digest == index.digest
    assert again.vocabulary.to_pylist() == index.vocabulary.to_pylist()
    with pytest.raises(StateError, match="weights"):
        WordIndex(index.vocabulary, index.idf[:-1])


def test_nothing_to_learn_from() -> None:
    for corpus in ([], ["", " "], ["🧸"]):
        encoder = WordsEncoder.fit(corpus)
        assert len(encoder.index) == 0
        assert not encoder.encode(["red lipstick"]).any()


def test_full_rank_basis_keeps_all_cosines() -> None:
    encoder = WordsEncoder.fit(TITLES)
    vectors, rows = encoder.encode(TITLES), encoder.index.transform(TITLES)
    np.testing.assert_allclose(vectors @ vectors.T, (rows @ rows.T).toarray(), atol=1e-5)


def test_serving_needs_neither_scikit_learn_nor_torch(tmp_path) -> None:
    from gnn.text import save_encoder

    save_encoder(WordsEncoder.fit(TITLES), tmp_path)
    code = (
        "import sys; from pathlib import Path; from gnn.text import open_encoder;"
        f"open_encoder(Path({str(tmp_path)!r})).encode(['red nail']); "
        "print([m for m in ('sklearn', 'torch', 'transformers', 'spacy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
