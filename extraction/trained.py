"""A brand tagger that a shop teaches itself, without any label of it: the extractor `trained`.

The rules and a tagger from another shop (OA-Mine) read some of the shop's titles; where they agree enough, their answer is a silver label,
at most three of a brand, so that a frequent one does not drown the others. A title in which neither sees a brand is one without. A tagger
is fitted to those (self-training; Scudder, 1965) and reads the whole shop together with the other two. All else is what the rules find.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from extraction.brand_model import BrandModel
from extraction.brand_training import adapted_finder
from extraction.evaluate import GoldRow
from extraction.parts import category_of
from extraction.rules import RulesExtractor, build_rules
from extraction.tag_pipeline import TaggerExtractor, tagger_of
from extraction.tag_training import Fitter, Rows, prepared_rows
from extraction.tagger import Learned, Member, TaggerModel
from extraction.words import words_of
from kg.errors import InputError
from kg.model import Product
from kg.progress import SILENT, Progress
from kg.seeds import generator

# Titles that are read for silver labels, what makes one, and how many a brand gives: chosen on AE-110K's train titles, whose labels the
# tagger does not see.
POOL = 4000
SILVER, NONE = 0.85, 0.15
PER_BRAND = 3
WEIGHT = 5  # of a labelled title
# Shares of the shop's own tagger and of the shipped one in the probability; the rules' is the rest.
OWN, SHIPPED = 0.5, 0.25
FEWEST = 30  # silver labels that can be learned from
THRESHOLD = 0.3


@cache
def shipped_tagger() -> TaggerModel:
    """The brand tagger that clew ships, trained on OA-Mine (`benchmarks/train_brand_model.py`)."""
    return TaggerModel.load(Path(__file__).parent / "data" / "brand_tagger")


def taught_by_titles(
    products: Sequence[Product],
    rules: RulesExtractor,
    seed: int = 0,
    progress: Progress = SILENT,
    other: TaggerModel | None = None,
    labelled: Sequence[GoldRow] = (),
) -> TaggerModel:
    """A brand tagger from a shop's titles alone, or with a few labelled ones.

    Args:
        products: the catalogue; POOL titles of it are read.
        rules: of the catalogue.
        other: tagger of another shop; None: the shipped one.
        labelled: titles of the shop that a person or a language model labelled ("brand"); each counts WEIGHT times.
        seed: of the choice of titles.
        progress: hears the stages.

    Raises:
        InputError: too few titles whose brand is clear.
    """
    other = other or shipped_tagger()
    given = {row.product.title for row in labelled}
    distinct = list({product.title: product for product in products if product.title not in given}.values())
    chosen = sorted(generator(seed, "silver titles").permutation(len(distinct))[:POOL].tolist())
    rows = [*(GoldRow(distinct[i], {}) for i in chosen), *labelled]
    with progress.stage("reading titles to learn from", len(rows)) as advance:
        prepared = prepared_rows(rows, rules)
        labels = _silver(prepared, other)
        labels.update({len(chosen) + k: row.values["brand"] for k, row in enumerate(labelled)})
        advance(len(rows))
    values = sum(bool(label) for label in labels.values())
    if values < FEWEST:
        hint = "Use the rules, or train on labelled titles with `clew extract train`."
        raise InputError(f"Of {len(rows)} titles {values} have a brand that is clear enough to learn from.", hint)
    kept = [i for i in sorted(labels) for _ in range(WEIGHT if i >= len(chosen) else 1)]
    silver = replace(prepared, rows=[replace(row, values={"brand": labels.get(i, frozenset())}) for i, row in enumerate(rows)])
    with progress.stage("learning the shop's brands", 1) as advance, tempfile.TemporaryDirectory() as place:
        model = Fitter(silver, "brand", "brand", False, Path(place)).fit(kept)
        advance(1)
    return _joined(model, other, len(labels), [value for label in labels.values() for value in label])


def _joined(own: TaggerModel, other: TaggerModel, rows: int, values: Sequence[str]) -> TaggerModel:
    """The shop's own tagger, the other one and the rules, each with its share."""
    members: list[Member] = []
    weights = {}
    for model, share in ((own, OWN), (other, SHIPPED)):
        for k, member in enumerate(model.learned["brand"].members):
            weights[f"brand#{len(members)}"] = model.weights[f"brand#{k}"]
            members.append(member._replace(share=share / 2 / (OWN + SHIPPED)))
    known = frozenset(value.casefold() for value in values)
    learned = Learned("brand", tuple(members), THRESHOLD, rows=rows, values=len(values), known=known, rules=1 - OWN - SHIPPED)
    return TaggerModel({"brand": learned}, f"the catalogue's titles; {other.about}", weights)


def _silver(prepared: Rows, other: TaggerModel) -> dict[int, frozenset[str]]:
    """Row → its brand, or none, where rules and the other tagger are sure together; the surest titles come first."""
    sure: list[tuple[float, int, str]] = []
    labels: dict[int, frozenset[str]] = {}
    read = other.read(prepared.tokens, prepared.hints)
    for i, (tokens, mentions, found) in enumerate(zip(prepared.tokens, prepared.found, read, strict=True)):
        spans = {(tokens.starts[s.first], tokens.ends[s.last - 1]): s.probability / 2 for s in found.get("brand", [])}
        for brand in (m for m in mentions if m.attribute == "brand" and m.field == "title"):
            place = (brand.start, brand.end)
            spans[place] = spans.get(place, 0.0) + brand.confidence / 2
        best = max(spans, key=lambda place: (spans[place], -place[0]), default=None)
        if best and spans[best] >= SILVER:
            sure.append((spans[best], i, tokens.text[best[0] : best[1]]))
        elif not best or spans[best] < NONE:
            labels[i] = frozenset()
    given: Counter[str] = Counter()
    for _, i, value in sorted(sure, key=lambda one: (-one[0], one[1])):
        if given[value.casefold()] < PER_BRAND:
            given[value.casefold()] += 1
            labels[i] = frozenset({value})
    return labels


def taught_by_labels(
    products: Sequence[Product],
    labelled: Sequence[GoldRow],
    other: TaggerModel | None = None,
    models: tuple[BrandModel, BrandModel] | None = None,
    progress: Progress = SILENT,
) -> TaggerExtractor:
    """The rules and the brand tagger of a shop of which a few titles are labelled: these move the rules' models, then teach the tagger.

    Args:
        products: the catalogue.
        labelled: titles of the shop that a person or a language model labelled ("brand").
        other: tagger of another shop; None: the shipped one.
        models: of the rules, of another shop; None: the shipped ones.
        progress: hears the stages.

    Raises:
        InputError: too few titles whose brand is clear.
    """
    titles, kinds = [words_of(product.title) for product in products], [category_of(product.fields) for product in products]
    examples = [(row.product.title, category_of(row.product.fields), row.values["brand"]) for row in labelled]
    with progress.stage("learning from labelled titles", len(labelled)) as advance:
        rules = RulesExtractor(adapted_finder(titles, kinds, examples, models))
        advance(len(labelled))
    return tagger_of(rules.finder, taught_by_titles(products, rules, other=other, labelled=labelled, progress=progress))


def build_trained(products: Sequence[Product], progress: Progress = SILENT) -> TaggerExtractor:
    """The rules with a brand tagger behind them that the catalogue's titles teach.

    Args:
        products: the catalogue.
        progress: hears the stages.

    Raises:
        InputError: too few titles whose brand is clear.
    """
    rules = build_rules(products)
    return tagger_of(rules.finder, taught_by_titles(products, rules, progress=progress))
