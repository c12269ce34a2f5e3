"""The queue of facts that a person should look at: those whose doubt weighs most, and what their answers become."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from extraction.corrections import Corrections
from kg.errors import InputError
from kg.ontology import ATTRIBUTE_RELATIONS, Rel
from kg.proposals import named_brands
from kg.tables import GraphTables

SURE = 0.95
_ATTRIBUTES = {str(relation): attribute for attribute, relation in ATTRIBUTE_RELATIONS.items()}


@dataclass(frozen=True, slots=True)
class Doubt:
    """One stored fact that may be wrong.

    Args:
        item_key, title: the product.
        attribute: "brand", …
        entity: key of the entity.
        text: the quoted characters; in the field `field` at `start` to `end`.
        confidence: probability that it is right.
        worth: how many events the product has, plus one.
    """

    item_key: str
    title: str
    attribute: str
    entity: str
    text: str
    field: str
    start: int
    end: int
    confidence: float
    worth: int

    @property
    def weight(self) -> float:
        """Expected events that hang on a wrong fact: (1 − confidence) · worth."""
        return (1.0 - self.confidence) * self.worth

    def marked(self) -> str:
        """The title with the quoted characters in brackets."""
        if self.field != "title":
            return f"{self.title} ({self.field}: [{self.text}])"
        return f"{self.title[: self.start]}[{self.text}]{self.title[self.end :]}"

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "item_key": self.item_key,
            "title": self.title,
            "attribute": self.attribute,
            "entity": self.entity,
            "text": self.text,
            "field": self.field,
            "confidence": self.confidence,
            "weight": round(self.weight, 4),
        }


def queue(tables: GraphTables, corrections: Corrections, limit: int | None = None) -> list[Doubt]:
    """Facts of attributes below `SURE`, the heaviest doubt first; without those that a person has spoken about.

    Args:
        tables: the stored graph.
        corrections: what people have said.
        limit: at most so many.
    """
    titles = dict(zip(tables.products.column("key").to_pylist(), tables.products.column("title").to_pylist(), strict=True))
    events: dict[str, int] = {}
    for item in tables.events.column("item").to_pylist():
        events[item] = events.get(item, 0) + 1
    doubts = []
    for relation, edges in tables.edges.items():
        attribute = _ATTRIBUTES.get(relation)
        for row in edges.to_pylist() if attribute else ():
            assert attribute is not None
            key, given = row["source_key"], corrections.right.get(row["source_key"], {})
            spoken = attribute in given or corrections.refuses(key, row["target_key"])
            if key not in titles or row["confidence"] >= SURE or spoken:
                continue
            place = row["text"], row["field"], row["span_start"], row["span_end"]
            worth = 1 + events.get(key, 0)
            doubts.append(Doubt(key, titles[key], attribute, row["target_key"], *place, row["confidence"], worth))
    doubts.sort(key=lambda doubt: (-doubt.weight, doubt.item_key, doubt.entity))
    return doubts[:limit]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two brands that may be one.

    Args:
        entity, name, products: key, name and number of products of the one that fewer have.
        other, other_name, other_products: of the one that more have.
        score: how alike their names are.
    """

    entity: str
    name: str
    products: int
    other: str
    other_name: str
    other_products: int
    score: float

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def pairs(tables: GraphTables, corrections: Corrections, limit: int | None = None) -> list[Pair]:
    """Brands that are proposed to be one, those that touch most products first; without those that a person has spoken about.

    Args:
        tables: the stored graph.
        corrections: what people have said.
        limit: at most so many.
    """
    if Rel.SAME_AS not in tables.edges:
        return []
    brands = {brand.key: brand for brand in named_brands(tables.evidence)}
    found = []
    for row in tables.edges[Rel.SAME_AS].to_pylist():
        one, other = brands.get(row["source_key"]), brands.get(row["target_key"])
        if one is None or other is None or corrections.speaks_of(one.key, other.key):
            continue
        found.append(Pair(one.key, one.name, one.count, other.key, other.name, other.count, row["confidence"]))
    found.sort(key=lambda pair: (-pair.score * pair.products, pair.entity, pair.other))
    return found[:limit]


def joined(pair: Pair) -> Mapping[str, Any]:
    """The correction that makes two brands one; the one that more products have stays."""
    return {"same": [pair.other, pair.entity]}


def parted(pair: Pair) -> Mapping[str, Any]:
    """The correction that says that two brands are not the same."""
    return {"different": [pair.other, pair.entity]}


def accepted(doubt: Doubt) -> Mapping[str, Any]:
    """The correction that says that a fact is right."""
    return {"right": {"item_key": doubt.item_key, "attribute": doubt.attribute, "value": doubt.text}}


def rejected(doubt: Doubt) -> Mapping[str, Any]:
    """The correction that says that a fact is wrong."""
    return {"wrong": {"item_key": doubt.item_key, "attribute": doubt.attribute, "entity": doubt.entity}}


def corrected(doubt: Doubt, value: str) -> Mapping[str, Any]:
    """The correction that gives the right value.

    Raises:
        InputError: the value is blank.
    """
    if not value.strip():
        raise InputError("The right value is blank.", "Write the value, or reject the fact.")
    return {"right": {"item_key": doubt.item_key, "attribute": doubt.attribute, "value": value.strip()}}


def labels(corrections: Corrections, titles: Mapping[str, str]) -> Iterable[tuple[str, str, tuple[str, ...]]]:
    """(item key, attribute, values that its title states) of what people gave, to be trained on."""
    for item, by_name in corrections.right.items():
        for attribute, values in by_name.items():
            stated = tuple(value for value in values if value in titles.get(item, ""))
            if stated:
                yield item, attribute, stated
