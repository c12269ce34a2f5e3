"""Scores taken apart many at once: what one history gives some products, as columns; a path is made only where somebody looks.

`Scorer.parts` says the same of one product path by path, and is what this is held to (tests). A shown list asks for ten products of one
history and looks at three reasons of each: here a value is a number in an array, and words, counts and nodes are looked up for those three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.ontology import Rel
from recommend.arrays import PickedRows, places
from recommend.history import History
from recommend.parts import Hop, Parts, PathPart
from recommend.profile import Branch
from recommend.scorer import Scorer, path_view
from recommend.views.base import Candidate, LatentView, Rows, SparseView, Values, View
from recommend.views.co_bought import CoBoughtSimilarView, co_bought_hop
from recommend.views.ease import EaseView
from recommend.views.facts import FactView, shared_entity
from recommend.views.gnn import GnnView
from recommend.views.links import LinkView
from recommend.views.similar import similar_hop

Ints = NDArray[np.int64]
Kind = tuple[tuple[str, str, str], ...]  # of each edge: relation, direction, and what it leads to ("item", "entity")


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Paths of one view and one kind, a path a place.

    Args:
        view: name of the view, as a path names it.
        relation: the relation that tells most.
        kind: of their edges.
        start: int64, place of the history product.
        slot: int64, place of the candidate.
        through: int64, row of the entity or product between the two; −1 for a single edge.
        value: float64, what each adds.
        hops: (history row, through, candidate row) → the edges.
    """

    view: str
    relation: Rel | str
    kind: Kind
    start: Ints
    slot: Ints
    through: Ints
    value: Values
    hops: Callable[[int, int, int], tuple[Hop, ...]]


class Ledger:
    """The scores of some products for one profile, taken apart.

    Args:
        scorer: the model.
        history: whose scores.
        item_rows: int32 [k], products of the catalogue.

    Its `starts` (int64 [h]) are the rows that paths start at, −1 where they start at the asked product; `own`, `latent` and `baseline`
    (float64 [k]) are what is no path.
    """

    def __init__(self, scorer: Scorer, history: History, item_rows: Rows) -> None:
        self.item_rows = np.asarray(item_rows, np.int32)
        profile, self.history = history.profile, history.rows
        told = profile.branch is not Branch.SIMILAR  # else the history is the asked product, where paths start anyway
        self.starts = self.history.astype(np.int64) if told else np.full(len(self.history), -1)
        amounts, seen = history.amounts, scorer.seen[self.item_rows]
        size = len(self.item_rows)
        self.latent, self.baseline = np.zeros(size), np.zeros(size)
        self.runs: list[Run] = []
        if not len(self.history) or profile.branch is Branch.POPULAR:
            self.own = scorer.popularity[self.item_rows]
            return
        weights = scorer.weights.branch(profile.branch)
        self.own = scorer.item_terms(profile.branch)[self.item_rows]
        for name, view in scorer.views.items():
            by_kind = np.array([weights.of(name, False), weights.of(name, True)])
            if not by_kind.any():
                continue
            factors = amounts[:, None] * by_kind[seen.astype(np.int64)][None, :]
            found = [_weighted(run, factors) for run in _runs(view, history, self.item_rows)]
            self.runs += [run for run in found if len(run.value)]
            if isinstance(view, LatentView):
                self._leave(view, history, factors, seen, found)

    def _leave(self, view: LatentView, history: History, factors: Values, seen: NDArray[np.bool_], found: Sequence[Run]) -> None:
        """What no path of a view can name goes to the mean candidate and to what is latent."""
        total, means = _totals(view, history, self.item_rows, seen)
        mean = (factors * means).sum(axis=0)
        named = np.zeros(len(self.item_rows))
        for run in found:
            named += np.bincount(run.slot, run.value, len(named))
        self.baseline += mean
        self.latent += (factors * total).sum(axis=0) - mean - named

    def path(self, run: Run, place: int) -> PathPart:
        """One path, with its edges."""
        row, told = int(self.history[run.start[place]]), int(self.starts[run.start[place]])
        hops = run.hops(row, int(run.through[place]), int(self.item_rows[run.slot[place]]))
        return PathPart(run.view, run.relation, float(run.value[place]), None if told < 0 else told, hops)

    def parts(self, slot: int) -> Parts:
        """One product's score with all its paths."""
        paths = [self.path(run, place) for run in self.runs for place in np.flatnonzero(run.slot == slot).tolist()]
        return Parts(tuple(paths), 0.0, float(self.own[slot]), float(self.latent[slot]), float(self.baseline[slot]))


def _weighted(run: Run, factors: Values) -> Run:
    """A run with the weights of view and history in it, less what adds nothing."""
    value = run.value * factors[run.start, run.slot]
    kept = value != 0
    return Run(run.view, run.relation, run.kind, run.start[kept], run.slot[kept], run.through[kept], value[kept], run.hops)


# Views --------------------------------------------------------------------------------------------------------------------


def _runs(view: View, history: History, items: Rows) -> Iterator[Run]:
    if isinstance(view, GnnView):
        yield from _gnn(view, history.rows, items)
    elif isinstance(view, CoBoughtSimilarView):
        yield _bridge(view, history, items)
    elif isinstance(view, FactView):
        yield _facts(view, history, items)
    elif isinstance(view, LinkView):
        yield from _links(view, history, items)
    elif isinstance(view, SparseView):
        yield _edges(view, history, items)
    elif not isinstance(view, EaseView):  # which has no path
        yield from _one_by_one(view, history.rows, items)


def _edges(view: SparseView, history: History, items: Rows) -> Run:
    start, column, value = history.among(view.matrix, items)
    order = np.argsort(items, kind="stable")
    slot = order[np.searchsorted(items[order], column)]

    def hops(row: int, _: int, item: int) -> tuple[Hop, ...]:
        return (view.hop(row, Candidate(item)),)

    return Run(view.name, view.relation, ((str(view.relation), "out", "item"),), start, slot, np.full(len(start), -1), value, hops)


def _bridge(view: CoBoughtSimilarView, history: History, items: Rows) -> Run:
    slot, near, weight = PickedRows.of(view.near, items).among()
    start, middle, bought = history.among(view.bought.matrix, near)
    left, right = _joined(middle, near)

    def hops(row: int, through: int, item: int) -> tuple[Hop, ...]:
        return co_bought_hop(through, view.bought.count(row, through)), similar_hop(view.words, through, Candidate(item))

    kind = ((str(Rel.CO_BOUGHT), "out", "item"), (str(Rel.SIMILAR_TEXT), "out", "item"))
    return Run(view.name, Rel.CO_BOUGHT, kind, start[left], slot[right], middle[left], bought[left] * weight[right], hops)


def _facts(view: FactView, history: History, items: Rows) -> Run:
    slot, entity, own = PickedRows.of(view.factor, items).among()
    start, other, weight = history.among(view.factor, entity)
    left, right = _joined(other, entity)
    return _shared(view.name, view.relation, start[left], slot[right], other[left], weight[left] * own[right])


def _shared(name: str, relation: Rel | str, start: Ints, slot: Ints, entity: Ints, value: Values) -> Run:
    def hops(_: int, through: int, item: int) -> tuple[Hop, ...]:
        return shared_entity(str(relation), through, item)

    return Run(name, relation, ((str(relation), "out", "entity"), (str(relation), "in", "item")), start, slot, entity, value, hops)


def _links(view: LinkView, history: History, items: Rows) -> Iterator[Run]:
    """The link there and the link back, which add up to the view."""
    there, back = history.table(view.forward, items), _table(view.forward, items, history.rows).T
    total = history.table(view.matrix, items)
    ways: tuple[tuple[Literal["out", "in"], Values], ...] = (
        ("out", np.where(there > 0, total - back, 0)),
        ("in", np.where(back > 0, np.where(there > 0, back, total), 0)),
    )
    for direction, value in ways:
        start, slot = np.nonzero(value)
        kind = ((str(view.relation), direction, "item"),)
        hops = partial(_link, view.relation, direction)
        yield Run(view.name, view.relation, kind, start, slot, np.full(len(start), -1), value[start, slot], hops)


def _link(relation: Rel | str, direction: Literal["out", "in"], row: int, through: int, item: int) -> tuple[Hop, ...]:
    return (Hop(relation, direction, "item", item),)


def _table(matrix: sp.csr_array, rows: Rows, columns: Rows) -> Values:
    """matrix[rows, columns] (float64)."""
    table = np.zeros((len(rows), len(columns)))
    start, found, value = PickedRows.of(matrix, rows).among(columns)
    order = np.argsort(columns, kind="stable")
    table[start, order[np.searchsorted(columns[order], found)]] = value
    return table


def _gnn(view: GnnView, rows: Rows, items: Rows) -> Iterator[Run]:
    table, seen = view.table, view.seen[items].astype(np.int64)
    means = np.stack([view.means[False]["text"], view.means[True]["text"]])
    text = table.source["text"][rows].astype(np.float64) @ (table.target["text"][items].astype(np.float64) - means[seen]).T
    start, slot = (place.ravel() for place in np.indices(text.shape))

    def hops(row: int, _: int, item: int) -> tuple[Hop, ...]:
        return (view.text_hop(row, Candidate(item)),)

    name = path_view(view, Rel.SIMILAR_TEXT)
    yield Run(name, Rel.SIMILAR_TEXT, ((str(Rel.SIMILAR_TEXT), "out", "item"),), start, slot, np.full(text.size, -1), text.ravel(), hops)
    edges, size = table.edges, len(table.source_side.entity_vectors)
    ends = []
    for side, ours in ((table.source_side, rows), (table.target_side, items)):
        where, lengths = places(edges.starts, ours)
        owner, entity, relation = np.repeat(np.arange(len(ours)), lengths), edges.entity_rows[where], edges.relation_places[where]
        norms = side.norms[np.repeat(ours, lengths)]
        # One factor an edge, or one for each tower: what Â w_r / norm comes to.
        scale = (edges.weights[where].astype(np.float64) * (side.relation_weights[relation] / norms.astype(np.float64)).T).T
        ends.append((owner, relation.astype(np.int64) * size + entity, scale.reshape(len(where), side.towers)))
    (start, code, scale), (slot, own, other) = ends
    left, right = _joined(code, own)
    entity, relation = code[left] % size, code[left] // size
    towers = table.source_side.towers
    vectors = (side.entity_vectors[entity].astype(np.float64) for side in (table.source_side, table.target_side))
    both = np.einsum("itd,itd->it", *(one.reshape(len(entity), towers, table.dim // towers) for one in vectors))
    value = (scale[left] * other[right] * both).sum(axis=1)
    for place in np.unique(relation).tolist():
        of, known = relation == place, table.relations[place]
        yield _shared(path_view(view, known), known, start[left][of], slot[right][of], entity[of], value[of])


def _one_by_one(view: View, rows: Rows, items: Rows) -> Iterator[Run]:
    """A view that knows pairs alone."""
    for start, row in enumerate(rows.tolist()):
        for slot, item in enumerate(items.tolist()):
            for path in view.paths(row, Candidate(item)):
                kind = tuple((str(hop.edge), hop.direction, hop.kind) for hop in path.hops)
                through = path.hops[0].row if len(path.hops) > 1 else -1
                one, other, passed = (np.array([place]) for place in (start, slot, through))
                yield Run(view.name, path.relation, kind, one, other, passed, np.array([path.value]), partial(_same, path.hops))


def _same(hops: tuple[Hop, ...], *_: int) -> tuple[Hop, ...]:
    return hops


def _totals(view: LatentView, history: History, items: Rows, seen: NDArray[np.bool_]) -> tuple[Values, Values]:
    """view(j, i) and what the mean candidate gets of j (float64 [h, k] both)."""
    rows = history.rows
    if isinstance(view, GnnView):
        source = np.sum([part[rows].astype(np.float64) for part in view.table.source.values()], axis=0)
        target = np.sum([part[items].astype(np.float64) for part in view.table.target.values()], axis=0)
        means = np.stack([np.sum(list(view.means[kind].values()), axis=0) for kind in (False, True)])
        return source @ target.T, source @ means[seen.astype(np.int64)].T
    if isinstance(view, EaseView):
        slot, near, weight = PickedRows.of(view.near, items).among()
        start, middle, value = history.among(view.matrix, near)
        left, right = _joined(middle, near)
        total = history.table(view.matrix, items)
        np.add.at(total, (start[left], slot[right]), value[left] * weight[right])
        return total, np.zeros((len(rows), len(items)))
    candidates = [Candidate(item) for item in items.tolist()]
    total = np.array([[view.total(row, candidate) for candidate in candidates] for row in rows.tolist()])
    return total, np.array([[view.mean(row, bool(kind)) for kind in seen] for row in rows.tolist()])


def _joined(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """Places of all pairs with the same key."""
    order = np.argsort(right, kind="stable")
    low, high = (np.searchsorted(right[order], left, side=side) for side in ("left", "right"))
    times = high - low
    first = np.repeat(np.arange(len(left)), times)
    ends = np.cumsum(times)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - times, times)
    return first, order[np.repeat(low, times) + within]
