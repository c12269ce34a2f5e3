"""Sentences: goldens that a person can read (tests/golden/reasons.txt), and what a name may look like.

CLEW_UPDATE_GOLDENS=1 writes the goldens again; read the difference before you commit it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as File

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.ontology import Label, Rel
from recommend.path import Also, Edge, Node, Path, Rest
from recommend.wording import Voice, Wording, entity_words, short_title, shown, width

GOLDEN = File(__file__).parents[1] / "golden" / "reasons.txt"
USER, SESSION = Node(Label.USER, "u1"), Node(Label.USER, "session")
QUERY = Node(Label.QUERY, "query", "stainless bottle")
TRACTOR = Node(Label.PRODUCT, "p1", "LEGO City Forest Tractor 60181 Building Kit (174 Pieces)")
CAR = Node(Label.PRODUCT, "p2", "LEGO Creator Sports Car")
TRAIN = Node(Label.PRODUCT, "p3", "Wooden Train Set, 52 Pieces with Bridge, Crossing and Station, Fits All Major Brands, by BRIO")
THIS = Node(Label.PRODUCT, "p9", "LEGO Friends Heartlake Cafe")
OWNED = Node(Label.PRODUCT, "p8", "LEGO City Police Car")
SOCKS = Node(Label.PRODUCT, "p4", "纯棉透气防臭运动短袜男女同款夏季薄款六双装精美礼盒包装送礼佳品")
BRANDS = {"p1": "LEGO", "p2": "LEGO", "p3": "BRIO"}


def bought(relation: str = Rel.BOUGHT) -> Edge:
    return Edge(relation, "out", count=1)


def by(label: str, relation: str, name: str) -> tuple[Node, Edge, Edge]:
    return Node(label, f"x:{name}", name), Edge(relation, "out"), Edge(relation, "in")


def fact_path(value: float, start: Node, label: str, relation: str, name: str, verb: str = Rel.BOUGHT, also: tuple[Also, ...] = ()) -> Path:
    entity, there, back = by(label, relation, name)
    return Path(value, "v", relation, (USER, start, entity, THIS), (bought(verb), there, back), also, told=len(also))


def link(relation: str, count: int | str | None = None, words: tuple[str, ...] | None = None, derived: bool = True) -> Edge:
    return Edge(relation, "out", count=count, words=words, derived=derived)  # type: ignore[arg-type]


def path(value: float, nodes: tuple[Node, ...], *edges: Edge, also: tuple[Also, ...] = ()) -> Path:
    return Path(value, "v", edges[-1].relation, nodes, edges, also, told=len(also))


LEGO = fact_path(0.6, TRACTOR, Label.BRAND, Rel.HAS_BRAND, "LEGO")
MERINO = (Node(Label.MATERIAL, "material:merino", "merino"), Node(Label.MATERIAL, "material:wool", "wool"))
MANY = (Also(CAR, 0.2), Also(TRAIN, 0.1), Also(SOCKS, 0.1))
CASES: list[tuple[str, Voice, list[Path]]] = [
    ("a shared brand is the main reason", "you", [LEGO]),
    ("a shared material", "you", [fact_path(0.3, TRAIN, Label.MATERIAL, Rel.MADE_OF, "wood")]),
    ("a shared category with a shop's code for a name", "you", [fact_path(0.3, CAR, Label.CATEGORY, Rel.IN_CATEGORY, "BUILDING_TOY")]),
    ("a shared colour, of something looked at", "you", [fact_path(0.3, CAR, Label.COLOR, Rel.HAS_COLOR, "red", Rel.VIEWED)]),
    ("a shared size, of something in the cart", "you", [fact_path(0.3, CAR, Label.SIZE, Rel.HAS_SIZE, "XL", Rel.CARTED)]),
    ("a price band, of something rated", "you", [fact_path(0.3, CAR, Label.PRICE_BAND, Rel.IN_PRICE_BAND, "10 to 15 USD", Rel.RATED)]),
    (
        "a relation of a triples file, of an event that only this shop has",
        "you",
        [fact_path(0.3, CAR, Label.ENTITY, "DESIGNED_BY", "J. Doe", "RENTED")],
    ),
    ("two products with one brand", "you", [fact_path(0.6, TRACTOR, Label.BRAND, Rel.HAS_BRAND, "LEGO", also=(Also(CAR, 0.2),))]),
    ("four products with one brand", "you", [fact_path(0.3, TRACTOR, Label.BRAND, Rel.HAS_BRAND, "LEGO", also=MANY)]),
    (
        "a material and the wider one it belongs to",
        "you",
        [
            Path(
                0.3,
                "v",
                Rel.MADE_OF,
                (USER, CAR, *MERINO, THIS),
                (bought(), Edge(Rel.MADE_OF, "out"), Edge(Rel.KIND_OF, "out"), Edge(Rel.MADE_OF, "in")),
            )
        ],
    ),
    ("many people", "you", [path(0.3, (USER, CAR, THIS), bought(), link(Rel.CO_BOUGHT, 1204))]),
    ("few people", "you", [path(0.3, (USER, CAR, THIS), bought(), link(Rel.CO_BOUGHT, "others"))]),
    (
        "people of several products are not counted together",
        "you",
        [path(0.3, (USER, CAR, THIS), bought(), link(Rel.CO_BOUGHT, 14), also=(Also(TRAIN, 0.1),))],
    ),
    ("bought later", "you", [path(0.3, (USER, CAR, THIS), bought(), link(Rel.NEXT_BOUGHT, 6))]),
    ("the shop's own list", "you", [path(0.3, (USER, CAR, THIS), bought(), link(Rel.BOUGHT_TOGETHER, derived=False))]),
    (
        "alike in three words",
        "you",
        [path(0.3, (USER, CAR, THIS), bought(), link(Rel.SIMILAR_TEXT, words=("lego", "kids", "creator", "toy")))],
    ),
    ("alike in one word", "you", [path(0.3, (USER, CAR, THIS), bought(), link(Rel.SIMILAR_TEXT, words=("lego",)))]),
    ("alike, and nobody knows by which words", "you", [path(0.3, (USER, CAR, THIS), bought(), link(Rel.SIMILAR_TEXT, words=()))]),
    (
        "through what others bought to something alike",
        "you",
        [path(0.3, (USER, CAR, TRACTOR, THIS), bought(), link(Rel.CO_BOUGHT, 7), link(Rel.SIMILAR_TEXT, words=("lego", "city")))],
    ),
    (
        "the same in other ways",
        "you",
        [
            replace(
                path(0.3, (USER, TRAIN, TRACTOR, THIS), bought(), link(Rel.CO_BOUGHT, 7), link(Rel.SIMILAR_TEXT, words=())),
                also=MANY,
                told=1,
            )
        ],
    ),
    (
        "the same in one other way",
        "session",
        [replace(path(0.3, (SESSION, CAR, THIS), bought(), link(Rel.SIMILAR_TEXT, words=("lego",))), also=MANY[:1])],
    ),
    (
        "through something alike to what others bought",
        "you",
        [path(0.3, (USER, CAR, TRACTOR, THIS), bought(), link(Rel.SIMILAR_TEXT, words=()), link(Rel.CO_BOUGHT, "others"))],
    ),
    ("a first reason that is the main one, and a second", "you", [LEGO, path(0.2, (USER, CAR, THIS), bought(), link(Rel.CO_BOUGHT, 14))]),
    ("a second reason too weak to be told", "you", [LEGO, path(0.05, (USER, CAR, THIS), bought(), link(Rel.CO_BOUGHT, 14))]),
    ("a session", "session", [path(0.3, (SESSION, CAR, THIS), bought(), link(Rel.CO_BOUGHT, 14))]),
    ("about a person, for a shop", "they", [LEGO]),
    ("a question about a product: brand", "item", [Path(0.3, "v", Rel.HAS_BRAND, (CAR, *LEGO.nodes[2:]), LEGO.edges[1:])]),
    ("a question about a product: people", "item", [path(0.3, (CAR, THIS), link(Rel.CO_BOUGHT, 9))]),
    ("a question about a product: words", "item", [path(0.3, (CAR, THIS), link(Rel.SIMILAR_TEXT, words=("lego", "toy")))]),
    ("words that stand in the product", "text", [path(0.3, (QUERY, THIS), Edge(Rel.MATCHES, "out", words=("stainless", "bottle")))]),
    ("words that are only near", "text", [path(0.3, (QUERY, THIS), Edge(Rel.MATCHES, "out", words=()))]),
    (
        "words that name a brand",
        "text",
        [Path(0.3, "v", Rel.HAS_BRAND, (QUERY, LEGO.nodes[2], THIS), (Edge(Rel.MATCHES, "out", words=("lego",)), LEGO.edges[2]))],
    ),
    ("a title in Chinese", "you", [path(0.3, (USER, SOCKS, THIS), bought(), link(Rel.CO_BOUGHT, 14))]),
    (
        "a title with a terminal escape and markup",
        "you",
        [path(0.3, (USER, Node(Label.PRODUCT, "p7", "\x1b[31mRed[/b] <b>cup</b>\n\u202egnp"), THIS), bought(), link(Rel.CO_BOUGHT, 14))],
    ),
    (
        "on the way something that the shopper has",
        "you",
        [path(0.3, (USER, TRAIN, OWNED, THIS), bought(), link(Rel.CO_BOUGHT, 7), link(Rel.SIMILAR_TEXT, words=("city",)))],
    ),
    (
        "a new product, for a shop: on the way something that the person has",
        "they",
        [path(0.3, (USER, TRAIN, OWNED, THIS), bought(), link(Rel.CO_BOUGHT, "others"), link(Rel.SIMILAR_TEXT, words=("city", "kids")))],
    ),
    (
        "a second reason that rests on the same likeness is not told",
        "you",
        [
            path(0.3, (USER, OWNED, THIS), bought(), link(Rel.SIMILAR_TEXT, words=("city",))),
            path(0.3, (USER, TRAIN, OWNED, THIS), bought(), link(Rel.CO_BOUGHT, 7), link(Rel.SIMILAR_TEXT, words=("city",))),
        ],
    ),
    (
        "products of one short name are named once, many bought by the same people are counted",
        "you",
        [path(0.3, (USER, CAR, THIS), bought(), link(Rel.CO_BOUGHT, 14), also=(Also(replace(CAR, key="p22"), 0.2), *MANY))],
    ),
    (
        "two products of one short name",
        "you",
        [path(0.3, (USER, CAR, THIS), bought(), link(Rel.SIMILAR_TEXT, words=("lego",)), also=(Also(replace(CAR, key="p22"), 0.2),))],
    ),
    ("nothing but popularity", "you", []),
    ("popularity, and too few people to count", "you", []),
    ("nothing but small links", "you", []),
    ("nothing that anybody can name", "you", []),
    ("a text close to the question", "text", []),
    ("nothing known", "you", []),
]
RESTS = {
    "nothing but popularity": Rest(0, 0, 1.0, 0, 0.0),
    "popularity, and too few people to count": Rest(0, 0, 1.0, 0, 0.0),
    "nothing but small links": Rest(1.0, 0, 0, 0.1, 0.0),
    "nothing that anybody can name": Rest(0.1, 0, 0, 1.0, 0.0),
    "a text close to the question": Rest(0, 1.0, 0, 0, 0.0),
    "nothing known": Rest(0, 0, 0, 0, 1.0),
}


def told() -> Iterator[str]:
    for name, voice, paths in CASES:
        yield f"# {name}"
        for lang in ("en", "zh"):
            wording = Wording(lang, voice, BRANDS.get, {OWNED.key}.__contains__)
            people = None if "too few" in name else 37
            yield wording.reason(paths, RESTS.get(name, Rest(0, 0, 0, 0, 0.1)), 1.1, lambda count=people: count)
        yield ""


def test_every_sentence_reads_as_a_person_approved_it() -> None:
    text = "\n".join(told())
    if os.environ.get("CLEW_UPDATE_GOLDENS"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_no_sentence_names_an_entity_that_is_not_in_its_path() -> None:
    for _, voice, paths in CASES:
        for one in paths:
            sentence = Wording("en", voice, BRANDS.get).path(one)
            held = {node.name for node in (*one.nodes, *(other.node for other in one.also))}
            for entity in ("LEGO", "wood", "wool", "XL", "J. Doe"):
                assert entity not in sentence or any(entity in name for name in held) or entity == "wood"


@pytest.mark.parametrize(
    ("title", "brand", "short"),
    [
        ("LEGO Creator Sports Car", None, "LEGO Creator Sports Car"),
        ("  seenda \t Wireless\nMouse ", None, "seenda Wireless Mouse"),
        ("seenda Wireless Mouse, Rechargeable Light Up Mouse for Laptop", "seenda", "seenda Wireless Mouse…"),
        ("Galaxy S20 Case,Samsung Galaxy S20 Case with 3D Curved Screen,AYMECL Military", "AYMECL", "Galaxy S20 Case… (AYMECL)"),
        ("Ultimate Body Press Push Up Accessories for the Fast Upper Body", None, "Ultimate Body Press Push Up Accessories…"),
        ("Pyure Organic Stevia Blend | Granulated All-Purpose - White Sugar", None, "Pyure Organic Stevia Blend…"),
        ("A, " + "very long name of a thing without any break in it at all", None, "A, very long name of a thing without any break…"),
        ("纯棉透气防臭运动短袜男女同款夏季薄款六双装精美礼盒包装送礼佳品", None, "纯棉透气防臭运动短袜男女同款夏季薄款六双装精美…"),
        ("x" * 5000, None, "x" * 47 + "…"),
        ("🧦" * 60, None, "🧦" * 23 + "…"),
    ],
)
def test_a_title_is_cut_at_a_word_and_keeps_its_brand(title: str, brand: str | None, short: str) -> None:
    assert short_title(title, brand) == short


@given(st.text(min_size=1, max_size=300))
def test_a_short_title_is_a_beginning_of_the_title_and_obeys_nothing(title: str) -> None:
    short = short_title(title)
    assert width(short) <= 48
    assert shown(title).startswith(short.removesuffix("…"))
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in short)


@pytest.mark.parametrize(
    ("name", "words"),
    [("INPUT_MOUSE", "input mouse"), ("LEGO", "LEGO"), ("T_SHIRT", "t shirt"), ("Hair Care", "Hair Care"), ("a_b", "a_b")],
)
def test_a_code_reads_as_words(name: str, words: str) -> None:
    assert entity_words(name) == words


def test_a_path_that_moved_next_to_nothing_is_no_reason() -> None:
    faint = [path(4.7e-8, (THIS, CAR), link(Rel.SIMILAR_TEXT, words=()))]
    new = Rest(0.0, 0.0, 0.05, 0.0, 0.0)
    assert Wording("en", "item").reason(faint, new, 0.05 + 4.7e-8) == "Nothing here is personal: it comes up for everybody."
    clear = [path(0.01, (THIS, CAR), link(Rel.SIMILAR_TEXT, words=()))]
    assert Wording("en", "item").reason(clear, new, 0.06) == Wording("en", "item").path(clear[0])
