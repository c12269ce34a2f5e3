"""Asking the graph in Cypher: queries of the library by name, and questions of one's own behind the guard."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from cypher.guard import RefusedError, guard
from cypher.query import NamedQuery, QueryError, library
from kg.errors import EngineError, InputError, UnknownKeyError
from kg.live_schema import LiveSchema, live_schema
from kg.store import FULLTEXT, VECTORS, GraphStore, Limits, Rows
from kg.stores.embedded import EmbeddedStore

NAMED_LIMITS = Limits(rows=10_000, seconds=120.0)
EXPLORE_LIMITS = Limits(rows=1_000, seconds=30.0, memory_mb=2_048)
_NEEDS = {FULLTEXT: "a full-text index", VECTORS: "an index of vectors"}
_NEEDS_HINT = "Copy the graph into a Neo4j with `clew graph sync --with-model --to bolt://…` and ask there with --store."


def named_query(name: str) -> NamedQuery:
    """A query of the library.

    Raises:
        UnknownKeyError: there is none of that name.
    """
    found = library().get(name)
    if found is None:
        raise UnknownKeyError("query", name, library())
    return found


def bound_parameters(query: NamedQuery, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values for all parameters of a query of the library, defaults filled in.

    Raises:
        InputError: one is missing, unknown or of another type.
    """
    try:
        return query.bind(given)
    except QueryError as error:
        raise InputError(error.message, error.hint) from None


def run_named(store: GraphStore, name: str, given: Mapping[str, Any], limits: Limits = NAMED_LIMITS) -> Rows:
    """Run a query of the library on an engine.

    Args:
        given: values of its parameters; text is read by the parameter's type.

    Raises:
        InputError: there is no such query, or a parameter is missing, unknown or of another type.
        EngineError: the engine lacks an index that the query goes by.
    """
    query = named_query(name)
    lacking = [need for need in query.needs if need not in store.capabilities]
    if lacking:
        raise EngineError(f"The query {name} needs {_NEEDS[lacking[0]]}, which the {store.name} engine does not have.", _NEEDS_HINT)
    found = store.run(query.text, bound_parameters(query, given), limits)
    # An engine that has none of a relation answers without rows and without columns.
    return found if found.rows else dataclasses.replace(found, columns=query.columns)


def explore(store: GraphStore, query: str, given: Mapping[str, Any], limits: Limits = EXPLORE_LIMITS) -> Rows:
    """Run a question that somebody typed.

    Args:
        store: a locked embedded engine, or a server behind a read transaction.

    Raises:
        InputError: the guard refuses it, a parameter is missing, the engine does not understand it, or it goes past its limits.
    """
    try:
        guarded = guard(query)
    except RefusedError as error:
        raise InputError(error.message, error.hint) from None
    missing = sorted(guarded.wanted - set(given))
    if missing:
        raise InputError(f"The query needs the parameter {missing[0]}.", f"Add --param {missing[0]}=…")
    found = store.run(guarded.text, {**given, **guarded.parameters}, limits)
    return dataclasses.replace(found, columns=tuple(guarded.shown(column) for column in found.columns))


class Explorer:
    """One engine, question after question. An engine that a question brought down is opened again for the next.

    Args:
        open_engine: opens it; an embedded one must come locked.
        limits: how far a question may go.
    """

    def __init__(self, open_engine: Callable[[], GraphStore], limits: Limits = EXPLORE_LIMITS) -> None:
        self.limits = limits
        self._open = open_engine
        self._store: GraphStore | None = None

    @property
    def store(self) -> GraphStore:
        """The engine, opened if need be.

        Raises:
            EngineError: it does not answer.
        """
        if isinstance(self._store, EmbeddedStore) and not self._store.alive:
            self.close()
        if self._store is None:
            self._store = self._open()
        return self._store

    @cached_property
    def schema(self) -> LiveSchema:
        """What the graph is made of."""
        return live_schema(self.store)

    def ask(self, query: str, given: Mapping[str, Any]) -> Rows:
        """See `explore`."""
        return self._whole(lambda: explore(self.store, query, given, self.limits))

    def run(self, name: str, given: Mapping[str, Any]) -> Rows:
        """See `run_named`; within the limits of exploration."""
        return self._whole(lambda: run_named(self.store, name, given, self.limits))

    def _whole(self, work: Callable[[], Rows]) -> Rows:
        try:
            return work()
        except KeyboardInterrupt:
            self.close()  # the answer that is still to come must not be taken for the next one's
            raise

    def close(self) -> None:
        """Let go of the engine."""
        if self._store is not None:
            self._store.close()
            self._store = None
