"""Parts of a score that say the same, as one: the same kinds of edges over the same entities, from different products.

    you bought A; others who bought it also bought K, and this is like K          lead
    you bought B; others who bought it also bought K, and this is like K          told with it: the same way from another start
    you bought C; others who bought it also bought L, and this is like L          one more way like it

A group claims the sum of its members; members that add little beside the strongest, or take away, are left to the paths not shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from kg.ontology import Rel
from recommend.parts import PathPart

MEMBERS = 20  # of a group at most
SHARE = 0.1  # of what the strongest member adds, below which another is left out
TOLD_ALIKE = 0.34  # the same for a product that is named beside another as being like the candidate: a weak one must not
TOLD = 6  # starts that are told by name, or counted, with the lead

_DETOUR = ("", "", -3)
Believed = Callable[[PathPart], bool]
_Kind = tuple[tuple[str, str, int], ...]
_Way = tuple[int | None, ...]  # rows of the start and of the products between it and the candidate


@dataclass(frozen=True, slots=True)
class Member:
    """One path, whichever views found it.

    Args:
        contribution: of all views together.
        parts: one a view; the strongest first.
    """

    contribution: float
    parts: tuple[PathPart, ...]

    @property
    def lead(self) -> PathPart:
        """The part of the view that adds most."""
        return self.parts[0]

    @property
    def start(self) -> int | None:
        """Item row of the history product."""
        return self.parts[0].history_row

    def words(self, place: int) -> tuple[str, ...]:
        """Words of one hop, whichever view names them."""
        return max((part.hops[place].words for part in self.parts), key=len)


@dataclass(frozen=True, slots=True)
class Group:
    """Members that make one shown path.

    Args:
        told: the lead, and those that differ from it only in where they start; strongest first.
        more: the others.
        contribution: what all members add.
    """

    told: tuple[Member, ...]
    more: tuple[Member, ...] = ()
    contribution: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "contribution", math.fsum(member.contribution for member in self.members))

    @property
    def members(self) -> tuple[Member, ...]:
        """All, those that are told first."""
        return self.told + self.more

    @property
    def lead(self) -> PathPart:
        """The part that the path is drawn from."""
        return self.told[0].lead

    @property
    def kind(self) -> tuple[str, ...]:
        """Relations of the edges."""
        return tuple(hop.edge for hop in self.lead.hops)

    def words(self, place: int) -> tuple[str, ...]:
        """Words of one hop; of the first, those that carry it from every start that is told."""
        first = self.told[0].words(place)
        if place:
            return first
        others = [set(member.words(0)) for member in self.told[1:]]
        return tuple(word for word in first if all(word in words for words in others))


def single(part: PathPart) -> Group:
    """A part as a group of its own."""
    return Group((Member(part.contribution, (part,)),))


def merged(parts: Iterable[PathPart], believed: Believed = lambda part: True, owned: Container[int] = ()) -> list[Group]:
    """Parts as groups; a way through a product that the asker has (a detour: the shorter way from there says more) stands apart.

    Args:
        parts: of one score.
        believed: whether every fact of a path is certain enough to be told; others are in no group.
        owned: item rows that the asker has.
    """
    kinds: dict[_Kind, dict[_Way, list[PathPart]]] = {}
    for part in parts:
        kind: _Kind = tuple([(hop.edge, hop.direction, hop.row if hop.kind == "entity" else -2) for hop in part.hops])
        way = (part.history_row, *[hop.row for hop in part.hops[:-1]])
        if len(part.hops) > 1 and is_detour(part, owned):
            kind = (*kind, _DETOUR)
        kinds.setdefault(kind, {}).setdefault(way, []).append(part)
    return [group for ways in kinds.values() for group in _group(list(ways.values()), believed)]


def ways(parts: Iterable[PathPart]) -> list[Member]:
    """Paths of the same edges and nodes as one, whichever views found them; the strongest first."""
    found: dict[tuple[int | None, tuple[tuple[str, str, int], ...]], list[PathPart]] = {}
    for part in parts:
        found.setdefault((part.history_row, tuple([(str(hop.edge), hop.direction, hop.row) for hop in part.hops])), []).append(part)
    made = [Member(math.fsum(p.contribution for p in same), tuple(sorted(same, key=lambda p: -p.contribution))) for same in found.values()]
    return sorted(made, key=lambda member: -member.contribution)


def is_detour(part: PathPart, owned: Container[int]) -> bool:
    """Whether a path passes a product that the asker has."""
    return any(hop.kind == "item" and hop.row in owned for hop in part.hops[:-1])


def _group(ways: Sequence[list[PathPart]], believed: Believed) -> Iterator[Group]:
    sums = [parts[0].contribution if len(parts) == 1 else math.fsum(part.contribution for part in parts) for parts in ways]
    order = sorted((place for place, value in enumerate(sums) if value > 0), key=lambda place: -sums[place])
    kept: list[Member] = []
    for place in order:
        if len(kept) == MEMBERS or (kept and sums[place] < SHARE * kept[0].contribution):
            break
        if believed(ways[place][0]):
            parts = sorted(ways[place], key=lambda part: -part.contribution)
            kept.append(Member(sums[place], tuple(parts)))
    if kept:
        told = _told(kept)
        yield Group(tuple(told), tuple(member for member in kept if member not in told))


def _told(kept: Sequence[Member]) -> list[Member]:
    """The lead and those that can be told in the same breath."""
    lead = kept[0]
    between = [hop.row for hop in lead.lead.hops[:-1]]
    same = [member for member in kept if [hop.row for hop in member.lead.hops[:-1]] == between][:TOLD]
    if lead.lead.hops[0].edge != Rel.SIMILAR_TEXT:
        return same
    # One is told to be like the candidate: others stand beside it when they are so too, and by the same words.
    words = set(lead.words(0))
    close = [m for m in same if m.contribution >= TOLD_ALIKE * lead.contribution and (words & set(m.words(0)) or not words)]
    while len(close) > 1 and words and not Group(tuple(close)).words(0):
        close.pop()
    return close
