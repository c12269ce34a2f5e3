"""A score's parts as an explanation: which paths are shown, with the nodes, edges and evidence of the graph.

The shown paths and the rest sum to the score, whatever is shown: what a path or a merged path claims is the sum of the parts in it, and
all parts that are not shown are `rest.other_paths`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kg.model import Evidence, Fact, Product
from kg.ontology import Family, Label, Rel, relation
from kg.snapshot import GraphSnapshot
from recommend.ledger import Ledger
from recommend.merge import Columns, Found, Group, Member, merged, single
from recommend.parts import Hop, Parts, PathPart
from recommend.path import Also, Edge, Explanation, Node, Path, Rest
from recommend.quoting import COMMON, quoted
from recommend.views.base import NEW_ROW
from recommend.wording import Voice, Wording

PRIVATE_BELOW = 5  # people; fewer are "others"
MIN_CONFIDENCE = 0.5  # of a fact in a reason
ALIKE = 0.5  # what a path is worth beside a stronger one of the same kind, and one that passes a product that the asker has

_WORDED = (Rel.SIMILAR_TEXT, Rel.MATCHES)
People = Callable[[], int | None]


@dataclass(frozen=True, slots=True)
class Asker:
    """Where the paths of an answer start.

    Args:
        voice: how sentences address whoever reads them.
        start: the `User` or `Query` node; None where a path starts at the asked product.
        events: item row of a history product → the edge that leads to it.
        against: those of them that the asker said no to: no reason starts there.
        asked_row: for a question about a product, its row.
    """

    voice: Voice
    start: Node | None
    events: Mapping[int, Edge] = field(default_factory=dict)
    asked_row: int | None = None
    against: frozenset[int] = frozenset()


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
        self._product = lru_cache(65536)(self._make_product)
        self._doubts = lru_cache(None)(self._find_doubts)
        self._evidence = lru_cache(65536)(self._find_evidence)
        self.brand_of = lru_cache(65536)(self._brand_of)

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
        wording = Wording(lang, asker.voice, self.brand_of, self.has(asker))
        groups = self.shown(parts, asker, limit)
        if not all_paths:
            total = math.fsum([path.contribution for path in parts.paths])
            return self._explanation(groups, total, _rest_of(parts), asker, wording, people)
        each = sorted(map(single, parts.paths), key=lambda group: -group.contribution)
        paths = tuple(self._worded(self._path(group, asker), wording) for group in each)
        # The reason speaks of the same paths, whether all are listed or not.
        told = tuple(self._path(group, asker) for group in groups)
        return Explanation(parts.score, paths, _rest_of(parts), wording.reason(told, _rest_of(parts), parts.score, people))

    def explain_all(
        self, ledger: Ledger, asker: Asker, limit: int = 3, lang: str = "en", people: Callable[[int], int | None] | None = None
    ) -> list[Explanation]:
        """The explanations of several scores of one asker; each as `explain` gives it.

        Args:
            ledger: the scores taken apart.
            asker: where paths start.
            limit: how many paths to show of each.
            lang: language of the sentences.
            people: how many people have a product, by item row; as in `explain`.
        """
        wording = Wording(lang, asker.voice, self.brand_of, self.has(asker))
        columns = Columns.of_ledger(ledger)
        found = merged(columns, len(ledger.item_rows), self._believed(columns, asker), _detours(columns, asker))
        totals = np.bincount(columns.slot, columns.value, len(ledger.item_rows)).tolist()
        made = []
        for slot, row in enumerate(ledger.item_rows.tolist()):
            rest = Rest(0.0, 0.0, float(ledger.own[slot]), float(ledger.latent[slot]), float(ledger.baseline[slot]))
            count = None if people is None else partial(people, row)
            groups = [one.group() for one in _choose(found[slot], limit)]
            made.append(self._explanation(groups, totals[slot], rest, asker, wording, count))
        return made

    def shown(self, parts: Parts, asker: Asker, limit: int = 3) -> list[Group]:
        """The paths of a score that are shown, alike ones merged; the strongest first."""
        columns = Columns.of_paths(parts.paths)
        (found,) = merged(columns, 1, self._believed(columns, asker), _detours(columns, asker))
        return [one.group() for one in _choose(found, limit)]

    def _explanation(
        self, groups: Sequence[Group], total: float, rest: Rest, asker: Asker, wording: Wording, people: People | None
    ) -> Explanation:
        """The explanation by some groups of a score whose paths add `total`."""
        paths = tuple([self._worded(self._path(group, asker), wording) for group in groups])
        score = math.fsum((total, rest.text, rest.popularity, rest.latent, rest.baseline))
        rest = replace(rest, other_paths=math.fsum((total, *(-group.contribution for group in groups))))
        return Explanation(score, paths, rest, wording.reason(paths, rest, score, people))

    def has(self, asker: Asker) -> Callable[[str], bool]:
        """Whether an asker has the product of a key, and did not say no to it."""
        return lambda key: (row := self._snapshot.items.find(key)) in asker.events and row not in asker.against

    def _worded(self, path: Path, wording: Wording) -> Path:
        return replace(path, reason=wording.path(path))

    def _believed(self, columns: Columns, asker: Asker) -> NDArray[np.bool_]:
        """Which paths start at something that speaks for a product and are made of facts that are certain enough to be told."""
        good = ~np.isin(columns.start, sorted(asker.against)) if asker.against else np.ones(len(columns.value), bool)
        for number, kind in enumerate(columns.kinds):
            if not any(self._doubts(edge) for edge, _, _ in kind):
                continue
            of_kind = np.flatnonzero(columns.kind == number)
            doubts = self._doubts(kind[-1][0])
            rows = zip(
                of_kind.tolist(), *(column[of_kind].tolist() for column in (columns.start, columns.entities, columns.end)), strict=True
            )
            for place, start, entities, end in rows:
                passed = columns.tables[0](entities)
                if len(kind) == 2 and len(passed) == 1 and start >= 0:
                    good[place] = (start, passed[0]) not in doubts and (end, passed[0]) not in doubts
                else:
                    good[place] = self._told_surely(columns.part(place))
        return good

    def _told_surely(self, part: PathPart) -> bool:
        at = part.history_row
        for hop in part.hops:
            ends = (at, hop.row) if hop.direction == "out" else (hop.row, at)
            if not hop.derived and at is not None and ends in self._doubts(str(hop.edge)):
                return False
            at = hop.row
        return True

    def _find_doubts(self, edge: str) -> frozenset[tuple[int, int]]:
        """Ends of the edges of a relation that are less certain than `MIN_CONFIDENCE`; of a new product too."""
        new = [
            (NEW_ROW, row)
            for (name, key), fact in self._new_facts.items()
            if name == edge and fact.strongest.confidence < MIN_CONFIDENCE and (row := self._snapshot.entities.find(key)) is not None
        ]
        edges = self._snapshot.edges.get(edge)
        if edges is None:
            return frozenset(new)
        low = np.flatnonzero(edges.confidence < MIN_CONFIDENCE)
        return frozenset([*zip(edges.source_rows[low].tolist(), edges.target_rows[low].tolist(), strict=True), *new])

    def _path(self, group: Group, asker: Asker) -> Path:
        lead, product = group.lead, self._product
        start = asker.asked_row if lead.history_row is None else lead.history_row
        nodes, edges = [], []
        if asker.start is not None:
            nodes.append(asker.start)
        if start is not None:
            if asker.start is not None:
                edges.append(asker.events.get(start) or Edge(Rel.BOUGHT, "out"))
            nodes.append(product(start))
        at = start
        for place, hop in enumerate(lead.hops):
            beside = [member.start for member in group.told[1:]] if place == 0 else []
            words = self._readable(group.words(place), (at, *beside), hop, asker) if hop.edge in _WORDED else ()
            edges.append(self._edge(at, hop, words))
            nodes.append(product(hop.row) if hop.kind == "item" else self._entity(hop.row))
            at = hop.row
        also = self._also(group.members[1:], asker)
        return Path(group.contribution, lead.view, str(lead.relation), tuple(nodes), tuple(edges), also, told=len(group.told) - 1)

    def _also(self, members: Sequence[Member], asker: Asker) -> tuple[Also, ...]:
        """The other members of a group: a list of ten has hundreds."""
        product, at = self._product, asker.asked_row
        other = asker.start if at is None else product(at)
        assert other is not None  # a path starts at a product or at the words that were asked
        return tuple(
            [
                Also(
                    other if member.start is None else product(member.start),
                    member.contribution,
                    tuple([product(row) for row in member.between]) if member.met >= 0 else (),
                )
                for member in members
            ]
        )

    def _readable(self, words: tuple[str, ...], from_rows: Sequence[int | None], hop: Hop, asker: Asker) -> tuple[str, ...]:
        """Words that tell a reader something, as the texts have them.

        A pair that no reader finds ("base water" of "Base, Water Resist" is none, "can opener" is one) is told word by word, and what
        every title has ("and", "for") not at all: a likeness that nothing else carries is told without words.
        """
        names = [self._product(row).name if row is not None else asker.start.name if asker.start is not None else "" for row in from_rows]
        texts = [" ".join(text.casefold().split()) for text in (*names, self._product(hop.row).name)] if hop.kind == "item" else []
        there = [word for term in words for word in ([term] if all(term in text for text in texts) else term.split())]
        whole = [word for word in there if word in words or all(word in text for text in texts)] or words
        bare = [" ".join(part for part in word.split() if part not in COMMON) for word in whole]
        told = quoted(tuple(dict.fromkeys(word for word in bare if word)), texts)
        return told or (words if hop.edge == Rel.MATCHES else ())

    def _edge(self, from_row: int | None, hop: Hop, words: tuple[str, ...]) -> Edge:
        if hop.edge in _WORDED:
            return Edge(hop.edge, hop.direction, words=words, derived=hop.derived)
        if hop.derived:
            return Edge(hop.edge, hop.direction, count=private_count(hop.count), derived=True)
        evidence, pieces = self._evidence(from_row, hop.row, str(hop.edge), hop.direction)
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

    def _find_evidence(self, from_row: int | None, to_row: int, edge: str, direction: str) -> tuple[Evidence | None, int]:
        """The strongest evidence of a fact, and how many pieces it has."""
        if from_row is None:
            return None, 1
        source, target = (from_row, to_row) if direction == "out" else (to_row, from_row)
        if source == NEW_ROW:
            fact = self._new_facts.get((edge, self._snapshot.entities.key(target)))
            return (None, 1) if fact is None else (fact.strongest, len(fact.evidence))
        edges = self._snapshot.edges.get(edge)
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


def _choose(found: Sequence[Found], limit: int) -> list[Found]:
    """The strongest first, then the strongest of another kind: a second of a kind counts half, a third a quarter.

    Args:
        found: groups of one score, the strongest first.
        limit: how many.
    """
    left = list(found)
    chosen: list[Found] = []
    while left and len(chosen) < limit:
        kinds = [one.kind for one in chosen]
        best, most = left[0], 0.0
        for one in left:
            if one.contribution <= most:
                break  # no other can count for more than this one adds
            worth = one.contribution * ALIKE ** (kinds.count(one.kind) + one.detour)
            best, most = (one, worth) if worth > most else (best, most)
        left.remove(best)
        chosen.append(best)
    return sorted(chosen, key=lambda one: -one.contribution)


def _detours(columns: Columns, asker: Asker) -> NDArray[np.bool_]:
    """Which paths pass a product that the asker has."""
    met = columns.tables[1]
    passing = np.array([any(row in asker.events for row in met(place)) for place in np.unique(columns.between).tolist()], bool)
    return passing[np.searchsorted(np.unique(columns.between), columns.between)] if len(passing) else np.zeros(len(columns.value), bool)


def _rest_of(parts: Parts) -> Rest:
    return Rest(0.0, parts.text, parts.popularity, parts.latent, parts.baseline)


def private_count(count: int | None) -> int | Literal["others"] | None:
    """How many people may be told: the number from five on, else "others"."""
    if count is None:
        return None
    return count if count >= PRIVATE_BELOW else "others"
