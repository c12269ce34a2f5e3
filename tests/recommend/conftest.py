"""A small shop with a hand-made model, whose right answers are known (the fixture `toy`)."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import scipy.sparse as sp

from kg.model import Price, Product
from kg.ontology import Rel
from kg.snapshot import GraphSnapshot
from kg.testing import snapshot_of, stated
from recommend.profile import Branch
from recommend.scorer import Scorer
from recommend.service import Recommender
from recommend.views.co_bought import CoBoughtView, co_bought
from recommend.views.facts import FactView
from recommend.views.popular import popularity
from recommend.views.similar import SimilarView, likeness, nearest
from recommend.weights import BranchWeights, Weights
from recommend.words import CatalogueWords

DAY = 86_400
PRODUCTS = [
    Product("p01", "LEGO City Forest Tractor", price=Price(19.99, 19.99, "USD")),
    Product("p02", "LEGO Creator Sports Car", price=Price(15.0, 18.0, "USD")),
    Product("p03", "LEGO Friends Heartlake Cafe", price=Price(30.0, 30.0, "USD")),
    Product("p04", "Wooden train set", price=Price(25.0, 25.0, "USD")),
    Product("p05", "Wooden puzzle for kids"),
    Product("p06", "Cotton socks, black", price=Price(5.0, 5.0, "USD")),
    Product("p07", "Cotton shirt, black", price=Price(12.0, 12.0, "USD")),
    Product("p08", "Wooden puzzle for kids", price=Price(9.0, 9.0, "USD")),
    Product("p09", "LEGO Space Rocket", price=Price(50.0, 50.0, "USD"), available=False),
    Product("p10", "Garden hose"),
]
FACTS = [
    *(stated(key, Rel.HAS_BRAND, "LEGO") for key in ("p01", "p02", "p03", "p09")),
    *(stated(key, Rel.MADE_OF, "wood") for key in ("p04", "p05", "p08")),
    *(stated(key, Rel.MADE_OF, "cotton") for key in ("p06", "p07")),
    *(stated(key, Rel.HAS_COLOR, "black") for key in ("p06", "p07")),
]
EVENTS = [
    *(("u1", key, DAY * place, 1.0, "purchase") for place, key in enumerate(("p01", "p02", "p04", "p06", "p10"))),
    ("u1", "p06", DAY * 30, 1.0, "purchase"),
    ("u1", "p05", DAY * 31, 1.0, "view"),
    ("u2", "p06", 0, 1.0, "purchase"),
    *((f"v{n}", key, DAY, 1.0, "purchase") for n in range(6) for key in ("p06", "p07")),
    ("v0", "p10", DAY, 1.0, "purchase"),
]


def shop(*more: tuple[str, str, int, float, str]) -> GraphSnapshot:
    return snapshot_of(PRODUCTS, FACTS, [*EVENTS, *more])


def hand_made(graph: GraphSnapshot | None = None) -> Scorer:
    graph = graph or shop()
    words = CatalogueWords.fit(graph.titles())
    wide = likeness(words, None)
    near = sp.csr_array(nearest(wide).T.tocsr())
    near.sort_indices()
    buyers = sp.csr_array(graph.interactions.T.tocsr())
    views = [
        CoBoughtView(co_bought(graph.interactions), buyers),
        SimilarView("similar", near, words),
        *(FactView.build(graph, name) for name in graph.facts()),
    ]
    weights = {"co_bought": 1.0, "similar": 0.5, "brand": 2.0, "material": 1.5, "color": 0.2}
    return Scorer(
        graph,
        views,
        popularity(graph.interactions),
        Weights({Branch.KNOWN: BranchWeights(weights, weights, 0.01, 0.1)}),
        words,
        digest="sha256:hand",
    )


@pytest.fixture
def toy() -> SimpleNamespace:
    """`toy.shop(*more)` makes the graph, with more events, `toy.hand_made(graph)` a scorer, `toy.recommender(*more)` the whole."""
    return SimpleNamespace(shop=shop, hand_made=hand_made, recommender=lambda *more: Recommender(hand_made(shop(*more))))
