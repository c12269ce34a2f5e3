"""What an extractor is, what it finds, and which ones exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeGuard, runtime_checkable

from extraction.canonical import canonical
from kg.canon import entity_key
from kg.errors import InputError, UnknownKeyError
from kg.model import Product
from kg.ontology import ATTRIBUTE_RELATIONS, RELATIONS

# The attribute that an extractor calls by another name than the graph's.
_GRAPH_NAMES = {"product_type": "category"}


# Few values make up most mentions.
_key = lru_cache(1 << 16)(entity_key)


def entity_of(attribute: str, value: str) -> str | None:
    """The key of the entity that a value of an attribute names (`brand`, "LEGO" → `brand:lego`); None when it names none.

    Size, colour, material, brand and kind of product are entities; a quantity or a price is a property. All ways to write a value
    (`extraction.canonical`) name one entity.
    """
    relation_name = ATTRIBUTE_RELATIONS.get(_GRAPH_NAMES.get(attribute, attribute))
    return _key(RELATIONS[relation_name].target, canonical(attribute, value)) if relation_name else None


@dataclass(frozen=True, slots=True)
class Mention:
    """One value of one attribute, and the characters that state it.

    Args:
        attribute: "brand", "material", "color", "size", "quantity", "price", "product_type", or what a model was taught.
        raw: the characters as written: `source[field][start:end]`.
        value: the value that they state ("Navy Blue" → "blue").
        entity: key of the entity that the value names; None for a value that is no entity.
        field: field of the product that was read ("title", "brand", …).
        start, end: span in characters of that field, end exclusive.
        confidence: probability that the mention is right, 0 to 1.
        extractor: who found it ("columns", "rules", …).
        accepted: False for one that is shown but becomes no fact.
        share: of a material in a blend ("60% cotton" → .6), where the text states it.

    Raises:
        InputError: the span is not as long as the characters, nothing is quoted, or the confidence is not in 0..1.
    """

    attribute: str
    raw: str
    value: str
    entity: str | None
    field: str
    start: int
    end: int
    confidence: float
    extractor: str
    accepted: bool = True
    share: float | None = None

    def __post_init__(self) -> None:
        if self.start < 0 or not self.raw or self.end - self.start != len(self.raw):
            raise InputError(f"The span {self.start}..{self.end} of {self.field} does not hold {self.raw!r}.")
        if not 0.0 <= self.confidence <= 1.0:
            raise InputError(f"A confidence lies between 0 and 1, not {self.confidence}.")

    def check(self, product: Product) -> None:
        """Refuse a mention that quotes what the product does not say.

        Raises:
            InputError: `product.text(field)[start:end]` is another text.
        """
        found = product.text(self.field)[self.start : self.end]
        if found != self.raw:
            raise InputError(f"The {self.field} of {product.key!r} reads {found!r} at {self.start}..{self.end}, not {self.raw!r}.")

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew extract run`; `accepted` is only there when it is False, `share` when it is stated."""
        shown: dict[str, Any] = {
            "attribute": self.attribute,
            "raw": self.raw,
            "value": self.value,
            "entity": self.entity,
            "field": self.field,
            "start": self.start,
            "end": self.end,
            "confidence": self.confidence,
            "extractor": self.extractor,
        }
        if self.share is not None:
            shown["share"] = self.share
        return shown if self.accepted else {**shown, "accepted": False}


@runtime_checkable
class Extractor(Protocol):
    """Finds mentions in products. `extraction.testing.ExtractorContract` says what each one must hold to."""

    @property
    def name(self) -> str:
        """Name in the registry."""
        ...

    @property
    def digest(self) -> str:
        """Digest of everything that decides what it finds: rules, vocabularies, weights, and what it learned from the catalogue."""
        ...

    @property
    def names(self) -> Mapping[str, str]:
        """Entity key → the name that the entity is known by, where the extractor has learned one spelling; may be empty."""
        ...

    def extract(self, products: Iterable[Product]) -> Iterator[list[Mention]]:
        """One list of mentions per product, in the order of the products; reads lazily."""
        ...


Builder = Callable[[Sequence[Product]], Extractor]

# Extractor → module and function that builds it, so that nothing heavy is loaded before it is asked for.
_BUILT_IN = {
    "rules": ("extraction.rules", "build_rules"),
    "columns": ("extraction.columns", "build_columns"),
    "llm": ("extraction.llm", "build_llm"),
    "tagger": ("extraction.tag_pipeline", "build_tagger"),
    "trained": ("extraction.trained", "build_trained"),
    "accurate": ("extraction.accurate", "build_accurate"),
    "hybrid": ("extraction.hybrid", "build_hybrid"),
}
# Extractor → module and class whose `save(folder)` and `load(folder)` keep what was learned.
_KEPT = {
    "rules": ("extraction.rules", "RulesExtractor"),
    "tagger": ("extraction.tag_pipeline", "TaggerExtractor"),
    "trained": ("extraction.tag_pipeline", "TaggerExtractor"),
    "accurate": ("extraction.tag_pipeline", "TaggerExtractor"),
}
WITH_MODEL = frozenset({"tagger", "accurate", "hybrid"})
_REGISTERED: dict[str, Builder] = {}


def register(name: str, builder: Builder) -> None:
    """Make an extractor known by a name.

    Args:
        name: the name that `--extractor` takes.
        builder: makes it from the products of a catalogue, which it may learn from.

    Raises:
        InputError: the name is taken.
    """
    if name in _BUILT_IN or name in _REGISTERED:
        raise InputError(f"There already is an extractor {name!r}.", "Register it under another name.")
    _REGISTERED[name] = builder


def model_digest(name: str) -> str:
    """Digest of the model that an extractor's name brings along ("tagger:models/shop"), which changes when it is trained anew; "" for none.

    Raises:
        StateError: the folder holds no model.
    """
    kind, _, folder = name.partition(":")
    if not folder or kind not in WITH_MODEL:
        return ""
    from extraction.tagger import TaggerModel

    return TaggerModel.load(Path(folder)).digest


class Keeper(Extractor, Protocol):
    """An extractor that can write what it learned."""

    def save(self, folder: Path) -> None:
        """Write it into a folder, for `kept_extractor`."""
        ...


def keeps(extractor: Extractor) -> TypeGuard[Keeper]:
    """Whether `kept_extractor` can load what the extractor saves."""
    return (type(extractor).__module__, type(extractor).__name__) in _KEPT.values()


def kept_extractor(name: str, folder: Path) -> Extractor:
    """The extractor that `save` wrote.

    Args:
        name: the name that it was built by ("rules", "tagger:models/shop").
        folder: where it lies.

    Raises:
        StateError: the folder does not hold one.
    """
    module, kind = _KEPT[name.partition(":")[0]]
    loaded: Extractor = getattr(import_module(module), kind).load(folder)
    return loaded


def extractor_names() -> list[str]:
    """Names of all extractors, sorted."""
    return sorted([*_BUILT_IN, *_REGISTERED])


def build_extractor(name: str, products: Sequence[Product]) -> Extractor:
    """An extractor by name, having learned what it wants to from the catalogue.

    Args:
        name: one of `extractor_names()`; those of WITH_MODEL also with the folder of a trained model ("tagger:models/shop").
        products: the catalogue; its titles teach which beginnings are brands. May be empty.

    Raises:
        UnknownKeyError: no extractor has that name; those that exist are listed.
    """
    if name in _REGISTERED:
        return _REGISTERED[name](products)
    kind, _, folder = name.partition(":")
    if folder and kind in WITH_MODEL:
        module, function = _BUILT_IN[kind]
        trained: Extractor = getattr(import_module(module), function)(products, Path(folder))
        return trained
    if name not in _BUILT_IN:
        error = UnknownKeyError("extractor", name, extractor_names())
        error.hint = f"These exist: {', '.join(extractor_names())}."
        raise error
    module, function = _BUILT_IN[name]
    built: Extractor = getattr(import_module(module), function)(products)
    return built
