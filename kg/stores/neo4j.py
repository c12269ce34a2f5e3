"""The graph in a Neo4j server over Bolt: 5.0 or newer, Community, Enterprise or Aura.

Labels and relation types come from the ontology's closed lists; everything else is a parameter. Nodes and edges are merged by
key, so that writing twice is writing once, and every batch is one transaction that the driver tries again where that can help.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

import neo4j
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kg.errors import InputError, StateError
from kg.interop_csv import STATE_KEY, STATE_LABEL
from kg.ontology import RELATIONS, Family, Label, Relation, all_labels, product_properties, relation
from kg.store import CYPHER, FULLTEXT, FULLTEXT_INDEX, VECTORS, Counts, Edge, Limits, Node, Rows, edge_schema, node_schema
from kg.stores.bolt_session import BoltConnection, BoltSettings
from kg.stores.bolt_values import cell, ends_to_look_up, scalar
from kg.stores.bolt_vectors import VECTORS_SINCE, vectors_digest, write_vectors

_STATEMENT_ROWS = 5_000  # rows a statement: a fifth less work for the server than with 10,000
_BATCH_ROWS = 10_000  # rows a transaction that deletes, rows a batch that is read

_INDEX_SECONDS = 300
_CHECKED_QUERIES = 1_000


class Neo4jStore:
    """See `kg.store.GraphStore`.

    Args:
        settings: address, credentials and database; an address alone takes the others from the environment.

    Raises:
        EngineError: no server, wrong password, too old.
    """

    name = "neo4j"

    def __init__(self, settings: BoltSettings | str) -> None:
        self._bolt = BoltConnection(BoltSettings.from_environment(settings) if isinstance(settings, str) else settings)
        self._read_queries: dict[str, None] = {}

    @property
    def connected(self) -> str:
        """Where and as whom, and where the password came from, as a sentence."""
        settings = self._bolt.settings
        if not settings.user:
            return f"Connected to {settings.uri} without a password."
        known = {"environment": " (password from CLEW_NEO4J_PASSWORD)", "keyring": " (password from the keyring)"}
        return f"Connected to {settings.uri} as {settings.user}{known.get(settings.password_from, '')}."

    @property
    def capabilities(self) -> frozenset[str]:
        """Queries and full text; vectors from the release on that has an index for them."""
        return frozenset({CYPHER, FULLTEXT, *([VECTORS] if self._bolt.version >= VECTORS_SINCE else [])})

    def vectors_digest(self) -> str | None:
        """See `kg.store.VectorStore`."""
        return vectors_digest(self._bolt)

    def write_vectors(self, keys: Sequence[str], vectors: NDArray[np.float32], digest: str) -> None:
        """See `kg.store.VectorStore`."""
        write_vectors(self._bolt, keys, vectors, digest)

    def digest(self) -> str | None:
        """See `GraphStore`."""
        found = self._bolt.read(f"MATCH (s:{STATE_LABEL} {{key: '{STATE_KEY}'}}) RETURN s.digest AS digest")
        return found[0]["digest"] if found else None

    def set_digest(self, digest: str | None) -> None:
        """See `GraphStore`."""
        query = f"MERGE (s:{STATE_LABEL} {{key: '{STATE_KEY}'}}) SET s.digest = $digest"
        self._bolt.write(lambda transaction: transaction.run(query, digest=digest).consume())

    def prepare(self, labels: Sequence[Label], relations: Sequence[Relation]) -> None:
        """Unique keys for every label that will be written or joined, full text over titles."""
        needed = {*labels, *(rel.source for rel in relations), *(rel.target for rel in relations)}
        schema = [_constraint(str(label)) for label in sorted({str(label) for label in needed} | {STATE_LABEL})]
        schema.append(f"CREATE FULLTEXT INDEX {FULLTEXT_INDEX} IF NOT EXISTS FOR (n:{Label.PRODUCT}) ON EACH [n.title]")
        own = [each.name for each in product_properties()]
        schema += [f"CREATE INDEX clew_product_{name} IF NOT EXISTS FOR (n:{Label.PRODUCT}) ON (n.{name})" for name in own]
        for statement in schema:
            self._bolt.write(lambda transaction, statement=statement: transaction.run(statement).consume())  # type: ignore[misc]
        self._bolt.read("CALL db.awaitIndexes($seconds)", seconds=_INDEX_SECONDS)

    def counts(self) -> Counts:
        """See `GraphStore`."""
        nodes: dict[str, int] = {}
        for label in sorted(all_labels()):
            count = self._bolt.read(f"MATCH (n:{label}) RETURN count(n) AS count")[0]["count"]
            nodes |= {str(label): count} if count else {}
        edges: dict[str, int] = {}
        for rel in self._relations():
            # Neo4j keeps these counts by one end; both ends are only walked for relations that the ontology does not name.
            target = "" if rel.name in RELATIONS else f":{rel.target}"
            query = f"MATCH (:{rel.source})-[r:{rel.name}]->({target}) RETURN count(r) AS count"
            count = self._bolt.read(query)[0]["count"]
            edges |= {rel.name: count} if count else {}
        return Counts(nodes, edges)

    def _relations(self) -> list[Relation]:
        found = []
        for record in self._bolt.read("CALL db.relationshipTypes() YIELD relationshipType AS name RETURN name ORDER BY name"):
            try:
                rel = relation(record["name"])
            except InputError:
                continue  # a type that somebody else's data brought along
            if rel.family is not Family.ANSWER:
                found.append(rel)
        return found

    def node(self, label: Label, key: str) -> Node | None:
        """See `GraphStore`."""
        names = [name for name in node_schema(label).names if name != "key"]
        columns = ", ".join(f"n.{name} AS {name}" for name in names) or "n.key AS key"
        found = self._bolt.read(f"MATCH (n:{label} {{key: $key}}) RETURN {columns}", key=key)
        return Node(str(label), key, _present(found[0], names)) if found else None

    def neighbours(self, label: Label, key: str, limit: int = 100) -> list[tuple[Edge, Node]]:
        """See `GraphStore`."""
        found: list[tuple[Edge, Node]] = []
        for rel in self._relations():
            for mine, other, outwards in ((rel.source, rel.target, True), (rel.target, rel.source, False)):
                if mine is label and len(found) < limit:
                    found += self._across(rel, mine, other, key, outwards, limit - len(found))
        return found

    def _across(self, rel: Relation, mine: Label, other: Label, key: str, outwards: bool, limit: int) -> list[tuple[Edge, Node]]:
        edge_names, node_names = edge_schema(rel).names[2:], node_schema(other).names[1:]
        arrow = f"-[r:{rel.name}]->" if outwards else f"<-[r:{rel.name}]-"
        columns = ["m.key AS key", *(f"r.{name} AS r_{name}" for name in edge_names), *(f"m.{name} AS m_{name}" for name in node_names)]
        query = f"MATCH (n:{mine} {{key: $key}}){arrow}(m:{other}) RETURN {', '.join(columns)} ORDER BY m.key LIMIT $limit"
        found = []
        for row in self._bolt.read(query, key=key, limit=limit):
            source, target = (key, row["key"]) if outwards else (row["key"], key)
            edge = Edge(rel.name, source, target, _present(row, edge_names, "r_"))
            found.append((edge, Node(str(other), row["key"], _present(row, node_names, "m_"))))
        return found

    def scan_nodes(self, label: Label) -> pa.Table:
        """See `GraphStore`."""
        schema = node_schema(label)
        columns = ", ".join(f"n.{name} AS {name}" for name in schema.names)
        return self._scan(f"MATCH (n:{label}) RETURN {columns}", schema)

    def scan_edges(self, rel: Relation) -> pa.Table:
        """See `GraphStore`."""
        schema = edge_schema(rel)
        columns = ", ".join(["a.key AS source_key", "b.key AS target_key", *(f"r.{name} AS {name}" for name in schema.names[2:])])
        return self._scan(f"MATCH (a:{rel.source})-[r:{rel.name}]->(b:{rel.target}) RETURN {columns}", schema)

    def _scan(self, query: str, schema: pa.Schema) -> pa.Table:
        def work(transaction: neo4j.ManagedTransaction) -> list[pa.RecordBatch]:
            result, batches = transaction.run(query), []
            while rows := [record.values() for record in islice(result, _BATCH_ROWS)]:
                columns = [pa.array(values, kind.type) for values, kind in zip(zip(*rows, strict=True), schema, strict=True)]
                batches.append(pa.record_batch(columns, schema=schema))
            return batches

        try:
            with self._bolt.plain_words(), self._bolt.session(write=False) as session:
                return pa.Table.from_batches(session.execute_read(work), schema)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise StateError(
                f"Neo4j holds values that clew did not write: {error}.", "Take them out, or use a database of its own."
            ) from error

    def upsert_nodes(self, label: Label, rows: pa.Table) -> None:
        """See `GraphStore`."""
        query = f"UNWIND $rows AS row MERGE (n:{label} {{key: row[0]}}) SET n = {_map(rows.column_names)}"
        listed = _rows(rows)

        def work(transaction: neo4j.ManagedTransaction) -> None:
            for start in range(0, len(listed), _STATEMENT_ROWS):
                transaction.run(query, rows=listed[start : start + _STATEMENT_ROWS]).consume()

        self._bolt.write(work)

    def upsert_edges(self, rel: Relation, rows: pa.Table, fresh: bool = False) -> None:
        """See `GraphStore`."""
        listed = _rows(rows)
        parts = [listed[start : start + _STATEMENT_ROWS] for start in range(0, len(listed), _STATEMENT_ROWS)]
        # One look-up a source, not one an edge: a third less work for the server where people have many purchases.
        match = (
            f"UNWIND $rows AS edges MATCH (a:{rel.source} {{key: edges[0]}}) UNWIND edges[1] AS row MATCH (b:{rel.target} {{key: row[1]}}) "
        )
        values = _map(rows.column_names, skip=2)
        merge = f"{match}MERGE (a)-[r:{rel.name}]->(b) SET r = {values} RETURN count(*) AS count"
        create = f"{match}CREATE (a)-[r:{rel.name} {values}]->(b) RETURN count(*) AS count"

        def work(query: str) -> Callable[[neo4j.ManagedTransaction], None]:
            def run(transaction: neo4j.ManagedTransaction) -> None:
                for part in parts:
                    grouped = [[source, list(edges)] for source, edges in groupby(part, key=itemgetter(0))]
                    record = transaction.run(query, rows=grouped).single()
                    if record is None or record["count"] != len(part):
                        raise _missing_end(transaction, rel, part)

            return run

        # A commit whose answer was lost may have been done: what comes after it must look.
        self._bolt.write(work(create if fresh else merge), again=work(merge))

    def delete_nodes(self, label: Label, keys: Sequence[str]) -> None:
        """See `GraphStore`."""
        query = f"UNWIND $keys AS key MATCH (n:{label} {{key: key}}) DETACH DELETE n"
        for start in range(0, len(keys), _BATCH_ROWS):
            part = list(keys[start : start + _BATCH_ROWS])
            self._bolt.write(lambda transaction, part=part: transaction.run(query, keys=part).consume())  # type: ignore[misc]

    def delete_edges(self, rel: Relation, pairs: Sequence[tuple[str, str]]) -> None:
        """See `GraphStore`."""
        query = (
            f"UNWIND $rows AS row MATCH (a:{rel.source} {{key: row[0]}}) MATCH (b:{rel.target} {{key: row[1]}}) "
            f"MATCH (a)-[r:{rel.name}]->(b) DELETE r"
        )
        for start in range(0, len(pairs), _BATCH_ROWS):
            part = [list(pair) for pair in pairs[start : start + _BATCH_ROWS]]
            self._bolt.write(lambda transaction, part=part: transaction.run(query, rows=part).consume())  # type: ignore[misc]

    def run(self, query: str, parameters: Mapping[str, Any] | None = None, limits: Limits = Limits()) -> Rows:  # noqa: B008
        """Run a read query: the server says before what kind it is, and runs it where writes are refused.

        A value that JSON lacks (NaN, infinity) is None, a date its ISO text.
        """
        with self._bolt.plain_words(), self._bolt.session(write=False) as session:
            if query not in self._read_queries:
                self._check(session, query, dict(parameters or {}))
            started = time.perf_counter()
            with session.begin_transaction(timeout=limits.seconds) as transaction:
                result = transaction.run(query, dict(parameters or {}))
                columns = tuple(result.keys())
                found = [record.values() for record in islice(result, limits.rows + 1)]
                ms = (time.perf_counter() - started) * 1000
                keys = _keys(transaction, ends_to_look_up(value for row in found for value in row))
        rows = tuple(tuple(cell(value, keys) for value in row) for row in found[: limits.rows])
        return Rows(columns, rows, len(found) > limits.rows, ms)

    def _check(self, session: neo4j.Session, query: str, parameters: dict[str, Any]) -> None:
        summary = session.run("EXPLAIN " + query, parameters).consume()
        if summary.query_type != "r":
            raise InputError("This query would write, and exploration only reads.", "Change the graph with `clew graph ingest`.")
        if summary.plan and _reads_files(summary.plan):
            raise InputError("This query reads a file or an address, and exploration only reads the graph.", "Take LOAD CSV out of it.")
        if len(self._read_queries) >= _CHECKED_QUERIES:
            self._read_queries.clear()
        self._read_queries[query] = None

    def close(self) -> None:
        """See `GraphStore`."""
        self._bolt.close()


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows as tuples, not maps: the names of the columns are not sent with every row (half the client's time)."""
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _constraint(label: str) -> str:
    return f"CREATE CONSTRAINT clew_{label.lower()}_key IF NOT EXISTS FOR (n:{label}) REQUIRE n.key IS UNIQUE"


def _map(names: Sequence[str], skip: int = 0) -> str:
    """A map of a row's cells by name; what is null is left out, so that `SET n = …` removes it."""
    return "{" + ", ".join(f"{name}: row[{place}]" for place, name in enumerate(names) if place >= skip) + "}"


def _present(row: Mapping[str, Any], names: Sequence[str], prefix: str = "") -> dict[str, Any]:
    return {name: scalar(row[prefix + name]) for name in names if row[prefix + name] is not None}


def _missing_end(transaction: neo4j.ManagedTransaction, rel: Relation, rows: list[tuple[Any, ...]]) -> StateError:
    for label, place in ((rel.source, 0), (rel.target, 1)):
        query = f"UNWIND $keys AS key OPTIONAL MATCH (n:{label} {{key: key}}) WITH key, n WHERE n IS NULL RETURN key LIMIT 1"
        missing = transaction.run(query, keys=[row[place] for row in rows]).single()
        if missing is not None:
            return StateError(f"{rel.name} cannot end at the {label} {missing['key']!r}: there is none.", "Write nodes before edges.")
    return StateError(f"Not every edge {rel.name} could be written.", "Run `clew graph verify` on this server.")


def _keys(transaction: neo4j.Transaction, element_ids: set[str]) -> dict[str, str]:
    if not element_ids:
        return {}
    query = "UNWIND $ids AS element MATCH (n) WHERE elementId(n) = element RETURN element, n.key AS key"
    return {row["element"]: str(row["key"] or "") for row in transaction.run(query, ids=sorted(element_ids))}


def _reads_files(plan: Mapping[str, Any]) -> bool:
    return "LoadCSV" in plan.get("operatorType", "") or any(_reads_files(child) for child in plan.get("children", ()))
