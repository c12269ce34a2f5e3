"""Delete and score again: what a fact or an event was worth, found by taking it out of the graph and ranking the whole catalogue anew.

Nothing is trained again: the weights of the fusion and the parameters of the GNN stay. Everything that is counted from the graph is
counted again: idf and row lengths of the relation, people in common, the share of a product in the norm of a history, the vector and
the norm of the product in the GNN. Subtracting the contribution instead would prove nothing: it would only repeat the claim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnn.embeddings import EmbeddingTable, TowerSide
from kg.digest import digest_bytes
from kg.errors import InputError, StateError, UsageError
from kg.model import Evidence
from kg.ontology import Family, Rel, relation
from kg.seeds import generator
from kg.snapshot import Edges, GraphSnapshot
from recommend.coldstart import event_edges
from recommend.parts import Parts, PathPart
from recommend.result import printed
from recommend.scorer import Scorer
from recommend.views.base import View
from recommend.views.co_bought import CoBoughtSimilarView, CoBoughtView, buyers_of, co_bought
from recommend.views.facts import FactView
from recommend.views.gnn import GnnView
from recommend.views.popular import popularity
from recommend.views.transitions import NextBoughtView, transitions

HYPOTHESIS = Evidence("hypothesis", 0, 0, "", "what-if", 1.0)


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


# The graph, changed ----------------------------------------------------------------------------------------------------


def without_event(scorer: Scorer, user_row: int, item_row: int) -> Scorer:
    """The scorer of a graph in which a person never had a product.

    Raises:
        StateError: there is no such event.
    """
    log = scorer.snapshot.events
    gone = (log.user_rows == user_row) & (log.item_rows == item_row)
    if not gone.any():
        raise StateError("There is no such event to take out.")
    graph = scorer.snapshot.with_events(log.take(~gone), f"without {user_row} {item_row}")
    seen = graph.item_event_counts > 0
    bought = CoBoughtView(co_bought(graph.interactions), buyers_of(graph.interactions))
    made: dict[str, View] = {}
    for name, view in scorer.views.items():
        if isinstance(view, CoBoughtView):
            made[name] = bought
        elif isinstance(view, CoBoughtSimilarView):
            made[name] = CoBoughtSimilarView(bought, view.near, view.words)
        elif isinstance(view, NextBoughtView):
            made[name] = NextBoughtView(*transitions(graph.events, graph.n_items))
        elif isinstance(view, GnnView):
            made[name] = GnnView(view.table, seen, view.words)
        else:
            made[name] = view
    return Scorer(graph, made.values(), popularity(graph.interactions), scorer.weights, scorer.words, scorer.text, scorer.digest)


def with_facts(scorer: Scorer, relation_name: str, item_row: int, entity_rows: Sequence[int]) -> Scorer:
    """The scorer of a graph in which a product has exactly these entities of one relation.

    Args:
        relation_name: of the facts.
        item_row: the product.
        entity_rows: where they point; the others of that relation are gone.
    """
    graph = _changed(scorer.snapshot, relation_name, item_row, entity_rows)
    made: dict[str, View] = {}
    for name, view in scorer.views.items():
        if isinstance(view, FactView) and view.relation == relation_name:
            made[name] = FactView.build(graph, relation_name)
        elif isinstance(view, GnnView):
            made[name] = GnnView(changed_table(view.table, graph, item_row), view.seen, view.words)
        else:
            made[name] = view
    return Scorer(graph, made.values(), scorer.popularity, scorer.weights, scorer.words, scorer.text, scorer.digest)


def _changed(graph: GraphSnapshot, relation_name: str, item_row: int, entity_rows: Sequence[int]) -> GraphSnapshot:
    edges = graph.edges.get(relation_name)
    if edges is None:
        raise InputError(f"The graph has no facts of {relation_name}.", f"It has {', '.join(graph.facts())}.")
    kept = edges.take((edges.source_rows != item_row) | np.isin(edges.target_rows, np.asarray(entity_rows, np.int32)))
    new = sorted(set(entity_rows) - set(edges.targets_of(item_row).tolist()))
    changed = {**graph.edges, relation_name: _adding(kept, item_row, new)}
    tag = f"{relation_name} of {item_row}: {sorted(entity_rows)}"
    return replace(graph, edges=changed, digest=digest_bytes(graph.digest.encode(), tag.encode()))


def _adding(edges: Edges, item_row: int, entity_rows: Sequence[int]) -> Edges:
    """The edges with hypothetical ones."""
    if not entity_rows:
        return edges
    import pyarrow as pa

    sources = np.concatenate([edges.source_rows, np.full(len(entity_rows), item_row, np.int32)])
    targets = np.concatenate([edges.target_rows, np.asarray(entity_rows, np.int32)])
    row = {
        "field": HYPOTHESIS.field,
        "span_start": 0,
        "span_end": 0,
        "text": "",
        "extractor": HYPOTHESIS.extractor,
        "run": "",
        "evidence_count": 1,
    }
    schema = edges.evidence.schema
    more = pa.Table.from_pylist([{name: row.get(name) for name in schema.names}] * len(entity_rows), schema=schema)
    order = np.lexsort((targets, sources))
    return Edges(
        edges.relation,
        sources[order],
        targets[order],
        np.concatenate([edges.confidence, np.ones(len(entity_rows), np.float32)])[order],
        pa.concat_tables([edges.evidence, more]).take(pa.array(order)),
    )


def changed_table(table: EmbeddingTable, graph: GraphSnapshot, item_row: int) -> EmbeddingTable:
    """The embeddings with one product's entity component and norm made from the facts of another graph; all else stays.

    The text and identity components are those of the fit times their old norm, over the new one.
    """
    rows, places, weights = [], [], []
    for place, name in enumerate(table.relations):
        own = graph.edges[name].targets_of(item_row) if name in graph.edges else np.empty(0, np.int32)
        idf = table.entity_idf[place, own].astype(np.float64)
        length = float(np.sqrt((idf**2).sum()))
        rows.append(own)
        places.append(np.full(len(own), place, np.int32))
        weights.append(idf / length if length > 1e-12 else idf)
    entity_rows, relation_places = np.concatenate([*rows, []]).astype(np.int32), np.concatenate([*places, []]).astype(np.int32)
    amounts = np.concatenate([*weights, []]).astype(np.float32)
    edges = _spliced(table, item_row, entity_rows, relation_places, amounts)
    source, source_side = _row_again(table.source, table.source_side, item_row, (entity_rows, relation_places, amounts))
    target, target_side = _row_again(table.target, table.target_side, item_row, (entity_rows, relation_places, amounts))
    return replace(table, source=source, target=target, source_side=source_side, target_side=target_side, edges=edges)


Own = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]


def _spliced(table: EmbeddingTable, item_row: int, *own: NDArray[Any]) -> Any:
    """The product → entity edges with those of one product exchanged."""
    edges = table.edges
    low, high = int(edges.starts[item_row]), int(edges.starts[item_row + 1])
    starts = edges.starts.copy()
    starts[item_row + 1 :] += len(own[0]) - (high - low)
    old = (edges.entity_rows, edges.relation_places, edges.weights)
    whole = [np.concatenate([column[:low], new, column[high:]]) for column, new in zip(old, own, strict=True)]
    return type(edges)(starts, *whole)


def _row_again(parts: Mapping[str, NDArray[np.float32]], side: TowerSide, item_row: int, own: Own) -> tuple[Any, TowerSide]:
    entity_rows, relation_places, amounts = own
    norm = float(side.norms[item_row])
    raw = {name: part[item_row].astype(np.float64) * norm for name, part in parts.items()}
    scale = amounts.astype(np.float64) * side.relation_weights[relation_places]
    raw["entity"] = (scale[:, None] * side.entity_vectors[entity_rows]).sum(axis=0)
    length = float(np.linalg.norm(np.sum(list(raw.values()), axis=0))) or 1.0
    changed = {}
    for name, part in parts.items():
        changed[name] = np.array(part)
        changed[name][item_row] = raw[name] / length
    norms = np.array(side.norms)
    norms[item_row] = length
    return changed, replace(side, norms=norms)


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
        scores = scorer.score(self._profile(scorer, self.history if history is None else history))
        above = (scores > scores[self.item_row]) | ((scores == scores[self.item_row]) & (np.arange(len(scores)) < self.item_row))
        return int((above & self.allowed).sum()) + 1, float(scores[self.item_row])

    def without(self, fact: Fact) -> tuple[int, float]:
        """Rank and score with a fact or event taken out."""
        if fact.entity_row is not None:
            edges = self.scorer.snapshot.edges[fact.relation]
            kept = [row for row in edges.targets_of(fact.item_row).tolist() if row != fact.entity_row]
            return self.rank(with_facts(self.scorer, fact.relation, fact.item_row, kept))
        if self.user_row is None:
            return self.rank(self.scorer, [row for row in self.history if row != fact.item_row])
        return self.rank(without_event(self.scorer, self.user_row, fact.item_row))

    def told(self, fact: Fact) -> Mapping[str, str]:
        """A fact as JSON values."""
        graph = self.scorer.snapshot
        item = graph.items.key(fact.item_row)
        if fact.entity_row is not None:
            return {"type": fact.relation, "from": item, "to": graph.entities.key(fact.entity_row)}
        return {"type": fact.relation, "from": "session" if self.user_row is None else graph.users.key(self.user_row), "to": item}


def facts_of(case: Case, parts: Parts) -> dict[Fact, float]:
    """Everything that can be taken out, and what all paths through it add: the candidate's facts and the events of the history."""
    events = event_edges(case.scorer.snapshot.events.of_user(case.user_row)) if case.user_row is not None else {}
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


def check(case: Case, seed: int = 0) -> Check:
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

    before, _ = case.rank(case.scorer)
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
