"""Path search on arrays against loops over edges."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.ontology import Rel
from kg.paths import PathIndex
from kg.testing import snapshot_of, stated

ITEMS = [f"p{n}" for n in range(6)]
RELATIONS = st.sampled_from([Rel.HAS_BRAND, Rel.MADE_OF, Rel.HAS_COLOR])
FACTS = st.sets(st.tuples(st.sampled_from(ITEMS), RELATIONS, st.sampled_from(["a", "b", "c"])), max_size=20)
EVENTS = st.sets(st.tuples(st.sampled_from(["u1", "u2", "u3", "u4"]), st.sampled_from(ITEMS)), min_size=1, max_size=20)


@given(FACTS, EVENTS, st.sampled_from(ITEMS))
@settings(max_examples=150, deadline=None)
def test_paths_are_those_of_the_edges(facts: set[tuple[str, str, str]], events: set[tuple[str, str]], item: str) -> None:
    snapshot = snapshot_of({key: key for key in ITEMS}, [stated(*fact) for fact in facts], sorted(events))
    index = PathIndex(snapshot)
    item_row = snapshot.items.row(item)
    for user in snapshot.users:
        user_row = snapshot.users.row(user)
        history = index.history(user_row)
        bought = {key for who, key in events if who == user}
        assert [snapshot.items.key(int(row)) for row in history] == sorted(bought)
        found = index.attribute_paths(history, item_row)
        told = [
            (found.relations[r], snapshot.items.key(int(h)), snapshot.entity_name(int(e)))
            for r, h, e in zip(found.relation_places, found.history_rows, found.entity_rows, strict=True)
        ]
        expected = sorted((rel, key, name) for key, rel, name in facts if key in bought and key != item and (item, rel, name) in facts)
        assert sorted(told) == expected
        assert len(found) == len(expected)
        others = {who for who, key in events if key == item and who != user}
        people = Counter(key for who, key in events if who in others and key in bought and key != item)
        shared = index.shared_buyers(history, item_row, user_row)
        assert {snapshot.items.key(int(row)): int(n) for row, n in zip(shared.history_rows, shared.people, strict=True)} == people


def test_an_edge_of_the_graph_has_no_paths() -> None:
    snapshot = snapshot_of({"p1": "One", "p2": "Two"}, [], [("u1", "p1")])
    index = PathIndex(snapshot)
    assert len(index.attribute_paths(np.array([0], np.int32), 1)) == 0
    assert len(index.attribute_paths(np.array([], np.int32), 1)) == 0
    assert len(index.shared_buyers(np.array([0], np.int32), 1)) == 0
    assert index.shared_buyers(np.array([1], np.int32), 0).people.tolist() == []


def test_a_session_has_no_person_to_leave_out() -> None:
    snapshot = snapshot_of({"p1": "One", "p2": "Two"}, [], [("u1", "p1"), ("u1", "p2"), ("u2", "p1"), ("u2", "p2")])
    assert PathIndex(snapshot).shared_buyers(np.array([0], np.int32), 1).people.tolist() == [2]
