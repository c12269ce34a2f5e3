"""A score's parts as an explanation: which paths are shown, with the nodes, edges and evidence of the graph.

The shown paths and the rest sum to the score, whatever is shown: what a path or a merged path claims is the sum of the parts in it, and
all parts that are not shown are `rest.other_paths`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from kg.model import Evidence, Fact, Product
from kg.ontology import Family, Label, Rel, relation
from kg.snapshot import GraphSnapshot
from recommend.parts import Hop, Parts, PathPart
from recommend.result import Also, Edge, Explanation, Node, Path, Rest
from recommend.views.base import NEW_ROW
from recommend.wording import Voice, Wording

PRIVATE_BELOW = 5  # people; fewer are "others"
MIN_CONFIDENCE = 0.5  # of a fact in a reason
MERGED = 6  # starts of a merged path at most
MERGE_SHARE = 0.1  # of the strongest start, below which another is left out of a merged path
ALIKE_SHARE = 0.34  # the same where the path starts with a likeness: a weak one must not stand beside a strong one
ALIKE = 0.5  # what a path is worth beside a stronger one of the same kind, and one that passes a product that the asker has

People = Callable[[], int | None]
Chain = tuple[tuple[str, str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Asker:
    """Where the paths of an answer start.

    Args:
        voice: how sentences address whoever reads them.
        start: the `User` or `Query` node; None where a path starts at the asked product.
        events: item row of a history product → the edge that leads to it.
        asked_row: for a question about a product, its row.
    """

    voice: Voice
    start: Node | None
    events: Mapping[int, Edge] = field(default_factory=dict)
    asked_row: int | None = None


@dataclass(frozen=True, slots=True)
class _Group:
    """Parts that make one shown path: equal but for where they start, and for the view that made them."""

    contribution: float
    starts: tuple[tuple[int | None, float], ...]  # history row, what it adds; strongest first
    lead: PathPart
    words: tuple[tuple[str, ...], ...]  # of each hop

    @property
    def kind(self) -> tuple[str, ...]:
        return tuple(hop.edge for hop in self.lead.hops)


class Explainer:
    """Explains scores over one snapshot.

    Args:
        snapshot: the graph that the scores were made from.
        new_product: the candidate when it is outside the catalogue.
        new_facts: its facts.
        all_evidence: looks up all evidence of a fact by relation and keys; None shows the strongest piece alone.
    """

    def __init__(
        self,
        snapshot: GraphSnapshot,
        new_product: Product | None = None,
        new_facts: Sequence[Fact] = (),
        all_evidence: Callable[[str, str, str], Sequence[Evidence]] | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._all_evidence = all_evidence
        self._new = new_product
        self._new_facts = {(fact.relation.name, fact.target_key): fact for fact in new_facts}
        self._product = lru_cache(4096)(self._make_product)
        self.brand_of = lru_cache(4096)(self._brand_of)

    def explain(
        self, parts: Parts, asker: Asker, limit: int = 3, all_paths: bool = False, lang: str = "en", people: People | None = None
    ) -> Explanation:
        """The explanation of one score.

        Args:
            parts: the score taken apart.
            asker: where paths start.
            limit: how many paths to show.
            all_paths: show each part as a path of its own, so that `rest.other_paths` is 0.
            lang: language of the sentences.
            people: how many people have the candidate, asked only for a reason that is no path; None to keep it to oneself.
        """
        groups = [_single(part) for part in parts.paths] if all_paths else merged(parts.paths)
        chosen = sorted(groups, key=lambda g: -g.contribution) if all_paths else self._choose(groups, limit, asker)
        wording = Wording(lang, asker.voice, self.brand_of)
        paths = tuple(self._worded(self._path(group, asker), wording) for group in chosen)
        other = 0.0 if all_paths else math.fsum((*(p.contribution for p in parts.paths), *(-g.contribution for g in chosen)))
        rest = Rest(other, parts.text, parts.popularity, parts.latent, parts.baseline)
        # The reason speaks of the same paths, whether all are listed or not.
        told = paths if not all_paths else tuple(self._path(group, asker) for group in self._choose(merged(parts.paths), limit, asker))
        return Explanation(parts.score, paths, rest, wording.reason(told, rest, parts.score, people))

    def _worded(self, path: Path, wording: Wording) -> Path:
        return replace(path, reason=wording.path(path))

    def _choose(self, groups: Sequence[_Group], limit: int, asker: Asker) -> list[_Group]:
        """The strongest first, then the strongest of another kind: a second of a kind counts half, a third a quarter."""
        left = sorted((g for g in groups if g.contribution > 0), key=lambda g: -g.contribution)
        chosen: list[_Group] = []
        while left and len(chosen) < limit:
            kinds = [group.kind for group in chosen]
            best = max(left, key=lambda g: g.contribution * ALIKE ** (kinds.count(g.kind) + _detour(g, asker)))
            left.remove(best)
            if self._believed(best.lead):
                chosen.append(best)
        return sorted(chosen, key=lambda g: -g.contribution)

    def _believed(self, part: PathPart) -> bool:
        """Whether every fact of a path is certain enough to be told."""
        at = part.history_row
        for hop in part.hops:
            evidence = None if hop.derived else self._evidence(at, hop)[0]
            if evidence is not None and evidence.confidence < MIN_CONFIDENCE:
                return False
            at = hop.row
        return True

    def _path(self, group: _Group, asker: Asker) -> Path:
        nodes, edges = [], []
        first = group.lead.history_row if group.lead.history_row is not None else asker.asked_row
        if asker.start is not None:
            nodes.append(asker.start)
        if first is not None:
            if asker.start is not None:
                edges.append(asker.events.get(first) or Edge(Rel.BOUGHT, "out"))
            nodes.append(self._product(first))
        at = first
        for hop, words in zip(group.lead.hops, group.words, strict=True):
            edges.append(self._edge(at, hop, self._readable(words, at, hop, asker)))
            nodes.append(self._product(hop.row) if hop.kind == "item" else self._entity(hop.row))
            at = hop.row
        also = tuple(Also(self._product(row), value) for row, value in group.starts[1:] if row is not None)
        return Path(group.contribution, group.lead.view, str(group.lead.relation), tuple(nodes), tuple(edges), also)

    def _readable(self, words: tuple[str, ...], from_row: int | None, hop: Hop, asker: Asker) -> tuple[str, ...]:
        """Words without the pairs that no reader finds: "base water" of "Base, Water Resist" is none, "can opener" is one."""
        if not any(" " in word for word in words) or hop.kind != "item":
            return words
        left = self._product(from_row).name if from_row is not None else asker.start.name if asker.start is not None else ""
        texts = [" ".join(text.casefold().split()) for text in (left, self._product(hop.row).name)]
        whole = tuple(word for word in words if " " not in word or all(word in text for text in texts))
        return whole or words

    def _edge(self, from_row: int | None, hop: Hop, words: tuple[str, ...]) -> Edge:
        if hop.edge in (Rel.SIMILAR_TEXT, Rel.MATCHES):
            return Edge(hop.edge, hop.direction, words=words, derived=hop.derived)
        if hop.derived:
            return Edge(hop.edge, hop.direction, count=private_count(hop.count), derived=True)
        evidence, pieces = self._evidence(from_row, hop)
        return Edge(str(hop.edge), hop.direction, evidence, pieces, self._others(from_row, hop, evidence, pieces))

    def _others(self, from_row: int | None, hop: Hop, strongest: Evidence | None, pieces: int) -> tuple[Evidence, ...]:
        """The other pieces of evidence of a fact between a product of the catalogue and an entity."""
        if pieces < 2 or strongest is None or from_row is None or relation(str(hop.edge)).family is not Family.FACT:
            return ()
        product, entity = (from_row, hop.row) if hop.direction == "out" else (hop.row, from_row)
        if product == NEW_ROW:
            found: Sequence[Evidence] = self._new_facts[str(hop.edge), self._snapshot.entities.key(entity)].evidence
        elif self._all_evidence is None:
            return ()
        else:
            found = self._all_evidence(str(hop.edge), self._snapshot.items.key(product), self._snapshot.entities.key(entity))
        where = (strongest.field, strongest.start, strongest.extractor)
        return tuple(piece for piece in found if (piece.field, piece.start, piece.extractor) != where)

    def _evidence(self, from_row: int | None, hop: Hop) -> tuple[Evidence | None, int]:
        """The strongest evidence of a fact, and how many pieces it has."""
        if from_row is None:
            return None, 1
        source, target = (from_row, hop.row) if hop.direction == "out" else (hop.row, from_row)
        if source == NEW_ROW:
            fact = self._new_facts.get((str(hop.edge), self._snapshot.entities.key(target)))
            return (None, 1) if fact is None else (fact.strongest, len(fact.evidence))
        edges = self._snapshot.edges.get(str(hop.edge))
        place = None if edges is None else edges.find(source, target)
        if edges is None or place is None:
            return None, 1
        return edges.evidence_at(place), int(edges.evidence.column("evidence_count")[place].as_py() or 1)

    def _make_product(self, row: int) -> Node:
        if row == NEW_ROW and self._new is not None:
            return Node(Label.PRODUCT, self._new.key, self._new.title)
        return Node(Label.PRODUCT, self._snapshot.items.key(row), self._snapshot.title(row))

    def _entity(self, row: int) -> Node:
        return Node(str(self._snapshot.entity_label(row)), self._snapshot.entities.key(row), self._snapshot.entity_name(row))

    def _brand_of(self, key: str) -> str | None:
        row = self._snapshot.items.find(key)
        edges = self._snapshot.edges.get(Rel.HAS_BRAND)
        if row is None or edges is None:
            return None
        brands = edges.targets_of(row)
        return self._snapshot.entity_name(int(brands[0])) if len(brands) == 1 else None


def _detour(group: _Group, asker: Asker) -> bool:
    """Whether a path passes a product that the asker has: the shorter way from there says more."""
    return any(hop.kind == "item" and hop.row in asker.events for hop in group.lead.hops[:-1])


def private_count(count: int | None) -> int | Literal["others"] | None:
    """How many people may be told: the number from five on, else "others"."""
    if count is None:
        return None
    return count if count >= PRIVATE_BELOW else "others"


def _chain(part: PathPart) -> Chain:
    return tuple((str(hop.edge), hop.direction, hop.kind, hop.row) for hop in part.hops)


def _single(part: PathPart) -> _Group:
    return _Group(part.contribution, ((part.history_row, part.contribution),), part, tuple(hop.words for hop in part.hops))


def merged(parts: Iterable[PathPart]) -> list[_Group]:
    """Parts with equal chains as one: the views that found the same chain, then the starts that lead to it.

    A start is merged when its own parts add enough beside what the strongest start adds; the others stay unshown. Parts that take
    away from the score are merged into their chain, so that no chain claims more than it moves.
    """
    chains: dict[Chain, dict[int | None, list[PathPart]]] = {}
    for part in parts:
        chains.setdefault(_chain(part), {}).setdefault(part.history_row, []).append(part)
    return list(_groups(chains))


def _groups(chains: Mapping[Chain, Mapping[int | None, list[PathPart]]]) -> Iterator[_Group]:
    for by_start in chains.values():
        sums = {row: math.fsum(part.contribution for part in found) for row, found in by_start.items()}
        order = sorted(sums, key=lambda row: (-sums[row], -1 if row is None else row))
        top = sums[order[0]]
        alike = next(iter(by_start.values()))[0].hops[0].edge == Rel.SIMILAR_TEXT
        least = (ALIKE_SHARE if alike else MERGE_SHARE) * top
        starts = [row for row in order if sums[row] > 0 and sums[row] >= least][:MERGED] or order[:1]
        lead = max(by_start[starts[0]], key=lambda part: part.contribution)
        yield _Group(
            math.fsum(sums[row] for row in starts),
            tuple((row, sums[row]) for row in starts),
            lead,
            tuple(_words(place, [by_start[row] for row in starts]) for place in range(len(lead.hops))),
        )


def _words(place: int, found: Sequence[Sequence[PathPart]]) -> tuple[str, ...]:
    """Words of one hop, whichever view names them; of the first hop, those that carry it from every start."""
    of_start = [max((part.hops[place].words for part in parts), key=len) for parts in found]
    if place:
        return max(of_start, key=len)
    return tuple(word for word in of_start[0] if all(word in words for words in of_start[1:]))
