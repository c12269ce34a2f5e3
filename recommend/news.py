"""What has changed in a graph since a model was trained on it: fingerprints of its facts, kept with the model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kg.ontology import Family
from kg.snapshot import GraphSnapshot
from recommend.arrays import Arrays

NAMED = 3  # new facts of a relation that are told by name
_PRODUCTS, _EVENTS = "products", "purchases and other events"


@dataclass(frozen=True, slots=True)
class News:
    """What is new of one kind, and what is gone.

    Args:
        kind: a relation, "products" or "purchases and other events".
        new, gone: how many.
        named: some of the new ones as people write them.
    """

    kind: str
    new: int
    gone: int
    named: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = []
        if self.new:
            names = ", ".join(self.named) + (", …" if self.named and self.new > len(self.named) else "")
            told.append(f"{self.new:,} new" + (f" ({names})" if names else ""))
        if self.gone:
            told.append(f"{self.gone:,} gone")
        return f"{self.kind}: {' and '.join(told)}"


def fingerprint(snapshot: GraphSnapshot) -> Arrays:
    """One number (int64, ascending) for each product and fact; of what people did only how much it is, so that nobody is in it."""
    made: Arrays = {kind: np.unique([number for number, _ in things]).astype(np.int64) for kind, things in _things(snapshot)}
    return made | {_EVENTS: np.array([snapshot.interactions.nnz], np.int64)}


def news(before: Arrays, snapshot: GraphSnapshot) -> list[News]:
    """What a graph has that it did not have, and the other way round.

    Args:
        before: `fingerprint` of the graph that the model was trained on.
        snapshot: the graph as it is.
    """
    found = []
    now = {kind: dict(things) for kind, things in _things(snapshot)}
    for kind in dict.fromkeys([*now, *(kind for kind in before if kind != _EVENTS)]):
        known, there = before.get(kind, np.empty(0, np.int64)), now.get(kind, {})
        numbers = np.array(sorted(there), np.int64)
        new, gone = np.setdiff1d(numbers, known), np.setdiff1d(known, numbers)
        if len(new) or len(gone):
            named = tuple(sorted(there[number] for number in new.tolist())[:NAMED])
            found.append(News(kind, len(new), len(gone), named))
    more = snapshot.interactions.nnz - int(before.get(_EVENTS, np.zeros(1))[0])
    return [*found, News(_EVENTS, max(more, 0), max(-more, 0))] if more else found


def _things(snapshot: GraphSnapshot) -> Iterator[tuple[str, Iterable[tuple[int, str]]]]:
    items, entities = list(snapshot.items), list(snapshot.entities)
    yield _PRODUCTS, [(_number(key), key) for key in items]
    for name, edges in snapshot.edges.items():
        sources, targets = {
            Family.FACT: (items, entities),
            Family.LINK: (items, items),
            Family.TREE: (entities, entities),
        }[edges.relation.family]
        yield name, _pairs(edges.source_rows, edges.target_rows, sources, targets)


def _pairs(first: NDArray[np.integer], second: NDArray[np.integer], left: list[str], right: list[str]) -> list[tuple[int, str]]:
    told = [f"{left[a]} → {right[b]}" for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    return [(_number(text), text) for text in told]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)
