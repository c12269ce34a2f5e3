"""EASE as a view: its closed form, both ways to it, caps, products that nobody has bought."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.errors import EngineError
from recommend.views import ease as module
from recommend.views.base import NEW_ROW, Candidate, SparseVector
from recommend.views.ease import RIDGE, USER_POWER, EaseView, ease, inverse


def had(n_people, n_items, seed, share=0.3):
    random = np.random.default_rng(seed)
    return sp.csr_array((random.random((n_people, n_items)) < share).astype(np.float32))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(2, 30), st.integers(0, 100))
def test_the_inverse_is_one_by_people_and_by_products(n_people, n_items, seed):
    matrix = had(n_people, n_items, seed)
    wanted = np.linalg.inv((matrix.T @ matrix).toarray().astype(np.float64) + 2 * np.eye(n_items))
    for way in (module._by_people, module._by_products):
        diagonal, blocks = way(matrix, np.float32(2))
        assert np.concatenate([block.copy() for block in blocks]) == pytest.approx(wanted, abs=1e-5)
        assert diagonal == pytest.approx(np.diag(wanted), abs=1e-5)


def test_blocks_join(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 4)
    matrix = had(50, 11, 1)
    wanted = np.linalg.inv((matrix.T @ matrix).toarray() + 2 * np.eye(11))
    _, blocks = inverse(matrix, np.float32(2))
    assert np.concatenate([block.copy() for block in blocks]) == pytest.approx(wanted, abs=1e-5)


def test_it_is_its_formula():
    matrix = had(60, 8, 2)
    x = matrix.toarray().astype(np.float64) * (np.maximum(matrix.sum(axis=1), 1) ** -USER_POWER)[:, None]
    gram = x.T @ x
    p = np.linalg.inv(gram + RIDGE * np.diag(gram).mean() * np.eye(8))
    wanted = -p / np.diag(p)[None, :]
    np.fill_diagonal(wanted, 0)
    assert ease(matrix).toarray() == pytest.approx(wanted, abs=1e-6)


def test_a_capped_row_keeps_its_strongest_by_size():
    matrix = had(60, 12, 3)
    whole, capped = ease(matrix).toarray(), ease(matrix, cap=3).toarray()
    for full, kept in zip(whole, capped, strict=True):
        assert (kept != 0).sum() == 3 and set(np.flatnonzero(kept)) == set(np.argsort(-np.abs(full))[:3])


def test_of_a_large_shop_the_products_that_most_people_had():
    matrix = had(60, 12, 4)
    people = matrix.toarray().sum(axis=0)
    found = ease(matrix, most=5)
    assert set(np.flatnonzero(np.diff(found.indptr))) == set(np.sort(np.argsort(-people, kind="stable")[:5]))


def test_a_shop_of_one_bought_product_has_none():
    assert ease(sp.csr_array(np.array([[1.0, 0, 0]], np.float32))).nnz == 0


def test_products_nobody_has_bought_take_the_columns_of_those_like_them():
    matrix = sp.csr_array((had(60, 5, 5).toarray() * np.array([1, 1, 1, 0, 0])).astype(np.float32))
    near = sp.csr_array(
        np.array([[0, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0.5, 0, 0, 0.5, 0], [0.75, 0.25, 0, 0, 0], [0, 0, 0, 1, 0]], np.float32)
    )
    seen = np.array([True, True, True, False, False])
    view = EaseView(ease(matrix), near, seen)
    one = view.scores(np.array([0, 2], np.int32), np.array([1.0, 0.5]))
    b = view.matrix.toarray()
    assert one[:3] == pytest.approx((b[0] + 0.5 * b[2])[:3])
    assert one[3] == pytest.approx((b[0] + 0.5 * b[2]) @ [0.75, 0.25, 0, 0, 0]) and one[4] == 0
    assert view.block(sp.csr_array(np.array([[1, 0, 0.5, 0, 0]], np.float32)))[0] == pytest.approx(one, abs=1e-6)
    for row in range(5):
        assert view.column(Candidate(row)) == pytest.approx([view.total(j, Candidate(row)) for j in range(5)], abs=1e-7)
    stranger = Candidate(NEW_ROW, near=SparseVector(np.array([0, 1], np.int32), np.array([0.75, 0.25])))
    assert view.column(stranger) == pytest.approx(view.column(Candidate(3)))
    assert not list(view.paths(0, Candidate(1))) and view.mean(0, True) == 0


def test_too_little_memory_says_what_to_leave_out(monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(module, "_by_products", full)
    with pytest.raises(EngineError, match=r"EASE over 12 products needs 0\.0 GB of memory") as caught:
        ease(had(60, 12, 3))
    assert "--without ease" in caught.value.hint
