"""Each view against its formula written out, and its paths against its scores."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.ontology import Rel
from kg.testing import snapshot_of, stated
from recommend.texts import snapshot_texts
from recommend.views.base import NEW_ROW, Candidate, LatentView
from recommend.views.build import Likeness, build_views, kind_of, views_of_arrays, views_to_arrays
from recommend.views.co_bought import CoBoughtView, co_bought
from recommend.views.facts import FactView, entity_idf, view_name, weighted_facts
from recommend.views.large import FAINT
from recommend.views.links import link_matrix
from recommend.views.similar import likeness, near_of, nearest, wide_of
from recommend.views.transitions import DECAY, WINDOW, in_order, transitions
from recommend.words import CatalogueWords


def shop(pairs):
    titles = {f"p{place}": f"{word} thing" for place, word in enumerate(("red", "blue", "red blue", "green", "old"))}
    facts = [
        stated("p0", "MADE_OF", "wool"),
        stated("p1", "MADE_OF", "wool"),
        stated("p1", "MADE_OF", "silk"),
        stated("p4", "HAS_BRAND", "acme"),
    ]
    facts += [stated("p0", "ALSO_BOUGHT", "p1"), stated("p1", "ALSO_BOUGHT", "p0"), stated("p2", "ALSO_BOUGHT", "p0")]
    return snapshot_of(titles, facts, [(f"u{user}", f"p{item}", time) for user, item, time in pairs])


PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=20)


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_co_bought_is_its_formula(pairs):
    snapshot = shop(pairs)
    had = snapshot.interactions.toarray()
    people, bought = had.sum(1), had.sum(0)
    for j in range(5):
        for i in range(5):
            both = had[:, j] * had[:, i]
            wanted = (both / np.sqrt(np.maximum(people, 1))).sum() / np.sqrt((bought[j] + 3) * (bought[i] + 3)) if i != j else 0
            assert co_bought(snapshot.interactions).toarray()[j, i] == pytest.approx(wanted, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(PAIRS, st.integers(0, 4))
def test_transitions_look_forward_only(pairs, last):
    snapshot = shop([*pairs, (0, last, 20)])
    matrix, counts = transitions(snapshot.events, 5)
    assert matrix.diagonal().sum() == 0 and (counts.toarray() >= 0).all()
    log = snapshot.events
    for j, i in zip(*np.nonzero(matrix.toarray()), strict=True):
        assert any(
            log.user_rows[a] == log.user_rows[b] and log.times[a] < log.times[b] and (log.item_rows[a], log.item_rows[b]) == (j, i)
            for a in range(len(log))
            for b in range(a + 1, min(a + 1 + WINDOW, len(log)))
        )


def test_events_of_one_moment_have_no_order():
    matrix, _ = transitions(shop([(0, 0, 5), (0, 1, 5)]).events, 5)
    assert matrix.nnz == 0


def test_transitions_are_their_formula_whatever_the_blocks(monkeypatch):
    snapshot = shop([(0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 0, 3), (1, 0, 0), (1, 2, 5)])
    whole, counts = transitions(snapshot.events, 5)
    scale = np.sqrt(np.array([3, 1, 2]) + 3)  # events of p0, p1, p2
    wanted = DECAY / np.sqrt(4) / scale[0] / scale[2] + 1 / np.sqrt(2) / scale[0] / scale[2]
    assert whole[0, 2] == pytest.approx(wanted) and counts[0, 2] == 2
    monkeypatch.setattr("recommend.views.transitions._PAIRS", 1)
    again, again_counts = transitions(snapshot.events, 5)
    assert (again != whole).nnz == 0 and (again_counts != counts).nnz == 0
    some, _ = transitions(snapshot.events, 5, rows=np.array([1], np.int32))
    assert (some.toarray()[1] == whole.toarray()[1]).all() and not some.toarray()[[0, 2, 3, 4]].any()


def test_order_is_a_persons():
    assert not in_order(shop([(0, 0, 5), (0, 1, 5), (1, 1, 9)]).events)
    assert in_order(shop([(0, 0, 5), (0, 1, 6)]).events)


def test_facts_are_weighted_by_rarity_and_scaled_to_one():
    snapshot = shop([(0, 0, 0)])
    facts = snapshot.fact_matrix("MADE_OF")
    weighted = weighted_facts(facts).toarray()
    idf = entity_idf(facts)
    wool, silk = (snapshot.entities.row(f"material:{name}") for name in ("wool", "silk"))
    assert idf[wool] == pytest.approx(np.log(6 / 3)) and idf[silk] == pytest.approx(np.log(6 / 2))
    assert weighted[0, wool] == 1 and weighted[1, silk] > weighted[1, wool]
    assert np.linalg.norm(weighted[1]) == pytest.approx(1)


def test_many_profiles_at_once_are_each_by_itself_dense_or_not(monkeypatch):
    snapshot = shop([(0, 0, 0)])
    profiles = sp.csr_array(np.array([[1, 0.5, 0, 0, 0], [0, 0, 0, 0, 2]], np.float32))
    for limit in (0, 100):
        monkeypatch.setattr("recommend.views.facts._DENSE", limit)
        view = FactView.build(snapshot, "MADE_OF")
        assert (view._pairs is None) == (limit == 0)
        for row, found in zip(profiles.toarray(), view.block(profiles), strict=True):
            assert found == pytest.approx(view.scores(np.arange(5, dtype=np.int32), row.astype(np.float64)), abs=1e-6)


def test_an_entity_of_every_product_tells_nothing():
    snapshot = snapshot_of({"a": "x", "b": "y"}, [stated("a", "MADE_OF", "wool"), stated("b", "MADE_OF", "wool")])
    assert weighted_facts(snapshot.fact_matrix("MADE_OF")).toarray().sum() == 0


def test_links_are_walked_both_ways():
    snapshot = shop([(0, 0, 0)])
    forward = link_matrix(snapshot.edges["ALSO_BOUGHT"].matrix((5, 5))).toarray()
    assert forward[0, 1] == pytest.approx(1 / np.sqrt(2 * 2)) and forward[2, 0] == pytest.approx(1 / np.sqrt(2 * 3)) and forward[0, 2] == 0


def test_traces_of_likeness_are_not_made_loud():
    """A Chinese title among English ones: N would scale the strongest of its traces to 1."""
    words = CatalogueWords.fit(["steel bottle", "steel flask", "小米 不锈钢保温杯"])
    trace, alike = 0.3, 0.9
    vectors = np.array([[1, 0, 0], [alike, (1 - alike**2) ** 0.5, 0], [trace, 0, (1 - trace**2) ** 0.5]], np.float32)
    assert 0 < trace**8 < FAINT
    wide = likeness(words, vectors)
    assert wide[0, 1] > 0.4 and wide[[2]].nnz == 0
    assert np.diff(nearest(wide).indptr).tolist() == [1, 1, 0]
    new = wide_of(np.zeros(3), np.array([alike, 0.5, trace]))
    assert new.rows.tolist() == [0, 1]


def test_likeness_is_symmetric_without_itself():
    words = CatalogueWords.fit(["red hat", "red hat", "blue hat", "lamp"])
    wide = likeness(words, np.eye(4, 2, dtype=np.float32)).toarray()
    assert (wide == wide.T).all() and (np.diag(wide) == 0).all()
    assert wide[0, 1] == pytest.approx(0.5) and wide[3].sum() == 0


def test_a_capped_row_keeps_its_strongest():
    words = CatalogueWords.fit(["red hat", "red hat", "red lamp", "hat"])
    capped = likeness(words, None, cap=1).toarray()
    assert capped[0, 1] == capped[1, 0] == pytest.approx(0.5)


def test_neighbours_sum_to_one():
    words = CatalogueWords.fit(["red hat", "red hat", "red lamp", "hat", "moon"])
    wide = likeness(words, None)
    near = nearest(wide)
    assert near.sum(axis=1) == pytest.approx([1, 1, 1, 1, 0])
    from recommend.views.base import SparseVector

    row = wide.toarray()[0].astype(float)
    found = near_of(SparseVector(np.flatnonzero(row).astype(np.int32), row[row > 0]))
    assert found.dense(5) == pytest.approx(near.toarray()[0])


@settings(max_examples=25, deadline=None)
@given(PAIRS)
def test_paths_of_every_view_sum_to_its_value_and_columns_to_its_rows(pairs):
    snapshot = shop(pairs)
    alike = Likeness.build(CatalogueWords.fit(snapshot_texts(snapshot)), None)
    for view in build_views(snapshot, alike, None):
        for i in range(5):
            column = view.column(Candidate(i))
            for j in range(5):
                row = view.scores(np.array([j], np.int32), np.ones(1))
                assert row[i] == pytest.approx(column[j], abs=1e-6)
                named = sum(path.value for path in view.paths(j, Candidate(i)))
                whole = view.total(j, Candidate(i)) if isinstance(view, LatentView) else named
                assert whole == pytest.approx(row[i], abs=1e-12)


def test_views_lie_down_as_arrays_and_get_up_again():
    snapshot = shop([(0, 0, 0), (0, 1, 1), (1, 1, 2), (1, 2, 3)])
    words = CatalogueWords.fit(snapshot_texts(snapshot))
    views = {view.name: view for view in build_views(snapshot, Likeness.build(words, None), None)}
    kinds = {name: kind_of(view) for name, view in views.items()}
    again = views_of_arrays(kinds, views_to_arrays(views), words, None, snapshot.item_event_counts > 0)
    rows, weights = np.array([0, 2], np.int32), np.array([1.0, 0.5])
    assert [view.name for view in again] == list(views)
    for view in again:
        assert (view.scores(rows, weights) == views[view.name].scores(rows, weights)).all()


def test_an_unknown_kind_of_view_is_refused():
    from kg.errors import StateError

    with pytest.raises(StateError, match="the kind 'weather', which this version does not know"):
        views_of_arrays({"weather": "weather"}, {}, CatalogueWords.fit(["a b"]), None, np.ones(1, bool))


def test_a_count_of_people():
    snapshot = shop([(0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 1, 3), (2, 0, 1)])
    view = next(
        v
        for v in build_views(snapshot, Likeness.build(CatalogueWords.fit(snapshot_texts(snapshot)), None), None)
        if isinstance(v, CoBoughtView)
    )
    assert view.count(0, 1) == 2
    (path,) = view.paths(0, Candidate(1))
    assert path.hops[0].count == 2 and path.relation == Rel.CO_BOUGHT
    assert not list(view.paths(0, Candidate(NEW_ROW)))


def test_names_of_views():
    assert view_name("HAS_BRAND") == "brand" and view_name("DIRECTED_BY") == "directed_by"
