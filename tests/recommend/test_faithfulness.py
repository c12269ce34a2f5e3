"""Reasons put to the test: what is true is found true, what is false is found out, and what carries a score is what carries it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from kg.ontology import Rel
from kg.testing import snapshot_of, stated
from recommend.changed import without_pairs
from recommend.faithful import Case
from recommend.faithfulness import Study, popularity_of, recency_of
from recommend.merge import ways
from recommend.parts import Hop, PathPart
from recommend.path_measures import Told, by_row, evenness, list_figures, moving
from recommend.path_truth import PathTruth
from recommend.slices import task_of
from recommend.views.links import LinkView


def test_averages_move_towards_what_is_later() -> None:
    np.testing.assert_allclose(moving(np.array([0.0, 10.0, 20.0])), np.array([0, 3, 8.1]) / 8.1)
    assert moving(np.array([4.0, 4.0])).tolist() == [1, 1]
    assert moving(np.array([])).tolist() == []
    assert by_row(np.array([20.0, 0.0, 10.0])).argsort().tolist() == [1, 2, 0]


def test_figures_of_one_list() -> None:
    told = [Told(1, ("entity", 0), ("HAS_BRAND",)), Told(1, ("item", 1), ("CO_BOUGHT",)), Told(2, ("entity", 0), ("HAS_BRAND",))]
    found = list_figures(told, {1: 0.0, 2: 1.0}, {"entity": np.array([0.5]), "item": np.array([0.0, 1.0])}, kinds=8)
    assert found == {
        "LIR": pytest.approx(1 / 3),
        "SEP": pytest.approx(2 / 3),
        "LID": pytest.approx(2 / 3),
        "SED": pytest.approx(2 / 3),
        "PTD": pytest.approx(2 / 3),
        "PTC": pytest.approx(2 / 3),
    }
    assert "LIR" not in list_figures(told, None, {"entity": np.array([0.5]), "item": np.array([0.0, 1.0])}, kinds=8)
    assert (evenness(["a"]), evenness(["a", "a"]), evenness(["a", "b"])) == (0, 0, 1)


def test_recency_and_popularity_of_a_shop(toy) -> None:
    graph = toy.shop()
    events = graph.events.of_user(graph.users.row("u1"))
    recency = recency_of(events.item_rows, events.times)
    assert recency[graph.items.row("p01")] == 0 and recency[graph.items.row("p05")] == 1
    popularity = popularity_of(graph)
    assert popularity["item"][graph.items.row("p06")] == 1
    assert popularity["entity"].max() == 1


@pytest.mark.parametrize("wrong", ["start", "count", "word", "fact", "none"])
def test_an_untrue_path_is_found_out(toy, wrong: str) -> None:
    scorer = toy.hand_made()
    graph = scorer.snapshot
    truth = PathTruth(graph, graph.titles())
    user, p06, p07, p03 = (graph.users.row("u1"), *(graph.items.row(key) for key in ("p06", "p07", "p03")))
    history = frozenset(graph.events.of_user(user).item_rows.tolist())
    bought = Hop(Rel.CO_BOUGHT, "out", "item", p07, count=6, derived=True)
    alike = Hop(Rel.SIMILAR_TEXT, "out", "item", p07, words=("cotton",), derived=True)
    start = p06
    hops: tuple[Hop, ...] = (bought,)
    if wrong == "start":
        start = p03
    elif wrong == "count":
        hops = (replace(bought, count=7),)
    elif wrong == "word":
        hops = (replace(alike, words=("cotton", "silk")),)
    elif wrong == "fact":
        hops = (Hop(Rel.HAS_BRAND, "out", "entity", graph.entities.row("brand:lego")), Hop(Rel.HAS_BRAND, "in", "item", p07))
    else:
        assert truth.holds(history, PathPart("similar", Rel.SIMILAR_TEXT, 1.0, p06, (alike,)))
    assert truth.holds(history, PathPart("x", Rel.CO_BOUGHT, 1.0, start, hops)) == (wrong == "none")


def test_every_path_of_a_model_is_true(toy) -> None:
    scorer = toy.hand_made()
    graph = scorer.snapshot
    truth = PathTruth(graph, graph.titles())
    for user in range(graph.n_users):
        history = frozenset(graph.events.of_user(user).item_rows.tolist())
        for item in range(graph.n_items):
            assert all(truth.holds(history, path) for path in scorer.parts(scorer.user_profile(user), item).paths)


def test_a_path_taken_out_is_gone_with_all_through_it(toy) -> None:
    scorer = toy.hand_made()
    graph = scorer.snapshot
    user, row = graph.users.row("u1"), graph.items.row("p07")
    profile = scorer.user_profile(user)
    strongest = next(way for way in ways(scorer.parts(profile, row).paths) if way.lead.hops[-1].edge == Rel.CO_BOUGHT)
    left = without_pairs(scorer, [(str(Rel.CO_BOUGHT), strongest.start, row)])
    names = [(path.history_row, str(path.relation)) for path in left.parts(profile, row).paths]
    assert (strongest.start, "CO_BOUGHT") not in names and len(names) == len(scorer.parts(profile, row).paths) - 1
    case = Case(scorer, user, (), row, np.ones(graph.n_items, bool))
    assert case.without_paths(strongest.parts)[1] == pytest.approx(case.rank(left)[1])
    assert case.without_paths(strongest.parts)[1] < case.rank(scorer)[1]


def test_likeness_taken_out_is_shared_among_what_is_left(toy) -> None:
    scorer = toy.hand_made()
    graph = scorer.snapshot
    p04, p05 = graph.items.row("p04"), graph.items.row("p05")
    left = without_pairs(scorer, [(str(Rel.SIMILAR_TEXT), p04, p05)])
    before, after = (one.views["similar"].matrix[:, [p05]].toarray().ravel() for one in (scorer, left))
    assert before[p04] > 0 and after[p04] == 0
    assert after.sum() == pytest.approx(before.sum())
    np.testing.assert_array_equal(scorer.views["similar"].matrix[:, [p05]].toarray().ravel(), before)  # the whole one is as it was


def test_a_stated_link_taken_out_leaves_the_graph_as_it_was(toy) -> None:
    graph = snapshot_of(
        {"a": "x", "b": "y", "c": "z"}, [stated("a", Rel.ALSO_BOUGHT, "b"), stated("c", Rel.ALSO_BOUGHT, "b")], [("u", "a", 1)]
    )
    view = LinkView.build(graph, "ALSO_BOUGHT")
    for edges in graph.edges.values():
        edges.target_rows.flags.writeable = False  # as an array that lies on disk
    scorer = toy.hand_made(graph)
    scorer.views["also_bought"] = view
    left = without_pairs(scorer, [("ALSO_BOUGHT", 0, 1)]).views["also_bought"]
    never = LinkView.build(snapshot_of({"a": "x", "b": "y", "c": "z"}, [stated("c", Rel.ALSO_BOUGHT, "b")], [("u", "a", 1)]), "ALSO_BOUGHT")
    np.testing.assert_allclose(left.matrix.toarray(), never.matrix.toarray())
    assert view.matrix[[0], [1]] > 0


def test_a_study_says_what_reasons_are_worth(toy) -> None:
    scorer = toy.hand_made()
    graph = scorer.snapshot
    log = graph.events
    later = log.take(np.array([0]))
    later = replace(later, item_rows=np.array([graph.items.row("p07")], np.int32), times=later.times + 10**7)
    later = replace(later, user_rows=np.array([graph.users.row("u1")], np.int32))
    found = Study(scorer, graph.titles(), people=5, again=scorer).run(task_of(graph, later, "later"))
    assert found["people"] == 1
    assert found["additivity"]["max"] < 1e-9 and found["additivity"]["within_1e-6"] == 1
    assert found["true"]["mean"] == 1
    assert found["leak"]["mean"] == 0
    assert found["stable"]["mean"] == 1
    assert 0 < found["share_of_first"]["median"] <= found["share_of_three"]["median"] <= 1
    assert {"history product", "fact", "path", "reason"} >= found["deletion"].keys() >= {"history product", "path"}
    json.dumps(found, allow_nan=False)
