"""Events counted into edges: `(:User)-[:BOUGHT {count, first, last}]->(:Product)` and its kin."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kg.align import group_ids
from kg.errors import InputError
from kg.ontology import EVENT_RELATIONS, Rel

EVENT_EDGE_SCHEMA = pa.schema(
    [
        ("source_key", pa.string()),
        ("target_key", pa.string()),
        ("count", pa.int64()),
        ("first", pa.string()),  # ISO date, null where times are unknown or only an order
        ("last", pa.string()),
        ("value", pa.float64()),  # the latest rating; null for other kinds
    ]
)


def event_edges(events: pa.Table, timed: bool) -> dict[str, pa.Table]:
    """Edges by relation (`EVENT_EDGE_SCHEMA`, sorted by user and product), one for each pair that has such an event.

    Args:
        events: as `kg.tables.events_table` leaves them.
        timed: whether their times are moments.

    Raises:
        InputError: an event has a kind that no relation stands for.
    """
    found = {}
    kind = events.column("kind")
    for name in sorted(pc.unique(kind).to_pylist()):
        if name not in EVENT_RELATIONS:
            raise InputError(f"Events of kind {name!r} have no relation.", f"Known kinds: {', '.join(EVENT_RELATIONS)}.")
        relation = EVENT_RELATIONS[name]
        found[str(relation)] = _counted(events.filter(pc.equal(kind, name)), timed, relation is Rel.RATED)
    return found


def _counted(events: pa.Table, timed: bool, rated: bool) -> pa.Table:
    # Events are sorted by user, then time; a stable sort by pair keeps each pair's events in order of time.
    ids = group_ids(events, "user", "item")
    order = np.argsort(ids, kind="stable")
    starts = np.flatnonzero(np.diff(ids[order], prepend=-1))
    counts = np.diff(np.append(starts, len(order)))
    firsts, lasts = order[starts], order[starts + counts - 1]
    nothing = pa.nulls(len(starts), pa.string())
    first, last = _dates(events.column("time").combine_chunks(), order, starts, lasts) if timed else (nothing, nothing)
    values = events.column("value").take(lasts).cast(pa.float64()) if rated else pa.nulls(len(starts), pa.float64())
    ends = [events.column(name).take(firsts) for name in ("user", "item")]
    return pa.table([*ends, pa.array(counts, pa.int64()), first, last, values], schema=EVENT_EDGE_SCHEMA)


def _dates(times: pa.Array, order: NDArray[np.int64], starts: NDArray[np.int64], lasts: NDArray[np.int64]) -> tuple[pa.Array, pa.Array]:
    """Day of the first and of the last event of each pair; unknown times lie before all others and do not count."""
    if times.null_count:
        known = pc.fill_null(times, np.iinfo(np.int64).max).to_numpy()
        earliest = np.minimum.reduceat(known[order], starts)
        first = pa.array(earliest, pa.int64(), mask=earliest == np.iinfo(np.int64).max)
    else:
        first = times.take(order[starts])
    return _days(first), _days(times.take(lasts))


def _days(seconds: pa.Array) -> pa.Array:
    coded = seconds.dictionary_encode()
    return pc.strftime(coded.dictionary.cast(pa.timestamp("s")), format="%Y-%m-%d").take(coded.indices)
