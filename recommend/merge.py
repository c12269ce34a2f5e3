"""Parts of a score that say the same, as one: the same kinds of edges over the same entities, from different products.

    you bought A; others who bought it also bought K, and this is like K          lead
    you bought B; others who bought it also bought K, and this is like K          told with it: the same way from another start
    you bought C; others who bought it also bought L, and this is like L          one more way like it

A group claims the sum of its members; members that add little beside the strongest, or take away, are left to the paths not shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kg.ontology import Family, Rel, relation
from recommend.ledger import Kind, Ledger
from recommend.parts import PathPart

MEMBERS = 20  # of a group at most
SHARE = 0.1  # of what the strongest member adds, below which another is left out
TOLD_ALIKE = 0.34  # the same for a product that is named beside another as being like the candidate: a weak one must not
TOLD = 6  # starts that are told by name, or counted, with the lead

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Columns:
    """Paths of one or more scores as columns, one place a path.

    Args:
        slot: int64, which score.
        kind: int64, place in `kinds`.
        start: int64, item row of the history product; −1 where there is none.
        entities, between: int64, place in the tables of the entity rows and the item rows that a path passes.
        end: int64, item row of the candidate.
        value: float64, what the path adds.
        kinds: kinds of edges.
        tables: entity rows, then item rows, by place.
        part: the path of a place, with its edges.
    """

    slot: Ints
    kind: Ints
    start: Ints
    entities: Ints
    between: Ints
    end: Ints
    value: NDArray[np.float64]
    kinds: Sequence[Kind]
    tables: tuple[Callable[[int], tuple[int, ...]], Callable[[int], tuple[int, ...]]]
    part: Callable[[int], PathPart]

    @classmethod
    def of_paths(cls, paths: Sequence[PathPart]) -> Columns:
        """The paths of one score."""
        kinds, entities, between = _Numbers(), _Numbers(), _Numbers()
        rows = [
            (
                kinds.of(_said(tuple([(str(hop.edge), hop.direction, hop.kind) for hop in path.hops]))),
                -1 if path.history_row is None else path.history_row,
                entities.of(tuple([hop.row for hop in path.hops if hop.kind == "entity"])),
                between.of(tuple([hop.row for hop in path.hops[:-1] if hop.kind == "item"])),
                path.hops[-1].row,
            )
            for path in paths
        ]
        kind, start, passed, met, end = np.array(rows, np.int64).reshape(-1, 5).T
        value = np.array([path.contribution for path in paths])
        tables = (entities.known.__getitem__, between.known.__getitem__)
        return cls(np.zeros(len(paths), np.int64), kind, start, passed, met, end, value, kinds.known, tables, paths.__getitem__)

    @classmethod
    def of_ledger(cls, ledger: Ledger) -> Columns:
        """All paths of all scores of a ledger."""
        kinds = _Numbers()
        none = np.empty(0, np.int64)
        columns: list[list[NDArray[Any]]] = [[none] for _ in range(6)] + [[np.empty(0)]]
        ends = [0]
        for run in ledger.runs:
            first = run.kind[0][2] if len(run.kind) > 1 else ""
            nothing = np.full(len(run.value), -1)
            passed, met = (run.through if first == kind else nothing for kind in ("entity", "item"))
            number = np.full(len(run.value), kinds.of(_said(run.kind)))
            parts = (run.slot, number, ledger.starts[run.start], passed, met, ledger.item_rows[run.slot], run.value)
            for column, part in zip(columns, parts, strict=True):
                column.append(part)
            ends.append(ends[-1] + len(run.value))
        borders = np.array(ends)

        def path(place: int) -> PathPart:
            at = int(np.searchsorted(borders, place, side="right")) - 1
            return ledger.path(ledger.runs[at], place - ends[at])

        slot, kind, start, passed, met, end, value = (np.concatenate(column) for column in columns)
        return cls(slot, kind, start, passed, met, end, value, kinds.known, (_alone, _alone), path)


@lru_cache(1024)
def _said(kind: Kind) -> Kind:
    """A kind as sentences tell it: what a shop states of two products is said of both, whichever way it was written."""
    return tuple([(edge, "out" if relation(edge).family is Family.LINK else way, what) for edge, way, what in kind])


def _alone(row: int) -> tuple[int, ...]:
    return () if row < 0 else (row,)


class _Numbers:
    """Numbers values in the order in which they come."""

    def __init__(self) -> None:
        self.known: list[Any] = []
        self._places: dict[Any, int] = {}

    def of(self, value: Any) -> int:
        if value not in self._places:
            self._places[value] = len(self.known)
            self.known.append(value)
        return self._places[value]


class Member:
    """One path, whichever views found it.

    Args:
        ways: where it is from.
        way: its place there.
        start: item row of the history product; None where there is none.
        met: place of the item rows on its way in their table.
        contribution: of all views together.
    """

    __slots__ = ("_lead", "_parts", "_way", "_ways", "contribution", "met", "start")

    def __init__(self, ways: _Ways, way: int, start: int, met: int, contribution: float) -> None:
        self._ways, self._way, self.met, self.contribution = ways, way, met, contribution
        self.start: int | None = None if start < 0 else start
        self._lead: PathPart | None = None
        self._parts: tuple[PathPart, ...] | None = None

    @property
    def parts(self) -> tuple[PathPart, ...]:
        """One a view; the strongest first."""
        if self._parts is None:
            self._parts = (self.lead, *map(self._ways.columns.part, self._ways.places(self._way)[1:]))
        return self._parts

    @property
    def lead(self) -> PathPart:
        """The part of the view that adds most."""
        if self._lead is None:
            self._lead = self._ways.columns.part(self._ways.places(self._way)[0])
        return self._lead

    @property
    def between(self) -> tuple[int, ...]:
        """Item rows on its way."""
        return self._ways.columns.tables[1](self.met)

    def words(self, place: int) -> tuple[str, ...]:
        """Words of one hop: those of the strongest view that names any (all that do name the same)."""
        return self.lead.hops[place].words or next((part.hops[place].words for part in self.parts[1:] if part.hops[place].words), ())


class Group:
    """Members that make one shown path.

    Args:
        members: all of them, the strongest first.
        relations: of the edges.
        detour: whether it passes a product that the asker has; the shorter way from there says more.
    """

    __slots__ = ("_members", "_told", "contribution", "detour", "kind")

    def __init__(self, members: Sequence[Member], relations: tuple[str, ...], detour: bool = False) -> None:
        self._members, self.kind, self.detour = members, relations, detour
        self._told: tuple[Member, ...] | None = None
        self.contribution = math.fsum([member.contribution for member in members])

    @property
    def told(self) -> tuple[Member, ...]:
        """The lead, and those that differ from it only in where they start; strongest first."""
        if self._told is None:
            self._told = tuple(_told(self._members, self.kind))
        return self._told

    @property
    def members(self) -> tuple[Member, ...]:
        """All, those that are told first."""
        told = self.told
        if len(told) == len(self._members):
            return told
        known = set(map(id, told))
        return (*told, *[member for member in self._members if id(member) not in known])

    @property
    def lead(self) -> PathPart:
        """The part that the path is drawn from."""
        return self._members[0].lead

    def words(self, place: int) -> tuple[str, ...]:
        """Words of one hop; of the first, those that carry it from every start that is told."""
        return shared_words(self.told, place)


def shared_words(told: Sequence[Member], place: int) -> tuple[str, ...]:
    """Words of one hop of the first member; of its first hop, those that all members have."""
    first = told[0].words(place)
    if place:
        return first
    others = [set(member.words(0)) for member in told[1:]]
    return tuple(word for word in first if all(word in words for words in others))


def single(part: PathPart) -> Group:
    """A part as a group of its own."""
    return Group(ways([part]), tuple(str(hop.edge) for hop in part.hops))


def ways(parts: Iterable[PathPart]) -> list[Member]:
    """Paths of the same edges and nodes as one, whichever views found them; the strongest first."""
    columns = Columns.of_paths(list(parts))
    found = _Ways(columns, np.zeros(len(columns.value), bool))
    return sorted(found.members(np.arange(len(found.value))), key=lambda member: -member.contribution)


class _Ways:
    """Places of columns in order of score, kind, entities, detour, start and products between; equal ones are one way."""

    def __init__(self, columns: Columns, detour: Mask) -> None:
        self.columns = columns
        keys = (columns.slot, columns.kind, columns.entities, detour, columns.start, columns.between)
        self.order = np.lexsort(keys[::-1])
        ordered = [key[self.order] for key in keys]
        new_group, new_way = (_borders(some) for some in (ordered[:4], ordered))
        self.starts = np.flatnonzero(new_way)
        self.ends = np.append(self.starts[1:], len(self.order))
        self.group = np.cumsum(new_group)[self.starts] - 1 if len(self.starts) else np.empty(0, np.int64)
        self.value = np.add.reduceat(columns.value[self.order], self.starts) if len(self.starts) else np.empty(0)
        self.first = self.order[self.starts]

    def members(self, ways: Ints) -> list[Member]:
        """Some ways, one a member."""
        first, columns = self.first[ways], self.columns
        parts = (ways, columns.start[first], columns.between[first], self.value[ways])
        return [Member(self, *one) for one in zip(*(part.tolist() for part in parts), strict=True)]

    def places(self, way: int) -> list[int]:
        """Places of a way in the columns, one a view; the strongest first."""
        found: list[int] = self.order[self.starts[way] : self.ends[way]].tolist()
        if len(found) > 1:
            found.sort(key=lambda place: -self.columns.value[place])
        return found


def _borders(keys: Sequence[NDArray[Any]]) -> Mask:
    """Where one of some ordered columns changes."""
    changes = np.zeros(len(keys[0]), bool)
    if len(changes):
        changes[0] = True
        for key in keys:
            changes[1:] |= key[1:] != key[:-1]
    return changes


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A group that nobody has looked at yet.

    Args:
        contribution: what its members add.
        kind: relations of the edges.
        detour: whether it passes a product that the asker has.
        group: makes it.
    """

    contribution: float
    kind: tuple[str, ...]
    detour: bool
    group: Callable[[], Group]


def merged(columns: Columns, size: int, believed: Mask, detour: Mask) -> list[list[Found]]:
    """Parts of each score as groups, the strongest first.

    Args:
        columns: paths.
        size: how many scores.
        believed: bool, which paths are certain enough to be told; others are in no group.
        detour: bool, which pass a product that the asker has: the shorter way from there says more, so they stand apart.

    Returns:
        For each score its groups.
    """
    ways = _Ways(columns, detour)
    kept = np.flatnonzero((ways.value > 0) & believed[ways.first])
    kept = kept[np.lexsort((-ways.value[kept], ways.group[kept]))]
    new = _borders([ways.group[kept]])
    starts = np.flatnonzero(new)
    number = np.cumsum(new) - 1
    rank = np.arange(len(kept)) - starts[number]
    strong = (rank < MEMBERS) & (ways.value[kept] >= SHARE * ways.value[kept[starts]][number])
    kept, number = kept[strong], number[strong]
    total = np.bincount(number, ways.value[kept], len(starts))
    borders = np.searchsorted(number, np.arange(len(starts) + 1)).tolist()
    first = ways.first[kept[borders[:-1]]] if len(starts) else np.empty(0, np.int64)
    relations = [tuple([edge for edge, _, _ in kind]) for kind in columns.kinds]
    slots, kinds, passes = columns.slot[first].tolist(), columns.kind[first].tolist(), detour[first].tolist()
    made: list[list[Found]] = [[] for _ in range(size)]
    for at in np.argsort(-total, kind="stable").tolist():
        some, kind, passing = kept[borders[at] : borders[at + 1]], relations[kinds[at]], passes[at]

        def group(some: Ints = some, kind: tuple[str, ...] = kind, passing: bool = passing) -> Group:
            return Group(ways.members(some), kind, passing)

        made[slots[at]].append(Found(float(total[at]), kind, passing, group))
    return made


def _told(kept: Sequence[Member], relations: tuple[str, ...]) -> list[Member]:
    """The lead and those that can be told in the same breath."""
    lead = kept[0]
    same = [member for member in kept if member.met == lead.met][:TOLD]
    if relations[0] != Rel.SIMILAR_TEXT:
        return same
    # One is told to be like the candidate: others stand beside it when they are so too, and by the same words.
    words = set(lead.words(0))
    least = TOLD_ALIKE * lead.contribution
    close = [lead, *(m for m in same[1:] if m.contribution >= least and (words & set(m.words(0)) or not words))]
    while len(close) > 1 and words and not shared_words(close, 0):
        close.pop()
    return close
