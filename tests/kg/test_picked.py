"""Picking rows that agree with one of some others does what comparing every pair of rows does."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from kg.picked import Picked

pairs = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz")), max_size=12)


def table(rows: list[tuple[str, str]]) -> pa.Table:
    return pa.table({name: pa.array([row[k] for row in rows], pa.string()) for k, name in enumerate(("user", "item"))})


@given(pairs, pairs)
def test_rows_are_picked_by_all_columns_together(wanted: list[tuple[str, str]], rows: list[tuple[str, str]]) -> None:
    picked = Picked.like(table(wanted))
    expected = [row in wanted for row in rows]
    assert picked.mask(table(rows)).to_pylist() == expected
    coded = table(rows).cast(pa.schema([(name, pa.dictionary(pa.int32(), pa.string())) for name in ("user", "item")]))
    assert picked.mask(coded).to_pylist() == expected
