"""Rows as numbers: sums that follow a change, and what two tables differ by."""

from __future__ import annotations

import math
from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from kg.row_digests import difference, moved_sum, row_sum, without

SCHEMA = pa.schema([("key", pa.string()), ("price", pa.float64()), ("count", pa.int64()), ("there", pa.bool_()), ("nothing", pa.string())])
Row = tuple[str | None, float | None, int | None, bool | None, None]
row: st.SearchStrategy[Row] = st.tuples(
    st.sampled_from(["a", "b", "", None]),
    st.sampled_from([0.0, -0.0, 1.5, math.nan, None]),
    st.sampled_from([0, 1, -(2**63), None]),
    st.sampled_from([True, False, None]),
    st.none(),
)
rows = st.lists(row, max_size=12)


def table(listed: list[Row]) -> pa.Table:
    columns = list(zip(*listed, strict=True)) or [()] * len(SCHEMA)
    return pa.table([pa.array(values, kind.type) for values, kind in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def bag(found: pa.Table) -> Counter[str]:
    """Rows and how often each stands there; by their representation, which tells 0.0 from -0.0 and knows NaN again."""
    return Counter(repr(tuple(one.values())) for one in found.to_pylist())


@given(rows, rows)
def test_a_difference_is_that_of_bags(old: list[Row], new: list[Row]) -> None:
    come, gone = difference(table(old), table(new))
    assert bag(come) == bag(table(new)) - bag(table(old))
    assert bag(gone) == bag(table(old)) - bag(table(new))


@given(rows, rows, rows)
def test_a_sum_and_a_table_follow_a_change(kept: list[Row], removed: list[Row], added: list[Row]) -> None:
    before, after = table(kept + removed), table(kept + added)
    assert moved_sum(row_sum(before), table(added), table(removed)) == row_sum(after)
    assert bag(without(before, table(removed), "key")) == bag(table(kept))


def test_many_distinct_values_do_not_run_out_of_numbers() -> None:
    n = 3_000
    wide = pa.table({f"c{k}": pa.array([f"{k}:{place * (k + 1) % n}" for place in range(n)]) for k in range(9)})
    come, gone = difference(wide, wide.slice(1))
    assert come.num_rows == 0
    assert gone.to_pylist() == wide.slice(0, 1).to_pylist()
