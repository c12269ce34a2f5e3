"""The extractor `trained`: a shop's titles teach a brand tagger without any label."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from extraction.base import Extractor, build_extractor, keeps, kept_extractor
from extraction.brand import BrandFinder
from extraction.brand_training import adapted_finder
from extraction.evaluate import GoldRow
from extraction.rules import build_rules
from extraction.tag_pipeline import tagger_of
from extraction.testing import ExtractorContract
from extraction.trained import PER_BRAND, shipped_tagger, taught_by_labels, taught_by_titles
from extraction.words import words_of
from kg.errors import InputError
from kg.model import Product
from kg.seeds import generator

SYLLABLES = ("zor", "kel", "mip", "tan", "vex", "lum", "dro", "fay")
BRANDS = tuple(f"{a}{b}".capitalize() for a in SYLLABLES for b in SYLLABLES if a < b)
THINGS = ("Steel Water Bottle", "Cotton Bath Towel", "Desk Lamp", "Garden Hose", "Yoga Mat", "Phone Case", "Coffee Mug", "Running Shoes")
TAILS = ("for Men, Black", "with Lid, 20 oz", "Pack of 2", "- Large, Navy Blue", "for Kitchen and Home")


def shop() -> list[Product]:
    """Titles of 28 brands that no other shop has, some titles without any brand."""
    draw = generator(0, "made-up shop")
    products = []
    for i in range(420):
        thing, tail = THINGS[int(draw.integers(len(THINGS)))], TAILS[int(draw.integers(len(TAILS)))]
        brand = BRANDS[int(draw.integers(len(BRANDS)))] if i % 8 else ""
        products.append(Product(str(i), f"{brand} {thing} {i % 37}, {tail}".strip(), {"category": thing.split()[-1].upper()}))
    return products


@pytest.fixture(scope="module")
def trained() -> Extractor:
    return build_extractor("trained", shop())


def test_it_reads_brands_that_nobody_labelled(trained: Extractor) -> None:
    products = shop()
    said = [next((m.raw for m in mentions if m.attribute == "brand"), "") for mentions in trained.extract(products)]
    stated = [next((brand for brand in BRANDS if p.title.startswith(brand)), "") for p in products]
    assert sum(s == t for s, t in zip(said, stated, strict=True)) >= 0.9 * len(products)


def test_few_titles_of_a_brand_teach(trained: Extractor) -> None:
    products = shop()
    model = taught_by_titles(products, build_rules(products))
    learned = model.learned["brand"]
    assert learned.values <= PER_BRAND * len(learned.known)
    assert model.about.startswith("the catalogue's titles; OA-Mine (Apache-2.0)")
    assert sum(member.share for member in learned.members) == pytest.approx(1.0)
    assert model.digest == taught_by_titles(products, build_rules(products)).digest
    assert Counter(member.rules for member in learned.members) == {True: 2, False: 2}


def test_labelled_titles_are_learned_from_too() -> None:
    products = shop()
    # The rules take this title for one that begins with its brand; a person says otherwise.
    labelled = [GoldRow(Product(f"own-{i}", f"Steel Mug {i} from Quorra"), {"brand": frozenset({"Quorra"})}) for i in range(8)]
    model = taught_by_titles(products, build_rules(products), labelled=labelled)
    assert "quorra" in model.learned["brand"].known
    extractor = tagger_of(build_rules(products).finder, model)
    [mentions] = extractor.extract([Product("new", "Steel Mug 99 from Quorra")])
    assert [m.raw for m in mentions if m.attribute == "brand"] == ["Quorra"]


def test_labelled_titles_move_the_rules_too() -> None:
    """In this shop brands stand at the end, which no shipped model has seen; thirty labels say so."""
    products = [Product(f"e{i}", f"Steel Mug {i}, Large - {BRANDS[i % len(BRANDS)]}") for i in range(400)]
    labelled = [GoldRow(p, {"brand": frozenset({p.title.rpartition(" - ")[2]})}) for p in products[:30]]
    rest = products[30:]
    right = {}
    for name, extractor in (("rules", build_rules(products)), ("taught", taught_by_labels(products, labelled))):
        said = [next((m.raw for m in mentions if m.attribute == "brand"), "") for mentions in extractor.extract(rest)]
        right[name] = sum(s == p.title.rpartition(" - ")[2] for s, p in zip(said, rest, strict=True)) / len(rest)
    assert right["taught"] >= 0.95 > right["rules"]


def test_labels_that_are_no_candidates_move_nothing() -> None:
    words = [words_of(product.title) for product in shop()]
    kinds = [""] * len(words)
    moved = adapted_finder(words, kinds, [("a steel mug", "", frozenset({"eel mu"}))])
    assert moved.digest == BrandFinder.learn(words, kinds).digest


def test_what_it_learned_is_kept(trained: Extractor, tmp_path: Path) -> None:
    assert keeps(trained)
    trained.save(tmp_path / "kept")
    loaded = kept_extractor("trained", tmp_path / "kept")
    products = [*shop()[:20], Product("new", "Vexzor Steel Water Bottle, Black")]
    assert list(loaded.extract(products)) == list(trained.extract(products))
    assert loaded.digest == trained.digest


def test_a_shop_of_a_few_titles_cannot_teach() -> None:
    with pytest.raises(InputError, match=r"Of 2 titles \d have a brand that is clear enough") as caught:
        build_extractor("trained", [Product("1", "Acme Mug"), Product("2", "Acme Lamp")])
    assert "rules" in (caught.value.hint or "")


def test_the_shipped_tagger_is_small_and_names_its_source() -> None:
    folder = Path(__file__).parents[2] / "extraction" / "data" / "brand_tagger"
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 5_000_000
    assert "OA-Mine" in shipped_tagger().about


class TestTrained(ExtractorContract):
    @pytest.fixture(scope="class")
    def extractor(self, trained: Extractor) -> Extractor:
        return trained
