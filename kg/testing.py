"""Small graphs for tests: a snapshot straight from Python values, no files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from kg.digest import digest_json
from kg.events import NO_TIME, EventLog
from kg.model import Entity, Evidence, Fact, Product
from kg.ontology import relation
from kg.snapshot import Edges, GraphSnapshot
from kg.vocabulary import Vocabulary

EventRow = tuple[str, str] | tuple[str, str, int] | tuple[str, str, int, float, str]


def stated(source_key: str, relation_name: str, target: str, confidence: float = 1.0) -> Fact:
    """A fact that a column states: `stated("p1", "MADE_OF", "cotton")`."""
    found = relation(relation_name)
    evidence = Evidence("triples", 0, len(target), target, "triples", confidence)
    end: Entity | str = target if found.source == found.target and found.family == "link" else Entity(found.target, target)
    return Fact(source_key, found, end, (evidence,))


def snapshot_of(
    products: Mapping[str, str] | Sequence[Product],
    facts: Iterable[Fact] = (),
    events: Iterable[EventRow] = (),
    timed: bool = True,
) -> GraphSnapshot:
    """A snapshot of a few products (key → title, or `Product`s), facts and events (user, item, time?, value?, kind?)."""
    rows = [Product(k, t) for k, t in products.items()] if isinstance(products, Mapping) else list(products)
    rows.sort(key=lambda p: p.key.encode())
    facts, listed = list(facts), [_padded(event) for event in events]
    items = Vocabulary.of("product", [p.key for p in rows])
    users = Vocabulary.of("user", {event[0] for event in listed})
    known = {f.target.key: f.target for f in facts if isinstance(f.target, Entity)}
    entities = Vocabulary.of("entity", known)
    return GraphSnapshot(
        digest=digest_json([[p.key, p.title] for p in rows] + [[f.source_key, f.relation.name, f.target_key] for f in facts] + listed),
        users=users,
        items=items,
        products=_product_table(rows),
        entities=entities,
        entity_table=pa.table(
            {
                "label": pa.array([str(known[key].label) for key in entities], pa.string()),
                "name": pa.array([known[key].name for key in entities], pa.string()),
                "kind": pa.array([known[key].kind for key in entities], pa.string()),
            }
        ),
        edges=_edges(facts, items, entities),
        events=_log(listed, users, items, timed),
    )


def _padded(event: EventRow) -> tuple[str, str, int, float, str]:
    return (event[0], event[1], *(tuple(event[2:]) + (NO_TIME, 1.0, "purchase")[len(event) - 2 :]))  # type: ignore[return-value]


def _product_table(rows: Sequence[Product]) -> pa.Table:
    return pa.table(
        {
            "title": pa.array([p.title for p in rows], pa.string()),
            "price_low": pa.array([p.price.low if p.price else None for p in rows], pa.float64()),
            "price_high": pa.array([p.price.high if p.price else None for p in rows], pa.float64()),
            "currency": pa.array([p.price.currency if p.price else None for p in rows], pa.string()),
            "quantity": pa.array([None for _ in rows], pa.string()),
            "available": pa.array([p.available for p in rows], pa.bool_()),
        }
    )


def _edges(facts: Sequence[Fact], items: Vocabulary, entities: Vocabulary) -> dict[str, Edges]:
    ends = {"fact": (items, entities), "link": (items, items), "tree": (entities, entities)}
    tables = {}
    for name in {f.relation.name for f in facts}:
        sources, targets = ends[relation(name).family]
        of_name = sorted(
            (f for f in facts if f.relation.name == name), key=lambda f: (sources.row(f.source_key), targets.row(f.target_key))
        )
        best = [f.strongest for f in of_name]
        tables[name] = Edges(
            relation(name),
            sources.rows(f.source_key for f in of_name),
            targets.rows(f.target_key for f in of_name),
            np.array([e.confidence for e in best], np.float32),
            pa.table(
                {
                    "field": [e.field for e in best],
                    "span_start": [e.start for e in best],
                    "span_end": [e.end for e in best],
                    "text": [e.text for e in best],
                    "extractor": [e.extractor for e in best],
                    "run": [e.run for e in best],
                    "evidence_count": [len(f.evidence) for f in of_name],
                }
            ),
        )
    return tables


def _log(events: Sequence[tuple[str, str, int, float, str]], users: Vocabulary, items: Vocabulary, timed: bool) -> EventLog:
    kinds = tuple(sorted({event[4] for event in events})) or ("purchase",)
    ordered = sorted(events, key=lambda e: (users.row(e[0]), e[2], items.row(e[1])))
    return EventLog(
        users.rows(e[0] for e in ordered),
        items.rows(e[1] for e in ordered),
        np.array([e[2] for e in ordered], np.int64),
        np.array([e[3] for e in ordered], np.float32),
        np.array([kinds.index(e[4]) for e in ordered], np.uint8),
        kinds,
        timed,
    )
