"""`ontology.toml` beside a graph: what the things of this catalogue are called, and what labels, relations and properties it adds.

    [labels.Product]
    name = { en = "film", zh = "影片" }
    [labels.Product.properties]
    year = "integer"

    [labels.Director]
    name = { en = "director", zh = "导演" }

    [relations.HAS_DIRECTOR]
    from = "Product"
    to = "Director"
    column = "director"
    says = { en = "is directed by {e}", zh = "由{e}执导" }

A label or relation of the core may get another name and sentence here, and nothing else.
"""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from cypher.guard import FORBIDDEN, FUNCTIONS, KEYWORDS
from kg.canon import core_prefixes
from kg.config import Section, load_toml, validated
from kg.ontology import RELATIONS, Family, Label, Ontology, Property, PropertyType, StatedColumn

_LABEL = re.compile(r"[A-Z][A-Za-z0-9]{0,63}\Z")
_RELATION = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")
_PROPERTY = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# What engines or clew itself keep for themselves.
_KEPT = frozenset(("id", "type", "end", "key", "name", "kind", "title", "label", "embedding"))
_KEPT |= frozenset(("price_low", "price_high", "currency", "quantity", "available"))
_RESERVED = KEYWORDS | FORBIDDEN
_KEPT_LABELS = frozenset(("ClewState",))
# What a sentence of a relation may speak of.
_PLACES = {
    Family.EVENT: {"who", "x"},
    Family.FACT: {"e"},
    Family.LINK: {"x", "y"},
    Family.TREE: {"low", "high"},
    Family.DERIVED: {"who", "x", "y"},
}


class Words(Section):
    """A text in the languages that clew speaks; a bare text is English, and a language that is missing reads the English one."""

    en: str = Field(min_length=1, max_length=200)
    zh: str | None = Field(default=None, min_length=1, max_length=200)

    def by_language(self) -> dict[str, str]:
        """Language → text."""
        return {"en": self.en, "zh": self.zh or self.en}


_Words = Annotated[Words, BeforeValidator(lambda value: {"en": value} if isinstance(value, str) else value)]


class PropertySpec(Section):
    """A typed property of products; in TOML its bare type, or a table.

    Args:
        type: text, integer, number, boolean or date (ISO).
        column: of the catalogue; the property's own name when not given.
        required: whether a row without it is set aside.
    """

    type: PropertyType
    column: str | None = None
    required: bool = False


_Property = Annotated[PropertySpec, BeforeValidator(lambda value: {"type": value} if isinstance(value, str) else value)]


class LabelSpec(Section):
    """`[labels.X]`.

    Args:
        name: what people call one of them.
        properties: of `Product` only.
    """

    name: _Words | None = None
    properties: dict[str, _Property] = Field(default_factory=dict)


class RelationSpec(Section):
    """`[relations.X]`.

    Args:
        source, target: labels of its ends (`from` and `to`); an own relation needs both, one of the core has its own.
        column: of the catalogue, which states it.
        separator: between several values of one cell.
        name: what people call it.
        says: how a sentence says it.
        iri: the web's property for it ("https://schema.org/director").
    """

    source: str | None = Field(default=None, alias="from")
    target: str | None = Field(default=None, alias="to")
    column: str | None = Field(default=None, min_length=1)
    separator: str = Field(default="|", min_length=1, max_length=8)
    name: _Words | None = None
    says: _Words | None = None
    iri: str | None = Field(default=None, pattern=r"^https?://[^\s<>\"{}|\\^`]{1,300}$")


class OntologyFile(Section):
    """The whole file."""

    version: Literal[1] = 1
    labels: dict[str, LabelSpec] = Field(default_factory=dict)
    relations: dict[str, RelationSpec] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        own = {name for name in self.labels if name not in set(Label)}
        for name in own:
            _check_label(name)
        _check_prefixes(own)
        for name, label in self.labels.items():
            if label.properties and name != Label.PRODUCT:
                raise ValueError(f"{name} has properties, and only {Label.PRODUCT} can have some")
            for each in label.properties:
                _check_property(each)
        for name, spec in self.relations.items():
            family = _family(name, spec, own)
            for text in (spec.says.by_language() if spec.says else {}).values():
                _check_sentence(name, text, _PLACES[family])
            if spec.column and (family is not Family.FACT or name in RELATIONS):
                raise ValueError(f"{name} cannot have a column: only an own relation from {Label.PRODUCT} to an own label can")
        return self

    def ontology(self) -> Ontology:
        """The same as the rest of clew uses it."""
        own = {name for name in self.labels if name not in set(Label)}
        ends = {name: (str(s.source), str(s.target), _family(name, s, own)) for name, s in self.relations.items() if name not in RELATIONS}
        product = self.labels.get(Label.PRODUCT, LabelSpec()).properties
        named: list[tuple[str, Words | None]] = [(n, label.name) for n, label in self.labels.items()]
        named += [(name, spec.name) for name, spec in self.relations.items()]
        return Ontology(
            labels={name: key_prefix(name) for name in sorted(own)},
            relations=dict(sorted(ends.items())),
            properties=tuple(Property(name, p.type, p.column or name, p.required) for name, p in product.items()),
            columns=tuple(StatedColumn(s.column, name, s.separator) for name, s in self.relations.items() if s.column),
            names={(name, lang): text for name, words in named if words for lang, text in words.by_language().items()},
            sentences={(n, lang): text for n, s in self.relations.items() if s.says for lang, text in s.says.by_language().items()},
            iris={name: spec.iri for name, spec in self.relations.items() if spec.iri},
        )


def key_prefix(label: str) -> str:
    """What the keys of an own label begin with: "FilmStudio" → "film_studio"."""
    return _CAMEL.sub("_", label).lower()


def _check_label(name: str) -> None:
    if not _LABEL.match(name) or name.upper() in _RESERVED or name in _KEPT_LABELS:
        raise ValueError(f"{name!r} cannot be a label; write one word such as Director, and none of Cypher's own")


def _check_prefixes(own: set[str]) -> None:
    taken = {prefix: str(label) for label, prefix in core_prefixes().items()}
    for name in sorted(own):
        prefix = key_prefix(name)
        if prefix in taken:
            raise ValueError(f"{name} is too like {taken[prefix]}: keys of both would begin with {prefix}:")
        taken[prefix] = name


def _check_property(name: str) -> None:
    if not _PROPERTY.match(name) or name.upper() in _RESERVED or name in _KEPT:
        raise ValueError(f"{name!r} cannot be a property; write a word in small letters such as year, none of Cypher's or clew's own")


def _family(name: str, spec: RelationSpec, own: set[str]) -> Family:
    if name in RELATIONS:
        if spec.source or spec.target or spec.iri:
            raise ValueError(f"{name} is clew's own: only its name and what it says can be changed")
        return RELATIONS[name].family
    if not _RELATION.match(name) or name in _RESERVED or name.lower() in FUNCTIONS:
        raise ValueError(f"{name!r} cannot be a relation; write capitals, digits and underscores, such as HAS_DIRECTOR")
    for end, label in (("from", spec.source), ("to", spec.target)):
        if label is None:
            raise ValueError(f"{name} does not say what it leads {end}; add {end} = … to [relations.{name}]")
        if label not in own and label != Label.PRODUCT:
            raise ValueError(f"{name} leads {end} {label!r}; that is neither {Label.PRODUCT} nor a label of this file")
    match (spec.source == Label.PRODUCT, spec.target == Label.PRODUCT):
        case (True, True):
            return Family.LINK
        case (True, False):
            return Family.FACT
        case (False, False):
            return Family.TREE
    raise ValueError(f"{name} leads from {spec.source} to {Label.PRODUCT}; turn it round: what a product has is its fact")


def _check_sentence(name: str, text: str, places: set[str]) -> None:
    try:
        used = [(place, spec, conversion) for _, place, spec, conversion in string.Formatter().parse(text) if place is not None]
    except ValueError as error:
        raise ValueError(f"what {name} says, {text!r}, has a bracket too many or too few ({error})") from None
    if any(place not in places or spec or conversion for place, spec, conversion in used) or {p for p, *_ in used} != places:
        wanted = " and ".join(f"{{{place}}}" for place in sorted(places))
        raise ValueError(f"what {name} says, {text!r}, must speak of {wanted}, each by that name")


def load_ontology(path: Path) -> Ontology:
    """The ontology of a file.

    Raises:
        InputError: it is not TOML, a key is unknown, a label, relation or property cannot be one, ends do not fit.
    """
    return validated(OntologyFile, load_toml(path), str(path)).ontology()
