"""Titles of one shop vote: what is a brand at the start of one title is likely one at the start of another.

The first model's probabilities are summed over the shop: mass(span) = Σ over titles of P(the span is the brand), mass(word) the same over
the spans that hold the word. A second model of the same form sees, beside the first one's probability, which share of the titles that begin
with the span (or hold the word) take it for a brand, the title's own vote taken out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from extraction.brand_features import Batch
from extraction.catalogue_stats import CatalogueStatistics
from extraction.words import Words

WIDTH = 31
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
    batch: Batch,
    probabilities: NDArray[np.float64],
    titles: Sequence[Words],
    votes: Votes,
    statistics: CatalogueStatistics,
    own: NDArray[np.float64] | None,
) -> NDArray[np.float32]:
    """float32 [candidates, WIDTH] for the second model.

    Args:
        batch: candidates of the titles.
        probabilities: float64 [candidates], of the first model.
        titles: their words.
        votes: of the shop.
        statistics: counts of the shop.
        own: float64 [candidates], what the titles themselves put into the votes; None: nothing.
    """
    mine = np.zeros(len(batch.keys)) if own is None else np.where(own > _SMALL, own, 0.0)
    raw = np.array(_looked_up(batch, mine, titles, votes, statistics, own is not None), np.float64).reshape(-1, 17)
    count, mass, mass_longer, elsewhere = raw[:, 0], raw[:, 1], raw[:, 2], raw[:, 3]
    some = np.array([bool(key) for key in batch.keys], bool)
    log_p = np.log(np.maximum(probabilities, 1e-4)) / 4
    starts = np.flatnonzero(np.diff(batch.owner, prepend=-1))
    none = np.repeat(log_p[starts], np.diff(np.r_[starts, len(log_p)]))
    best = np.repeat(np.maximum.reduceat(log_p, starts), np.diff(np.r_[starts, len(log_p)]))
    words = raw[:, 4:].reshape(-1, 13)
    columns = [
        ~some,
        log_p,
        none,
        (log_p - best),
        (mass + 0.15) / (count + 0.5) * some,
        np.log1p(mass) * some / 3,
        (mass + 0.05) / (mass + mass_longer + 0.2) * some,
        np.log1p(mass_longer) * some / 3,
        (mass_longer + 0.05) / (count + 0.5) * some,
        np.log1p(count) / 3,
        (mass > 0.5) & some,
        (mass > 2) & some,
        elsewhere,
        *words.T,
    ]
    table = np.stack([np.asarray(c, np.float32) for c in columns], axis=1)
    return np.hstack([table, batch.features[:, 2:7]]).astype(np.float32)


def _looked_up(
    batch: Batch, mine: NDArray[np.float64], titles: Sequence[Words], votes: Votes, statistics: CatalogueStatistics, own: bool
) -> list[list[float]]:
    """Counts and masses of each candidate with the title's own share taken out."""
    rows: list[list[float]] = []
    row = 0
    for words, options in zip(titles, batch.options, strict=True):
        known = float(own)
        end = row + len(options)
        own_words: dict[str, float] = defaultdict(float)
        own_longer: dict[str, float] = defaultdict(float)
        own_spans: dict[str, float] = defaultdict(float)
        for j in range(row, end):
            if mine[j] > 0 and batch.keys[j]:
                pieces = batch.keys[j].split(" ")
                own_spans[batch.keys[j]] += mine[j]
                for word in set(pieces):
                    own_words[word] += mine[j]
                for n in range(1, len(pieces)):
                    own_longer[" ".join(pieces[:n])] += mine[j]
        for option, key in zip(options, batch.keys[row:end], strict=True):
            first, last = (option.first, option.last) if option else (0, min(1, len(words)))
            begin = statistics.beginning_rows.get(key, -1)
            at_start = known if option and not option.place and not option.first else 0.0
            count = max(float(statistics.beginnings[begin, 0]) - at_start, 0.0) if begin >= 0 else 0.0
            found = [
                count,
                max(votes.spans.get(key, 0.0) - own_spans[key], 0.0),
                max(votes.longer.get(key, 0.0) - own_longer[key], 0.0),
                float(bool(option) and option is not None and option.place > 0),
            ]
            for i in (first, last - 1, last):
                found += _word_votes(words, i, votes, statistics, own_words, known)
            # Is the next word the start of a brand elsewhere more often than this one?
            found.append(float(last < len(words) and votes.spans.get(words.folded[last], 0.0) > votes.spans.get(key, 0.0)))
            rows.append(found)
        row = end
    return rows


def _word_votes(
    words: Words, i: int, votes: Votes, statistics: CatalogueStatistics, own_words: Mapping[str, float], known: float
) -> tuple[float, float, float, float]:
    if not 0 <= i < len(words):
        return 0.0, 0.0, 0.0, 1.0
    word = words.folded[i]
    row = statistics.word_rows.get(word, -1)
    titles = max(float(statistics.words[row, 0]) - known, 0.0) if row >= 0 else 0.0
    mass = max(votes.words.get(word, 0.0) - own_words.get(word, 0.0), 0.0)
    return min((mass + 0.05) / (titles + 0.5), 1.5), float(np.log1p(mass) / 3), float(mass < 0.3), 0.0
