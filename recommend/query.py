"""Products for words: exact words, entities that the words name, and the rest of the text.

    score(i) = w_words · cos TF-IDF(q, i) + w_entities · Σ_e rarity(e) Â_ie + w_text · cos(q, i)
    rarity(e) = idf(e) / ln(1 + n): a brand of two products tells more than a colour of a thousand.

The first two are paths from the `Query` node; of the third, the mean over all products is the baseline and the rest `text`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnn.text_words import tokens
from kg.canon import entity_key
from kg.errors import InputError
from kg.ontology import Label, Rel, relation
from recommend.arrays import weighted_rows
from recommend.parts import Hop, Parts, PathPart
from recommend.scorer import Scored, Scorer
from recommend.views.base import Values
from recommend.views.facts import FactView
from recommend.words import WordVector

LONGEST_NAME = 5  # words of an entity's name at most


@dataclass(frozen=True, slots=True)
class Named:
    """An entity that a query names.

    Args:
        view: view of its relation.
        row: entity row.
        words: as the query writes it.
        rarity: 0..1.
    """

    view: FactView
    row: int
    words: str
    rarity: float


def named_entities(scorer: Scorer, text: str) -> list[Named]:
    """Entities of all relations whose names stand in a text, longest names first; a word counts for one name of each relation."""
    words = tokens(text)
    found = []
    for view in scorer.views.values():
        if not isinstance(view, FactView):
            continue
        label = relation(view.relation).target
        used: set[int] = set()
        for size in range(min(LONGEST_NAME, len(words)), 0, -1):
            for start in range(len(words) - size + 1):
                span = set(range(start, start + size))
                phrase = " ".join(words[start : start + size])
                if span & used or (row := _entity_row(scorer, str(label), phrase, view)) is None:
                    continue
                used |= span
                rarity = float(view.idf[row] / np.log(1 + max(scorer.n_items, 2)))
                if rarity > 0:
                    found.append(Named(view, row, phrase, min(rarity, 1.0)))
    return found


def _entity_row(scorer: Scorer, label: str, phrase: str, view: FactView) -> int | None:
    try:
        key = entity_key(Label(label), phrase, view.relation.lower() if label == Label.ENTITY else "")
    except InputError:
        return None
    return scorer.snapshot.entities.find(key)


def query(scorer: Scorer, text: str) -> Scored:
    """Scores of all products for a text, or popularity with a sentence when no word of it is known."""
    vector = scorer.words.vector(text)
    named = named_entities(scorer, text)
    if not len(vector.columns) and not named:
        popular = scorer.popular()
        sentence = "No word of the text stands in the catalogue, so these are the products that most people bought."
        return Scored(popular.scores, popular.parts, sentence)
    asked = _Asked(scorer, vector, named, text)
    return Scored(asked.scores, asked.parts)


class _Asked:
    def __init__(self, scorer: Scorer, vector: WordVector, named: list[Named], text: str) -> None:
        self._scorer, self._vector, self._named = scorer, vector, named
        weights = scorer.weights.query
        self._words = weights.words * scorer.words.likeness(vector)
        self._entities = [weights.entities * one.rarity * _members(one) for one in named]
        self._text, self._mean = np.zeros(scorer.n_items), 0.0
        if scorer.text is not None:
            asked = np.asarray(scorer.text.encode(text), np.float64)
            length = float(np.linalg.norm(asked))
            if length > 0:
                cosine = np.asarray(scorer.text.vectors @ (asked / length).astype(np.float32), np.float64)
                self._mean = weights.text * float(cosine.mean())
                self._text = weights.text * cosine - self._mean
        self.scores: Values = self._words + np.sum([*self._entities, self._text], axis=0) + self._mean

    def parts(self, item_row: int) -> Parts:
        """One product's score taken apart."""
        paths = []
        if self._words[item_row]:
            shared = self._scorer.words.shared(self._vector, self._scorer.words.of_item(item_row))
            hop = Hop(Rel.MATCHES, "out", "item", item_row, words=shared, derived=True)
            paths.append(PathPart("words", Rel.MATCHES, float(self._words[item_row]), None, (hop,)))
        for one, values in zip(self._named, self._entities, strict=True):
            if values[item_row]:
                first = Hop(Rel.MATCHES, "out", "entity", one.row, words=(one.words,), derived=True)
                second = Hop(one.view.relation, "in", "item", item_row)
                paths.append(PathPart(one.view.name, one.view.relation, float(values[item_row]), None, (first, second)))
        return Parts(tuple(paths), float(self._text[item_row]), 0.0, 0.0, self._mean)


def _members(named: Named) -> Values:
    """Â of an entity for each product."""
    one = np.array([named.row], np.int32)
    return weighted_rows(named.view.members, one, np.ones(1))
