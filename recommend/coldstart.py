"""Which branch answers a question: who or what is known of the asker, and what to do where nothing is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kg.events import NO_TIME, EventLog, last_word_is_no
from kg.ontology import EVENT_RELATIONS, Label, Rel, relation_name
from kg.snapshot import GraphSnapshot
from recommend.explain import Asker
from recommend.history import History
from recommend.path import Edge, Node
from recommend.profile import Branch, Profile
from recommend.query import query
from recommend.request import QUERY_KEY, SESSION_KEY, Repeat, Request
from recommend.scorer import Scored, Scorer
from recommend.wording import Voice

_DAY = 86_400
_NOT_OWNED = (Rel.VIEWED, Rel.CARTED)  # kinds of events after which a person does not have the product yet
_NONE = np.empty(0, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A request as the scorer understands it.

    Args:
        branch: how it is answered.
        scored: scores of all products.
        asker: where paths start.
        owned: int32, item rows that must not come back.
        fallback: why it is not answered the usual way, or None.
        only_matches: whether a product that scores nothing is no answer at all.
        history: what the scores are sums over; None where they are none.
    """

    branch: Branch
    scored: Scored
    asker: Asker
    owned: NDArray[np.int32] = field(default_factory=lambda: _NONE)
    fallback: str | None = None
    only_matches: bool = False
    history: History | None = None


def question(request: Request, scorer: Scorer) -> Question:
    """The question of a request about products of the graph (everything but a new product).

    Raises:
        UnknownKeyError: a person or product that the graph does not have; near ones are suggested.
    """
    graph = scorer.snapshot
    if request.user_key is not None:
        return _person(scorer, graph.users.row(request.user_key), request)
    if request.history is not None:
        return _session(scorer, [graph.items.row(key) for key in request.history], request.repeat)
    if request.item_key is not None:
        row = graph.items.row(request.item_key)
        profile = scorer.similar(row)
        asker = Asker("item", None, asked_row=row)
        owned = np.array([row], np.int32)
        return Question(Branch.SIMILAR, _scored(scorer, profile), asker, owned, only_matches=True, history=History(profile))
    return _text(scorer, request.text or "")


def _scored(scorer: Scorer, profile: Profile) -> Scored:
    return Scored(lambda: scorer.score(profile), lambda row: scorer.parts(profile, row))


def _person(scorer: Scorer, user_row: int, request: Request) -> Question:
    events = scorer.snapshot.events.of_user(user_row)
    border = scorer.snapshot.rating_border
    asker = person("you", scorer.snapshot, user_row)
    profile = scorer.user_profile(user_row)
    if not len(profile.item_rows):
        return _popular(scorer, asker, f"Nothing is known of {request.user_key} yet, so these are the products that most people buy.")
    return Question(profile.branch, _scored(scorer, profile), asker, not_again(events, request.repeat, border), history=History(profile))


def _session(scorer: Scorer, item_rows: list[int], repeat: Repeat) -> Question:
    asker = Asker("session", Node(Label.USER, SESSION_KEY), {row: Edge(Rel.BOUGHT, "out", count=1) for row in item_rows})
    if not item_rows:
        return _popular(scorer, asker, "The history is empty, so these are the products that most people buy.")
    owned = _NONE if repeat is Repeat.YES else np.array(item_rows, np.int32)
    profile = scorer.session_profile(item_rows)
    return Question(Branch.SESSION, _scored(scorer, profile), asker, owned, history=History(profile))


def _text(scorer: Scorer, text: str) -> Question:
    scored = query(scorer, text)
    asker = Asker("text", Node(Label.QUERY, QUERY_KEY, text))
    if scored.fallback is not None:
        return Question(Branch.POPULAR, scored, asker, fallback=scored.fallback)
    return Question(Branch.TEXT, scored, asker, only_matches=True)


def _popular(scorer: Scorer, asker: Asker, fallback: str) -> Question:
    return Question(Branch.POPULAR, scorer.popular(), asker, fallback=fallback)


def person(voice: Voice, graph: GraphSnapshot, user_row: int) -> Asker:
    """Someone of the graph as the one who asks."""
    edges = EventEdges(graph.events.of_user(user_row), graph.rating_border)
    return Asker(voice, Node(Label.USER, graph.users.key(user_row)), edges, against=edges.against)


def not_again(events: EventLog, repeat: Repeat, rating_border: float | None = None) -> NDArray[np.int32]:
    """Item rows (int32) that a person has and does not want back.

    With `auto` a product that was bought on two days or more may come again: it is one that runs out. What the last word of is no
    never comes back by itself.
    """
    against = events.against(rating_border)
    rows, places = np.unique(events.item_rows, return_inverse=True)
    refused = rows[last_word_is_no(against, events.times, places, len(rows))].astype(np.int32)
    if repeat is Repeat.YES:
        return refused
    waiting = [place for place, kind in enumerate(events.kind_names) if event_relation(kind) in _NOT_OWNED]
    had = events.take(~np.isin(events.kinds, waiting))
    owned = np.unique(had.item_rows).astype(np.int32)
    if repeat is Repeat.NO:
        return owned
    days = had.times // _DAY if had.timed else had.times
    pairs = np.unique(np.stack([had.item_rows.astype(np.int64), days], axis=1), axis=0) if len(had) else np.empty((0, 2), np.int64)
    rows, counts = np.unique(pairs[:, 0], return_counts=True)
    return np.union1d(rows[counts < 2], refused).astype(np.int32)


def event_relation(kind: str) -> str:
    """The relation that a kind of event becomes."""
    return EVENT_RELATIONS.get(kind) or relation_name(kind)


class EventEdges(Mapping[int, Edge]):
    """Item row → the edge from one person to it: the weightiest kind of event, how often, and when last. An edge is made when asked for.

    Args:
        events: of one person.
        rating_border: as in `EventLog.against`.

    Where the last word on a product is no, the edge is the event that said so.
    """

    def __init__(self, events: EventLog, rating_border: float | None = None) -> None:
        order = {str(name): place for place, name in enumerate((Rel.BOUGHT, Rel.RATED, Rel.CARTED, Rel.VIEWED))}
        names = [event_relation(kind) for kind in events.kind_names]
        # A kind that only this shop knows counts like a purchase; of two such the later one in the log's list.
        weight = np.array([(order.get(name, 0) + 1) * len(names) - 1 - place for place, name in enumerate(names)], np.int64)
        self._names, self._timed = names, events.timed
        rows, places = np.unique(events.item_rows, return_inverse=True)
        against = events.against(rating_border)
        refused = last_word_is_no(against, events.times, places, len(rows))
        said = against == refused[places]
        best = np.full(len(rows), len(order) * len(names))
        np.minimum.at(best, places[said], weight[events.kinds[said]])
        told = said & (weight[events.kinds] == best[places])
        self.against = frozenset(rows[refused].tolist())
        count = np.bincount(places[told], minlength=len(rows))
        last = np.full(len(rows), NO_TIME, np.int64)
        np.maximum.at(last, places[told], events.times[told])
        columns = (-1 - best % max(len(names), 1), count, last)
        self._found = dict(zip(rows.tolist(), zip(*(column.tolist() for column in columns), strict=True), strict=True))
        self._made: dict[int, Edge] = {}

    def __getitem__(self, row: int) -> Edge:
        if row not in self._made:
            kind, count, last = self._found[row]
            self._made[row] = Edge(
                self._names[kind], "out", count=count, last=_date(last) if self._timed else None, against=row in self.against
            )
        return self._made[row]

    def __contains__(self, row: object) -> bool:
        return row in self._found

    def __iter__(self) -> Iterator[int]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


@lru_cache(4096)
def _date(time: int) -> str | None:
    return None if time == NO_TIME else datetime.fromtimestamp(time, UTC).date().isoformat()


def people_of(snapshot: GraphSnapshot, item_row: int) -> int:
    """How many people had a product."""
    return int(np.unique(snapshot.events.user_rows[snapshot.events.item_rows == item_row]).size)
