"""A shop of any size for the graph benchmark: Parquet files of products, facts and events, the same for the same size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kg.ontology import Rel
from kg.seeds import generator

PRODUCTS, USERS, EVENTS = 100_000, 20_000, 2_000_000  # at size 1; three facts a product
_DAY = 86_400
_START = 1_577_836_800  # 2020-01-01
_OWN = 0.6  # of what people of some taste buy is to it
# Relation, how many entities at size 1, name of the first.
_FACTS = ((Rel.HAS_BRAND, 5_000, "brand"), (Rel.IN_CATEGORY, 400, "category"), (Rel.MADE_OF, 60, "material"))


@dataclass(frozen=True, slots=True)
class Shop:
    """Where the files of a shop lie: the whole, and a later state's rows (1 % of the products changed, 1 % more events)."""

    products: Path
    facts: Path
    events: Path
    later_products: Path
    later_facts: Path
    later_events: Path


def make_shop(folder: Path, size: float, tastes: bool = False) -> Shop:
    """Write a shop of `size` × 100k products, 20k users, 2M events and 300k facts.

    Args:
        folder: where to.
        size: how large.
        tastes: people buy mostly from a few brands of their own, so that there is something to learn; else anything, by its popularity.
    """
    rng = generator(0, f"graph benchmark {size}")
    n_products, n_users, n_events = (int(n * size) for n in (PRODUCTS, USERS, EVENTS))
    folder.mkdir(parents=True, exist_ok=True)
    shop = Shop(*(folder / f"{name}.parquet" for name in ("products", "facts", "events", "products-2", "facts-2", "events-2")))
    keys = pa.array([f"p{row:07d}" for row in range(n_products)])
    facts = [(rel, _zipf(rng, n_products, max(int(n * size**0.5), 8), 0.8), word) for rel, n, word in _FACTS]
    prices = np.round(np.exp(rng.normal(3.0, 0.8, n_products)), 2)
    _write_products(shop.products, keys, facts, prices, np.arange(n_products))
    _write_facts(shop.facts, keys, facts, np.arange(n_products))
    liked = facts[0][1] if tastes else None
    _write_events(shop.events, rng, keys, n_events, n_users, liked)
    changed = np.sort(rng.choice(n_products, n_products // 100, replace=False))
    prices[changed] += 1
    facts[0][1][changed] = _zipf(rng, len(changed), max(int(_FACTS[0][1] * size**0.5), 8), 0.8)
    _write_products(shop.later_products, keys, facts, prices, changed)
    _write_facts(shop.later_facts, keys, facts, changed)
    _write_events(shop.later_events, rng, keys, n_events // 100, n_users, liked)
    return shop


def _zipf(rng: np.random.Generator, n: int, among: int, slope: float) -> NDArray[np.int64]:
    weights = np.arange(1, among + 1) ** -slope
    return np.searchsorted(np.cumsum(weights / weights.sum()), rng.random(n), side="right").clip(0, among - 1)


def _write_products(path: Path, keys: pa.Array, facts: list, prices: NDArray[np.float64], rows: NDArray[np.int64]) -> None:
    (_, brands, _), (_, categories, _), (_, materials, _) = facts
    titles = [f"Brand {brands[row]} thing {categories[row]} of material {materials[row]}, number {row}" for row in rows]
    columns = {"item": keys.take(pa.array(rows)), "title": titles, "price": prices[rows], "currency": ["USD"] * len(rows)}
    pq.write_table(pa.table(columns), path)


def _write_facts(path: Path, keys: pa.Array, facts: list, rows: NDArray[np.int64]) -> None:
    tables = [
        pa.table(
            {
                "item": keys.take(pa.array(rows)),
                "relation": pa.array([str(rel)] * len(rows)),
                "entity": pa.array([f"{word} {value}" for value in values[rows]]),
            }
        )
        for rel, values, word in facts
    ]
    pq.write_table(pa.concat_tables(tables), path)


def _write_events(path: Path, rng: np.random.Generator, keys: pa.Array, n: int, n_users: int, brands: NDArray[np.int64] | None) -> None:
    activity = np.exp(rng.normal(0, 1, n_users))
    users = np.searchsorted(np.cumsum(activity / activity.sum()), rng.random(n)).clip(0, n_users - 1)
    items = rng.permutation(len(keys))[_zipf(rng, n, len(keys), 0.5)]
    if brands is not None:
        items = _to_taste(users, n_users, items, brands)
    names = pa.array([f"u{row:06d}" for row in range(n_users)])
    times = pa.array(_START + rng.integers(0, 3 * 365, n) * _DAY)
    pq.write_table(pa.table({"user": names.take(pa.array(users)), "item": keys.take(pa.array(items)), "time": times}), path)


def _to_taste(users: NDArray[np.int64], n_users: int, items: NDArray[np.int64], brands: NDArray[np.int64]) -> NDArray[np.int64]:
    """What people buy if most of it is from the brands of three products that they like; the rest as it was (int64 [events])."""
    rng = generator(0, f"tastes {len(brands)}")
    liked = brands[rng.integers(0, len(brands), (n_users, 3))]
    by_brand = np.argsort(brands, kind="stable")
    starts = np.searchsorted(brands[by_brand], np.arange(int(brands.max()) + 2))
    brand = liked[users, rng.integers(0, 3, len(users))]
    own = by_brand[starts[brand] + (rng.random(len(users)) * (starts[brand + 1] - starts[brand])).astype(np.int64)]
    return np.where(rng.random(len(users)) < _OWN, own, items)
