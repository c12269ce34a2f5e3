"""One more event, taken up without a fit: the views that are counted from events count it, everything else stays.

What changes when a person u has a product i: the rows of u's products (their people in common, and u's own weight 1/√d_u), the row of
i, and, since i has one more buyer, the scale of column i. Those are made again; no other row is touched. A row that was cut to its
strongest entries keeps the same ones. The fusion weights, EASE (`ease`, `next_ease`) and the parameters of the GNN are those of the last
training.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.errors import UnknownKeyError
from kg.events import EventLog
from kg.ontology import EVENT_RELATIONS
from kg.snapshot import GraphSnapshot
from recommend.arrays import at_rows, stack
from recommend.scorer import Scorer
from recommend.views.build import recounted
from recommend.views.co_bought import SHRINK, CoBoughtView, buyers_of, co_bought_rows
from recommend.views.popular import popularity
from recommend.views.transitions import NextBoughtView, transitions

Rows = NDArray[np.int32]


def with_event(scorer: Scorer, user_row: int, item_row: int, time: int, value: float = 1.0, kind: str | None = None) -> Scorer:
    """The scorer after one more event.

    Args:
        scorer: as it was trained.
        user_row, item_row: who had what.
        time: when, seconds since 1970.
        value: of the event.
        kind: what kind of event; the graph's first when None.

    Raises:
        UnknownKeyError: a kind of event that neither the graph nor clew knows.
    """
    before = scorer.snapshot
    after = before.with_events(_one_more(before.events, user_row, item_row, time, value, kind), f"event {user_row} {item_row} {time}")
    own = np.unique(np.append(after.events.of_user(user_row).item_rows, item_row)).astype(np.int32)
    factor = _factor(_spoken_for(before.events, item_row), _spoken_for(after.events, item_row), SHRINK)

    def bought(view: CoBoughtView) -> CoBoughtView:
        return _bought(view, after, own, item_row)

    def following(view: NextBoughtView) -> NextBoughtView:
        matrix, counts = transitions(after.events, after.n_items, rows=own)
        return NextBoughtView(_spliced(_column_scaled(view.matrix, item_row, factor), matrix, own), _spliced(view.counts, counts, own))

    views = recounted(scorer.views, bought, following, after.item_event_counts > 0)
    return Scorer(after, views, popularity(after.interactions), scorer.weights, scorer.words, scorer.text, scorer.digest)


def _one_more(log: EventLog, user_row: int, item_row: int, time: int, value: float, kind: str | None) -> EventLog:
    names = log.kind_names if kind is None or kind in log.kind_names else (*log.kind_names, kind)
    if kind is not None and kind not in {*log.kind_names, *EVENT_RELATIONS}:
        raise UnknownKeyError("kind of event", kind, {*log.kind_names, *EVENT_RELATIONS})
    place = int(np.searchsorted(log.user_rows, user_row))
    end = int(np.searchsorted(log.user_rows, user_row, side="right"))
    place += int(np.searchsorted(log.times[place:end], time, side="right"))
    kinds = 0 if kind is None else names.index(kind)

    def grown(column: NDArray[Any], new: float) -> NDArray[Any]:
        return np.insert(column, place, new).astype(column.dtype)

    return EventLog(
        grown(log.user_rows, user_row),
        grown(log.item_rows, item_row),
        grown(log.times, time),
        grown(log.values, value),
        grown(log.kinds, kinds),
        names,
        log.timed,
    )


def _spoken_for(log: EventLog, item_row: int) -> int:
    """Events of a product but for returns and dislikes: those that `transitions` counts."""
    return int((~log.against()[log.item_rows == item_row]).sum())


def _bought(view: CoBoughtView, after: GraphSnapshot, own: Rows, item_row: int) -> CoBoughtView:
    buyers = buyers_of(after.interactions)
    had, has = (int(np.diff(one.indptr)[item_row]) for one in (view.buyers, buyers))
    if had == has:  # the person had it already
        return view
    rows = co_bought_rows(after.interactions, buyers, own, shrink=view.shrink)
    whole = at_rows(rows, own, view.matrix.shape)
    return CoBoughtView(_spliced(_column_scaled(view.matrix, item_row, _factor(had, has, view.shrink)), whole, own), buyers, view.shrink)


def _factor(had: int, has: int, shrink: float) -> float:
    """How the scale of a product's column changes with one buyer more or less."""
    return float(np.sqrt((had + shrink) / (has + shrink)))


def _column_scaled(matrix: sp.csr_array, column: int, factor: float) -> sp.csr_array:
    data = np.array(matrix.data)
    data[matrix.indices == column] *= factor
    return sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _spliced(matrix: sp.csr_array, other: sp.csr_array, rows: Rows) -> sp.csr_array:
    """A matrix with some rows of another."""
    blocks, last = [], 0
    for row in rows.tolist():
        blocks += [matrix[last:row], other[row : row + 1]]
        last = row + 1
    return stack([sp.csr_array(block) for block in [*blocks, matrix[last:]] if block.shape[0]], matrix.shape[1])
