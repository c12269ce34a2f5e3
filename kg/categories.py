"""The tree that category paths draw: "Toys > Puzzles > Wooden" lies in "Toys > Puzzles", and that in "Toys"."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pyarrow as pa

from kg.canon import entity_key
from kg.model import Entity
from kg.ontology import RELATIONS, Label, Rel, Relation

SEPARATOR = " > "


def category_tree(named: Iterable[tuple[str, str]]) -> list[tuple[Entity, Relation, Entity]]:
    """Child and parent of every step of some category paths.

    Args:
        named: (entity key, path as written); a path whose key is another (corrected, renamed) draws no tree, nor does a
            category that is no path.
    """
    found: dict[tuple[str, str], tuple[Entity, Relation, Entity]] = {}
    for key, path in named:
        steps = [step.strip() for step in path.split(SEPARATOR.strip())]
        if len(steps) < 2 or not all(steps) or entity_key(Label.CATEGORY, path) != key:
            continue
        chain = [
            Entity(Label.CATEGORY, step, key=entity_key(Label.CATEGORY, SEPARATOR.join(steps[: place + 1])))
            for place, step in enumerate(steps)
        ]
        for parent, child in itertools.pairwise(chain):
            if child.key != parent.key:
                found[child.key, parent.key] = (child, RELATIONS[Rel.PART_OF], parent)
    return list(found.values())


def category_paths(evidence: pa.Table) -> list[tuple[str, str]]:
    """Distinct (entity key, quoted path) of `IN_CATEGORY` evidence whose text is a path, sorted."""
    pairs = evidence.select(["target_key", "text"]).group_by(["target_key", "text"], use_threads=False).aggregate([])
    return sorted((r["target_key"], r["text"]) for r in pairs.to_pylist() if SEPARATOR.strip() in r["text"])
