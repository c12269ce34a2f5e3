"""A score's paths as one Cypher query: what an analyst pastes into Neo4j Browser finds the paths that the shopper saw, with what each adds.

The query finds the paths in the graph; the model's numbers come in as parameters, one weight an edge: a path by a shared entity adds the
product of the weights of its two facts (in the view of the relation and in the GNN), and what others bought is summed from their purchases
as `recommend/views/co_bought.py` has it. Likeness of texts and what people bought later are no edges of the graph: what they add is passed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kg.errors import UsageError
from kg.ontology import Family, Rel, relation
from recommend.arrays import entries, entry
from recommend.coldstart import event_relation
from recommend.history import History
from recommend.ledger import Ledger
from recommend.profile import Profile
from recommend.scorer import Scorer
from recommend.views.co_bought import SHRINK, CoBoughtSimilarView, CoBoughtView
from recommend.views.facts import FactView
from recommend.views.gnn import GnnView

SHOP = (Rel.HAS_BRAND, Rel.MADE_OF, Rel.IN_CATEGORY, Rel.HAS_COLOR, Rel.HAS_SIZE, Rel.IN_PRICE_BAND)

_FACT = """\
MATCH (i:Product {key: $item})
WITH i
MATCH (i)-[:%(relation)s]->(x:%(label)s)
UNWIND $own AS own
WITH x, own WHERE own.relation = '%(relation)s' AND own.key = x.key
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)-[:%(relation)s]->(y:%(label)s)
WHERE y.key = x.key
UNWIND $had AS had
WITH b, x, own, had WHERE had.relation = '%(relation)s' AND had.key = b.key AND had.entity = x.key
RETURN '%(relation)s' AS relation, b.key AS bought, b.title AS title, x.key AS via, x.name AS name,
       had.stated * own.stated + had.learnt * own.learnt AS contribution"""
_LINK = """\
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)%(left)s[:%(relation)s]%(right)s(i:Product {key: $item})
UNWIND $links AS link
WITH b, link WHERE link.relation = '%(relation)s' AND link.direction = '%(direction)s' AND link.key = b.key
RETURN '%(relation)s' AS relation, b.key AS bought, b.title AS title, null AS via, null AS name, link.weight AS contribution"""
_BOTH = """\
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product)
MATCH (i:Product {key: $item})<-[:BOUGHT]-(o:User)
MATCH (o)-[:BOUGHT]->(b)
WHERE b.key <> $item
WITH DISTINCT b, o
MATCH (o)-[:BOUGHT]->(p:Product)
WITH b, o, count(p) AS products
WITH b, sum(1.0 / sqrt(products)) AS people
MATCH (b)<-[:BOUGHT]-(x:User)
WITH b, people, count(x) AS buyers
UNWIND $history AS h
WITH b, people, buyers, h WHERE h.key = b.key AND h.both <> 0
RETURN 'CO_BOUGHT' AS relation, b.key AS bought, b.title AS title, null AS via, null AS name,
       h.both * people / sqrt((buyers + $shrink) * ($buyers + $shrink)) AS contribution"""
_BRIDGE = """\
UNWIND $near AS n
MATCH (k:Product {key: n.key})<-[:BOUGHT]-(o:User)
MATCH (o)-[:BOUGHT]->(b:Product)
MATCH (u:User {key: $user})-[:BOUGHT]->(b)
WHERE b.key <> k.key
WITH DISTINCT b, k, o, n.weight AS near
MATCH (o)-[:BOUGHT]->(p:Product)
WITH b, k, near, o, count(p) AS products
WITH b, k, near, sum(1.0 / sqrt(products)) AS people
MATCH (b)<-[:BOUGHT]-(x:User)
WITH b, k, near, people, count(x) AS buyers
MATCH (k)<-[:BOUGHT]-(z:User)
WITH b, k, near, people, buyers, count(z) AS others
UNWIND $history AS h
WITH b, k, near, people, buyers, others, h WHERE h.key = b.key AND h.bridge <> 0
UNWIND h.met AS met
WITH b, k, near, people, buyers, others, h, met WHERE met = k.key
RETURN 'CO_BOUGHT' AS relation, b.key AS bought, b.title AS title, k.key AS via, k.title AS name,
       h.bridge * near * people / sqrt((buyers + $shrink) * (others + $shrink)) AS contribution"""
_FOUND = """\
UNWIND $found AS edge
MATCH (u:User {key: $user})-[:BOUGHT]->(b:Product {key: edge.key})
RETURN edge.relation AS relation, b.key AS bought, b.title AS title, null AS via, null AS name, edge.weight AS contribution"""


def query_text(relations: Iterable[str], links: Iterable[str] = ()) -> str:
    """The query over facts of these relations and stated links of those."""
    blocks = [_FACT % {"relation": name, "label": relation(name).target} for name in relations]
    for name in links:
        blocks.append(_LINK % {"relation": name, "direction": "out", "left": "-", "right": "->"})
        blocks.append(_LINK % {"relation": name, "direction": "in", "left": "<-", "right": "-"})
    return "\nUNION ALL\n".join([*blocks, _BOTH, _BRIDGE, _FOUND])


def explaining_query(scorer: Scorer, user_row: int, item_row: int) -> tuple[str, dict[str, Any]]:
    """The query of one score, and its parameters.

    Raises:
        UsageError: people of this shop do more than buy, so what they did is not one relation of the graph.
    """
    graph = scorer.snapshot
    kinds = {event_relation(kind) for kind in np.array(graph.events.kind_names)[np.unique(graph.events.kinds)].tolist()}
    if kinds - {str(Rel.BOUGHT)}:
        raise UsageError(
            f"People of this graph also have {', '.join(sorted(kinds - {str(Rel.BOUGHT)}))}, and the query counts purchases alone.",
            "clew cypher run paths finds the paths without what they add.",
        )
    profile = scorer.user_profile(user_row)
    used = [view.relation for view in scorer.views.values() if isinstance(view, FactView)]
    stated = [str(name) for name in graph.links()]
    relations = [name for name in dict.fromkeys([*map(str, SHOP), *used]) if name in used]
    return query_text(relations, stated), parameters(scorer, profile, user_row, item_row)


def parameters(scorer: Scorer, profile: Profile, user_row: int, item_row: int) -> dict[str, Any]:
    """What the model knows of one score, edge by edge."""
    keys, graph = scorer.snapshot.items.key, scorer.snapshot
    weights, seen = scorer.weights.branch(profile.branch), bool(scorer.seen[item_row])
    amounts = dict(zip(profile.item_rows.tolist(), profile.weights.astype(np.float64).tolist(), strict=True))
    own, had = _facts(scorer, {name: weights.of(name, seen) for name in scorer.views}, amounts, item_row)
    bought = scorer.views.get("co_bought")
    bridge = scorer.views.get("co_bought_similar")
    near, met = _bridges(bridge, amounts, item_row) if isinstance(bridge, CoBoughtSimilarView) else ([], {})
    counted = bridge.bought if isinstance(bridge, CoBoughtSimilarView) else bought
    history = []
    for row, amount in amounts.items():
        there = isinstance(bought, CoBoughtView) and entry(bought.matrix, row, item_row) != 0
        both, over = (amount * weights.of(name, seen) for name in ("co_bought", "co_bought_similar"))
        history.append({"key": keys(row), "both": both if there else 0.0, "bridge": over, "met": [keys(k) for k in met.get(row, ())]})
    ledger = Ledger(scorer, History(profile), np.array([item_row], np.int32))
    found: dict[tuple[str, int], float] = {}
    links: list[dict[str, Any]] = []
    for run in ledger.runs:
        if len(run.kind) > 1:
            continue
        name, direction, _ = run.kind[0]
        for start, value in zip(run.start.tolist(), run.value.tolist(), strict=True):
            row = int(profile.item_rows[start])
            if relation(name).family is Family.LINK:
                links.append({"relation": name, "direction": direction, "key": keys(row), "weight": value})
            elif name != Rel.CO_BOUGHT:
                found[name, row] = found.get((name, row), 0.0) + value
    return {
        "user": graph.users.key(user_row),
        "item": keys(item_row),
        "history": history,
        "own": own,
        "had": had,
        "near": [{"key": keys(row), "weight": weight} for row, weight in near],
        "found": [{"relation": name, "key": keys(row), "weight": weight} for (name, row), weight in found.items()],
        "links": links,
        "buyers": int(np.bincount(graph.interactions.indices, minlength=graph.n_items)[item_row]),
        "shrink": counted.shrink if isinstance(counted, CoBoughtView) else SHRINK,  # without either view nothing reads it
    }


def _facts(
    scorer: Scorer, weights: Mapping[str, float], amounts: Mapping[int, float], item_row: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Weights of the candidate's facts, and of the same entities on the history's side."""
    graph = scorer.snapshot
    here: dict[tuple[str, int], list[float]] = {}
    there: dict[tuple[str, int, int], list[float]] = {}
    for name, view in scorer.views.items():
        if not weights[name]:
            continue
        if isinstance(view, FactView):
            for entity, value in zip(*(column.tolist() for column in entries(view.factor, item_row)), strict=True):
                here.setdefault((view.relation, entity), [0.0, 0.0])[0] = float(value)
            for row, amount in amounts.items():
                for entity, value in zip(*(column.tolist() for column in entries(view.factor, row)), strict=True):
                    there.setdefault((view.relation, row, entity), [0.0, 0.0])[0] = amount * weights[name] * float(value)
        elif isinstance(view, GnnView):
            spoken_to = view.entity_terms("target", item_row)
            length = {key: float(np.linalg.norm(term)) for key, term in spoken_to.items()}
            for key, value in length.items():
                here.setdefault(key, [0.0, 0.0])[1] = value
            for row, amount in amounts.items():
                for (known, entity), term in view.entity_terms("source", row).items():
                    if length.get((known, entity)):
                        along = float(term @ spoken_to[known, entity]) / length[known, entity]
                        there.setdefault((known, row, entity), [0.0, 0.0])[1] = amount * weights[name] * along
    keys, entity_key = graph.items.key, graph.entities.key
    own = [{"relation": name, "key": entity_key(entity), "stated": s, "learnt": g} for (name, entity), (s, g) in here.items() if s or g]
    had = [
        {"relation": name, "key": keys(row), "entity": entity_key(entity), "stated": s, "learnt": g}
        for (name, row, entity), (s, g) in there.items()
        if any(mine * theirs for mine, theirs in zip((s, g), here.get((name, entity), (0.0, 0.0)), strict=True))
    ]
    return own, had


def _bridges(
    view: CoBoughtSimilarView, amounts: Mapping[int, float], item_row: int
) -> tuple[list[tuple[int, float]], dict[int, Sequence[int]]]:
    """The products most like the candidate, and which of them each history product has an edge to."""
    rows, values = entries(view.near, item_row)
    met = {row: np.intersect1d(entries(view.bought.matrix, row)[0], rows).tolist() for row in amounts}
    return list(zip(rows.tolist(), values.astype(np.float64).tolist(), strict=True)), met


def paste(text: str, given: Mapping[str, Any]) -> list[str]:
    """Lines for Neo4j Browser: the parameters, then the query."""
    return [*(f":param {name} => {cypher_value(value)};" for name, value in given.items()), *text.strip().splitlines()]


def cypher_value(value: Any) -> str:
    """A value as Cypher writes it: JSON, but for the keys of maps."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {cypher_value(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(cypher_value, value)) + "]"
    return json.dumps(value)
