"""Vectors of products in a Neo4j server, in its vector index: cosine, from release 5.13 on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import neo4j
import numpy as np
from numpy.typing import NDArray

from kg.interop_csv import STATE_KEY, STATE_LABEL
from kg.ontology import Label
from kg.store import VECTOR_INDEX
from kg.stores.bolt_session import BoltConnection

VECTORS_SINCE: Final = (5, 13)
_ROWS = 500  # vectors a statement: some hundred kilobytes
_INDEX_SECONDS = 300
_HELD = f"MATCH (n:{Label.PRODUCT}) WHERE n.embedding IS NOT NULL RETURN count(n) AS count"
_STATE = f"MERGE (s:{STATE_LABEL} {{key: '{STATE_KEY}'}}) SET s.vectors = $digest, s.vector_count = $count"


def vectors_digest(bolt: BoltConnection) -> str | None:
    """What `write_vectors` was last told, unless a product has been written anew since, which loses it its vector."""
    found = bolt.read(f"MATCH (s:{STATE_LABEL} {{key: '{STATE_KEY}'}}) RETURN s.vectors AS digest, s.vector_count AS count")
    if not found or found[0]["digest"] is None or bolt.read(_HELD)[0]["count"] != found[0]["count"]:
        return None
    return str(found[0]["digest"])


def write_vectors(bolt: BoltConnection, keys: Sequence[str], vectors: NDArray[np.float32], digest: str) -> None:
    """See `kg.store.VectorStore`."""
    held = np.flatnonzero(np.abs(vectors).max(axis=1, initial=0) > 0)
    bolt.write(lambda transaction: transaction.run(_STATE, digest=None, count=0).consume())
    _forget_others(bolt, {keys[row] for row in held.tolist()})
    _index(bolt, int(vectors.shape[1]))
    query = (
        f"UNWIND $rows AS row MATCH (n:{Label.PRODUCT} {{key: row[0]}}) "
        "CALL db.create.setNodeVectorProperty(n, 'embedding', row[1]) RETURN count(*) AS count"
    )
    for start in range(0, len(held), _ROWS):
        rows = [[keys[row], vectors[row].tolist()] for row in held[start : start + _ROWS].tolist()]

        def work(transaction: neo4j.ManagedTransaction, rows: list[Any] = rows) -> None:
            transaction.run(query, rows=rows).consume()

        bolt.write(work)
    bolt.read("CALL db.awaitIndexes($seconds)", seconds=_INDEX_SECONDS)
    bolt.write(lambda transaction: transaction.run(_STATE, digest=digest, count=len(held)).consume())


def _forget_others(bolt: BoltConnection, keys: set[str]) -> None:
    there = [row["key"] for row in bolt.read(f"MATCH (n:{Label.PRODUCT}) WHERE n.embedding IS NOT NULL RETURN n.key AS key")]
    gone = [key for key in there if key not in keys]
    query = f"UNWIND $keys AS key MATCH (n:{Label.PRODUCT} {{key: key}}) REMOVE n.embedding"
    bolt.write(lambda transaction: transaction.run(query, keys=gone).consume())


def _index(bolt: BoltConnection, dimensions: int) -> None:
    """The index, made anew where it is of another number of dimensions."""
    there = bolt.read("SHOW INDEXES YIELD name, options WHERE name = $name RETURN options", name=VECTOR_INDEX)
    if there and there[0]["options"]["indexConfig"].get("vector.dimensions") != dimensions:
        bolt.write(lambda transaction: transaction.run(f"DROP INDEX {VECTOR_INDEX}").consume())
    config = f"{{`vector.dimensions`: {dimensions}, `vector.similarity_function`: 'cosine'}}"
    statement = (
        f"CREATE VECTOR INDEX {VECTOR_INDEX} IF NOT EXISTS FOR (n:{Label.PRODUCT}) ON (n.embedding) OPTIONS {{indexConfig: {config}}}"
    )
    bolt.write(lambda transaction: transaction.run(statement).consume())
