"""Brands that may be one: proposed as SAME_AS with a score, and never followed. A person joins them by a correction, or says no."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.compute as pc

from kg.model import Entity, Evidence, Fact
from kg.ontology import RELATIONS, Label, Rel
from kg.tables import EVIDENCE_SCHEMA, Rest, entity_tables, evidence_tables, name_counts

EXTRACTOR = "likeness"
_END = RELATIONS[Rel.SAME_AS].source


@dataclass(frozen=True, slots=True)
class Named:
    """An entity, the name that it goes by, and how many products have it."""

    key: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Likeness:
    """Two entities that may be one.

    Args:
        entity: the one that fewer products have.
        other: the one that more have.
        score: how alike their names are, 0 to 1; no probability.
    """

    entity: Named
    other: Named
    score: float


@runtime_checkable
class ProposingSource(Protocol):
    """What reads facts and also says which entities may be one."""

    def alike(self, named: Sequence[Named]) -> Sequence[Likeness]:
        """Pairs of names that may be one; those that a person told apart are not among them."""
        ...


def named_brands(evidence: Mapping[str, pa.Table], rest: Rest | None = None) -> list[Named]:
    """The brands that products have, by key."""
    parts = _stated_brands(evidence, rest)
    if not parts:
        return []
    named = [name_counts({str(Rel.HAS_BRAND): part})[_END] for part in parts]
    found = entity_tables({}, {_END: pa.concat_tables(named)})[_END]
    names = dict(zip(found.column("key").to_pylist(), found.column("name").to_pylist(), strict=True))
    counts: Counter[str] = Counter()
    for part in parts:  # each product is in one part
        counted = part.group_by("target_key").aggregate([("source_key", "count_distinct")])
        counts.update(dict(zip(*(counted.column(n).to_pylist() for n in ("target_key", "source_key_count_distinct")), strict=True)))
    return [Named(key, names[key], count) for key, count in sorted(counts.items())]


def _stated_brands(evidence: Mapping[str, pa.Table], rest: Rest | None) -> list[pa.Table]:
    return [of[Rel.HAS_BRAND] for of in (evidence, rest.evidence if rest else {}) if Rel.HAS_BRAND in of]


def proposed(evidence: Mapping[str, pa.Table], rest: Rest, source: ProposingSource | None) -> pa.Table:
    """Evidence of SAME_AS after an ingest (`EVIDENCE_SCHEMA`): what the source proposes; without one, what was proposed before of the
    brands that are still there. What a triples file states stays as it is.

    Args:
        evidence: of the products that came, and all trees.
        rest: of the other products.
        source: proposes; None where nothing was read.
    """
    held = evidence.get(Rel.SAME_AS, EVIDENCE_SCHEMA.empty_table())
    ours = pc.equal(held.column("extractor"), EXTRACTOR)
    stated = held.filter(pc.invert(ours))
    if source is None:
        keys = [key for part in _stated_brands(evidence, rest) for key in pc.unique(part.column("target_key")).to_pylist()]
        there = pa.array(keys, pa.string())
        ends = pc.and_(pc.is_in(held.column("source_key"), value_set=there), pc.is_in(held.column("target_key"), value_set=there))
        return pa.concat_tables([stated, held.filter(pc.and_(ours, ends))])
    facts = [
        Fact(
            pair.entity.key,
            RELATIONS[Rel.SAME_AS],
            Entity(Label.BRAND, pair.other.name, key=pair.other.key),
            (Evidence("name", 0, len(pair.entity.name), pair.entity.name, EXTRACTOR, pair.score),),
        )
        for pair in source.alike(named_brands(evidence, rest))
    ]
    return pa.concat_tables([stated, *evidence_tables(facts, EXTRACTOR).values()])
