"""Values of the graph: frozen, and checked when they are made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from kg.canon import MAX_KEY_BYTES, entity_key
from kg.errors import InputError
from kg.ontology import Family, Label, Relation

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Price:
    """A price as a shop states it.

    Args:
        low, high: bounds in units of the currency; None where there is no bound.
        currency: ISO 4217 code, or None when unknown.
        was: the price before a reduction.
        per: unit that the price is for, such as "100 g".
        count: how many pieces the price buys ("2 for £10" → 2).

    Raises:
        InputError: a bound is negative or not finite, or low is above high.
    """

    low: float | None
    high: float | None
    currency: str | None = None
    was: float | None = None
    per: str | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        for value in (self.low, self.high, self.was):
            if value is not None and (not math.isfinite(value) or value < 0):
                raise InputError(f"A price cannot be {value}.", "Prices are zero or more.")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InputError(f"The price range {self.low} to {self.high} is upside down.")

    def to_dict(self) -> dict[str, float | int | str | None]:
        """The form of `clew extract price --json`."""
        return {"low": self.low, "high": self.high, "currency": self.currency, "was": self.was, "per": self.per, "count": self.count}


@dataclass(frozen=True, slots=True)
class Product:
    """One row of the catalogue.

    Args:
        key: the shop's key, 1 to 512 bytes.
        title: what it is called; never blank.
        fields: other text of the row by field name ("description", "brand", "material", "category", "color", "size"),
            as written; the extractor reads them and evidence quotes them.
        price: its price, if the row has one.
        available: False for a product that is out of stock and must not be recommended.
        source: file and line that it came from ("products.csv:17").

    Raises:
        InputError: no key, a key too long, a blank title.
    """

    key: str
    title: str
    fields: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    price: Price | None = None
    available: bool = True
    source: str = ""

    def __post_init__(self) -> None:
        if not self.key or len(self.key.encode()) > MAX_KEY_BYTES:
            raise InputError(f"A product key has 1 to {MAX_KEY_BYTES} bytes, not {len(self.key.encode())}.")
        if not self.title.strip():
            raise InputError(f"The product {self.key!r} has a blank title.")
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))

    def text(self, name: str) -> str:
        """The text of a field ("title" or one of `fields`); empty when the row has none."""
        return self.title if name == "title" else self.fields.get(name, "")


@dataclass(frozen=True, slots=True)
class Entity:
    """A thing that products share: a brand, a material, a category.

    Args:
        label: what it is (`Label.BRAND`, …).
        name: its name as people read it.
        kind: for `Label.ENTITY`, what kind of thing ("actor"); empty for the others.
        key: canonical key; made from the name when empty.
    """

    label: Label
    name: str
    kind: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InputError("An entity has a blank name.")
        if not self.key:
            object.__setattr__(self, "key", entity_key(self.label, self.name, self.kind))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a fact is believed: the characters that say so.

    Args:
        field: the field of the row that was read ("title", "brand", "triples").
        start, end: span in characters of that field, end exclusive.
        text: the quoted characters.
        extractor: who read it ("columns", "rules", "tagger", "llm", "triples", "correction").
        confidence: probability that the fact is right, 0 to 1.
        run: digest of the ingest run that read it; empty until it is stored.

    Raises:
        InputError: the span does not have the length of the text, or the confidence is not in 0..1.
    """

    field: str
    start: int
    end: int
    text: str
    extractor: str
    confidence: float
    run: str = ""

    def __post_init__(self) -> None:
        if self.start < 0 or self.end - self.start != len(self.text):
            raise InputError(f"The span {self.start}..{self.end} of {self.field} is not as long as {self.text!r}.")
        if not 0.0 <= self.confidence <= 1.0:
            raise InputError(f"A confidence lies between 0 and 1, not {self.confidence}.")

    def check(self, source: str) -> None:
        """Refuse a span that is not the quoted text.

        Raises:
            InputError: `source[start:end]` is another text.
        """
        if source[self.start : self.end] != self.text:
            raise InputError(f"The field {self.field} does not read {self.text!r} at {self.start}..{self.end}.")


@dataclass(frozen=True, slots=True)
class Fact:
    """One edge of the graph with all of its evidence: product → entity, product → product or entity → entity.

    Raises:
        InputError: the relation does not fit its ends, or there is no evidence.
    """

    source_key: str
    relation: Relation
    target: Entity | str
    evidence: tuple[Evidence, ...]

    def __post_init__(self) -> None:
        if not self.evidence:
            raise InputError(f"The fact {self.source_key} {self.relation.name} has no evidence.")
        if isinstance(self.target, Entity) and self.target.label is not self.relation.target:
            raise InputError(f"{self.relation.name} points to {self.relation.target}, not to {self.target.label}.")
        if isinstance(self.target, str) and self.relation.family is not Family.LINK:
            raise InputError(f"{self.relation.name} does not join two products.")

    @property
    def target_key(self) -> str:
        """Key of the node that the fact points to."""
        return self.target if isinstance(self.target, str) else self.target.key

    @property
    def strongest(self) -> Evidence:
        """The evidence with the highest confidence; of equals, the first in field, place and extractor."""
        return min(self.evidence, key=lambda e: (-e.confidence, e.field, e.start, e.extractor))
