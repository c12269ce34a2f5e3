"""Price bands: fifths of the prices within a category and currency.

The borders of a category's bands are laid when it first has enough prices and then stay where they are, whatever comes
later, until someone asks to move them: a product must not change its band because others arrived.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kg.canon import bounded_key
from kg.ontology import Rel
from kg.tables import BAND_SCHEMA, EVIDENCE_SCHEMA, edges_table

BANDS = 5
MIN_PRICES = 20
ORIGIN = "bands"
EXTRACTOR = "price_bands"
_EVERYTHING = ""  # the category key of bands over the whole catalogue, for products whose category has too few prices
Group = tuple[str, str]  # category key, currency


def lay_bands(products: pa.Table, evidence: Mapping[str, pa.Table], stored: pa.Table, move: bool = False) -> pa.Table:
    """All price bands (`BAND_SCHEMA`, sorted by key).

    Args:
        products: `PRODUCT_SCHEMA`.
        evidence: by relation; `IN_CATEGORY` and `PART_OF` are read.
        stored: bands that exist; theirs are the borders unless `move`.
        move: lay every border anew.
    """
    prices: dict[Group, list[float]] = {}
    for _, price, groups in _priced(products, evidence):
        for group in groups:
            prices.setdefault(group, []).append(price)
    kept = [] if move else stored.to_pylist()
    have = {(row["category_key"], row["currency"]) for row in kept}
    names = _names(evidence)
    for (category, currency), found in sorted(prices.items()):
        if (category, currency) not in have and (len(found) >= MIN_PRICES or category == _EVERYTHING):
            kept.extend(_bands(category, currency, names.get(category, "All"), np.array(found)))
    kept.sort(key=lambda row: row["key"].encode())
    return pa.Table.from_pylist(kept, BAND_SCHEMA)


def _bands(category: str, currency: str, name: str, prices: np.ndarray) -> Iterator[dict[str, object]]:
    # An observed price is the border (inverted CDF), so that a band starts at a price that exists.
    quantiles = np.quantile(prices, np.arange(1, BANDS) / BANDS, method="inverted_cdf")
    borders = [0.0, *(float(b) for b in np.unique(quantiles) if b > 0), None]
    for number, (low, high) in enumerate(itertools.pairwise(borders)):
        span = f"from {low:g}" if high is None else f"{low:g} to below {high:g}"
        stem = f"{category.partition(':')[2] or 'all'}:{(currency or 'none').lower()}"
        yield {
            "key": bounded_key(f"price_band:{stem}:{number}"),
            "name": f"{name} {span} {currency}".strip(),
            "kind": "",
            "low": low,
            "high": high,
            "currency": currency,
            "category_key": category,
        }


def band_evidence(products: pa.Table, evidence: Mapping[str, pa.Table], bands: pa.Table) -> pa.Table:
    """`IN_PRICE_BAND` evidence of every product that has a price (`EVIDENCE_SCHEMA`)."""
    of_group: dict[Group, list[dict[str, object]]] = {}
    for row in sorted(bands.to_pylist(), key=lambda row: row["low"]):
        of_group.setdefault((row["category_key"], row["currency"]), []).append(row)
    starts = {group: np.array([row["low"] for row in rows]) for group, rows in of_group.items()}
    same = {"target_kind": "", "origin": ORIGIN, "field": "price", "span_start": 0, "extractor": EXTRACTOR, "confidence": 1.0, "run": ""}
    rows: list[dict[str, object]] = []
    for key, price, groups in _priced(products, evidence):
        group = next((g for g in groups if g in of_group), None)
        if group is not None:
            band = of_group[group][int(np.searchsorted(starts[group], price, side="right")) - 1]
            text = f"{price:.2f}"
            ends = {"source_key": key, "target_key": band["key"], "target_name": band["name"]}
            rows.append({**ends, **same, "text": text, "span_end": len(text)})
    return pa.Table.from_pylist(rows, EVIDENCE_SCHEMA)


def _priced(products: pa.Table, evidence: Mapping[str, pa.Table]) -> Iterator[tuple[str, float, list[Group]]]:
    """Key, price and the groups that may band it, narrowest first, of each product that has a price."""
    first: dict[str, str] = {}
    if Rel.IN_CATEGORY in evidence:
        pairs = edges_table(evidence[Rel.IN_CATEGORY])
        for source, target in zip(pairs.column("source_key").to_pylist(), pairs.column("target_key").to_pylist(), strict=True):
            first.setdefault(source, target)
    parents = parents_of(evidence)
    amounts = amount(products).to_pylist()
    currencies = currency(products).to_pylist()
    for key, price, code in zip(products.column("key").to_pylist(), amounts, currencies, strict=True):
        if price is not None:
            yield key, price, [(category, code) for category in _upwards(first.get(key), parents)]


def amount(products: pa.Table) -> pa.ChunkedArray:
    """The price that bands go by; null where a product has none."""
    return pc.coalesce(products.column("price_low"), products.column("price_high"))


def currency(products: pa.Table) -> pa.ChunkedArray:
    """The currency that bands go by; "" where a product has none."""
    return pc.fill_null(products.column("currency"), "")


def parents_of(evidence: Mapping[str, pa.Table]) -> dict[str, str]:
    """The one way up that price bands follow from each category."""
    parents: dict[str, str] = {}
    if Rel.PART_OF in evidence:
        tree = edges_table(evidence[Rel.PART_OF])
        for child, parent in zip(tree.column("source_key").to_pylist(), tree.column("target_key").to_pylist(), strict=True):
            parents.setdefault(child, parent)
    return parents


def _upwards(category: str | None, parents: Mapping[str, str]) -> list[str]:
    chain: list[str] = []
    while category is not None and category not in chain:
        chain.append(category)
        category = parents.get(category)
    return [*chain, _EVERYTHING]


def _names(evidence: Mapping[str, pa.Table]) -> dict[str, str]:
    named: dict[str, str] = {}
    for relation_name in (Rel.PART_OF, Rel.IN_CATEGORY):
        if relation_name in evidence:
            table = evidence[relation_name].sort_by([("target_key", "ascending"), ("target_name", "descending")])
            named.update(zip(table.column("target_key").to_pylist(), table.column("target_name").to_pylist(), strict=True))
    return named
