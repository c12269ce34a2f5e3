"""Trains the brand model on titles whose brand is known (OA-Mine, Apache-2.0, for the weights that clew ships)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from extraction.brand import BrandFinder, shipped_models
from extraction.brand_candidates import Candidate, characters
from extraction.brand_features import Batch, WordTable
from extraction.brand_model import BrandModel, train
from extraction.brand_votes import Votes, vote_features
from extraction.catalogue_stats import CatalogueStatistics
from extraction.words import Words, words_of
from kg.seeds import generator

Example = tuple[str, str, frozenset[str]]
# Titles of the shops that the copies are cut into; None: one shop of all.
SHOP_SIZES = (None, 400, 100, None)
# Pull of the first and of the second model back to what it was, per title, when a few titles move it: chosen on OA-Mine's train titles with
# models of AE-110K and Beauty.
ADAPTED = (0.03, 0.02)


def disturbed(examples: Sequence[Example], seed: int, without: float = 0.12, moved: float = 0.08) -> list[Example]:
    """Titles, some with their brand cut out or moved behind "by" or a count, so that a model learns that a beginning need not be a brand.

    Args:
        examples: (title, kind of product, brands; none when it has no brand).
        seed: of the choice.
        without: share of titles that lose a brand that they begin with.
        moved: share of titles whose brand is moved.
    """
    draw = generator(seed, "disturbed titles")
    changed: list[Example] = []
    for title, kind, brands in examples:
        brand = next((b for b in sorted(brands, key=len, reverse=True) if title.startswith(b)), None)
        chance, rest = draw.random(), title[len(brand) :].lstrip(" -,®™:|") if brand else ""
        if brand and len(rest) > 12 and chance < without:
            changed.append((rest[0].upper() + rest[1:], kind, frozenset()))
        elif brand and len(rest) > 12 and chance < without + moved:
            changed.append((_moved(brand, rest, float(draw.random())), kind, brands))
        else:
            changed.append((title, kind, brands))
    return changed


def _moved(brand: str, rest: str, chance: float) -> str:
    rest = rest[0].upper() + rest[1:]
    if chance < 0.45:
        return f"{rest} by {brand}"
    if chance < 0.8:
        return f"{int(chance * 97) % 12 + 1} Pack {brand} {rest}"
    head, comma, tail = rest.partition(", ")
    return f"{head}, {brand} {tail}" if comma and tail else f"{rest} - {brand}"


def targets(batch: Batch, titles: Sequence[Words], brands: Sequence[frozenset[str]]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The share of right of each candidate, and which titles can be learned from (their brand is among the candidates)."""
    shares: list[float] = []
    usable = np.zeros(len(titles), bool)
    for i, (words, options, gold) in enumerate(zip(titles, batch.options, brands, strict=True)):
        hits = [_is_right(words, option, gold) for option in options]
        usable[i] = any(hits)
        total = sum(hits)
        shares += [hit / total if total else 0.0 for hit in hits]
    return np.array(shares, np.float32), usable


def _is_right(words: Words, option: Candidate | None, gold: frozenset[str]) -> bool:
    if option is None:
        return not gold
    start, end = characters(words, option.first, option.last)
    return words.text[start:end] in gold or words.text[start : words.ends[option.last - 1]] in gold


@dataclass(frozen=True, slots=True)
class _Part:
    """One disturbed copy of the labelled catalogue with its features."""

    batch: Batch
    share: NDArray[np.float32]
    usable: NDArray[np.bool_]
    titles: list[Words]
    table: WordTable


def train_models(
    examples: Sequence[Example], copies: int = 4, seed: int = 0, decay: float = 1e-2, vote_decay: float = 3e-3
) -> tuple[BrandModel, BrandModel]:
    """Both models of the brand finder: the first on catalogue statistics, the second on what the titles of the shop vote.

    The second learns from probabilities that the first gives to titles it was not fitted on (two halves).

    Args:
        examples: (title, kind of product, brands).
        copies: how many differently disturbed copies of the titles are learned from together.
        seed: of the disturbance and of the first weights.
        decay, vote_decay: weight decay of the two, chosen on AE-110K's train titles and the demo's development titles.
    """
    parts = [_part(rows) for copy in range(copies) for rows in _shops(disturbed(examples, seed + copy), copy, seed)]
    first = train(*_joined([(p.batch.features, p, p.usable) for p in parts]), units=16, decay=decay, seed=seed)
    halves = []
    for half in (0, 1):
        kept = [(p.batch.features, p, p.usable & (np.arange(len(p.titles)) % 2 != half)) for p in parts]
        halves.append(train(*_joined(kept), units=16, decay=decay, seed=seed))
    voted = []
    for p in parts:
        even, odd = (model.probabilities(p.batch.features, p.batch.owner) for model in halves)
        probabilities = np.where(p.batch.owner % 2 == 0, even, odd)
        votes = Votes.count(p.batch, probabilities)
        voted.append((vote_features(p.batch, probabilities, votes, p.table, probabilities), p, p.usable))
    second = train(*_joined(voted), units=8, decay=vote_decay, seed=seed)
    return first, second


def adapted_finder(
    titles: Sequence[Words], kinds: Sequence[str], examples: Sequence[Example], models: tuple[BrandModel, BrandModel] | None = None
) -> BrandFinder:
    """The brands of a shop of which a few titles are labelled: both models moved by those, then the shop learned with them.

    Each model goes on from its weights and is drawn back to them (`ADAPTED`), the second with the votes that the first, so moved, lets the
    shop give. Fifty titles of OA-Mine move the rules of other shops from 57.7 to 67.4 F1 on its other train titles, in two seconds.

    Args:
        titles: words of each title of the shop.
        kinds: kind of product of each, "" where it is not known.
        examples: (title, kind of product, brands) of the labelled ones; those whose brand is no candidate teach nothing.
        models: of another shop; None: the shipped ones.
    """
    models = models or shipped_models()
    words, own = [words_of(title) for title, _, _ in examples], [kind for _, kind, _ in examples]
    statistics = CatalogueStatistics.learn(titles, kinds)
    table = WordTable(statistics)
    batch = Batch(words, own, table)
    share, usable = targets(batch, words, [brands for _, _, brands in examples])
    if usable.any():
        part = _Part(batch, share, usable, words, table)
        first = _moved_by(models[0], batch.features, part, ADAPTED[0])
        probabilities = first.probabilities(batch.features, batch.owner)
        votes = BrandFinder.learn(titles, kinds, (first, models[1])).votes
        seen = vote_features(batch, probabilities, votes, table, probabilities)
        models = first, _moved_by(models[1], seen, part, ADAPTED[1])
    return BrandFinder.learn(titles, kinds, models)


def _moved_by(model: BrandModel, features: NDArray[np.float32], part: _Part, decay: float) -> BrandModel:
    return train(*_joined([(features, part, part.usable)]), units=len(model.out), decay=decay, start=model, steps=100)


def _shops(rows: list[Example], copy: int, seed: int) -> list[list[Example]]:
    """The whole as one shop, or cut at random into smaller ones, for a model that also reads a shop of a hundred titles."""
    size = SHOP_SIZES[copy % len(SHOP_SIZES)]
    if size is None or size >= len(rows):
        return [rows]
    order = generator(seed, f"shops of copy {copy}").permutation(len(rows))
    return [[rows[i] for i in order[start : start + size]] for start in range(0, len(rows), size)]


def _part(rows: list[Example]) -> _Part:
    """Features and targets of one catalogue of labelled titles, its statistics made of the same titles."""
    titles, kinds = [words_of(title) for title, _, _ in rows], [kind for _, kind, _ in rows]
    table = WordTable(CatalogueStatistics.learn(titles, kinds))
    batch = Batch(titles, kinds, table)
    share, usable = targets(batch, titles, [brands for _, _, brands in rows])
    return _Part(batch, share, usable, titles, table)


def _joined(
    parts: Sequence[tuple[NDArray[np.float32], _Part, NDArray[np.bool_]]],
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """Features, owners and shares of the usable titles of all parts."""
    features, owners, shares, place = [], [], [], 0
    for table, part, usable in parts:
        keep = usable[part.batch.owner]
        features.append(table[keep])
        owners.append(part.batch.owner[keep] + place)
        shares.append(part.share[keep])
        place += len(part.titles)
    return np.vstack(features), np.concatenate(owners), np.concatenate(shares)
