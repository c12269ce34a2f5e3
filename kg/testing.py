"""Small graphs for tests, straight from Python values, and the contract kit of engines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache

import numpy as np
import pyarrow as pa

from kg.canon import entity_key
from kg.digest import digest_json
from kg.errors import EngineError, StateError
from kg.events import NO_TIME, EventLog
from kg.merge import CATALOGUE, TREE, Incoming, merge
from kg.model import Entity, Evidence, Fact, Price, Product
from kg.ontology import ATTRIBUTE_RELATIONS, Label, Rel, relation
from kg.snapshot import Edges, GraphSnapshot
from kg.store import CYPHER, VECTORS, Counts, Edge, EngineGraph, GraphStore, Limits, Node, VectorStore, engine_graph, node_schema
from kg.sync import store_checksums, synchronise, verify
from kg.tables import EVENT_SCHEMA, GraphTables, evidence_tables, products_table, tree_tables
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


class ColumnFacts:
    """A fact source that takes a row's columns at their word (brand, material, category, color, size; `|` separates several)."""

    name = "columns"
    digest = digest_json("columns 1")

    def facts(self, products: Sequence[Product]) -> Iterator[list[Fact]]:
        """One list of facts per product, in their order."""
        for product in products:
            yield [fact for attribute, name in ATTRIBUTE_RELATIONS.items() for fact in self._of_column(product, attribute, name)]

    def _of_column(self, product: Product, attribute: str, relation_name: str) -> Iterator[Fact]:
        text, place = product.text(attribute), 0
        for piece in text.split("|"):
            value = piece.strip()
            if value:
                start = place + piece.index(value)
                found = relation(relation_name)
                key = entity_key(found.target, value)
                evidence = Evidence(attribute, start, start + len(value), value, self.name, 1.0)
                yield Fact(product.key, found, Entity(found.target, value.rpartition(" > ")[2], key=key), (evidence,))
            place += len(piece) + 1


# Key, title, columns, price (low, high), in stock.
_EXAMPLE_PRODUCTS: tuple[tuple[str, str, dict[str, str], tuple[float, float] | None, bool], ...] = (
    ("p1", "LEGO City tractor", {"brand": "LEGO", "material": "plastic", "category": "Toys > Bricks"}, (20.0, 20.0), True),
    ("p2", "LEGO 'Star' ship", {"brand": "LEGO", "material": "plastic|rubber", "category": "Toys > Bricks"}, (50.0, 60.0), True),
    ("p3", "Wooden train", {"brand": "Brio", "material": "wood", "category": "Toys > Trains", "color": "red"}, (30.0, 30.0), True),
    ("p4", "Cotton socks", {"brand": "Söcks & Co.", "material": "cotton", "category": "Socks", "size": "M"}, None, True),
    ("p5", 'Linen "towel"', {"brand": "Le-Go", "material": "linen"}, (9.0, 9.0), False),
    ("p6", "Cotton socks", {"brand": "Brio", "material": "cotton", "color": "red", "size": "M"}, None, True),
    ("p7", "Thing of unknown make", {}, (31.0, 31.0), True),
)
# User, item, day since 2022-01-01, value, kind.
_EXAMPLE_EVENTS = (
    ("u1", "p1", 0, 1.0, "purchase"),
    ("u1", "p1", 1, 1.0, "purchase"),
    ("u1", "p3", 2, 1.0, "purchase"),
    ("u2", "p2", 3, 1.0, "purchase"),
    ("u2", "p3", 3, 1.0, "purchase"),
    ("u2", "p4", 4, 1.0, "purchase"),
    ("u3", "p2", 4, 1.0, "view"),
    ("u3", "p3", 4, 1.0, "purchase"),
    ("u3", "p4", 4, 4.0, "rating"),
)


@cache
def example_tables() -> GraphTables:
    """A shop that fits on a page: 7 products, 3 people, every kind of relation, words that quote badly."""
    rows = [Product(k, title, fields, Price(*p, "USD") if p else None, stock) for k, title, fields, p, stock in _EXAMPLE_PRODUCTS]
    facts = [fact for listed in ColumnFacts().facts(rows) for fact in listed]
    facts += [stated("p1", Rel.ALSO_BOUGHT, "p3"), stated("p4", "KNITTED_BY", "Ann O'Neill", 0.6)]
    facts.append(Fact("p6", relation(Rel.HAS_BRAND), Entity(Label.BRAND, "LEGO"), (Evidence("title", 0, 6, "Cotton", "guesser", 0.4),)))
    whole = Entity(Label.MATERIAL, "natural fibre")
    kinds = [(Entity(Label.MATERIAL, child), relation(Rel.KIND_OF), whole) for child in ("cotton", "linen")]
    log = [(user, item, 1_640_995_200 + 86_400 * day, value, kind) for user, item, day, value, kind in _EXAMPLE_EVENTS]
    events = pa.table(
        [pa.array(column, kind.type) for column, kind in zip(zip(*log, strict=True), EVENT_SCHEMA, strict=True)], EVENT_SCHEMA
    )
    tree = tree_tables(kinds, TREE, "vocabulary")
    incoming = Incoming(products_table(rows), evidence_tables(facts, CATALOGUE), tree, None, [events])
    return merge(GraphTables.empty(), incoming, run="sha256:example")


class VectorContract:
    """What an engine with an index of vectors must hold to, beside `StoreContract`."""

    def make(self) -> GraphStore:
        """An empty engine."""
        raise NotImplementedError

    def test_vectors_are_written_replaced_and_lost_with_their_product(self) -> None:
        """Vectors are written, replaced and lost with their product."""
        store = self.make()
        try:
            assert VECTORS in store.capabilities and isinstance(store, VectorStore)
            graph = engine_graph(example_tables(), "sha256:example")
            synchronise(store, graph)
            assert store.vectors_digest() is None
            store.write_vectors(["p1", "p2"], np.eye(2, 4, dtype=np.float32), "sha256:one")
            assert store.vectors_digest() == "sha256:one"
            store.write_vectors(["p1", "p3"], np.eye(2, 3, dtype=np.float32), "sha256:two")
            assert store.vectors_digest() == "sha256:two", "another number of dimensions makes the index anew"
            assert verify(store, graph) == [], "vectors are no part of the graph"
            store.upsert_nodes(Label.PRODUCT, graph.nodes[Label.PRODUCT].slice(0, 1))
            assert store.vectors_digest() is None, "a product that is written anew has lost its vector, and the engine says so"
        finally:
            store.close()


class StoreContract:
    """What an engine must hold to. A subclass says how to make an empty one; pytest finds the tests."""

    def make(self) -> GraphStore:
        """An empty engine."""
        raise NotImplementedError

    @contextmanager
    def opened(self) -> Iterator[GraphStore]:
        """An empty engine, closed afterwards."""
        store = self.make()
        try:
            yield store
        finally:
            store.close()

    def graph(self) -> EngineGraph:
        """The graph that the tests load."""
        return engine_graph(example_tables(), "sha256:example")

    def test_it_keeps_the_protocol(self) -> None:
        """It keeps the protocol."""
        with self.opened() as store:
            assert isinstance(store, GraphStore)
            assert store.name
            assert store.digest() is None

    def test_an_empty_engine_holds_nothing(self) -> None:
        """An empty engine holds nothing."""
        with self.opened() as store:
            assert store.counts() == Counts({}, {})
            assert store.node(Label.BRAND, "brand:lego") is None
            assert store.neighbours(Label.BRAND, "brand:lego") == []
            assert store.scan_nodes(Label.BRAND).num_rows == 0

    def test_it_holds_what_it_was_given(self) -> None:
        """It holds what it was given."""
        graph = self.graph()
        with self.opened() as store:
            done = synchronise(store, graph)
            assert done.new == sum(graph.counts().nodes.values()) + sum(graph.counts().edges.values())
            assert store.counts() == graph.counts()
            assert verify(store, graph) == []
            assert store.digest() == graph.digest

    def test_the_same_again_changes_nothing(self) -> None:
        """The same again changes nothing."""
        graph = self.graph()
        with self.opened() as store:
            synchronise(store, graph)
            before = store_checksums(store)
            store.set_digest(None)  # so that it has to look
            done = synchronise(store, graph)
            assert (done.new, done.changed, done.removed) == (0, 0, 0)
            assert store_checksums(store) == before

    def test_small_batches_make_the_same_graph(self) -> None:
        """Small batches make the same graph."""
        graph = self.graph()
        with self.opened() as store:
            synchronise(store, graph, batch_rows=2)
            assert verify(store, graph) == []

    def test_only_what_differs_is_written(self) -> None:
        """Only what differs is written."""
        graph = self.graph()
        brands = graph.nodes[Label.BRAND].to_pylist()
        brands[0]["name"] = "Another"
        fewer = {**graph.edges, str(Rel.HAS_BRAND): graph.edges[Rel.HAS_BRAND].slice(1)}
        nodes = {**graph.nodes, Label.BRAND: pa.Table.from_pylist(brands, node_schema(Label.BRAND))}
        nodes.pop(Label.SIZE)
        fewer.pop(str(Rel.HAS_SIZE))
        other = EngineGraph("sha256:other", nodes, fewer)
        with self.opened() as store:
            synchronise(store, graph)
            done = synchronise(store, other)
            assert (done.new, done.changed, done.removed) == (0, 1, 4)
            assert verify(store, other) == []
            assert verify(store, graph) != []

    def test_a_node_is_found_with_its_properties(self) -> None:
        """A node is found with its properties."""
        with self.opened() as store:
            synchronise(store, self.graph())
            found = store.node(Label.PRODUCT, "p2")
            assert found is not None
            assert (found.label, found.key) == (str(Label.PRODUCT), "p2")
            assert dict(found.properties) == {
                "title": "LEGO 'Star' ship", "price_low": 50.0, "price_high": 60.0, "currency": "USD", "available": True
            }  # fmt: skip

    def test_neighbours_come_in_order_and_no_more_than_asked(self) -> None:
        """Neighbours come in order and no more than asked."""
        with self.opened() as store:
            synchronise(store, self.graph())
            found = [(edge.type, edge.source, node.key) for edge, node in store.neighbours(Label.PRODUCT, "p3")]
            expected = [
                (Rel.ALSO_BOUGHT, "p1", "p1"),
                *((Rel.BOUGHT, user, user) for user in ("u1", "u2", "u3")),
                (Rel.HAS_BRAND, "p3", "brand:brio"),
                (Rel.HAS_COLOR, "p3", "color:red"),
                (Rel.IN_CATEGORY, "p3", "category:toys-trains"),
                (Rel.IN_PRICE_BAND, "p3", "price_band:all:usd:3"),
                (Rel.MADE_OF, "p3", "material:wood"),
            ]
            assert found == expected
            assert len(store.neighbours(Label.PRODUCT, "p3", limit=4)) == 4

    def test_an_edge_needs_both_ends(self) -> None:
        """An edge needs both ends."""
        graph = self.graph()
        rel = relation(Rel.HAS_BRAND)
        with self.opened() as store:
            store.prepare([Label.PRODUCT, Label.BRAND], [rel])
            store.upsert_nodes(Label.PRODUCT, graph.nodes[Label.PRODUCT])
            try:
                store.upsert_edges(rel, graph.edges[Rel.HAS_BRAND])
            except StateError as error:
                assert "brand:" in error.message
            else:
                raise AssertionError("an edge to nowhere was taken")
            assert store.counts() == Counts({str(Label.PRODUCT): 7}, {})

    def test_nodes_go_with_their_edges_and_missing_ones_do_not_matter(self) -> None:
        """Nodes go with their edges and missing ones do not matter."""
        with self.opened() as store:
            synchronise(store, self.graph())
            store.delete_nodes(Label.PRODUCT, ["p3", "no such product"])
            store.delete_edges(relation(Rel.HAS_BRAND), [("p1", "brand:lego"), ("p1", "no such brand")])
            held = store.counts()
            assert held.nodes[str(Label.PRODUCT)] == 6
            assert held.edges[str(Rel.HAS_BRAND)] == 5
            assert str(Rel.ALSO_BOUGHT) not in held.edges

    def test_any_text_comes_back_the_same(self) -> None:
        """Any text comes back the same."""
        names = [
            "a'b", '"q"', "`x`", "new\nline", "nul\x00x", "\u202eright to left", "😀", " leading", "trailing ", "\t", "123", "1.5", "true",
            "NaN", "null", "2020-01-01", "{}", "$param", "\\", "\\u0041", "]->(x) DELETE x //", "é", "e\u0301", "x" * 1_000_000,
        ]  # fmt: skip
        self.check_names(names)

    def check_names(self, names: Sequence[str]) -> None:
        """Names, and keys made of them, go in and come back the same (for Hypothesis)."""
        rows = [{"key": f"brand:{place}:{name[:100]}", "name": name} for place, name in enumerate(names)]
        table = pa.Table.from_pylist(rows, node_schema(Label.BRAND))
        with self.opened() as store:
            synchronise(store, EngineGraph("sha256:names", {Label.BRAND: table}, {}))
            found = {row["key"]: row["name"] for row in store.scan_nodes(Label.BRAND).to_pylist()}
            assert found == {row["key"]: row["name"] for row in rows}
            for row in rows[:50]:
                node = store.node(Label.BRAND, row["key"])
                assert node is not None
                assert dict(node.properties) == {"name": row["name"]}

    def test_queries_answer_or_are_refused(self) -> None:
        """Queries answer or are refused."""
        with self.opened() as store:
            synchronise(store, self.graph())
            match = f"MATCH (p:{Label.PRODUCT})-[r:{Rel.HAS_BRAND}]->(b:{Label.BRAND} {{key: $brand}})"
            query = f"{match} RETURN p, r, b.name AS name ORDER BY p.key"
            if CYPHER not in store.capabilities:
                try:
                    store.run(query, {"brand": "brand:lego"})
                except EngineError:
                    return
                raise AssertionError("an engine without Cypher answered")
            found = store.run(query, {"brand": "brand:lego"}, Limits(rows=1))
            assert found.columns == ("p", "r", "name")
            assert found.truncated
            node, edge, name = found.rows[0]
            assert isinstance(node, Node)
            assert node.key == "p1"
            assert isinstance(edge, Edge)
            assert (edge.type, edge.source, edge.target, edge.properties["text"]) == (str(Rel.HAS_BRAND), "p1", "brand:lego", "LEGO")
            assert name == "LEGO"
