"""Titles of one shop vote: what is a brand at the start of one title is likely one at the start of another.

The first model's probabilities are summed over the shop: mass(span) = Σ over titles of P(the span is the brand), mass(word) the same over
the spans that hold the word. A second model of the same form sees, beside the first one's probability, which share of the titles that begin
with the span (or hold the word) take it for a brand, the title's own vote taken out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from extraction.brand_features import Batch, WordTable
from extraction.catalogue_stats import CatalogueStatistics

WIDTH = 32
VOTE_COLUMNS = 8  # the columns of the first features that the second model sees too: size of the shop and length
_SMALL = 0.02


@dataclass(frozen=True, slots=True)
class Votes:
    """What a shop's titles say together.

    Args:
        spans: casefolded span → summed probability that it is the brand; what is below .02 is left out.
        words: casefolded word → summed probability of the spans that hold it.
        longer: casefolded span → summed probability of the brands that begin with it and are longer.
    """

    spans: Mapping[str, float]
    words: Mapping[str, float]
    longer: Mapping[str, float]

    @classmethod
    def count(cls, batch: Batch, probabilities: NDArray[np.float64]) -> Votes:
        """Sum the probabilities of all candidates of a shop."""
        spans: dict[str, float] = defaultdict(float)
        words: dict[str, float] = defaultdict(float)
        longer: dict[str, float] = defaultdict(float)
        for row in np.flatnonzero(probabilities > _SMALL).tolist():
            key, p = batch.keys[row], float(probabilities[row])
            if key:
                spans[key] += p
                pieces = key.split(" ")
                for word in set(pieces):
                    words[word] += p
                for n in range(1, len(pieces)):
                    longer[" ".join(pieces[:n])] += p
        return cls(dict(spans), dict(words), dict(longer))


def vote_features(
    batch: Batch, probabilities: NDArray[np.float64], votes: Votes, table: WordTable, own: NDArray[np.float64] | None
) -> NDArray[np.float32]:
    """float32 [candidates, WIDTH] for the second model.

    Args:
        batch: candidates of the titles.
        probabilities: float64 [candidates], of the first model.
        votes: of the shop.
        table: rows of words, with the counts of the shop.
        own: float64 [candidates], what the titles themselves put into the votes; None: nothing.
    """
    keys, places = batch.distinct
    statistics = table.statistics
    titles = np.append(statistics.beginnings[:, 0], 0).astype(np.float64)
    mine = _Own(batch, own, statistics)
    known = float(own is not None)
    at_start = known * ((batch.spans[:, 1] == 0) & (batch.spans[:, 0] > 0))
    count = np.maximum(titles[batch.spans[:, 5].astype(np.int64)] - at_start, 0)
    spans = np.array([votes.spans.get(key, 0.0) for key in keys])[places] if keys else np.zeros(0)
    mass = np.maximum(spans - mine.spans, 0)
    mass_longer = np.maximum(np.array([votes.longer.get(key, 0.0) for key in keys])[places] - mine.longer, 0) if keys else np.zeros(0)
    some = batch.spans[:, 0] > 0
    log_p = np.log(np.maximum(probabilities, 1e-4)) / 4
    starts = np.flatnonzero(np.diff(batch.owner, prepend=-1))
    sizes = np.diff(np.r_[starts, len(log_p)])
    words, single = _word_votes(batch, votes, table, mine, known)
    columns = [
        ~some,
        log_p,
        np.repeat(log_p[starts], sizes),
        log_p - np.repeat(np.maximum.reduceat(log_p, starts), sizes) if len(starts) else log_p,
        (mass + 0.15) / (count + 0.5) * some,
        np.log1p(mass) * some / 3,
        (mass + 0.05) / (mass + mass_longer + 0.2) * some,
        np.log1p(mass_longer) * some / 3,
        (mass_longer + 0.05) / (count + 0.5) * some,
        np.log1p(count) / 3,
        (mass > 0.5) & some,
        (mass > 2) & some,
        batch.spans[:, 1] > 0,
        *words,
        single > spans,
    ]
    features = np.stack([np.asarray(c, np.float32) for c in columns], axis=1)
    return np.hstack([features, batch.features[:, 2:VOTE_COLUMNS]]).astype(np.float32)


def _word_votes(
    batch: Batch, votes: Votes, table: WordTable, mine: _Own, known: float
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Four columns for each of first, last and next word; and the mass of the next word alone as a brand."""
    used, places = np.unique(batch.words[:, [0, 3, 6]], return_inverse=True)
    folded, types = [table.folded()[row] for row in used.tolist()], table.types()[used]
    titles = table.counts()[used, 0].astype(np.float64)
    mass_of = np.array([votes.words.get(word, 0.0) for word in folded])
    alone = np.array([votes.spans.get(word, 0.0) for word in folded])
    columns = []
    for at in places.reshape(-1, 3).T:
        is_word = used[at] > 0
        count = np.maximum(titles[at] - known, 0) * is_word
        mass = np.maximum(mass_of[at] - mine.words(batch.owner, types[at]), 0) * is_word
        columns += [
            np.minimum((mass + 0.05) / (count + 0.5), 1.5) * is_word,
            np.log1p(mass) / 3,
            (mass < 0.3) & is_word,
            ~is_word,
        ]
    return columns, alone[places.reshape(-1, 3)[:, 2]]


class _Own:
    """What each title put into the votes itself.

    Args:
        batch: candidates of the titles.
        own: float64 [candidates], their probabilities when the votes were counted; None: nothing.
        statistics: counts of the shop.
    """

    def __init__(self, batch: Batch, own: NDArray[np.float64] | None, statistics: CatalogueStatistics) -> None:
        n = len(batch.keys)
        self.spans: NDArray[np.float64] = np.zeros(n) if own is None else np.where((own > _SMALL) & (batch.spans[:, 0] > 0), own, 0.0)
        self.longer = np.zeros(n)
        self._stride = len(statistics.word_rows) + 1
        pairs: dict[int, float] = defaultdict(float)
        longer: dict[tuple[int, str], float] = defaultdict(float)
        for row in np.flatnonzero(self.spans).tolist():
            title, share = int(batch.owner[row]), float(self.spans[row])
            pieces = batch.keys[row].split(" ")
            for word in set(pieces):
                pairs[title * self._stride + statistics.word_rows[word]] += share
            for length in range(1, len(pieces)):
                longer[title, " ".join(pieces[:length])] += share
        if longer:
            touched = {title for title, _ in longer}
            for row in np.flatnonzero(np.isin(batch.owner, list(touched))).tolist():
                self.longer[row] = longer.get((int(batch.owner[row]), batch.keys[row]), 0.0)
        self._codes = np.array(sorted(pairs), np.int64)
        self._shares = np.array([pairs[code] for code in self._codes.tolist()])

    def words(self, owner: NDArray[np.int64], types: NDArray[np.int64]) -> NDArray[np.float64]:
        """float64: the share of each (title, word row) pair."""
        if not len(self._codes):
            return np.zeros(len(owner))
        codes = owner * self._stride + types
        places = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        return np.where(self._codes[places] == codes, self._shares[places], 0.0)
