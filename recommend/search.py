"""The best products of a history, exactly, without scoring all of them exactly: bounds first, then those that may be among the best.

What costs at a hundred thousand products is what reaches every one of them: ⟨q, v_i⟩, and likeness to what others bought (N · m). Both
are first counted in part, with a bound on the rest:

    ⟨q, v_i⟩ = ⟨q_head, v_head⟩ ± ‖q_tail‖ ‖v_tail‖      axes turned so that a few hold most of the products' length
    (N · m)_i = Σ of the largest m_k ± the next m_k         the weights N of a product sum to 1 at most

A product whose upper bound is below the n-th best lower bound is none of the n best (Fagin's threshold, over bounds). The others are
summed whole, and those within float32's error of the n-th best again in float64, as `Scorer.parts` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommend.arrays import PickedRows, transposed, weighted_rows
from recommend.history import History
from recommend.profile import Branch
from recommend.scorer import Scorer
from recommend.views.base import Rows, SparseView, Values, View
from recommend.views.co_bought import CoBoughtSimilarView
from recommend.views.ease import EaseView
from recommend.views.facts import FactView
from recommend.views.gnn import GnnView

HEAD = 32  # axes of the GNN that every product is looked at with
LARGEST = 1000  # entries of m that are spread at first
FEW = 20_000  # products up to which all are scored: that costs less than bounds
_SHARE = 10  # of all products at most a tenth is worth going through one by one
_PATIENCE, _AGAIN = 3, 64  # questions with bounds in vain before they are left, and how often they are tried again
_SAMPLE = 4096
_RUN = 32  # products whose best lower bound stands for them where the n-th best is sought
_ERROR = 1e-5  # of float32 sums, as a share of the largest term

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Turned:
    """v in turned axes: the first `HEAD`, and the length of the rest."""

    axes: Values
    head: Floats
    tail: Floats

    @classmethod
    def of(cls, targets: Floats) -> _Turned:
        sample = targets[:: max(1, len(targets) // _SAMPLE)].astype(np.float64)
        _, vectors = np.linalg.eigh(sample.T @ sample)
        axes = vectors[:, ::-1]  # the longest first
        head = targets @ axes[:, :HEAD].astype(np.float32)
        rest = np.einsum("ij,ij->i", targets, targets, dtype=np.float64) - np.einsum("ij,ij->i", head, head, dtype=np.float64)
        whole = np.einsum("ij,ij->i", targets, targets)
        # Rounding may take a little from a small difference of large numbers; a bound may only be too wide.
        return cls(axes, np.asfortranarray(head), np.sqrt(np.maximum(rest, 0) + 1e-6 * whole).astype(np.float32))


class Search:
    """Finds the best over one model; what does not depend on the asker is made once.

    Args:
        scorer: the model.
    """

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.all_seen = bool(scorer.seen.all())
        self._facts: dict[Branch, sp.csr_array] = {}
        self._turned: _Turned | None = None
        self._spread: sp.csr_array | None = None
        self._asked = self._in_vain = 0

    def best(self, history: History, allowed: NDArray[np.bool_], n: int) -> tuple[Rows, Values]:
        """The n best products that are allowed, and a few behind them.

        Args:
            history: whose scores; not empty.
            allowed: bool [n_items].
            n: how many at least, where so many are allowed.

        Returns:
            Item rows (int32), the best first, of equals the smaller row; their scores as `Scorer.parts` sums them (float64).
        """
        return _Question(self, self._scorer, history).best(allowed, n)

    def tries_bounds(self) -> bool:
        """Whether the next question tries bounds: in a large catalogue, unless they left too many of late; then now and again."""
        self._asked += 1
        return self._scorer.n_items > FEW and (self._in_vain < _PATIENCE or self._asked % _AGAIN == 0)

    def go_on_with(self, left: int) -> bool:
        """Whether as many products as bounds left are few enough to go on with; `tries_bounds` remembers it."""
        few = left * _SHARE <= self._scorer.n_items
        self._in_vain = 0 if few else self._in_vain + 1
        return few

    def best_first(self, history: History, allowed: NDArray[np.bool_], k: int, above: float = -np.inf) -> Iterator[int]:
        """Item rows of all products that are allowed and score more than `above`, best first; searches for as many as are asked for."""
        size, done, there = max(4 * k, 64), 0, int(allowed.sum())
        while done < there:
            rows, scores = self.best(history, allowed, size)
            found = rows[scores > above]
            yield from found[done:].tolist()
            if len(found) < len(rows):
                return
            done, size = max(done, len(rows)), size * 8

    def facts(self, branch: Branch) -> sp.csr_array:
        """Weighted entities of all relations side by side (CSR float32 [n_items, relations × n_entities]): Â_ie · w."""
        if branch not in self._facts:
            parts = [_scaled(view.factor, self._scorer.scale(branch, view.name)) for view in self.fact_views(branch)]
            self._facts[branch] = sp.csr_array(sp.hstack(parts, format="csr"))
        return self._facts[branch]

    def fact_views(self, branch: Branch) -> list[FactView]:
        """The views of relations that have a say."""
        views = self._scorer.views.values()
        return [view for view in views if isinstance(view, FactView) and self._scorer.scale(branch, view.name) is not None]

    def turned(self, view: GnnView) -> _Turned:
        """The turned axes of the GNN's vectors."""
        if self._turned is None:
            self._turned = _Turned.of(view.targets)
        return self._turned

    def spread(self, near: sp.csr_array) -> sp.csr_array:
        """N: neighbour → candidate."""
        if self._spread is None:
            self._spread = transposed(near)
        return self._spread


def _scaled(matrix: sp.csr_array, scale: Values | None) -> sp.csr_array:
    """Rows times a number each, in float32."""
    assert scale is not None  # a view that has a say
    data = matrix.data * np.repeat(scale, np.diff(matrix.indptr)).astype(np.float32)
    return sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


@dataclass(frozen=True, slots=True, eq=False)
class _Spread:
    """A view that reaches products through those they are like: scale · (N · m).

    Args:
        near: Nᵀ, CSR [candidate, neighbour].
        outward: N.
        middle: m, float64 [n_items].
        scale: weight of the view, for all products or for each.
    """

    near: sp.csr_array
    outward: sp.csr_array
    middle: Values
    scale: float | Values

    def bounds(self) -> tuple[Values, float | Values, float | Values]:
        """What the largest entries of m give, and how much less and more the others may make of it."""
        active = np.flatnonzero(self.middle)
        sizes = np.abs(self.middle[active])
        border = 0.0
        if len(active) > LARGEST:
            some = np.sort(sizes[:: max(1, len(active) // _SAMPLE)])
            border = float(some[-max(1, len(some) * LARGEST // len(active))])
            active = active[sizes > border]
        found = self.scale * weighted_rows(self.outward, active, self.middle[active])
        one_way = bool((self.middle >= 0).all() and np.min(self.scale) >= 0)
        return found, 0.0 if one_way else np.abs(self.scale) * border, np.abs(self.scale) * border

    def exact(self, item_rows: Rows) -> Values:
        """The scores of some products."""
        return np.asarray(_at(self.scale, item_rows) * PickedRows.of(self.near, item_rows).times(self.middle), np.float64)


def _at(values: Any, rows: Any) -> Any:
    """Those of some products, of a number for all or of one for each."""
    return values if isinstance(values, float) else values[rows]


class _Question:
    """One history's scores, as far as they are known."""

    def __init__(self, search: Search, scorer: Scorer, history: History) -> None:
        self._search, self._scorer, self._history = search, scorer, history
        self._branch = history.profile.branch
        self._weights = scorer.weights.branch(self._branch)
        self._total = scorer.item_terms(self._branch).copy()
        self._spreads: list[_Spread] = []
        self._gnn: GnnView | None = None
        self._stated: Floats = np.empty(0, np.float32)
        for view in scorer.views.values():
            if scorer.scale(self._branch, view.name) is not None:
                self._add(view)
        self._facts = [(view, history.sums(view.factor)) for view in search.fact_views(self._branch)]

    def _add(self, view: View) -> None:
        history, scale = self._history, self._scale(view)
        if isinstance(view, GnnView):
            self._gnn, self._source = view, view.source(history.rows, history.amounts)
        elif isinstance(view, CoBoughtSimilarView):
            middle = history.sums(view.bought.matrix)
            self._spreads.append(_Spread(view.near, self._search.spread(view.near), middle, scale))
        elif isinstance(view, EaseView):
            known = history.sums(view.matrix)
            self._total += scale * known
            if self._weights.of(view.name, False) and not self._search.all_seen:
                unseen = np.where(self._scorer.seen, 0.0, self._weights.of(view.name, False))
                self._spreads.append(_Spread(view.near, view.spread, known, unseen))
        elif isinstance(view, SparseView):
            self._total += scale * history.sums(view.matrix)
        elif not isinstance(view, FactView):
            self._total += scale * view.scores(history.rows, history.amounts)

    def _scale(self, view: View) -> float | Values:
        seen, unseen = self._weights.of(view.name, True), self._weights.of(view.name, False)
        scale = self._scorer.scale(self._branch, view.name)
        return float(seen) if scale is None or seen == unseen or self._search.all_seen else scale

    def best(self, allowed: NDArray[np.bool_], n: int) -> tuple[Rows, Values]:
        """As `Search.best`."""
        rows = self._by_bounds(allowed, n) if self._search.tries_bounds() else None
        rows = self._whole(allowed, n) if rows is None else rows
        scores = self._exact(rows)
        order = np.lexsort((rows, -scores))
        return rows[order], scores[order]

    def _whole(self, allowed: NDArray[np.bool_], n: int) -> Rows:
        """The n best by scores of all products in float32, and those within its error of them."""
        scores: Floats = self._total.astype(np.float32)
        sizes = []
        if self._facts:
            scores += self._state()
        for spread in self._spreads:
            scores += (spread.scale * (spread.near @ spread.middle.astype(np.float32))).astype(np.float32)
        if self._gnn is not None:
            found = self._gnn.scores(self._history.rows, self._history.amounts)
            sizes.append(float(np.abs(found).max(initial=0)) * float(np.abs(self._scale(self._gnn)).max()))
            scores += (self._scale(self._gnn) * found).astype(np.float32)
        error = _ERROR * (float(np.abs(scores).max(initial=0)) + sum(sizes))
        scores[~allowed] = -np.inf
        return np.flatnonzero(allowed & (scores >= _nth(scores, n) - error)).astype(np.int32)

    def _by_bounds(self, allowed: NDArray[np.bool_], n: int) -> Rows | None:
        """The same without going through all products; None where the bounds leave too many."""
        rough, less, more = self._rough()
        heads, width = self._heads()
        low = rough + heads - (less + width)
        low[~allowed] = -np.inf
        error = _ERROR * (abs(float(rough.max(initial=0))) + _size(heads))
        rows = np.flatnonzero(allowed & (low + (less + more + 2 * width) >= _nth(low, n) - error)).astype(np.int32)
        if not self._search.go_on_with(len(rows)):
            return None
        scores = self._summed(rows)  # all but the GNN
        near, wide = scores + _at(heads, rows), _at(width, rows)
        kept = near + wide >= _nth(near - wide, n) - error
        rows, scores = rows[kept], scores[kept]
        if self._gnn is not None:
            scores = scores + _at(self._scale(self._gnn), rows) * (self._gnn.targets[rows] @ self._source.astype(np.float32))
        return np.asarray(rows[scores >= _nth(scores, n) - error])

    def _state(self) -> Floats:
        """What facts give all products."""
        self._stated = self._search.facts(self._branch) @ np.concatenate([sums for _, sums in self._facts]).astype(np.float32)
        return self._stated

    def _rough(self) -> tuple[Floats, float | Floats, float | Floats]:
        """Scores of all products without the GNN (float32 [n_items]), and how much less and more they may be."""
        rough: Floats = self._total.astype(np.float32)
        less: float | Floats = 0.0
        more: float | Floats = 0.0
        if self._facts:
            rough += self._state()
        for spread in self._spreads:
            found, low, high = spread.bounds()
            rough += found.astype(np.float32)
            less, more = less + _narrow(low), more + _narrow(high)
        return rough, less, more

    def _heads(self) -> tuple[float | Floats, float | Floats]:
        """What the first axes of the GNN give all products, and how far the others may lead from it."""
        view = self._gnn
        if view is None:
            return 0.0, 0.0
        scale = _narrow(self._scale(view))
        if view.near is not None:  # what the index does not find has the mean product's score
            return np.asarray(scale * view.scores(self._history.rows, self._history.amounts), np.float32), 0.0
        turned = self._search.turned(view)
        source, size = self._source @ turned.axes, turned.head.shape[1]
        rest = np.float32(np.linalg.norm(source[size:]) + 1e-6 * np.linalg.norm(source))
        return scale * (turned.head @ source[:size].astype(np.float32)), np.abs(scale) * rest * turned.tail

    def _summed(self, rows: Rows) -> Values:
        """Scores of some products without the GNN; the facts' share in float32."""
        scores = self._total[rows]
        if self._facts:
            scores = scores + self._stated[rows]
        for spread in self._spreads:
            scores = scores + spread.exact(rows)
        return scores

    def _exact(self, rows: Rows) -> Values:
        """Scores of a few products as `Scorer.parts` sums them."""
        scores = self._total[rows]
        for view, sums in self._facts:
            scores = scores + _at(self._scale(view), rows) * PickedRows.of(view.factor, rows).times(sums)
        for spread in self._spreads:
            scores = scores + spread.exact(rows)
        if self._gnn is not None:
            found = self._gnn.exact(self._history.rows, self._history.amounts, rows)
            scores = scores + _at(self._scale(self._gnn), rows) * found
        return scores


def _narrow(value: float | Values) -> float | Floats:
    return float(value) if isinstance(value, float) else np.asarray(value, np.float32)


def _size(values: float | Floats) -> float:
    return abs(values) if isinstance(values, float) else float(np.abs(values).max(initial=0))


def _nth(values: Floats, n: int) -> float:
    """A number that at least n values reach, or −inf where there are not so many; at or a little below the n-th largest."""
    whole = len(values) // _RUN * _RUN
    if whole // _RUN < 8 * n:
        return float(np.partition(values, len(values) - n)[len(values) - n]) if len(values) >= n else -np.inf
    best = values[:whole].reshape(-1, _RUN).max(axis=1)
    return float(np.partition(best, len(best) - n)[len(best) - n])
