"""A score's parts become shown paths: nothing is lost, nothing is claimed twice, evidence stands in the title."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.model import Entity, Evidence, Fact, Product
from kg.ontology import Label, Rel, relation
from kg.testing import snapshot_of
from recommend.explain import Asker, Explainer, private_count
from recommend.merge import Columns, merged
from recommend.parts import Hop, Parts, PathPart
from recommend.path import Edge, Node, Rest, printed
from recommend.views.base import NEW_ROW

TITLES = {
    "a": "LEGO City Forest Tractor 60181",
    "b": "LEGO Creator Sports Car",
    "c": "Wooden train set by BRIO",
    "d": "LEGO Friends Heartlake Cafe",
    "e": "Cotton socks",
}


def _brand(key: str, name: str, confidence: float = 0.9) -> Fact:
    start = TITLES[key].index(name)
    evidence = Evidence("title", start, start + len(name), name, "rules", confidence)
    return Fact(
        key,
        relation(Rel.HAS_BRAND),
        Entity(Label.BRAND, name),
        (evidence, Evidence("brand", 0, len(name), name, "columns", confidence / 2)),
    )


FACTS = [_brand("a", "LEGO"), _brand("b", "LEGO"), _brand("d", "LEGO"), _brand("c", "BRIO", 0.3)]
GRAPH = snapshot_of(TITLES, FACTS, [("u1", "a", 86_400), ("u1", "b", 172_800), ("u1", "c", 0)])
ROW = {key: GRAPH.items.row(key) for key in TITLES}
LEGO, BRIO = GRAPH.entities.row("brand:lego"), GRAPH.entities.row("brand:brio")
BOUGHT = {ROW[key]: Edge(Rel.BOUGHT, "out", count=1, last="2022-03-01") for key in "abc"}
PERSON = Asker("you", Node(Label.USER, "u1"), BOUGHT)


def shares(value: float, start: str = "a", entity: int = LEGO, end: int = ROW["d"]) -> PathPart:
    hops = (Hop(Rel.HAS_BRAND, "out", "entity", entity), Hop(Rel.HAS_BRAND, "in", "item", end))
    return PathPart("brand", Rel.HAS_BRAND, value, ROW[start], hops)


def co_bought(value: float, start: str = "a", count: int = 14) -> PathPart:
    return PathPart(
        "co_bought", Rel.CO_BOUGHT, value, ROW[start], (Hop(Rel.CO_BOUGHT, "out", "item", ROW["d"], count=count, derived=True),)
    )


def alike(value: float, start: str = "a", words: tuple[str, ...] = (), view: str = "similar") -> PathPart:
    return PathPart(view, Rel.SIMILAR_TEXT, value, ROW[start], (Hop(Rel.SIMILAR_TEXT, "out", "item", ROW["d"], words=words, derived=True),))


def bridge(value: float, start: str = "a") -> PathPart:
    hops = (
        Hop(Rel.CO_BOUGHT, "out", "item", ROW["e"], count=3, derived=True),
        Hop(Rel.SIMILAR_TEXT, "out", "item", ROW["d"], words=("lego",), derived=True),
    )
    return PathPart("bridge", Rel.CO_BOUGHT, value, ROW[start], hops)


def parts(*paths: PathPart, text: float = 0.0, popularity: float = 0.0, latent: float = 0.0, baseline: float = 0.0) -> Parts:
    return Parts(paths, text, popularity, latent, baseline)


def total(explanation) -> float:
    shown = explanation.to_dict()
    return sum(path["contribution"] for path in shown["paths"]) + sum(shown["rest"].values())


_PARTS = st.lists(
    st.builds(
        lambda make, value, start: make(value, start),
        st.sampled_from([shares, co_bought, alike, bridge]),
        st.floats(-5, 5, allow_nan=False),
        st.sampled_from("abc"),
    ),
    max_size=30,
)


@given(_PARTS, st.floats(-9, 9), st.integers(0, 6), st.booleans())
def test_the_printed_numbers_sum_to_the_printed_score(paths: list[PathPart], latent: float, limit: int, every: bool) -> None:
    whole = parts(*paths, latent=latent, baseline=0.1, popularity=0.05)
    explanation = Explainer(GRAPH).explain(whole, PERSON, limit, every)
    assert abs(total(explanation) - printed(whole.score)) <= 1e-6 * max(1.0, abs(whole.score))
    assert len(explanation.paths) == len(paths) if every else len(explanation.paths) <= limit
    assert not every or explanation.rest.other_paths == 0.0
    assert explanation.reason


@given(_PARTS)
def test_a_merged_path_claims_the_sum_of_its_members_and_no_part_is_in_two(paths: list[PathPart]) -> None:
    yes = np.ones(len(paths), bool)
    (found,) = merged(Columns.of_paths(paths), 1, yes, ~yes)
    groups = [one.group() for one in found]
    assert [one.contribution for one in found] == pytest.approx([group.contribution for group in groups])
    held = [part for group in groups for member in group.members for part in member.parts]
    assert len(held) == len({id(part) for part in held})
    for group in groups:
        assert math.isclose(group.contribution, math.fsum(p.contribution for m in group.members for p in m.parts), abs_tol=1e-12)
        assert all(member.contribution > 0 for member in group.members)
        assert len({(m.start, tuple(hop.row for hop in m.lead.hops)) for m in group.members}) == len(group.members)


def test_ways_that_differ_in_the_middle_are_counted_and_not_named() -> None:
    def through(middle: str, value: float) -> PathPart:
        hops = (Hop(Rel.CO_BOUGHT, "out", "item", ROW[middle], count=3, derived=True), bridge(0.0).hops[1])
        return PathPart("bridge", Rel.CO_BOUGHT, value, ROW["a"], hops)

    path, detour = Explainer(GRAPH).explain(parts(through("e", 0.4), through("d", 0.2), through("b", 0.1)), PERSON).paths
    assert path.contribution == pytest.approx(0.6)
    assert path.to_dict()["also"][0]["via"] == [{"label": "Product", "key": "d", "name": TITLES["d"]}]
    assert detour.nodes[2].key == "b"  # a product that the person has: not told in one breath with the others
    assert path.reason.endswith("(and in one more way like it).")
    assert f"others who bought it also bought {TITLES['b']}, which you have too, and this" in detour.reason
    # A second sentence that rests on the same likeness would say it twice.
    told = Explainer(GRAPH).explain(parts(alike(0.6, "b", ("lego",)), through("b", 0.4)), PERSON)
    assert len(told.paths) == 2
    assert "Also" not in told.reason


def test_a_likeness_names_only_products_that_share_its_words() -> None:
    strong, weak, other = alike(0.5, "a", ("lego", "tractor")), alike(0.2, "b", ("lego",)), alike(0.4, "c", ("train",))
    (path,) = Explainer(GRAPH).explain(parts(strong, weak, other), PERSON).paths
    assert path.edges[-1].words == ("lego",)
    assert (
        "LEGO City Forest Tractor 60181 and LEGO Creator Sports Car; this shares the word “lego” with them (and in one more" in path.reason
    )


def test_a_path_has_the_nodes_edges_and_evidence_of_the_graph() -> None:
    path = Explainer(GRAPH).explain(parts(shares(0.4)), PERSON).to_dict()["paths"][0]
    assert path["nodes"] == [
        {"label": "User", "key": "u1"},
        {"label": "Product", "key": "a", "name": TITLES["a"]},
        {"label": "Brand", "key": "brand:lego", "name": "LEGO"},
        {"label": "Product", "key": "d", "name": TITLES["d"]},
    ]
    evidence = {"field": "title", "start": 0, "end": 4, "text": "LEGO", "extractor": "rules"}
    assert path["edges"] == [
        {"type": "BOUGHT", "direction": "out", "count": 1, "last": "2022-03-01"},
        {"type": "HAS_BRAND", "direction": "out", "confidence": pytest.approx(0.9), "evidence": evidence, "evidence_count": 2},
        {"type": "HAS_BRAND", "direction": "in", "confidence": pytest.approx(0.9), "evidence": evidence, "evidence_count": 2},
    ]


def test_all_evidence_is_told_where_it_was_looked_up() -> None:
    pieces = {fact.source_key: fact.evidence for fact in FACTS}
    explainer = Explainer(GRAPH, all_evidence=lambda relation, source, target: pieces[source])
    edge = explainer.explain(parts(shares(0.4)), PERSON).to_dict()["paths"][0]["edges"][1]
    assert [piece["field"] for piece in edge["more_evidence"]] == ["brand"]
    assert edge["evidence"]["field"] == "title"


def test_equal_chains_from_several_products_are_one_path_that_names_them_all() -> None:
    shown = Explainer(GRAPH).explain(parts(shares(0.4), shares(0.3, "b"), shares(0.01, "c")), PERSON)
    (path,) = shown.to_dict()["paths"]
    assert path["contribution"] == pytest.approx(0.7)
    assert path["also"] == [{"label": "Product", "key": "b", "name": TITLES["b"], "contribution": 0.3}]
    assert shown.rest.other_paths == pytest.approx(0.01)
    assert shown.reason == ("Mainly because you bought LEGO City Forest Tractor 60181 and LEGO Creator Sports Car, and this is LEGO too.")


def test_two_views_of_one_edge_are_one_path_with_the_words_of_either() -> None:
    shown = Explainer(GRAPH).explain(parts(alike(0.2, words=("forest", "tractor")), alike(0.5, view="gnn_text")), PERSON)
    (path,) = shown.paths
    assert (path.view, path.contribution, path.edges[-1].words) == ("gnn_text", 0.7, ("forest", "tractor"))


def test_words_of_a_merged_path_carry_it_from_every_start() -> None:
    (path,) = Explainer(GRAPH).explain(parts(alike(0.5, "a", ("lego", "tractor")), alike(0.4, "b", ("lego", "car"))), PERSON).paths
    assert path.edges[-1].words == ("lego",)


def test_shown_paths_differ_in_kind() -> None:
    facts = [shares(1.0, end=ROW["d"]), shares(0.9, "a", BRIO), bridge(0.6), alike(0.05)]
    kinds = [path.view for path in Explainer(GRAPH).explain(parts(*facts), PERSON, 2).paths]
    assert kinds == ["brand", "bridge"]


def test_an_uncertain_fact_is_no_reason_but_all_shows_it() -> None:
    doubtful = shares(1.0, "c", BRIO, ROW["c"])
    shown = Explainer(GRAPH).explain(parts(doubtful, alike(0.1)), PERSON)
    assert [path.view for path in shown.paths] == ["similar"]
    assert shown.rest.other_paths == pytest.approx(1.0)
    assert len(Explainer(GRAPH).explain(parts(doubtful, alike(0.1)), PERSON, all_paths=True).paths) == 2


def test_a_path_that_takes_away_is_never_a_reason() -> None:
    shown = Explainer(GRAPH).explain(parts(shares(-1.0), alike(0.2)), PERSON)
    assert [path.view for path in shown.paths] == ["similar"]
    assert shown.rest.other_paths == pytest.approx(-1.0)


@pytest.mark.parametrize(("count", "told"), [(None, None), (0, "others"), (4, "others"), (5, 5), (1200, 1200)])
def test_few_people_are_not_counted_in_public(count: int | None, told: object) -> None:
    assert private_count(count) == told
    if count is not None:
        (path,) = Explainer(GRAPH).explain(parts(co_bought(0.3, count=count)), PERSON).paths
        assert path.edges[-1].to_dict() == {"type": "CO_BOUGHT", "direction": "out", "derived": True, "count": told}


def test_a_session_a_question_about_a_product_and_a_text_start_where_they_should() -> None:
    explainer = Explainer(GRAPH)
    session = Asker("session", Node(Label.USER, "session"), {ROW["a"]: Edge(Rel.BOUGHT, "out", count=1)})
    assert [n.key for n in explainer.explain(parts(shares(1.0)), session).paths[0].nodes] == ["session", "a", "brand:lego", "d"]
    asked = PathPart("brand", Rel.HAS_BRAND, 1.0, None, shares(1.0).hops)
    item = Asker("item", None, asked_row=ROW["a"])
    path = explainer.explain(parts(asked), item).paths[0]
    assert [n.key for n in path.nodes] == ["a", "brand:lego", "d"]
    assert path.edges[0].evidence is not None
    words = PathPart("words", Rel.MATCHES, 1.0, None, (Hop(Rel.MATCHES, "out", "item", ROW["d"], words=("cafe",)),))
    text = Asker("text", Node(Label.QUERY, "query", "a lego cafe"))
    assert [n.to_dict() for n in explainer.explain(parts(words), text).paths[0].nodes] == [
        {"label": "Query", "key": "query", "name": "a lego cafe"},
        {"label": "Product", "key": "d", "name": TITLES["d"]},
    ]


def test_a_new_product_shows_its_own_facts() -> None:
    product = Product("new", "LEGO Space Rocket")
    evidence = Evidence("title", 0, 4, "LEGO", "rules", 0.8)
    fact = Fact("new", relation(Rel.HAS_BRAND), Entity(Label.BRAND, "LEGO"), (evidence,))
    explainer = Explainer(GRAPH, product, [fact])
    person = Asker("they", Node(Label.USER, "u1"), BOUGHT)
    shown = explainer.explain(parts(shares(1.0, end=NEW_ROW)), person)
    assert shown.paths[0].nodes[-1] == Node("Product", "new", "LEGO Space Rocket")
    assert shown.paths[0].edges[-1].evidence == evidence
    assert shown.reason == "Mainly because they bought LEGO City Forest Tractor 60181, and this is LEGO too."
    similar = explainer.explain(
        parts(PathPart("brand", Rel.HAS_BRAND, 1.0, None, shares(1.0).hops)), Asker("item", None, asked_row=NEW_ROW)
    )
    assert [node.key for node in similar.paths[0].nodes] == ["new", "brand:lego", "d"]
    assert similar.paths[0].edges[0].evidence == evidence


def test_a_score_without_a_path_says_what_it_is_made_of() -> None:
    explainer = Explainer(GRAPH)
    assert explainer.explain(parts(popularity=0.5), PERSON, people=lambda: 37).reason == "It is popular here: 37 people bought it."
    assert "no single fact" in explainer.explain(parts(latent=0.5), PERSON).reason
    assert explainer.explain(parts(), PERSON).rest == Rest(0.0, 0.0, 0.0, 0.0, 0.0)


def test_a_way_through_a_product_that_the_person_has_gives_place_to_the_shorter_one() -> None:
    detour = bridge(0.6)
    detour = PathPart(detour.view, detour.relation, 0.6, detour.history_row, (Hop(Rel.CO_BOUGHT, "out", "item", ROW["b"]), detour.hops[1]))
    kinds = [path.view for path in Explainer(GRAPH).explain(parts(detour, alike(0.4, "b")), PERSON, 1).paths]
    assert kinds == ["similar"]


def joined(words: tuple[str, ...]) -> PathPart:
    """A likeness of the second product to the first."""
    return PathPart("similar", Rel.SIMILAR_TEXT, 0.5, None, (Hop(Rel.SIMILAR_TEXT, "out", "item", 1, words=words, derived=True),))


def test_word_pairs_that_no_reader_finds_are_left_out() -> None:
    words = ("city forest", "lego city", "lego")
    (path,) = Explainer(GRAPH).explain(parts(alike(0.5, "a", words)), PERSON).paths
    assert path.edges[-1].words == ("lego",)
    (path,) = Explainer(GRAPH).explain(parts(alike(0.5, "a", ("city forest",))), PERSON).paths
    assert path.edges[-1].words == ("city forest",)
    texts = {"a": "toy for a cat", "b": "Catmint Toy, for Cat"}
    (path,) = (
        Explainer(snapshot_of(texts, [], [("u", "a", 1)]))
        .explain(parts(joined(("for cat", "toy"))), Asker("item", None, asked_row=0))
        .paths
    )
    assert path.edges[-1].words == ("cat", "toy"), "a pair over a word that is left out is told word by word"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("and",), ()),
        (("for kids", "pack of", "lego"), ("lego set for kids",)),
        (("lego", "lego set"), ("lego set for kids",)),
        (("of",), ()),
    ],
)
def test_words_that_every_title_has_say_nothing(words: tuple[str, ...], told: tuple[str, ...]) -> None:
    titles = {"a": "LEGO set for kids, pack of 2", "b": "A LEGO set for kids and a pack of cards"}
    graph = snapshot_of(titles, [], [("u", "a", 1)])
    (path,) = (
        Explainer(graph)
        .explain(
            Parts(
                (PathPart("similar", Rel.SIMILAR_TEXT, 0.5, 0, (Hop(Rel.SIMILAR_TEXT, "out", "item", 1, words, derived=True),)),),
                0.0,
                0.0,
                0.0,
                0.0,
            ),
            PERSON,
        )
        .paths
    )
    assert path.edges[-1].words == told


def test_a_link_and_the_link_back_are_one_reason() -> None:
    there, back = (
        PathPart("also_bought", "ALSO_BOUGHT", value, ROW["a"], (Hop("ALSO_BOUGHT", way, "item", ROW["d"]),))
        for value, way in ((0.3, "out"), (0.2, "in"))
    )
    (path,) = Explainer(GRAPH).explain(parts(there, back), PERSON).paths
    assert path.contribution == pytest.approx(0.5)
    assert path.edges[-1].direction == "out"
