"""Brands of titles, learned from a catalogue's titles alone.

A model that was trained on another shop (OA-Mine) scores every span that may be the brand by what this shop's titles say about it; a
second one hears how the other titles of the shop vote. The titles that were learned from keep their answer; a new title is scored when it
comes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extraction.base import Mention, entity_of
from extraction.brand_candidates import characters
from extraction.brand_features import Batch, WordTable
from extraction.brand_model import BrandModel
from extraction.brand_votes import VOTE_COLUMNS, Votes, vote_features
from extraction.catalogue_stats import CatalogueStatistics
from extraction.vocabularies import data
from extraction.words import Words
from kg.digest import digest_json

ROUNDS = 2
_CHUNK = 2048


@dataclass(frozen=True, slots=True)
class Found:
    """The brand of a title: its span in characters and the probability that it is right."""

    start: int
    end: int
    confidence: float


@cache
def shipped_models() -> tuple[BrandModel, BrandModel]:
    """The two models that clew ships, trained on OA-Mine (`benchmarks/train_brand_model.py`)."""
    weights = data("brand_model")
    return BrandModel.from_dict(weights["statistics"]), BrandModel.from_dict(weights["votes"])


class BrandFinder:
    """Finds the brand of a title.

    Args:
        statistics: counts of the shop's titles.
        votes: what they vote.
        answers: title → its brand (None: it has none), for the titles that were learned from.
        names: entity key → the spelling that most titles use.
        models: (on statistics, on votes).
    """

    def __init__(
        self,
        statistics: CatalogueStatistics,
        votes: Votes,
        answers: Mapping[str, Found | None],
        names: Mapping[str, str],
        models: tuple[BrandModel, BrandModel],
    ) -> None:
        self.statistics, self.votes, self.answers, self.names, self.models = statistics, votes, answers, names, models
        self._table = WordTable(statistics)

    @classmethod
    def learn(cls, titles: Sequence[Words], kinds: Sequence[str], models: tuple[BrandModel, BrandModel] | None = None) -> BrandFinder:
        """Learn a shop: count its titles, score them, let them vote twice.

        Args:
            titles: words of each title; may be empty.
            kinds: kind of product of each, "" where it is not known.
            models: weights; None: the shipped ones.
        """
        models = models or shipped_models()
        distinct = {words.text: (words, kind) for words, kind in zip(titles, kinds, strict=True)}
        titles, kinds = [words for words, _ in distinct.values()], [kind for _, kind in distinct.values()]
        statistics = CatalogueStatistics.learn(titles, kinds)
        table = WordTable(statistics)
        batches, scored = [], []
        for start in range(0, max(len(titles), 1), _CHUNK):
            part = Batch(titles[start : start + _CHUNK], kinds[start : start + _CHUNK], table)
            scored.append(models[0].probabilities(part.features, part.owner))
            batches.append(part.narrowed(VOTE_COLUMNS))
        batch, probabilities = Batch.joined(batches, VOTE_COLUMNS), np.concatenate(scored)
        votes = Votes.count(batch, probabilities)
        for round_ in range(ROUNDS):
            seen = vote_features(batch, probabilities, votes, table, probabilities)
            probabilities = models[1].probabilities(seen, batch.owner)
            if round_ + 1 < ROUNDS:
                votes = Votes.count(batch, probabilities)
        answers = {w.text: found for w, found in zip(titles, _decided(batch, probabilities, titles), strict=True)}
        return cls(statistics, votes, answers, _spellings(answers), models)

    @property
    def digest(self) -> str:
        """Digest of what was learned and of the weights."""
        return digest_json([self.statistics.digest, *(model.digest for model in self.models)])

    def find(self, titles: Sequence[Words], kinds: Sequence[str]) -> list[Mention | None]:
        """The brand of each title, or None; titles do not influence each other.

        Args:
            titles: words of each title.
            kinds: kind of product of each, "" where it is not known.
        """
        new = [i for i, words in enumerate(titles) if self._title(words.text) not in self.answers and len(words)]
        scored = dict(zip(new, self._scored([titles[i] for i in new], [kinds[i] for i in new]), strict=True))
        found = []
        for i, words in enumerate(titles):
            title = self._title(words.text)
            if i in scored:
                answer, shift = scored[i], 0
            else:
                answer, shift = self.answers.get(title), words.text.find(title)
            found.append(self._mention(words.text, Found(answer.start + shift, answer.end + shift, answer.confidence)) if answer else None)
        return found

    def _title(self, text: str) -> str:
        """The text as it was learned from: as it is, or without the blanks around it."""
        return text if text in self.answers else text.strip()

    def _scored(self, titles: Sequence[Words], kinds: Sequence[str]) -> list[Found | None]:
        if not titles:
            return []
        batch = Batch(titles, kinds, self._table)
        probabilities = self.models[0].probabilities(batch.features, batch.owner)
        seen = vote_features(batch, probabilities, self.votes, self._table, None)
        return _decided(batch, self.models[1].probabilities(seen, batch.owner), titles)

    def _mention(self, text: str, found: Found) -> Mention:
        raw = text[found.start : found.end]
        entity = entity_of("brand", raw)
        return Mention("brand", raw, self.names.get(entity or "", raw), entity, "title", found.start, found.end, found.confidence, "rules")

    def to_dict(self) -> dict[str, Any]:
        """JSON form of everything that was learned."""
        s = self.statistics
        return {
            "words": {word: s.words[row].tolist() for word, row in s.word_rows.items()},
            "beginnings": {text: s.beginnings[row].tolist() for text, row in s.beginning_rows.items()},
            "known": sorted(s.known),
            "votes": [dict(self.votes.spans), dict(self.votes.words), dict(self.votes.longer)],
            "answers": {title: [f.start, f.end, f.confidence] if f else None for title, f in self.answers.items()},
            "names": dict(self.names),
            "models": [model.to_dict() for model in self.models],
        }

    @classmethod
    def from_dict(cls, learned: Mapping[str, Any]) -> BrandFinder:
        """The finder of a JSON form."""
        words, beginnings = learned["words"], learned["beginnings"]
        statistics = CatalogueStatistics(
            {word: row for row, word in enumerate(words)},
            np.array(list(words.values()), np.int32).reshape(-1, 6),
            {text: row for row, text in enumerate(beginnings)},
            np.array(list(beginnings.values()), np.int32).reshape(-1, 3),
            frozenset(learned["known"]),
        )
        answers = {title: Found(*found) if found else None for title, found in learned["answers"].items()}
        first, second = (BrandModel.from_dict(weights) for weights in learned["models"])
        return cls(statistics, Votes(*learned["votes"]), answers, learned["names"], (first, second))


def _decided(batch: Batch, probabilities: NDArray[np.float64], titles: Sequence[Words]) -> list[Found | None]:
    """The most probable candidate of each title."""
    decided: list[Found | None] = []
    start = 0
    for words, options in zip(titles, batch.options, strict=True):
        best = start + int(np.argmax(probabilities[start : start + len(options)]))
        option = options[best - start]
        confidence = round(min(max(float(probabilities[best]), 0.0), 1.0), 4)
        decided.append(Found(*characters(words, option.first, option.last), confidence) if option else None)
        start += len(options)
    return decided


def _spellings(answers: Mapping[str, Found | None]) -> dict[str, str]:
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for title, found in answers.items():
        if found:
            raw = title[found.start : found.end]
            spellings[entity_of("brand", raw) or ""][raw] += 1
    return {entity: min(counts, key=lambda raw, counts=counts: (-counts[raw], raw)) for entity, counts in spellings.items()}  # type: ignore[misc]
