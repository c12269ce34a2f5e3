from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extraction.base import Mention, build_extractor, extractor_names, register
from extraction.rules import RulesExtractor
from extraction.testing import PRODUCTS
from kg.errors import InputError, StateError, UnknownKeyError
from kg.model import Product

BRANDS = ["Zorvex", "Amber Hill", "QuickNest", "PALMERA", "Tidy & Co", "Nordlys"]
GOODS = ["Cotton Bath Towel", "Steel Water Bottle", "Ceramic Coffee Mug", "Bamboo Cutting Board", "Garden Hose", "Phone Case", "Desk Lamp"]
DETAILS = ["for Kitchen", "with Lid", "Large", "2 Pack", "Black", "Blue, 12 Inch", "for Home and Office", "- Durable", "in Gift Box"]


def shop(seed: int = 0, n: int = 400) -> list[tuple[Product, str | None]]:
    """A planted shop: four in five titles begin with one of six brands, the others with the goods themselves."""
    draw, rows = random.Random(seed), []
    for i in range(n):
        brand = draw.choice(BRANDS) if draw.random() < 0.8 else None
        title = " ".join(filter(None, [brand, draw.choice(GOODS), draw.choice(DETAILS), draw.choice(DETAILS)]))
        rows.append((Product(f"p{i}", title), brand))
    return rows


@pytest.fixture(scope="module")
def rules() -> RulesExtractor:
    extractor = build_extractor("rules", [product for product, _ in shop()])
    assert isinstance(extractor, RulesExtractor)
    return extractor


def one(extractor: RulesExtractor, title: str, **fields: str) -> dict[str, list[str]]:
    [mentions] = extractor.extract([Product("p", title, fields)])
    found: dict[str, list[str]] = {}
    for m in mentions:
        if m.accepted:
            found.setdefault(m.attribute, []).append(m.raw)
    return found


def test_planted_brands_are_learned_from_titles_alone(rules: RulesExtractor) -> None:
    rows = shop()
    said = [next((m.raw for m in ms if m.attribute == "brand"), None) for ms in rules.extract(p for p, _ in rows)]
    right = sum(s == brand for s, (_, brand) in zip(said, rows, strict=True))
    assert right >= 0.85 * len(rows)


def test_a_title_that_comes_later_is_read_by_what_the_shop_taught(rules: RulesExtractor) -> None:
    assert one(rules, "Amber Hill Garden Hose, 50 ft")["brand"] == ["Amber Hill"]


def test_gates_tell_colours_scents_and_materials_apart(rules: RulesExtractor) -> None:
    assert "material" not in one(rules, "Zorvex Coconut Oil Shampoo, Gold", category="SHAMPOO")
    assert "material" not in one(rules, "Zorvex Phone Case (Gold)", category="CELLULAR_PHONE_CASE")
    assert one(rules, "Zorvex Phone Case (Gold)", category="CELLULAR_PHONE_CASE")["color"] == ["Gold"]
    assert one(rules, "Zorvex 14K Gold Ring for Women", category="RING")["material"] == ["14K Gold"]
    assert one(rules, "Zorvex Cast Iron Skillet with Glass Lid", category="PAN")["material"] == ["Cast Iron"]
    assert one(rules, "Zorvex stainless-steel Bottle")["material"] == ["stainless-steel"]
    assert "material" not in one(rules, "Zorvex Curling Iron", category="HAIR_IRON")
    assert one(rules, "Zorvex 2.1m High Carbon Spinning Fishing Rod")["material"] == ["Carbon"]
    assert "material" not in one(rules, "Zorvex Keyboard, Carbon")
    assert "material" not in one(rules, "Zorvex Cap Toe Oxford", category="SHOES")
    assert one(rules, "Zorvex 600D Oxford Vehicle Cover")["material"] == ["600D Oxford"]
    assert one(rules, "Zorvex Fabric Chair")["material"] == ["Fabric"]
    assert one(rules, "Zorvex Cotton Fabric Chair")["material"] == ["Cotton"]


def test_a_part_is_shown_but_not_accepted(rules: RulesExtractor) -> None:
    [mentions] = rules.extract([Product("p", "Zorvex Steel Pot with Glass Lid", {"category": "POT"})])
    assert [(m.raw, m.accepted) for m in mentions if m.attribute == "material"] == [("Steel", True), ("Glass", False)]
    assert [m.to_dict().get("accepted") for m in mentions if m.attribute == "material"] == [None, False]


def test_sizes_quantities_and_colours(rules: RulesExtractor) -> None:
    found = one(rules, "Zorvex Towel 16 x 18 Inch, Navy Blue, Pack of 6")
    assert (found["size"], found["quantity"], found["color"]) == (["16 x 18 Inch"], ["Pack of 6"], ["Navy Blue"])
    [mentions] = rules.extract([Product("p", "Zorvex Towel, Navy Blue")])
    assert [m.entity for m in mentions if m.attribute == "color"] == ["color:blue"]
    assert "size" not in one(rules, "Zorvex Lamp, up to 40 lbs, with 6 ft Power Cord")
    assert one(rules, "AA Batteries, 24 Count")["size"] == ["AA"]


def test_chinese_titles_have_spans_in_characters(rules: RulesExtractor) -> None:
    title = "新款 500毫升 水杯 3个 售价25元"
    found = one(rules, title)
    assert found["size"] == ["500毫升"]
    assert found["quantity"] == ["3个"]
    assert found["price"] == ["25元"]


def test_a_brand_column_comes_before_what_the_title_suggests(rules: RulesExtractor) -> None:
    [mentions] = rules.extract([Product("p", "Amber Hill Garden Hose", {"brand": "Quantico"})])
    assert [(m.raw, m.extractor) for m in mentions if m.attribute == "brand"] == [("Quantico", "columns")]


def test_blanks_before_a_new_title_move_no_span(rules: RulesExtractor) -> None:
    products = [Product("p", f"{blanks}Zorvex 0 Garden Hose") for blanks in ("", "  ", "\t ")]
    first, *others = [[(m.raw, m.attribute) for m in mentions] for mentions in rules.extract(products)]
    assert all(found == first for found in others)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(titles=st.lists(st.text(min_size=1, max_size=60).filter(str.strip), min_size=1, max_size=6))
def test_any_unicode_is_quoted_as_it_stands(rules: RulesExtractor, titles: list[str]) -> None:
    products = [Product(str(i), title, {"category": title[:9], "material": title}) for i, title in enumerate(titles)]
    for product, mentions in zip(products, rules.extract(products), strict=True):
        for mention in mentions:
            mention.check(product)


@pytest.mark.parametrize("title", ["🎁", "。" * 9, "a" * 5000, "Silicone " * 600, "LEGO " * 1000, "\u202e\u200b\u2066x", "\t\n x"])
def test_odd_titles_are_read(rules: RulesExtractor, title: str) -> None:
    product = Product("p", title)
    [mentions] = rules.extract([product])
    for mention in mentions:
        mention.check(product)


def test_rules_are_saved_and_loaded(rules: RulesExtractor, tmp_path: Path) -> None:
    rules.save(tmp_path / "rules")
    again = RulesExtractor.load(tmp_path / "rules")
    assert again.digest == rules.digest
    products = [product for product, _ in shop(2)]
    assert list(again.extract(products)) == list(rules.extract(products))


def test_rules_load_no_spacy() -> None:
    code = (
        "import sys\n"
        "from extraction import build_extractor\n"
        "from extraction.testing import PRODUCTS\n"
        "list(build_extractor('rules', PRODUCTS).extract(PRODUCTS))\n"
        "assert not {'spacy', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_pipeline_is_spacys_and_can_be_saved_loaded_and_extended(rules: RulesExtractor, tmp_path: Path) -> None:
    import spacy
    from spacy.language import Language
    from spacy.tokens import Doc

    from extraction.pipeline import PipelineExtractor

    first = PipelineExtractor(rules.nlp)
    first.save(tmp_path / "nlp")
    assert PipelineExtractor.load(tmp_path / "nlp").digest == first.digest
    again = spacy.load(tmp_path / "nlp")
    assert again.pipe_names == rules.nlp.pipe_names
    for product, _ in shop()[:40]:
        assert again(product.title)._.mentions == rules.nlp(product.title)._.mentions

    @Language.component("tests_add_tag")
    def add_tag(doc: Doc) -> Doc:
        doc._.mentions.append(Mention("tag", doc.text[:1], "x", None, "title", 0, 1, 1.0, "tests"))
        return doc

    again.add_pipe("tests_add_tag", last=True)
    assert again("Zorvex Hose")._.mentions[-1].attribute == "tag"
    assert PipelineExtractor(again).digest != first.digest


def test_the_pipeline_reads_what_the_rules_read_on_one_core_and_on_two(rules: RulesExtractor) -> None:
    from extraction.pipeline import PipelineExtractor

    products = [*PRODUCTS, *(product for product, _ in shop(2))]
    read = list(rules.extract(products))
    pipeline = PipelineExtractor(rules.nlp)
    assert list(pipeline.extract(products)) == read
    assert [doc._.mentions for doc in pipeline.docs(products, processes=2)] == read


def test_a_folder_without_a_pipeline_is_told(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="holds no rules extractor"):
        RulesExtractor.load(tmp_path)
    from extraction.pipeline import PipelineExtractor

    with pytest.raises(StateError, match="holds no pipeline"):
        PipelineExtractor.load(tmp_path)


def test_what_was_learned_is_part_of_the_digest(rules: RulesExtractor) -> None:
    same = build_extractor("rules", [product for product, _ in shop()])
    other = build_extractor("rules", [product for product, _ in shop(1)])
    assert same.digest == rules.digest != other.digest
    assert rules.names["brand:amber-hill"] == "Amber Hill"


def test_an_unknown_extractor_names_those_that_exist() -> None:
    with pytest.raises(UnknownKeyError, match="no extractor 'rulse'") as error:
        build_extractor("rulse", [])
    assert "rules" in error.value.hint
    assert "columns" in error.value.hint


def test_an_extractor_is_registered_once() -> None:
    from extraction import base

    register("tests-own", lambda products: build_extractor("columns", products))
    try:
        assert "tests-own" in extractor_names()
        assert build_extractor("tests-own", []).name == "columns"
        with pytest.raises(InputError, match="already is an extractor 'tests-own'"):
            register("tests-own", lambda products: build_extractor("columns", products))
    finally:
        base._REGISTERED.pop("tests-own")


def test_a_shop_of_few_titles_is_counted_together_with_others() -> None:
    from extraction.rules import FEW, build_rules

    def known(n: int) -> int:
        return len(build_rules([product for product, _ in shop(3, n)]).finder.statistics.known)

    assert known(0) == 0
    assert known(20) > 1_400
    assert known(FEW) <= FEW


def test_an_empty_catalogue_teaches_nothing_and_breaks_nothing() -> None:
    [mentions] = build_extractor("rules", []).extract([PRODUCTS[0]])
    assert any(m.attribute == "quantity" for m in mentions)


def test_golden_titles_of_the_demo_keep_what_was_reached() -> None:
    from extraction.evaluate import read_gold, score

    golden = Path(__file__).parent.parent / "golden" / "extraction_demo_dev.jsonl"
    data = Path(__file__).parents[3] / "shared" / "data" / "open-ecommerce" / "products.parquet"
    if not data.exists():
        pytest.skip("the demo's catalogue is not there")
    import pyarrow.parquet as pq

    rows = read_gold(golden)
    known = {row.product.title for row in rows}
    table = pq.read_table(data).to_pylist()
    sample = [r for i, r in enumerate(table) if r["title"] in known or i % 4 == 0]
    products = [Product(r["item_id"], r["title"], {"category": r["product_type"]}) for r in sample]
    reached = score(build_extractor("rules", products), rows)[0]["published"]["attributes"]
    assert reached["Brand"]["f1"] >= 0.80
    assert reached["Material"]["f1"] >= 0.80
    assert json.dumps(reached)
