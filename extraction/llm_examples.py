"""Which known products stand as examples in a prompt: those whose titles are most like the one that is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from extraction.llm_guard import readable
from extraction.llm_prompt import Example
from kg.digest import digest_json
from kg.errors import InputError


class ExampleIndex:
    """Examples, found by likeness of title: cosine of TF-IDF vectors of character three- to five-grams within words (any language).

    An example whose text gives orders is left out, as is one that quotes what its text does not hold.

    Args:
        examples: products whose values are known.

    Raises:
        InputError: an example gives a value that does not stand in its text.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        for example in examples:
            strange = [v for values in example.values.values() for v in values if v not in example.text]
            if strange:
                raise InputError(f"The example {example.text!r} gives {strange[0]!r}, which it does not say.", "Correct or remove it.")
        self.examples = [example for example in examples if not readable(example.text).ordered]

    @property
    def digest(self) -> str:
        """Digest of the examples."""
        return digest_json([[e.text, e.kind, {name: list(values) for name, values in e.values.items()}] for e in self.examples])

    @cached_property
    def _fitted(self) -> tuple[Any, Any]:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, dtype=np.float32)
        return vectorizer, vectorizer.fit_transform([example.text for example in self.examples])

    def nearest(self, texts: Sequence[str], kinds: Sequence[str], k: int) -> list[list[Example]]:
        """Per text its k most similar examples, the most similar last (nearest to the question).

        Examples of the same kind go first; a text is never its own example.

        Args:
            texts: titles as shown.
            kinds: their kinds of product; empty where unknown.
            k: how many.
        """
        if not self.examples or not k:
            return [[] for _ in texts]
        vectorizer, matrix = self._fitted
        likeness = np.asarray((vectorizer.transform(list(texts)) @ matrix.T).todense())
        own_kinds = np.array([example.kind for example in self.examples])
        chosen = []
        for row, text, kind in zip(likeness, texts, kinds, strict=True):
            ranked = row + (own_kinds == kind) * float(bool(kind))
            order = [i for i in np.argsort(-ranked, kind="stable")[: k + 8] if self.examples[i].text != text]
            chosen.append([self.examples[i] for i in reversed(order[:k])])
        return chosen


def shipped_examples() -> list[Example]:
    """A few products written for clew, for a shop that has no labelled ones."""
    from extraction.vocabularies import data

    return [
        Example(row["text"], row["kind"], {name: tuple(values) for name, values in row["values"].items()})
        for row in data("llm_examples")["examples"]
    ]
