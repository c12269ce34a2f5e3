"""Delete and score again: what a fact or an event was worth, found by taking it out of the graph and ranking the whole catalogue anew.

What is counted again and what stays is told in `recommend.changed`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kg.errors import InputError, UsageError
from kg.model import Fact as StatedFact
from kg.model import Product
from kg.ontology import Family, Rel, relation
from kg.seeds import generator
from recommend.changed import Pair, text_of_pairs, with_facts, without_event, without_pairs
from recommend.coldstart import EventEdges
from recommend.new_product import new_product
from recommend.parts import Parts, PathPart
from recommend.path import printed
from recommend.scorer import Scorer
from recommend.views.base import NEW_ROW


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that can be taken out of the graph, by rows.

    Args:
        relation: of the edge; of an event, the relation that it became.
        item_row: the candidate (of a fact) or the history product (of an event).
        entity_row: where a fact points; None for an event.
    """

    relation: str
    item_row: int
    entity_row: int | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One deletion.

    Args:
        fact: what was taken out, as JSON values: type, from, to.
        contribution: what all paths through it added.
        rank_after, score_after: of the product, afterwards.
    """

    fact: Mapping[str, str]
    contribution: float
    rank_after: int
    score_after: float

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "fact": dict(self.fact),
            "contribution": printed(self.contribution),
            "rank_after": self.rank_after,
            "score_after": printed(self.score_after),
        }


@dataclass(frozen=True, slots=True)
class Check:
    """The strongest fact or event taken out, beside a random one and the weakest.

    Args:
        rank_before: of the product.
        deleted, random, weakest: the deletions; None where there is no other that adds anything.
    """

    rank_before: int
    deleted: Trial
    random: Trial | None
    weakest: Trial | None

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `clew explain --check`."""
        return {
            "deleted": {"fact": dict(self.deleted.fact), "contribution": printed(self.deleted.contribution)},
            "rank_before": self.rank_before,
            "rank_after": self.deleted.rank_after,
            "score_after": printed(self.deleted.score_after),
            "random": None if self.random is None else self.random.to_dict(),
            "weakest": None if self.weakest is None else self.weakest.to_dict(),
        }


# Deletions -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A score whose reasons are put to the test.

    Args:
        scorer: that gave it.
        user_row: the person; None for a session.
        history: item rows of a session; empty for a person.
        item_row: the product.
        allowed: bool [n_items], what it competes with.
    """

    scorer: Scorer
    user_row: int | None
    history: tuple[int, ...]
    item_row: int
    allowed: NDArray[np.bool_]

    def parts(self) -> Parts:
        """The score taken apart."""
        return self.scorer.parts(self._profile(self.scorer, self.history), self.item_row)

    def _profile(self, scorer: Scorer, history: Sequence[int]) -> Any:
        return scorer.session_profile(history) if self.user_row is None else scorer.user_profile(self.user_row)

    def rank(self, scorer: Scorer, history: Sequence[int] | None = None) -> tuple[int, float]:
        """Rank and score of the product under another scorer, or another session."""
        return self.place(scorer.score(self._profile(scorer, self.history if history is None else history)))

    def scores(self) -> NDArray[np.float64]:
        """Scores of all products as they are (float64 [n_items])."""
        return self.scorer.score(self._profile(self.scorer, self.history))

    def rank_of_some(self, item_rows: NDArray[np.int32]) -> tuple[int, float]:
        """Rank and score when only these (int32) products of the history are left, with the weights that they have."""
        whole = self._profile(self.scorer, self.history)
        left = np.isin(whole.item_rows, item_rows)
        return self.place(self.scorer.score(replace(whole, item_rows=whole.item_rows[left], weights=whole.weights[left])))

    def place(self, scores: NDArray[np.float64]) -> tuple[int, float]:
        """Rank and score of the product among scores of all products (float64 [n_items])."""
        above = (scores > scores[self.item_row]) | ((scores == scores[self.item_row]) & (np.arange(len(scores)) < self.item_row))
        return int((above & self.allowed).sum()) + 1, float(scores[self.item_row])

    def without(self, fact: Fact) -> tuple[int, float]:
        """Rank and score with a fact or event taken out."""
        if fact.entity_row is not None:
            return self.rank(self._less(fact.relation, [fact.entity_row], self.scorer))
        if self.user_row is None:
            return self.rank(self.scorer, [row for row in self.history if row != fact.item_row])
        return self.rank(without_event(self.scorer, self.user_row, fact.item_row))

    def _less(self, relation_name: str, entity_rows: Sequence[int], scorer: Scorer) -> Scorer:
        edges = scorer.snapshot.edges[relation_name]
        kept = [row for row in edges.targets_of(self.item_row).tolist() if row not in entity_rows]
        return with_facts(scorer, relation_name, self.item_row, kept)

    def without_paths(self, paths: Sequence[PathPart]) -> tuple[int, float]:
        """Rank and score with the edges of some paths taken out, and with them every other path through them.

        These are facts of the product and edges between two products; the events of the history stay.
        """
        facts: dict[str, list[int]] = {}
        pairs: set[Pair] = set()
        for path in paths:
            at = path.history_row
            for hop in path.hops:
                if hop.kind == "item" and at is not None:
                    pairs.add((str(hop.edge), at, hop.row) if hop.direction == "out" else (str(hop.edge), hop.row, at))
                at = hop.row if hop.kind == "item" else None
            for fact in _through(path, self.item_row):
                if fact.entity_row is not None:
                    facts.setdefault(fact.relation, []).append(fact.entity_row)
        scorer = self.scorer
        for relation_name, entity_rows in facts.items():
            scorer = self._less(relation_name, entity_rows, scorer)
        if pairs:
            scorer = without_pairs(scorer, sorted(pairs))
        profile = self._profile(scorer, self.history)
        scores = scorer.score(profile)
        weights = self.scorer.weights.branch(profile.branch)
        for (_, row), value in text_of_pairs(self.scorer, sorted(pairs), profile.item_rows, profile.weights).items():
            scores[row] -= weights.of("gnn", bool(self.scorer.seen[row])) * value
        return self.place(scores)

    def before(self) -> tuple[int, float]:
        """Rank and score as they are."""
        return self.rank(self.scorer)

    def told(self, fact: Fact) -> Mapping[str, str]:
        """A fact as JSON values."""
        graph = self.scorer.snapshot
        item = graph.items.key(fact.item_row)
        if fact.entity_row is not None:
            return {"type": fact.relation, "from": item, "to": graph.entities.key(fact.entity_row)}
        return {"type": fact.relation, "from": "session" if self.user_row is None else graph.users.key(self.user_row), "to": item}


@dataclass(frozen=True, slots=True, eq=False)
class NewCase:
    """A person's score for a product that the graph does not have; its rank is among the products that the person may be shown.

    Args:
        scorer: that gave it.
        user_row: the person.
        product, facts: the product, and what was read out of it.
        allowed: bool [n_items], what it competes with.
    """

    scorer: Scorer
    user_row: int
    product: Product
    facts: tuple[StatedFact, ...]
    allowed: NDArray[np.bool_]
    item_row: int = NEW_ROW

    def parts(self) -> Parts:
        """The score taken apart."""
        return new_product(self.scorer, self.product, self.facts).users.parts(self.user_row)

    def before(self) -> tuple[int, float]:
        """Rank and score as they are."""
        return self._rank(self.scorer, self.facts)

    def _rank(self, scorer: Scorer, facts: Sequence[StatedFact]) -> tuple[int, float]:
        score = float(new_product(scorer, self.product, facts).users.scores[self.user_row])
        others = scorer.score(scorer.user_profile(self.user_row))
        return int(((others > score) & self.allowed).sum()) + 1, score

    def without(self, fact: Fact) -> tuple[int, float]:
        """Rank and score with a fact or event taken out."""
        if fact.entity_row is None:
            return self._rank(without_event(self.scorer, self.user_row, fact.item_row), self.facts)
        key = self.scorer.snapshot.entities.key(fact.entity_row)
        return self._rank(self.scorer, [one for one in self.facts if (one.relation.name, one.target_key) != (fact.relation, key)])

    def told(self, fact: Fact) -> Mapping[str, str]:
        """A fact as JSON values."""
        graph = self.scorer.snapshot
        if fact.entity_row is not None:
            return {"type": fact.relation, "from": self.product.key, "to": graph.entities.key(fact.entity_row)}
        return {"type": fact.relation, "from": graph.users.key(self.user_row), "to": graph.items.key(fact.item_row)}


def facts_of(case: Case | NewCase, parts: Parts) -> dict[Fact, float]:
    """Everything that can be taken out, and what all paths through it add: the candidate's facts and the events of the history."""
    graph = case.scorer.snapshot
    events = EventEdges(graph.events.of_user(case.user_row), graph.rating_border) if case.user_row is not None else {}
    found: dict[Fact, list[float]] = {}
    for path in parts.paths:
        for fact in _through(path, case.item_row):
            edge = events.get(fact.item_row)
            named = replace(fact, relation=edge.relation) if fact.entity_row is None and edge is not None else fact
            found.setdefault(named, []).append(path.contribution)
    return {fact: math.fsum(values) for fact, values in found.items()}


def _through(path: PathPart, item_row: int) -> list[Fact]:
    made = []
    last = path.hops[-1]
    if len(path.hops) > 1 and not last.derived and relation(str(last.edge)).family is Family.FACT:
        made.append(Fact(str(last.edge), item_row, path.hops[-2].row))
    if path.history_row is not None:
        made.append(Fact(str(Rel.BOUGHT), path.history_row))
    return made


def check(case: Case | NewCase, seed: int = 0) -> Check:
    """Take out what adds most, something at random, and what adds least, each by itself, and rank the whole catalogue again.

    Raises:
        UsageError: nothing that adds to the score can be taken out.
    """
    adds = {fact: value for fact, value in facts_of(case, case.parts()).items() if value > 0}
    if not adds:
        raise UsageError("No fact and no event adds to this score, so there is nothing to take out.", "Ask for a recommended product.")
    order = sorted(adds, key=lambda fact: (-adds[fact], fact.relation, fact.item_row, fact.entity_row or -1))
    others = order[1:]

    def trial(fact: Fact) -> Trial:
        rank, score = case.without(fact)
        return Trial(case.told(fact), adds[fact], rank, score)

    before, _ = case.before()
    chosen = others[int(generator(seed, "deletion").integers(len(others)))] if others else None
    return Check(before, trial(order[0]), None if chosen is None else trial(chosen), trial(others[-1]) if others else None)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A product as it is and with one more fact."""

    fact: Mapping[str, str]
    rank_before: int
    rank_after: int
    score_before: float
    score_after: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON of `clew explain --what-if`."""
        return {
            "fact": dict(self.fact),
            "rank_before": self.rank_before,
            "rank_after": self.rank_after,
            "score_before": printed(self.score_before),
            "score_after": printed(self.score_after),
        }


def what_if(case: Case, statement: str) -> WhatIf:
    """The rank that a product would have if one more fact held: `MADE_OF=material:cotton`.

    Raises:
        UsageError: the statement is not RELATION=KEY.
        UnknownKeyError: the graph has no entity of that key; near ones are suggested.
        InputError: the graph has no facts of that relation.
    """
    name, sign, key = statement.partition("=")
    if not sign or not name.strip() or not key.strip():
        raise UsageError(f"{statement!r} is no fact.", 'Write it like "MADE_OF=material:cotton".')
    graph = case.scorer.snapshot
    relation_name, entity_row = name.strip().upper(), graph.entities.row(key.strip())
    known, label = relation(relation_name), graph.entity_label(entity_row)
    if known.target is not label:
        raise InputError(f"{relation_name} does not point to a {label}.", f"It points to a {known.target}.")
    edges = graph.edges.get(relation_name)
    own = [] if edges is None else edges.targets_of(case.item_row).tolist()
    before, after = case.rank(case.scorer), case.rank(with_facts(case.scorer, relation_name, case.item_row, [*own, entity_row]))
    return WhatIf(case.told(Fact(relation_name, case.item_row, entity_row)), before[0], after[0], before[1], after[1])
