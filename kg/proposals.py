"""Brands that may be one: proposed as SAME_AS with a score, and never followed. A person joins them by a correction, or says no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.compute as pc

from kg.model import Entity, Evidence, Fact
from kg.ontology import RELATIONS, Label, Rel
from kg.tables import EVIDENCE_SCHEMA, Rest, entity_tables, evidence_tables

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
    columns = ["source_key", "target_key", "target_name", "target_kind"]
    parts = [of[Rel.HAS_BRAND].select(columns) for of in (evidence, rest.evidence if rest else {}) if Rel.HAS_BRAND in of]
    if not parts:
        return []
    stated = pa.concat_tables(parts)
    names = dict(zip(*(entity_tables({str(Rel.HAS_BRAND): stated})[_END].column(n).to_pylist() for n in ("key", "name")), strict=True))
    counted = stated.group_by("target_key").aggregate([("source_key", "count_distinct")])
    counts = zip(counted.column("target_key").to_pylist(), counted.column("source_key_count_distinct").to_pylist(), strict=True)
    return [Named(key, names[key], count) for key, count in sorted(counts)]


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
    brands = named_brands(evidence, rest)
    if source is None:
        there = pa.array([brand.key for brand in brands], pa.string())
        ends = pc.and_(pc.is_in(held.column("source_key"), value_set=there), pc.is_in(held.column("target_key"), value_set=there))
        return pa.concat_tables([stated, held.filter(pc.and_(ours, ends))])
    facts = [
        Fact(
            pair.entity.key,
            RELATIONS[Rel.SAME_AS],
            Entity(Label.BRAND, pair.other.name, key=pair.other.key),
            (Evidence("name", 0, len(pair.entity.name), pair.entity.name, EXTRACTOR, pair.score),),
        )
        for pair in source.alike(brands)
    ]
    return pa.concat_tables([stated, *evidence_tables(facts, EXTRACTOR).values()])
