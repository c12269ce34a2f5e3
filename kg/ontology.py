"""Labels and relations, named once. Every other module takes them from here.

The lists below are the core, those of a shop. An `ontology.toml` beside a graph (`kg.ontology_file`) adds labels, relations
and words of its own; they are known to the process from the moment that it opens such a graph (`adopt`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from kg.errors import InputError, StateError


class Label(StrEnum):
    """Labels of nodes: the core's, and by name (`Label("Director")`) those of an adopted ontology."""

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

    @classmethod
    def _missing_(cls, value: object) -> Label | None:
        if not any(value in ontology.labels for ontology in _adopted.values()):
            return None
        return _added.get(str(value)) or _added.setdefault(str(value), _new_label(str(value)))


class Rel(StrEnum):
    """Relations that clew knows by name; a triples file may add others (see `custom_relation`)."""

    BOUGHT = "BOUGHT"
    VIEWED = "VIEWED"
    CARTED = "CARTED"
    RATED = "RATED"
    RETURNED = "RETURNED"
    DISLIKED = "DISLIKED"
    HAS_BRAND = "HAS_BRAND"
    MADE_OF = "MADE_OF"
    KIND_OF = "KIND_OF"
    IN_CATEGORY = "IN_CATEGORY"
    PART_OF = "PART_OF"
    SAME_AS = "SAME_AS"  # proposed with a score, never followed: see PROPOSED
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


PropertyType = Literal["text", "integer", "number", "boolean", "date"]


@dataclass(frozen=True, slots=True)
class Property:
    """A typed property of products that an ontology adds; `column` is the catalogue's column that holds it."""

    name: str
    type: PropertyType
    column: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class StatedColumn:
    """A column of the catalogue that states a relation; `separator` stands between several values of one cell."""

    column: str
    relation: str
    separator: str


@dataclass(frozen=True, eq=False)
class Ontology:
    """What an ontology file adds to the core.

    Args:
        labels: own labels → prefix of their keys ("Director" → "director").
        relations: own relations by name → (source label, target label, family).
        properties: of products.
        columns: of the catalogue that state relations.
        names: (label or relation, language) → what people call it.
        sentences: (relation, language) → how a sentence says it.
        iris: relation → property of a vocabulary that the web knows.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    relations: Mapping[str, tuple[str, str, Family]] = field(default_factory=dict)
    properties: tuple[Property, ...] = ()
    columns: tuple[StatedColumn, ...] = ()
    names: Mapping[tuple[str, str], str] = field(default_factory=dict)
    sentences: Mapping[tuple[str, str], str] = field(default_factory=dict)
    iris: Mapping[str, str] = field(default_factory=dict)

    def structure(self) -> dict[str, Any]:
        """What of it decides how a graph is stored, as JSON; empty for the core."""
        found: dict[str, Any] = {
            "labels": dict(sorted(self.labels.items())),
            "relations": {name: [source, target, str(family)] for name, (source, target, family) in sorted(self.relations.items())},
            "properties": {each.name: each.type for each in sorted(self.properties, key=lambda p: p.name)},
        }
        return {name: value for name, value in found.items() if value}


CORE = Ontology()
# Own ontologies by the file they come from, the one opened last at the end; and the labels made of them, each one object for ever.
_adopted: dict[str, Ontology] = {}
_added: dict[str, Label] = {}


def _new_label(name: str) -> Label:
    label = str.__new__(Label, name)
    label._name_ = name.upper()
    label._value_ = name
    return label


def adopt(ontology: Ontology, source: str) -> None:
    """Make the labels, relations and words of an ontology known to this process; from the same source again, it is replaced.

    Raises:
        StateError: another one that is open says something else of the same relation or property.
    """
    for other, known in _adopted.items():
        if other == source:
            continue
        for name, ends in ontology.relations.items():
            if known.relations.get(name, ends) != ends:
                raise StateError(f"{source} and {other} say different things of {name}.", "Open the two workspaces in two processes.")
        types = {each.name: each.type for each in known.properties}
        for each in ontology.properties:
            if types.get(each.name, each.type) != each.type:
                raise StateError(f"{source} and {other} give {each.name} different types.", "Open the two workspaces in two processes.")
    _adopted.pop(source, None)
    if ontology is CORE:
        source = ""  # remembered once, as the one that was opened last
        _adopted.pop(source, None)
    _adopted[source] = ontology


@contextmanager
def scope() -> Iterator[None]:
    """What is adopted inside is forgotten outside: one command, one test."""
    before = dict(_adopted)
    try:
        yield
    finally:
        _adopted.clear()
        _adopted.update(before)


_P, _U = Label.PRODUCT, Label.USER
RELATIONS: dict[str, Relation] = {
    relation.name: relation
    for relation in (
        *(Relation(name, _U, _P, Family.EVENT) for name in (Rel.BOUGHT, Rel.VIEWED, Rel.CARTED, Rel.RATED, Rel.RETURNED, Rel.DISLIKED)),
        Relation(Rel.HAS_BRAND, _P, Label.BRAND, Family.FACT),
        Relation(Rel.MADE_OF, _P, Label.MATERIAL, Family.FACT),
        Relation(Rel.IN_CATEGORY, _P, Label.CATEGORY, Family.FACT),
        Relation(Rel.HAS_COLOR, _P, Label.COLOR, Family.FACT),
        Relation(Rel.HAS_SIZE, _P, Label.SIZE, Family.FACT),
        Relation(Rel.IN_PRICE_BAND, _P, Label.PRICE_BAND, Family.FACT),
        Relation(Rel.KIND_OF, Label.MATERIAL, Label.MATERIAL, Family.TREE),
        Relation(Rel.PART_OF, Label.CATEGORY, Label.CATEGORY, Family.TREE),
        Relation(Rel.SAME_AS, Label.BRAND, Label.BRAND, Family.TREE),
        *(Relation(name, _P, _P, Family.LINK) for name in (Rel.ALSO_BOUGHT, Rel.ALSO_VIEWED, Rel.BOUGHT_TOGETHER)),
        *(Relation(name, _P, _P, Family.DERIVED) for name in (Rel.CO_BOUGHT, Rel.NEXT_BOUGHT, Rel.SIMILAR_TEXT)),
        Relation(Rel.MATCHES, Label.QUERY, _P, Family.ANSWER),
    )
}

# Relations that say what may be: they are stored, shown and asked for, and no snapshot, so no ranking and no path, has them.
PROPOSED = frozenset({Rel.SAME_AS})

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
    "return": Rel.RETURNED,
    "dislike": Rel.DISLIKED,
}
AGAINST = frozenset({"return", "dislike"})  # kinds that say no to a product; a low rating does too (`kg.events.EventLog.against`)
RATING = "rating"

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


def all_labels() -> tuple[Label, ...]:
    """Every label of the core and of adopted ontologies."""
    return (*Label, *own_labels())


def own_labels() -> tuple[Label, ...]:
    """Labels of adopted ontologies."""
    return tuple(Label(name) for name in dict.fromkeys(name for ontology in _adopted.values() for name in ontology.labels))


def entity_labels() -> tuple[Label, ...]:
    """Labels of entities: the core's, then those of adopted ontologies."""
    return (*ENTITY_LABELS, *own_labels())


def all_relations() -> dict[str, Relation]:
    """Every relation that has a name, by it: the core's, then those of adopted ontologies."""
    return RELATIONS | {name: _own(name, *ends) for ontology in _adopted.values() for name, ends in ontology.relations.items()}


def _own(name: str, source: str, target: str, family: Family) -> Relation:
    return Relation(name, Label(source), Label(target), family)


def own_prefix(label: Label) -> str | None:
    """Prefix of the keys of an own label; None of a core one."""
    return next((ontology.labels[label] for ontology in _adopted.values() if label in ontology.labels), None)


def product_properties() -> tuple[Property, ...]:
    """Typed properties of products that adopted ontologies add."""
    return tuple({each.name: each for ontology in _adopted.values() for each in ontology.properties}.values())


def stated_columns() -> tuple[StatedColumn, ...]:
    """Columns of a catalogue that state relations, by the ontology that was opened last."""
    return next(reversed(_adopted.values()), CORE).columns


def display_name(term: str, language: str) -> str | None:
    """What the ontology opened last calls a label or relation; None where it says nothing of it."""
    return next(reversed(_adopted.values()), CORE).names.get((term, language))


def display_sentence(name: str, language: str) -> str | None:
    """How the ontology opened last says a relation in a sentence; None where it does not."""
    return next(reversed(_adopted.values()), CORE).sentences.get((name, language))


def relation_iri(name: str) -> str | None:
    """The web's property for an own relation, if its ontology names one."""
    return next((ontology.iris[name] for ontology in _adopted.values() if name in ontology.iris), None)


def relation(name: str) -> Relation:
    """The relation of that name; one that neither the core nor an adopted ontology has is a custom Product → Entity fact.

    Raises:
        InputError: the name is not UPPER_SNAKE.
    """
    if name in RELATIONS:
        return RELATIONS[name]
    for ontology in _adopted.values():
        if name in ontology.relations:
            return _own(name, *ontology.relations[name])
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
    return relation(name).name
