"""Events counted into edges: `(:User)-[:BOUGHT {count, first, last}]->(:Product)` and its kin."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    firsts, lasts = events.take(order[starts]), events.take(order[starts + counts - 1])
    nothing = pa.nulls(len(starts), pa.string())
    times = events.take(order).append_column("group", pa.array(ids[order])).group_by("group", use_threads=False)
    spans = times.aggregate([("time", "min"), ("time", "max")])
    return pa.table(
        {
            "source_key": firsts.column("user"),
            "target_key": firsts.column("item"),
            "count": pa.array(counts, pa.int64()),
            "first": _dates(spans.column("time_min")) if timed else nothing,
            "last": _dates(spans.column("time_max")) if timed else nothing,
            "value": lasts.column("value").cast(pa.float64()) if rated else pa.nulls(len(starts), pa.float64()),
        },
        schema=EVENT_EDGE_SCHEMA,
    )


def _dates(seconds: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.strftime(seconds.cast(pa.timestamp("s")), format="%Y-%m-%d")
