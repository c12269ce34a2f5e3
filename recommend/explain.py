"""A score's parts as an explanation: which paths are shown, with the nodes, edges and evidence of the graph.

The shown paths and the rest sum to the score, whatever is shown: what a path or a merged path claims is the sum of the parts in it, and
all parts that are not shown are `rest.other_paths`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal

from kg.model import Evidence, Fact, Product
from kg.ontology import Family, Label, Rel, relation
from kg.snapshot import GraphSnapshot
from recommend.merge import Group, Member, is_detour, merged, single
from recommend.parts import Hop, Parts, PathPart
from recommend.result import Also, Edge, Explanation, Node, Path, Rest
from recommend.views.base import NEW_ROW
from recommend.wording import Voice, Wording

PRIVATE_BELOW = 5  # people; fewer are "others"
MIN_CONFIDENCE = 0.5  # of a fact in a reason
ALIKE = 0.5  # what a path is worth beside a stronger one of the same kind, and one that passes a product that the asker has

People = Callable[[], int | None]


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
        told_groups = self.shown(parts, asker, limit)
        chosen = sorted(map(single, parts.paths), key=lambda g: -g.contribution) if all_paths else told_groups
        wording = Wording(lang, asker.voice, self.brand_of)
        paths = tuple(self._worded(self._path(group, asker), wording) for group in chosen)
        other = 0.0 if all_paths else math.fsum((*(p.contribution for p in parts.paths), *(-g.contribution for g in chosen)))
        rest = Rest(other, parts.text, parts.popularity, parts.latent, parts.baseline)
        # The reason speaks of the same paths, whether all are listed or not.
        told = tuple(self._path(group, asker) for group in told_groups) if all_paths else paths
        return Explanation(parts.score, paths, rest, wording.reason(told, rest, parts.score, people))

    def shown(self, parts: Parts, asker: Asker, limit: int = 3) -> list[Group]:
        """The paths of a score that are shown, alike ones merged; the strongest first."""
        return self._choose(merged(parts.paths, self._believed, asker.events), limit, asker)

    def _worded(self, path: Path, wording: Wording) -> Path:
        return replace(path, reason=wording.path(path))

    def _choose(self, groups: Sequence[Group], limit: int, asker: Asker) -> list[Group]:
        """The strongest first, then the strongest of another kind: a second of a kind counts half, a third a quarter."""
        left = sorted((g for g in groups if g.contribution > 0), key=lambda g: -g.contribution)
        chosen: list[Group] = []
        while left and len(chosen) < limit:
            kinds = [group.kind for group in chosen]
            best = max(left, key=lambda g: g.contribution * ALIKE ** (kinds.count(g.kind) + is_detour(g.lead, asker.events)))
            left.remove(best)
            chosen.append(best)
        return sorted(chosen, key=lambda g: -g.contribution)

    def _believed(self, part: PathPart) -> bool:
        """Whether every fact of a path is certain enough to be told."""
        at = part.history_row
        for hop in part.hops:
            if not hop.derived and at is not None and self._confidence(at, hop) < MIN_CONFIDENCE:
                return False
            at = hop.row
        return True

    def _confidence(self, from_row: int, hop: Hop) -> float:
        source, target = (from_row, hop.row) if hop.direction == "out" else (hop.row, from_row)
        if source == NEW_ROW:
            fact = self._new_facts.get((str(hop.edge), self._snapshot.entities.key(target)))
            return 1.0 if fact is None else fact.strongest.confidence
        edges = self._snapshot.edges.get(str(hop.edge))
        place = None if edges is None else edges.find(source, target)
        return 1.0 if edges is None or place is None else float(edges.confidence[place])

    def _path(self, group: Group, asker: Asker) -> Path:
        nodes, edges = [], []
        first = group.lead.history_row if group.lead.history_row is not None else asker.asked_row
        if asker.start is not None:
            nodes.append(asker.start)
        if first is not None:
            if asker.start is not None:
                edges.append(asker.events.get(first) or Edge(Rel.BOUGHT, "out"))
            nodes.append(self._product(first))
        at = first
        for place, hop in enumerate(group.lead.hops):
            edges.append(self._edge(at, hop, self._readable(group.words(place), at, hop, asker)))
            nodes.append(self._product(hop.row) if hop.kind == "item" else self._entity(hop.row))
            at = hop.row
        also = [self._also(member, asker) for member in group.members[1:]]
        lead = group.lead
        return Path(group.contribution, lead.view, str(lead.relation), tuple(nodes), tuple(edges), tuple(also), told=len(group.told) - 1)

    def _also(self, member: Member, asker: Asker) -> Also:
        start = member.start if member.start is not None else asker.asked_row
        between = tuple(self._product(hop.row) for hop in member.lead.hops[:-1] if hop.kind == "item")
        node = self._product(start) if start is not None else asker.start
        assert node is not None  # a path starts at a product or at the words that were asked
        return Also(node, member.contribution, between)

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


def private_count(count: int | None) -> int | Literal["others"] | None:
    """How many people may be told: the number from five on, else "others"."""
    if count is None:
        return None
    return count if count >= PRIVATE_BELOW else "others"
