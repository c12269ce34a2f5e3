"""A model of another state of the graph says what has changed since; and what else can be wrong with a question about a reason."""

from __future__ import annotations

import json

import pytest

from kg.config import TrainConfig
from kg.errors import StateError, UnknownKeyError
from kg.snapshot import GraphSnapshot
from kg.testing import snapshot_of, stated
from recommend.bundle import load
from recommend.news import News, fingerprint, news
from recommend.testing import Shop
from recommend.train import train

TITLES = {"p1": "LEGO tractor", "p2": "LEGO car", "p3": "wooden train", "p4": "cotton socks"}
FACTS = [stated("p1", "HAS_BRAND", "LEGO"), stated("p2", "HAS_BRAND", "LEGO"), stated("p3", "MADE_OF", "wood")]
EVENTS = [("u1", "p1", 1), ("u1", "p3", 2), ("u2", "p1", 3), ("u2", "p4", 4)]
BEFORE = snapshot_of(TITLES, FACTS, EVENTS)


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        (snapshot_of(TITLES, FACTS, EVENTS), []),
        (snapshot_of(TITLES, [*FACTS, stated("p4", "MADE_OF", "cotton")], EVENTS), ["MADE_OF: 1 new (p4 → material:cotton)"]),
        (snapshot_of(TITLES, FACTS[1:], EVENTS), ["HAS_BRAND: 1 gone"]),
        (snapshot_of(TITLES, FACTS, EVENTS[1:]), ["purchases and other events: 1 gone"]),
        (snapshot_of(TITLES, FACTS, [*EVENTS, ("u3", "p2", 5)]), ["purchases and other events: 1 new"]),
        (
            snapshot_of({**TITLES, "p5": "hose"}, [*FACTS, stated("p1", "ALSO_BOUGHT", "p2")], EVENTS),
            ["products: 1 new (p5)", "ALSO_BOUGHT: 1 new (p1 → p2)"],
        ),
    ],
)
def test_what_is_new_and_what_is_gone(graph: GraphSnapshot, told: list[str]) -> None:
    assert [str(one) for one in news(fingerprint(BEFORE), graph)] == told


def test_of_many_new_facts_some_are_named() -> None:
    more = snapshot_of({**TITLES, **{f"q{n}": "x" for n in range(1200)}}, FACTS, EVENTS)
    assert str(news(fingerprint(BEFORE), more)[0]) == "products: 1,200 new (q0, q1, q10, …)"
    assert str(News("HAS_BRAND", 2, 1)) == "HAS_BRAND: 2 new and 1 gone"


def test_nobody_is_in_a_fingerprint() -> None:
    other = snapshot_of(TITLES, FACTS, [(f"someone else {user}", key, time) for user, key, time in EVENTS])
    assert {kind: numbers.tolist() for kind, numbers in fingerprint(other).items()} == {
        kind: numbers.tolist() for kind, numbers in fingerprint(BEFORE).items()
    }


def test_a_model_of_another_graph_says_which_facts_are_new_and_offers_to_refit(tmp_path) -> None:
    train(Shop(tmp_path, BEFORE), TrainConfig(text_encoder=("words",), without=("gnn",)))
    without = {key: title for key, title in TITLES.items() if key != "p2"}
    changed = Shop(tmp_path, snapshot_of(without, [FACTS[0], FACTS[2], stated("p4", "MADE_OF", "cotton")], EVENTS))
    with pytest.raises(StateError) as caught:
        load(changed)
    assert caught.value.message.endswith("Since then, products: 1 gone; HAS_BRAND: 1 gone; MADE_OF: 1 new (p4 → material:cotton).")
    assert caught.value.hint == "Train again: clew train."


# Questions about a reason --------------------------------------------------------------------------------------------------


def test_near_keys_are_suggested(toy) -> None:
    shop = toy.recommender()
    with pytest.raises(UnknownKeyError, match="There is no product 'p0x'") as caught:
        shop.explain("p0x", user="u1")
    assert "p01" in caught.value.hint
    with pytest.raises(UnknownKeyError, match="There is no user 'u9'") as caught:
        shop.explain("p01", user="u9")
    assert "u1" in caught.value.hint


def test_a_pair_without_a_path_says_so_and_what_the_score_is_made_of(toy) -> None:
    answer = toy.recommender().explain("p03", user="u2")
    (item,) = answer.items
    assert item.paths == ()
    assert "No path leads from what they did to this product; its score is made of the parts below." in answer.notes
    assert item.reason == "Nothing here is personal: it comes up for everybody."
    assert item.explanation.rest.popularity == pytest.approx(item.score)


def test_names_with_markup_and_escapes_are_shown_and_never_obeyed(toy) -> None:
    from dataclasses import replace

    import pyarrow as pa

    from recommend.cli.show import answer_text, explanation_text
    from recommend.draw import html, svg
    from recommend.service import Recommender

    hostile = "\x1b]8;;http://x\x07LEGO\x1b[2J <script>alert(1)</script> [bold red]x[/] \u202eevil"
    graph = toy.shop()
    titles = [hostile if key == "p03" else graph.title(row) for row, key in enumerate(graph.items)]
    place = graph.products.column_names.index("title")
    named = replace(graph, products=graph.products.set_column(place, "title", pa.array(titles)))
    shop = Recommender(toy.hand_made(named))
    answer, one = shop.recommend(user="u1", k=3), shop.explain("p03", user="u1")
    told = (answer_text(answer), explanation_text(one), html(one), svg(one), answer._repr_mimebundle_()["text/html"])
    for text in told:
        assert not any((ord(sign) < 32 and sign != "\n") or sign in "\x07\x9b\u202e" for sign in text)
    for page in told[2:]:
        assert "<script>" not in page
    assert "[bold red]x[/]" in told[0]
    json.loads(json.dumps(answer.to_dict(), allow_nan=False))
