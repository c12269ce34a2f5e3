"""A shop that was never seen: brands read by what other shops taught, adapted on the new shop's titles alone, then with 50 asked titles.

AE-110K and the demo start from what clew ships (learned from OA-Mine); OA-Mine from AE-110K's train titles and Beauty's brand column.
Materials are read by the rules alone, which learned from no shop.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from extraction.bootstrap import asked_rows
from extraction.brand import BrandFinder
from extraction.brand_model import BrandModel
from extraction.brand_training import train_models
from extraction.columns import place_in
from extraction.evaluate import GoldRow, published_outcome, read_gold, score
from extraction.llm import build_llm
from extraction.llm_config import LlmConfig
from extraction.parts import category_of
from extraction.reading import read_products
from extraction.rules import RulesExtractor, build_rules
from extraction.tag_pipeline import tagger_of
from extraction.tag_training import Lesson, train_tagger
from extraction.tagger import TaggerModel
from extraction.trained import taught_by_labels, taught_by_titles
from extraction.words import words_of
from kg.model import Product
from kg.rejects import Rejects
from kg.seeds import generator

DATA = Path(__file__).parents[2] / "shared" / "data"
GOLDEN = Path(__file__).parents[1] / "tests" / "golden"
COLUMN_ROWS, ASKED = 1500, 50
Models = tuple[BrandModel, BrandModel]


def other_shops() -> tuple[list[GoldRow], Models]:
    """Rows of AE-110K's train titles and of Beauty's brand column, and the models of the rules' brand finder that they teach."""
    rows = [
        GoldRow(row.product, {"brand": row.values["Brand Name"]})
        for row in read_gold(DATA / "extraction" / "ae-110k" / "train.jsonl")
        if "Brand Name" in row.values
    ]
    table = pq.read_table(DATA / "beauty" / "items.parquet").to_pylist()
    for i in generator(0, "beauty").permutation(len(table)).tolist():
        title, brand = table[i]["title"], table[i]["brand"]
        if len(rows) < COLUMN_ROWS + 500 and title and brand and (place := place_in(brand, title)):
            rows.append(GoldRow(Product(f"beauty-{i}", title), {"brand": frozenset({title[slice(*place)]})}))
    examples = [(row.product.title, category_of(row.product.fields), row.values["brand"]) for row in rows]
    return rows, train_models(examples, copies=2)


def adapted(
    products: Sequence[Product],
    rules: RulesExtractor,
    gold: Sequence[GoldRow],
    name: str,
    answers: Path | None,
    other: TaggerModel | None = None,
    models: Models | None = None,
) -> dict[str, Any]:
    """F1 of the rules, of the tagger that the titles teach, and of both after 50 asked titles (on the others)."""
    rows: dict[str, Any] = {"rules": _brand(score(rules, gold, 0, [name])[0], name)}
    trained = tagger_of(rules.finder, taught_by_titles(products, rules, other=other))
    answer, found = score(trained, gold, 0, [name])
    rows["adapted"] = {**_brand(answer, name), "titles_per_cpu_second": round(answer["titles_per_cpu_second"])}
    if answers:
        llm = build_llm(products, LlmConfig.from_environment({"replay": [str(answers)]}, {}), budget="100%", attributes=[name])
        asked = asked_rows([GoldRow(row.product, {}) for row in gold], llm, ASKED)
        labelled = [GoldRow(row.product, {"brand": row.values[name]}) for row in asked if name in row.values]
        rest = [row for row, own in zip(gold, asked, strict=True) if name not in own.values]
        taught = taught_by_labels(products, labelled, other, models)
        kept = [mentions for mentions, own in zip(found, asked, strict=True) if name not in own.values]
        counts = published_outcome(rest, kept, name).sum(axis=0)
        rows["adapted, on the titles left"] = round(200 * int(counts[0]) / int(counts[1] + counts[2]), 1)
        rows[f"with {len(labelled)} asked titles"] = _brand(score(taught, rest, 0, [name])[0], name)
    return rows


def _brand(answer: dict[str, Any], name: str) -> dict[str, Any]:
    part = answer["published"]["attributes"][name]
    return {"brand": [round(100 * part["f1"], 1), [round(100 * x, 1) for x in part["ci95"]], part["n"]]}


def transfer(held_out: bool) -> dict[str, Any]:
    """Each shop in turn; the demo's held-out titles are read by a full run alone."""
    table: dict[str, Any] = {}
    for name, attribute in (("ae-110k", "Brand Name"), ("oa-mine", "Brand")):
        folder = DATA / "extraction" / name
        gold = read_gold(folder / "test.jsonl")
        products = [row.product for row in (*read_gold(folder / "train.jsonl"), *gold)]
        rules, other, models = build_rules(products), None, None
        if name == "oa-mine":
            taught, models = other_shops()
            titles, kinds = [words_of(p.title) for p in products], [category_of(p.fields) for p in products]
            rules, other = (
                RulesExtractor(BrandFinder.learn(titles, kinds, models)),
                train_tagger(taught, Lesson(["brand"], "AE-110K and Beauty"))[0],
            )
        answers = folder / "gpt-4-0613-answers.jsonl"
        table[name] = adapted(products, rules, gold, attribute, answers, other, models) | _material(rules, gold)
    files = {"dev": "extraction_demo_dev.jsonl", **({"held out": "extraction_demo_heldout.jsonl"} if held_out else {})}
    products = list(read_products(DATA / "open-ecommerce" / "products.parquet", Rejects()))
    rules = build_rules(products)
    for part, file in files.items():
        gold = read_gold(GOLDEN / file)
        table[f"demo, {part}"] = adapted(products, rules, gold, "Brand", None) | _material(rules, gold)
    for read, attribute in (("adapted", "brand"), ("rules, material", "material")):
        f1s = [table[name][read][attribute][0] for name in ("ae-110k", "oa-mine", "demo, dev")]
        table[f"{attribute}, mean of the three"] = {"all": round(sum(f1s) / 3, 1)}
    return table


def _material(rules: RulesExtractor, gold: Sequence[GoldRow]) -> dict[str, Any]:
    figures = score(rules, gold, 0, ["Material"])[0]["published"]["attributes"]["Material"]
    return {"rules, material": {"material": [round(100 * figures["f1"], 1), [round(100 * x, 1) for x in figures["ci95"]], figures["n"]]}}


if __name__ == "__main__":
    print(json.dumps(transfer(held_out=False), indent=1))
