"""Sparse matrices: row blocks in memory or in files, index types as narrow as fits, and a model that is the same either way."""

import errno

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from kg.config import TrainConfig
from kg.seeds import generator
from recommend.arrays import RowStack, at_rows, csr, stack, strongest_per_row
from recommend.testing import Shop, planted_material
from recommend.train import train

WIDTH = 7


def blocks(sizes, seed):
    random = generator(seed, "blocks")
    dense = [np.where(random.random((size, WIDTH)) < 0.4, random.random((size, WIDTH)), 0).astype(np.float32) for size in sizes]
    return [sp.csr_array(block) for block in dense], np.concatenate([np.zeros((0, WIDTH), np.float32), *dense])


def mapped(array):
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


@given(st.lists(st.integers(0, 5), max_size=6), st.integers(0, 1000), st.booleans())
def test_blocks_stand_one_below_the_other_in_memory_and_in_files(tmp_path_factory, sizes, seed, on_disk):
    made, wanted = blocks(sizes, seed)
    folder = tmp_path_factory.mktemp("scratch") / "new" if on_disk else None
    found = stack(made, WIDTH, folder)
    assert (found.toarray() == wanted).all() and found.shape == wanted.shape
    assert (found.data.dtype, found.indices.dtype, found.indptr.dtype) == (np.float32, np.int32, np.int32)
    assert found.has_sorted_indices
    assert folder is None or not list(folder.iterdir())  # the files have no name


def test_what_lies_in_files_is_neither_copied_nor_changed(tmp_path):
    made, wanted = blocks([3, 2], 1)
    found = stack(made, WIDTH, tmp_path)
    spread = at_rows(found, np.array([0, 2, 4, 5, 8]), (9, WIDTH))
    for matrix in (found, spread):
        assert mapped(matrix.data) and mapped(matrix.indices)
        assert np.shares_memory(matrix.data, found.data) and np.shares_memory(matrix.indices, found.indices)
        with pytest.raises(ValueError, match="read-only"):
            matrix.data[:] = 0
    assert (spread.toarray()[[0, 2, 4, 5, 8]] == wanted).all()


def test_columns_stay_narrow_and_are_not_copied():
    values, columns = np.ones(3, np.float32), np.array([0, 4, 2], np.int32)
    found = csr(values, columns, np.array([0, 2, 3], np.int64), (2, 5))
    assert np.shares_memory(found.indices, columns) and found.indptr.dtype == np.int32
    assert strongest_per_row(sp.csr_array(np.array([[1.0, 3.0, 2.0]])), 2).indices.dtype == np.int32


def test_a_full_disk_is_an_error_and_not_a_shorter_matrix(tmp_path, monkeypatch):
    class Full:
        def write(self, part):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("recommend.arrays.tempfile.TemporaryFile", lambda **_: Full())
    rows = RowStack(WIDTH, tmp_path)
    with pytest.raises(OSError, match="No space left"):
        rows.add(blocks([3], 1)[0][0])


def test_a_large_catalogue_gives_the_same_model_from_files(tmp_path, monkeypatch):
    snapshot, _ = planted_material()
    config = TrainConfig(text_encoder=("words",), without=("gnn",))
    inside = train(Shop(tmp_path / "inside", snapshot), config)
    asked, before = [], RowStack.__init__

    def noted(self, width, scratch=None):
        asked.append(scratch)
        before(self, width, scratch)

    monkeypatch.setattr("recommend.fit.ALL_PAIRS", snapshot.n_items - 1)
    monkeypatch.setattr(RowStack, "__init__", noted)
    shop = Shop(tmp_path / "files", snapshot)
    outside = train(shop, config)
    assert outside.digest == inside.digest
    assert shop.cache / "text" in asked and not list(shop.cache.rglob("tmp*"))
