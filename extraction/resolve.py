"""Mention → Fact: canonical entities, aliases, evidence of several fields under one fact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from extraction.base import Extractor, Mention, entity_of
from extraction.canonical import share_before
from extraction.corrections import NO_CORRECTIONS, Corrections
from extraction.likeness import alike
from extraction.vocabularies import material_tree
from kg.canon import entity_key
from kg.digest import digest_json
from kg.model import Entity, Evidence, Fact, Product
from kg.ontology import ATTRIBUTE_RELATIONS, RELATIONS, Label, Rel, Relation
from kg.proposals import Likeness, Named

_GRAPH_NAMES = {"product_type": "category"}
CATEGORY_SEPARATOR = " > "


def relation_of(attribute: str) -> Relation | None:
    """The relation that mentions of an attribute become; None for a property such as price or quantity."""
    name = ATTRIBUTE_RELATIONS.get(_GRAPH_NAMES.get(attribute, attribute))
    return RELATIONS[name] if name else None


def to_facts(
    product: Product,
    mentions: Iterable[Mention],
    corrections: Corrections = NO_CORRECTIONS,
    names: Mapping[str, str] = MappingProxyType({}),
) -> list[Fact]:
    """The facts that a product's accepted mentions state.

    Two mentions of one entity (from the title and from a column, or twice in the title) are one fact with two pieces of evidence.
    An entity that a correction refuses is left out, one that was joined with another goes by the other's key, and a value that a
    person gave replaces what was read for that attribute.

    Args:
        product: the row that was read.
        mentions: what an extractor found in it; each is checked against the row.
        corrections: what a person said.
        names: entity key → the name that it is known by, where the extractor knows it.

    Raises:
        InputError: a mention quotes what the product does not say.
    """
    given = corrections.right.get(product.key, {})
    found: dict[tuple[str, str], tuple[Relation, str, list[Evidence]]] = {}
    for mention in mentions:
        mention.check(product)
        relation = relation_of(mention.attribute)
        if relation is None or not mention.accepted or mention.attribute in given or mention.entity is None:
            continue
        key = corrections.canonical(mention.entity)
        if corrections.refuses(product.key, mention.entity) or corrections.refuses(product.key, key):
            continue
        evidence = _quoted(product.text(mention.field), mention)
        _, _, evidences = found.setdefault((relation.name, key), (relation, names.get(key) or _name(mention, key), []))
        if evidence not in evidences:
            evidences.append(evidence)
    for attribute, values in given.items():
        relation = relation_of(attribute)
        for value in values if relation else ():
            assert relation is not None
            key = corrections.canonical(entity_of(attribute, value) or entity_key(relation.target, value))
            found[relation.name, key] = (relation, names.get(key, value), [Evidence("correction", 0, len(value), value, "correction", 1.0)])
    return [
        Fact(product.key, relation, Entity(relation.target, name, key=key), tuple(sorted(evidences, key=_place)))
        for (_, key), (relation, name, evidences) in found.items()
    ]


def _quoted(text: str, mention: Mention) -> Evidence:
    """A mention as evidence; a material of a blend is quoted with its share ("60% Cotton")."""
    blended = share_before(text, mention.start) if mention.share is not None else None
    start = blended[1] if blended else mention.start
    return Evidence(mention.field, start, mention.end, text[start : mention.end], mention.extractor, mention.confidence)


def _name(mention: Mention, key: str) -> str:
    """A category's path keeps its last part as name (its key is the whole path, so that equal leaves stay apart), a size goes by what
    was written (its key is in units of the SI); an entity that goes by another's key is named after that key.
    """
    if key != mention.entity:
        return key.partition(":")[2].replace("-", " ")
    if mention.attribute == "size":
        return " ".join(mention.raw.split())
    return mention.value.rsplit(CATEGORY_SEPARATOR, 1)[-1] if mention.attribute in ("category", "product_type") else mention.value


def _place(evidence: Evidence) -> tuple[float, str, int, str]:
    return -evidence.confidence, evidence.field, evidence.start, evidence.extractor


class FactExtractor:
    """An extractor as kg's ingest sees it: products in, facts out (implements `kg.ingest.FactSource`).

    Args:
        extractor: finds the mentions.
        corrections: what a person said; part of the digest, so that a new correction makes new facts.
    """

    def __init__(self, extractor: Extractor, corrections: Corrections = NO_CORRECTIONS) -> None:
        self.extractor = extractor
        self.corrections = corrections

    @property
    def name(self) -> str:
        """The extractor's name."""
        return self.extractor.name

    @property
    def digest(self) -> str:
        """Digest of the extractor and of the corrections."""
        return digest_json([self.extractor.digest, self.corrections.digest])

    def facts(self, products: Sequence[Product]) -> Iterator[list[Fact]]:
        """One list of facts per product, in their order."""
        return (facts for facts, _ in self.facts_and_quantities(products))

    def facts_and_quantities(self, products: Sequence[Product]) -> Iterator[tuple[list[Fact], str | None]]:
        """Facts of each product and the quantity that it states ("12 ct", as written; the surest one) or None, in their order."""
        for product, mentions in zip(products, self.extractor.extract(products), strict=True):
            stated = [m for m in mentions if m.attribute == "quantity" and m.accepted]
            quantity = min(stated, key=lambda m: (-m.confidence, m.start)).raw if stated else None
            yield to_facts(product, mentions, self.corrections, self.extractor.names), quantity

    def alike(self, named: Sequence[Named]) -> list[Likeness]:
        """See `kg.proposals.ProposingSource`."""
        return alike(named, self.corrections.different)

    def tree(self) -> list[tuple[Entity, Relation, Entity]]:
        """What is a kind of what, whatever the catalogue holds: (cotton, KIND_OF, natural fibre), …"""
        kind_of = RELATIONS[Rel.KIND_OF]
        return [(Entity(Label.MATERIAL, child), kind_of, Entity(Label.MATERIAL, parent)) for child, parent in material_tree()]

    def tree_facts(self) -> list[Fact]:
        """`tree()` as facts, the vocabulary being their evidence."""
        return [
            Fact(child.key, relation, parent, (Evidence("vocabulary", 0, len(parent.name), parent.name, "vocabulary", 1.0),))
            for child, relation, parent in self.tree()
        ]
