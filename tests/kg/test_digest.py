"""Digests name content: of arrays too large to copy as of small ones."""

import tracemalloc

import numpy as np
import pytest

from kg.digest import digest_arrays, digest_bytes

ARRAYS = [
    np.arange(5),
    np.zeros((0, 3), np.float32),
    np.array(3.5),
    np.ones((4, 3), bool)[:, 1:],
    np.array(["a", "bc"]),
    np.arange(12.0).reshape(3, 4).T,
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_an_array_is_its_dtype_its_shape_and_its_bytes(array: np.ndarray) -> None:
    assert digest_arrays([array]) == digest_bytes(f"{array.dtype.str}{array.shape}".encode(), np.ascontiguousarray(array).tobytes())
    assert digest_arrays([array, array]) != digest_arrays([array])


def test_arrays_are_read_where_they_lie() -> None:
    large = [np.zeros(4_000_000, np.float32) for _ in range(3)]
    tracemalloc.start()
    digest_arrays(large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < large[0].nbytes / 4
