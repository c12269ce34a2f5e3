"""Reads titles with several CRFs at once: one pass over the words for all attributes, then forward and backward sums in arrays.

A word's scores for all tags of all attributes are summed once from its features and kept, so that a title costs a look-up per token.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from extraction.crf import BEGIN, INSIDE, OUTSIDE, TAGS, CrfWeights
from extraction.tag_features import WINDOW, Hints, Tokens, hint_feature, pair_features, place_features, word_features

Floats = NDArray[np.float64]
LONGEST = 12
_KEPT_WORDS = 200_000
_NEVER = -1e30


class Span(NamedTuple):
    """A value of one attribute: first token, token after the last, and the probability that exactly these tokens are one value."""

    first: int
    last: int
    probability: float


class Decoder:
    """Several CRFs over the same features.

    Args:
        weights: attribute → weights.
    """

    def __init__(self, weights: Mapping[str, CrfWeights]) -> None:
        self.names = tuple(weights)
        self.width = len(self.names) * len(TAGS)
        rows: dict[str, int] = {}
        for crf in weights.values():
            for name in crf.states:
                rows.setdefault(name, len(rows) + 1)
        # Row 0 is the feature that no CRF knows.
        self._rows = rows
        self._table = np.zeros((len(rows) + 1, self.width))
        for column, crf in enumerate(weights.values()):
            for name, values in crf.states.items():
                self._table[rows[name], column * 3 : column * 3 + 3] = values
        self._transitions = np.stack([crf.transitions for crf in weights.values()]) if weights else np.zeros((0, 3, 3))
        self._words: dict[str, int] = {}
        self._scores = np.zeros((1024, len(WINDOW), self.width))

    def read(self, titles: Sequence[Tokens], hints: Sequence[Hints]) -> list[dict[str, list[Span]]]:
        """The likely values of each title: attribute → spans, the most probable first, of those that have a chance of 1 % or more.

        Args:
            titles: tokens of each title.
            hints: what else is known about the places of each.
        """
        if not titles or not self.names:
            return [{} for _ in titles]
        scores, lengths = self.scores(titles, hints)
        return spans_of(scores, lengths, self._transitions, self.names)

    def scores(self, titles: Sequence[Tokens], hints: Sequence[Hints]) -> tuple[Floats, NDArray[np.int64]]:
        """State scores float64 [titles, longest, attributes, 3] and the length of each title in tokens."""
        lengths = np.array([len(tokens) for tokens in titles], np.int64)
        longest = int(lengths.max(initial=1)) or 1
        total = int(lengths.sum())
        word_rows = np.fromiter((self._word(token) for tokens in titles for token in tokens.texts), np.int64, total)
        title_rows = np.repeat(np.arange(len(titles)), lengths)
        columns = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        scores = np.zeros((len(titles), longest + 4, self.width))
        for k, offset in enumerate(WINDOW):
            scores[title_rows, columns - offset + 2] += self._scores[word_rows, k]
        inner = scores[:, 2 : longest + 2]
        at, found = self._places(titles, hints)
        sums: Any = csr_matrix((np.ones(len(at)), (at, found)), (total, len(self._table))) @ self._table
        inner[title_rows, columns] += np.asarray(sums)
        return inner.reshape(len(titles), longest, len(self.names), 3), lengths

    def _word(self, token: str) -> int:
        row = self._words.get(token)
        if row is None:
            if len(self._words) >= _KEPT_WORDS:
                self._words.clear()
            row = self._words[token] = len(self._words)
            if row >= len(self._scores):
                self._scores = np.concatenate([self._scores, np.zeros_like(self._scores)])
            for k, offset in enumerate(WINDOW):
                known = [self._rows[name] for name in word_features(token, offset) if name in self._rows]
                self._scores[row, k] = self._table[known].sum(axis=0) if known else 0.0
        return row

    def _places(self, titles: Sequence[Tokens], hints: Sequence[Hints]) -> tuple[list[int], list[int]]:
        """Token (counted over all titles) and row of every known feature of places, pairs and hints."""
        at: list[int] = []
        found: list[int] = []
        base = 0
        for tokens, hint in zip(titles, hints, strict=True):
            for i, names in _named(tokens, hint):
                for name in names:
                    if row := self._rows.get(name):
                        at.append(base + i)
                        found.append(row)
            base += len(tokens)
        return at, found


def _named(tokens: Tokens, hint: Hints) -> Iterator[tuple[int, Iterable[str]]]:
    """(token, names) of the features of places, pairs and hints of a title."""
    texts = tokens.texts
    n = len(texts)
    for i in range(n):
        yield i, (place_features(tokens, i),)
        if i:
            right, left = pair_features(texts[i - 1], texts[i])
            yield i, (right,)
            yield i - 1, (left,)
    for table in (hint.names, hint.rules):
        for i, names in table.items():
            for offset in (-1, 0, 1):
                if 0 <= i - offset < n:
                    yield i - offset, [hint_feature(name, offset) for name in names]


def _logsumexp(values: Floats, axis: int) -> Floats:
    top = values.max(axis=axis, keepdims=True)
    summed: Floats = np.log(np.exp(values - top).sum(axis=axis)) + top.squeeze(axis)
    return summed


def chains(scores: Floats, lengths: NDArray[np.int64], transitions: Floats) -> tuple[Floats, Floats, Floats]:
    """Forward and backward log sums [titles, longest, attributes, 3] and log Z [titles, attributes] of the CRFs.

    Args:
        scores: float64 [titles, longest, attributes, 3].
        lengths: int64 [titles], at least 1.
        transitions: float64 [attributes, 3, 3].
    """
    _n, longest = scores.shape[:2]
    forward, backward = np.zeros_like(scores), np.zeros_like(scores)
    forward[:, 0] = scores[:, 0]
    for i in range(1, longest):
        step = _logsumexp(forward[:, i - 1, :, :, None] + transitions[None], axis=2) + scores[:, i]
        inside = (i < lengths)[:, None, None]
        forward[:, i] = np.where(inside, step, forward[:, i - 1])
    for i in range(longest - 2, -1, -1):
        after = scores[:, i + 1] + backward[:, i + 1]
        step = _logsumexp(transitions[None] + after[:, :, None, :], axis=3)
        backward[:, i] = np.where((i + 1 < lengths)[:, None, None], step, 0.0)
    log_z = _logsumexp(forward[:, -1], axis=2)
    return forward, backward, log_z


def spans_of(scores: Floats, lengths: NDArray[np.int64], transitions: Floats, names: Sequence[str]) -> list[dict[str, list[Span]]]:
    """The spans of each title that have a chance of 1 % or more, by attribute, the most probable first.

    Args:
        scores, lengths, transitions: as of `chains`.
        names: attributes in their order.
    """
    n, longest = scores.shape[:2]
    lengths = np.maximum(lengths, 1)
    forward, backward, log_z = chains(scores, lengths, transitions)
    # Log sum of what may follow a value that ends at i: a tag that does not continue it.
    ends = np.zeros(scores.shape[:3])
    after = scores[:, 1:] + backward[:, 1:]
    leaving = np.stack([transitions[:, k, [OUTSIDE, BEGIN]] for k in (BEGIN, INSIDE)])
    found: list[dict[str, list[Span]]] = [{} for _ in range(n)]
    inside = np.arange(longest)[None] < lengths[:, None]
    last = np.arange(longest)[None] == lengths[:, None] - 1
    path = forward[..., BEGIN].copy()
    for length in range(1, min(LONGEST, longest) + 1):
        if length > 1:
            step = transitions[:, BEGIN if length == 2 else INSIDE, INSIDE]
            path = path[:, :-1] + step[None, None] + scores[:, length - 1 :, :, INSIDE]
        tag = 0 if length == 1 else 1
        follow = _logsumexp(leaving[tag][None, None] + after[..., [OUTSIDE, BEGIN]], axis=3)
        ends[:, :-1] = follow
        ends = np.where(last[..., None], 0.0, ends)
        stop = slice(length - 1, None)
        chance = path + ends[:, stop] - log_z[:, None]
        chance = np.where(inside[:, stop, None], chance, _NEVER)
        for title, first, column in zip(*np.nonzero(chance > np.log(0.01)), strict=True):
            span = Span(int(first), int(first) + length, min(1.0, float(np.exp(chance[title, first, column]))))
            found[title].setdefault(names[column], []).append(span)
    for values in found:
        for spans in values.values():
            spans.sort(key=lambda span: (-span.probability, span.first))
    return found
