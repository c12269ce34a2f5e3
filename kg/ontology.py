"""Labels and relations, named once. Every other module takes them from here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from kg.errors import InputError


class Label(StrEnum):
    """Labels of nodes."""

    USER = "User"
    PRODUCT = "Product"
    BRAND = "Brand"
    MATERIAL = "Material"
    CATEGORY = "Category"
    COLOR = "Color"
    SIZE = "Size"
    PRICE_BAND = "PriceBand"
    ENTITY = "Entity"
    QUERY = "Query"  # only in answers: where the path of a text question starts; never stored


class Rel(StrEnum):
    """Relations that clew knows by name; a triples file may add others (see `custom_relation`)."""

    BOUGHT = "BOUGHT"
    VIEWED = "VIEWED"
    CARTED = "CARTED"
    RATED = "RATED"
    HAS_BRAND = "HAS_BRAND"
    MADE_OF = "MADE_OF"
    KIND_OF = "KIND_OF"
    IN_CATEGORY = "IN_CATEGORY"
    PART_OF = "PART_OF"
    HAS_COLOR = "HAS_COLOR"
    HAS_SIZE = "HAS_SIZE"
    IN_PRICE_BAND = "IN_PRICE_BAND"
    ALSO_BOUGHT = "ALSO_BOUGHT"
    ALSO_VIEWED = "ALSO_VIEWED"
    BOUGHT_TOGETHER = "BOUGHT_TOGETHER"
    CO_BOUGHT = "CO_BOUGHT"
    NEXT_BOUGHT = "NEXT_BOUGHT"
    SIMILAR_TEXT = "SIMILAR_TEXT"
    MATCHES = "MATCHES"  # only in answers: Query → Product, the words of a text question


class Family(StrEnum):
    """Which kinds of nodes a relation joins; decides where its rows live in a snapshot."""

    EVENT = "event"  # User → Product
    FACT = "fact"  # Product → entity
    LINK = "link"  # Product → Product, stated by a source
    TREE = "tree"  # entity → entity
    DERIVED = "derived"  # Product → Product, found by a model
    ANSWER = "answer"  # only in answers


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation type: its name, the labels of its two ends and its family."""

    name: str
    source: Label
    target: Label
    family: Family


_P, _U = Label.PRODUCT, Label.USER
RELATIONS: dict[str, Relation] = {
    relation.name: relation
    for relation in (
        *(Relation(name, _U, _P, Family.EVENT) for name in (Rel.BOUGHT, Rel.VIEWED, Rel.CARTED, Rel.RATED)),
        Relation(Rel.HAS_BRAND, _P, Label.BRAND, Family.FACT),
        Relation(Rel.MADE_OF, _P, Label.MATERIAL, Family.FACT),
        Relation(Rel.IN_CATEGORY, _P, Label.CATEGORY, Family.FACT),
        Relation(Rel.HAS_COLOR, _P, Label.COLOR, Family.FACT),
        Relation(Rel.HAS_SIZE, _P, Label.SIZE, Family.FACT),
        Relation(Rel.IN_PRICE_BAND, _P, Label.PRICE_BAND, Family.FACT),
        Relation(Rel.KIND_OF, Label.MATERIAL, Label.MATERIAL, Family.TREE),
        Relation(Rel.PART_OF, Label.CATEGORY, Label.CATEGORY, Family.TREE),
        *(Relation(name, _P, _P, Family.LINK) for name in (Rel.ALSO_BOUGHT, Rel.ALSO_VIEWED, Rel.BOUGHT_TOGETHER)),
        *(Relation(name, _P, _P, Family.DERIVED) for name in (Rel.CO_BOUGHT, Rel.NEXT_BOUGHT, Rel.SIMILAR_TEXT)),
        Relation(Rel.MATCHES, Label.QUERY, _P, Family.ANSWER),
    )
}

ENTITY_LABELS: tuple[Label, ...] = (
    Label.BRAND,
    Label.MATERIAL,
    Label.CATEGORY,
    Label.COLOR,
    Label.SIZE,
    Label.PRICE_BAND,
    Label.ENTITY,
)

# Event kinds of a log, and the relation each becomes.
EVENT_RELATIONS: dict[str, Rel] = {
    "purchase": Rel.BOUGHT,
    "view": Rel.VIEWED,
    "cart": Rel.CARTED,
    "rating": Rel.RATED,
}

# Attribute names of extraction and of answers, and the relation each becomes.
ATTRIBUTE_RELATIONS: dict[str, Rel] = {
    "brand": Rel.HAS_BRAND,
    "material": Rel.MADE_OF,
    "category": Rel.IN_CATEGORY,
    "color": Rel.HAS_COLOR,
    "size": Rel.HAS_SIZE,
    "price_band": Rel.IN_PRICE_BAND,
}

_UPPER_SNAKE = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")


def relation(name: str) -> Relation:
    """The relation of that name; a name that is not built in is a custom Product → Entity fact.

    Raises:
        InputError: the name is not UPPER_SNAKE.
    """
    if name in RELATIONS:
        return RELATIONS[name]
    return custom_relation(name)


def custom_relation(name: str) -> Relation:
    """A relation that a triples file brings along: Product → Entity.

    Raises:
        InputError: the name is not UPPER_SNAKE (it would have to be quoted in Cypher).
    """
    if not _UPPER_SNAKE.match(name):
        raise InputError(f"{name!r} cannot be a relation.", "Use capitals, digits and underscores, such as DIRECTED_BY.")
    return Relation(name, Label.PRODUCT, Label.ENTITY, Family.FACT)


def relation_name(text: str) -> str:
    """The UPPER_SNAKE form of any text ("directed by" → "DIRECTED_BY").

    Raises:
        InputError: nothing is left of it.
    """
    name = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
    return custom_relation(name).name if name not in RELATIONS else name
