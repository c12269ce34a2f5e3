"""RDF that clew wrote, read back into tables. Nothing is fetched and nothing is expanded.

RDF/XML is not read: its entities can name other files and grow without end. A JSON-LD context that is not in the file itself
would have to be fetched, so it is refused before the parser sees it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from rdflib import RDF, Graph, Literal, URIRef
from rdflib.exceptions import ParserError
from rdflib.plugins.parsers.notation3 import BadSyntax

from kg.errors import InputError
from kg.model import Evidence, Price, Product
from kg.ontology import Family, Label, relation
from kg.ordering import sort_order
from kg.progress import SILENT, Progress
from kg.rdf import FORMAT_VERSION, FORMATS, GRAPH, PROV, RELATION, SCHEMA, TERM
from kg.tables import (
    BAND_SCHEMA,
    EVENT_SCHEMA,
    EVIDENCE_SCHEMA,
    PRODUCT_SCHEMA,
    GraphTables,
    distinct_evidence,
    events_table,
)

_NODE = "urn:clew:node/"
_HINT = "Write it with clew graph export."


def read_rdf(path: Path, format_name: str, progress: Progress = SILENT) -> GraphTables:
    """The graph of a Turtle, N-Triples or JSON-LD file that `kg.rdf.write_rdf` wrote.

    Args:
        path: the file.
        format_name: "ttl", "nt" or "jsonld".
        progress: listener.

    Raises:
        InputError: another format, damaged, a context to be fetched, or not a graph of clew.
    """
    if format_name not in FORMATS:
        raise InputError(
            f"{path} cannot be read: clew reads no RDF of the kind {format_name!r}.", f"Those that it reads: {', '.join(FORMATS)}."
        )
    with progress.stage(f"reading {path.name}") as advance:
        graph = _parsed(path, format_name)
        advance(len(graph))
    reader = _Reader(graph, path)
    try:
        return reader.tables()
    except InputError as error:
        raise InputError(f"{path}: {error.message}", error.hint or _HINT) from error
    except (ValueError, OverflowError, TypeError, pa.ArrowInvalid) as error:
        raise InputError(f"{path} is not RDF that clew wrote: {str(error)[:200]}.", _HINT) from error


def _parsed(path: Path, format_name: str) -> Graph:
    try:
        data = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8.", _HINT) from error
    graph = Graph(bind_namespaces="none")
    try:
        if format_name == "jsonld":
            _refuse_remote_contexts(path, json.loads(data))
        graph.parse(data=data, format=FORMATS[format_name], publicID="urn:clew:file")
    except RecursionError as error:
        raise InputError(f"{path} is nested too deep to be a graph.", _HINT) from error
    except (BadSyntax, ParserError, ValueError, KeyError, IndexError, AssertionError, AttributeError, TypeError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(f"{path} is not {FORMATS[format_name]}: {reason}.", _HINT) from error
    return graph


def _refuse_remote_contexts(path: Path, document: Any) -> None:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
            if "@import" in value or any(isinstance(each, str) for each in _listed(value.get("@context"))):
                raise InputError(
                    f"{path} wants a JSON-LD context from elsewhere, and clew fetches nothing.", "Put the context itself into the file."
                )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class _Reader:
    def __init__(self, graph: Graph, path: Path) -> None:
        self._graph = graph
        self._path = path

    def tables(self) -> GraphTables:
        if self._text(GRAPH, TERM.version) != str(FORMAT_VERSION):
            raise InputError("it is not a graph that this version of clew wrote.", _HINT)
        products = self._rows(PRODUCT_SCHEMA, (self._product(s) for s in self._of_type(SCHEMA.Product)))
        keys = set(products.column("key").to_pylist())
        if len(keys) != products.num_rows:
            raise InputError("two products have the same key.")
        evidence: dict[str, list[dict[str, Any]]] = {}
        for subject in self._of_type(PROV.Entity):
            name, row = self._evidence(subject)
            if relation(name).family is not Family.TREE and row["source_key"] not in keys:
                raise InputError(f"evidence for {name} speaks of the product {row['source_key']!r}, which the file does not hold.")
            evidence.setdefault(name, []).append(row)
        bands = self._rows(BAND_SCHEMA, (self._band(s) for s in self._of_type(TERM.Borders)))
        events = self._rows(EVENT_SCHEMA, (self._event(s) for s in self._graph.subjects(TERM.eventKind)))
        strangers = set(events.column("item").to_pylist()) - keys
        if strangers:
            raise InputError(f"an event names the product {min(strangers)!r}, which the file does not hold.")
        return GraphTables(
            products=products.take(sort_order(products, "key")).combine_chunks(),
            evidence={name: distinct_evidence(self._rows(EVIDENCE_SCHEMA, iter(rows))) for name, rows in evidence.items()},
            events=events_table(events),
            timed=self._text(GRAPH, TERM.timed) == "true",
            bands=bands.take(sort_order(bands, "key")).combine_chunks(),
        )

    @staticmethod
    def _rows(schema: pa.Schema, rows: Iterator[dict[str, Any]]) -> pa.Table:
        return pa.Table.from_pylist(list(rows), schema=schema)

    def _of_type(self, kind: URIRef) -> Iterator[URIRef]:
        for subject in self._graph.subjects(RDF.type, kind):
            yield self._iri(subject)

    def _product(self, subject: URIRef) -> dict[str, Any]:
        offer = self._node(subject, SCHEMA.offers)
        both = self._number(offer, SCHEMA.price)
        fields = {}
        for place in self._graph.objects(subject, SCHEMA.additionalProperty):
            field = self._iri(place)
            fields[self._needed(field, SCHEMA.name)] = self._needed(field, SCHEMA.value)
        row: dict[str, Any] = {
            "key": self._tail(subject, Label.PRODUCT),
            "title": self._needed(subject, SCHEMA.name),
            "price_low": self._number(offer, SCHEMA.lowPrice) if both is None else both,
            "price_high": self._number(offer, SCHEMA.highPrice) if both is None else both,
            "currency": self._text(offer, SCHEMA.priceCurrency),
            "was": self._number(offer, TERM.was),
            "per": self._text(offer, TERM.per),
            "count": self._integer(offer, TERM["count"]),
            "quantity": self._text(subject, TERM.quantity),
            "available": self._node(offer, SCHEMA.availability) == SCHEMA.InStock,
            "fields": json.dumps(fields, sort_keys=True, ensure_ascii=False),
            "source": self._text(subject, TERM.source),
        }
        # Made for their checks: a key too long, a blank title, a price upside down.
        Product(row["key"], row["title"], fields)
        Price(row["price_low"], row["price_high"], row["currency"], row["was"], row["per"], row["count"])
        return row

    def _evidence(self, subject: URIRef) -> tuple[str, dict[str, Any]]:
        predicate = self._node(subject, RDF.predicate)
        name = str(predicate.removeprefix(str(RELATION)))
        if not predicate.startswith(str(RELATION)):
            raise InputError(f"{subject} quotes {predicate}, which is no relation of clew.")
        ends = relation(name)
        row: dict[str, Any] = {
            "source_key": self._key(subject, RDF.subject, ends.source),
            "target_key": self._key(subject, RDF.object, ends.target),
            "source_name": self._text(subject, TERM.sourceName),
            "target_name": self._text(subject, TERM.targetName),
            "target_kind": self._text(subject, TERM.targetKind),
            "origin": self._needed(subject, TERM.origin),
            "field": self._needed(subject, TERM.field),
            "span_start": self._integer(subject, TERM.spanStart),
            "span_end": self._integer(subject, TERM.spanEnd),
            "text": self._needed(subject, PROV.value),
            "extractor": self._key(subject, PROV.wasAttributedTo, "Extractor"),
            "confidence": self._number(subject, TERM.confidence),
            "run": self._key(subject, PROV.wasGeneratedBy, "Run") if self._graph.value(subject, PROV.wasGeneratedBy) else None,
        }
        if row["confidence"] is None or row["span_start"] is None or row["span_end"] is None:
            raise InputError(f"{subject} lacks a confidence or a span.")
        Evidence(row["field"], row["span_start"], row["span_end"], row["text"], row["extractor"], row["confidence"])
        return name, row

    def _band(self, subject: URIRef) -> dict[str, Any]:
        kind = self._text(subject, TERM.kind)
        return {
            "key": self._tail(subject, Label.PRICE_BAND),
            "name": self._needed(subject, SCHEMA.name),
            "kind": "" if kind is None else kind,
            "low": self._number(subject, TERM.low),
            "high": self._number(subject, TERM.high),
            "currency": self._text(subject, SCHEMA.priceCurrency),
            "category_key": self._text(subject, TERM.categoryKey),
        }

    def _event(self, found: object) -> dict[str, Any]:
        subject = self._iri(found)
        value = self._text(subject, TERM.value)
        return {
            "user": self._key(subject, SCHEMA.agent, Label.USER),
            "item": self._key(subject, SCHEMA.object, Label.PRODUCT),
            "time": self._integer(subject, TERM.time),
            "value": None if value is None else float(value),
            "kind": self._needed(subject, TERM.eventKind),
        }

    def _key(self, subject: URIRef, predicate: URIRef, kind: str) -> str:
        return self._tail(self._node(subject, predicate), kind)

    @staticmethod
    def _tail(iri: URIRef, kind: str) -> str:
        start = f"{_NODE}{kind}/"
        if not iri.startswith(start):
            raise InputError(f"{iri} is not a {kind}.")
        return unquote(iri.removeprefix(start), errors="strict")

    @staticmethod
    def _iri(found: object) -> URIRef:
        if not isinstance(found, URIRef):
            raise InputError(f"{found} stands where an address has to.")
        return found

    def _node(self, subject: URIRef, predicate: URIRef) -> URIRef:
        return self._iri(self._one(subject, predicate))

    def _one(self, subject: URIRef, predicate: URIRef) -> object | None:
        found = list(self._graph.objects(subject, predicate))
        if len(found) > 1:
            raise InputError(f"{subject} has {len(found)} values of {predicate} where one is meant.")
        return found[0] if found else None

    def _text(self, subject: URIRef, predicate: URIRef) -> str | None:
        found = self._one(subject, predicate)
        if found is not None and not isinstance(found, Literal):
            raise InputError(f"{subject} has {found} where text has to stand.")
        return None if found is None else str(found)

    def _needed(self, subject: URIRef, predicate: URIRef) -> str:
        found = self._text(subject, predicate)
        if found is None:
            raise InputError(f"{subject} has no {predicate}.")
        return found

    def _converted(self, subject: URIRef, predicate: URIRef, kind: Callable[[str], Any]) -> Any:
        text = self._text(subject, predicate)
        return None if text is None else kind(text)

    def _number(self, subject: URIRef, predicate: URIRef) -> float | None:
        found: float | None = self._converted(subject, predicate, float)
        return found

    def _integer(self, subject: URIRef, predicate: URIRef) -> int | None:
        found: int | None = self._converted(subject, predicate, int)
        return found
