"""The graph as RDF: schema.org for products, offers and their attributes, PROV-O for who found what where.

Every product is a `schema:Product` with a `schema:Offer`; a fact is one plain triple for those who only want to read, and one
`prov:Entity` a piece of evidence that quotes it (`rdf:subject`, `rdf:predicate`, `rdf:object`), so that nothing is lost:
`read_rdf(write_rdf(tables))` has the same tables. Nothing is fetched, and RDF/XML is refused (`kg.rdf_read`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from rdflib import RDF, XSD, Graph, Literal, Namespace, URIRef

from kg.errors import UsageError
from kg.ontology import Family, Label, Property, Rel, product_properties, relation, relation_iri
from kg.own_ontology import property_value
from kg.progress import SILENT, Progress
from kg.tables import GraphTables
from kg.whole_files import whole_file

FORMATS: Final = {"ttl": "turtle", "nt": "nt", "jsonld": "json-ld"}
FORMAT_VERSION: Final = 1

SCHEMA: Final = Namespace("https://schema.org/")
PROV: Final = Namespace("http://www.w3.org/ns/prov#")
SKOS: Final = Namespace("http://www.w3.org/2004/02/skos/core#")
TERM: Final = Namespace("urn:clew:term#")
RELATION: Final = Namespace("urn:clew:relation#")
PROPERTY: Final = Namespace("urn:clew:property#")  # typed properties that an ontology file adds
PROPERTY_TYPES: Final = {"text": XSD.string, "integer": XSD.integer, "number": XSD.decimal, "boolean": XSD.boolean, "date": XSD.date}
GRAPH: Final = URIRef("urn:clew:graph")
_NODE = "urn:clew:node/"

_PREFIXES = {
    "schema": str(SCHEMA),
    "prov": str(PROV),
    "skos": str(SKOS),
    "clew": str(TERM),
    "rel": str(RELATION),
    "own": str(PROPERTY),
    "rdf": str(RDF),
    "xsd": str(XSD),
}
_TYPES = {Label.BRAND: SCHEMA.Brand, Label.CATEGORY: SCHEMA.CategoryCode, Label.MATERIAL: SKOS.Concept, Label.COLOR: SKOS.Concept}
# Relations that schema.org or SKOS have a property for; the plain triple uses it beside our own.
_PROPERTIES = {
    Rel.HAS_BRAND: SCHEMA.brand,
    Rel.MADE_OF: SCHEMA.material,
    Rel.IN_CATEGORY: SCHEMA.category,
    Rel.HAS_COLOR: SCHEMA.color,
    Rel.HAS_SIZE: SCHEMA.size,
    Rel.KIND_OF: SKOS.broader,
    Rel.PART_OF: SKOS.broader,
    Rel.SAME_AS: SKOS.closeMatch,
    Rel.ALSO_BOUGHT: SCHEMA.isRelatedTo,
    Rel.ALSO_VIEWED: SCHEMA.isRelatedTo,
    Rel.BOUGHT_TOGETHER: SCHEMA.isRelatedTo,
}
_ACTIONS = {"purchase": SCHEMA.BuyAction, "view": SCHEMA.ViewAction, "rating": SCHEMA.AssessAction}
_TRIPLES_PER_CHUNK = 20_000
_LAST_SECOND = 253_402_300_799  # 9999-12-31: what xsd:dateTime and Python both hold

Triple = tuple[URIRef, URIRef, URIRef | Literal]


def node(kind: str, *keys: str) -> URIRef:
    """The IRI of a node: `urn:clew:node/Product/B0-123`, keys percent-encoded."""
    return URIRef(_NODE + "/".join([kind, *(quote(key, safe="") for key in keys)]))


def write_rdf(tables: GraphTables, path: Path, format_name: str, with_users: bool = True, progress: Progress = SILENT) -> int:
    """Write a graph as RDF, in bounded memory; returns how many triples were written.

    Args:
        tables: the graph.
        path: the file; it appears whole or not at all.
        format_name: "ttl", "nt" or "jsonld".
        with_users: False leaves out people and their events.
        progress: listener.

    Raises:
        UsageError: no such format.
    """
    if format_name not in FORMATS:
        raise UsageError(f"There is no RDF format {format_name!r}.", f"Those that exist: {', '.join(FORMATS)}.")
    count = 0
    with (
        whole_file(path) as part,
        part.open("w", encoding="utf-8", newline="") as file,
        progress.stage(f"writing {path.name}") as advance,
    ):
        if format_name == "jsonld":
            file.write(f'{{"@context": {json.dumps(_PREFIXES)},\n"@graph": [')
        for number, chunk in enumerate(_chunks(_triples(tables, with_users))):
            count += len(chunk)
            file.write(_written(chunk, format_name, first=number == 0))
            advance(len(chunk))
        if format_name == "jsonld":
            file.write("\n]}\n")
    return count


def rdf_graph(tables: GraphTables, with_users: bool = True) -> Graph:
    """A graph as one RDF graph in memory."""
    whole = _graph()
    for group in _triples(tables, with_users):
        for triple in group:
            whole.add(triple)
    return whole


def _chunks(groups: Iterable[list[Triple]]) -> Iterator[Graph]:
    chunk = _graph()
    for group in groups:
        for triple in group:
            chunk.add(triple)
        if len(chunk) >= _TRIPLES_PER_CHUNK:
            yield chunk
            chunk = _graph()
    if len(chunk):
        yield chunk


def _graph() -> Graph:
    graph = Graph(bind_namespaces="none")
    for prefix, namespace in _PREFIXES.items():
        graph.bind(prefix, namespace)
    return graph


def _written(chunk: Graph, format_name: str, first: bool) -> str:
    if format_name != "jsonld":
        # Turtle documents with the same prefixes can stand one after the other: a prefix may be declared again.
        return chunk.serialize(format=FORMATS[format_name])
    document = json.loads(chunk.serialize(format="json-ld", context=_PREFIXES))
    document.pop("@context", None)
    listed = document.get("@graph", [document])
    return ("\n" if first else ",\n") + ",\n".join(json.dumps(each, ensure_ascii=False, sort_keys=True) for each in listed)


def _triples(tables: GraphTables, with_users: bool) -> Iterator[list[Triple]]:
    yield [
        (GRAPH, RDF.type, SCHEMA.Dataset),
        (GRAPH, TERM.version, Literal(FORMAT_VERSION)),
        (GRAPH, TERM.timed, Literal(tables.timed)),
    ]
    for row in tables.products.to_pylist():
        yield _product(row)
    for label, table in tables.entities.items():
        for row in table.to_pylist():
            yield _entity(label, row)
    for row in tables.bands.to_pylist():
        yield _band(row)
    for name, table in tables.evidence.items():
        for number, row in enumerate(table.to_pylist()):
            yield _evidence(name, number, row)
    if with_users:
        for key in tables.users.column("key").to_pylist():
            yield [(node(Label.USER, key), RDF.type, SCHEMA.Person), (node(Label.USER, key), SCHEMA.identifier, Literal(key))]
        for number, row in enumerate(tables.events.to_pylist()):
            yield _event(number, row, tables.timed)


def _exact(value: float) -> Literal:
    # xsd:decimal: of a double, rdflib's Turtle keeps six digits. What is not finite has a name in xsd:float only.
    if not math.isfinite(value):
        return Literal(str(value).upper().replace("NAN", "NaN"), datatype=XSD.float, normalize=False)
    return Literal(format(Decimal(repr(value)), "f"), datatype=XSD.decimal)


def _literals(subject: URIRef, values: dict[URIRef, Any]) -> Iterator[Triple]:
    for predicate, value in values.items():
        if value is not None:
            yield subject, predicate, _exact(value) if isinstance(value, float) else Literal(value)


def _product(row: dict[str, Any]) -> list[Triple]:
    product, offer = node(Label.PRODUCT, row["key"]), node("Offer", row["key"])
    low, high = row["price_low"], row["price_high"]
    one = low is not None and low == high
    stock = SCHEMA.InStock if row["available"] else SCHEMA.OutOfStock
    prices = {SCHEMA.price: low} if one else {SCHEMA.lowPrice: low, SCHEMA.highPrice: high}
    found: list[Triple] = [
        (product, RDF.type, SCHEMA.Product),
        (product, SCHEMA.offers, offer),
        (offer, RDF.type, SCHEMA.Offer if one else SCHEMA.AggregateOffer),
        (offer, SCHEMA.availability, stock),
        *_literals(
            product, {SCHEMA.productID: row["key"], SCHEMA.name: row["title"], TERM.quantity: row["quantity"], TERM.source: row["source"]}
        ),
        *_literals(
            offer,
            {**prices, SCHEMA.priceCurrency: row["currency"], TERM.was: row["was"], TERM.per: row["per"], TERM["count"]: row["count"]},
        ),
    ]
    fields = json.loads(row["fields"])
    found += [(product, PROPERTY[each.name], _typed(fields[each.column], each)) for each in product_properties() if each.column in fields]
    for name, text in fields.items():
        field = node("Field", row["key"], name)
        found += [(product, SCHEMA.additionalProperty, field), (field, RDF.type, SCHEMA.PropertyValue)]
        found += _literals(field, {SCHEMA.name: name, SCHEMA.value: text})
    return found


def _typed(text: str, each: Property) -> Literal:
    """A typed property; text that is no value of its type stays text, which a shape then finds."""
    try:
        value = property_value(text, each.type)
    except ValueError:
        return Literal(text)
    return _exact(value) if isinstance(value, float) else Literal(value, datatype=PROPERTY_TYPES[each.type])


def _entity(label: Label, row: dict[str, Any]) -> list[Triple]:
    entity = node(label, row["key"])
    found: list[Triple] = [(entity, RDF.type, TERM[label]), *_literals(entity, {SCHEMA.identifier: row["key"], SCHEMA.name: row["name"]})]
    if label in _TYPES:
        found.append((entity, RDF.type, _TYPES[label]))
    if row["kind"]:
        found.append((entity, TERM.kind, Literal(row["kind"])))
    return found


def _band(row: dict[str, Any]) -> list[Triple]:
    band = node(Label.PRICE_BAND, row["key"])
    values = {TERM.low: row["low"], TERM.high: row["high"], SCHEMA.priceCurrency: row["currency"], TERM.categoryKey: row["category_key"]}
    return [(band, RDF.type, TERM.Borders), *_literals(band, values)]


def _evidence(name: str, number: int, row: dict[str, Any]) -> list[Triple]:
    ends = relation(name)
    source, target = node(ends.source, row["source_key"]), node(ends.target, row["target_key"])
    evidence = node("Evidence", name, str(number))
    found: list[Triple] = [
        (source, RELATION[name], target),
        (evidence, RDF.type, PROV.Entity),
        (evidence, RDF.subject, source),
        (evidence, RDF.predicate, RELATION[name]),
        (evidence, RDF.object, target),
        (evidence, PROV.wasAttributedTo, node("Extractor", row["extractor"])),
        *_literals(
            evidence, {TERM.sourceName: row["source_name"], TERM.targetName: row["target_name"], TERM.targetKind: row["target_kind"]}
        ),
        *_literals(
            evidence, {TERM.origin: row["origin"], TERM.field: row["field"], PROV.value: row["text"], TERM.confidence: row["confidence"]}
        ),
        *_literals(evidence, {TERM.spanStart: row["span_start"], TERM.spanEnd: row["span_end"]}),
    ]
    if row["run"] is not None:
        found.append((evidence, PROV.wasGeneratedBy, node("Run", row["run"])))
    if name in _PROPERTIES:
        found.append((source, _PROPERTIES[Rel(name)], target))
    elif iri := relation_iri(name):
        found.append((source, URIRef(iri), target))
    if ends.family is not Family.TREE:
        found.append((evidence, PROV.wasDerivedFrom, source))
    return found


def _event(number: int, row: dict[str, Any], timed: bool) -> list[Triple]:
    event, time, value = node("Event", str(number)), row["time"], row["value"]
    found: list[Triple] = [
        (event, RDF.type, _ACTIONS.get(row["kind"], SCHEMA.Action)),
        (event, SCHEMA.agent, node(Label.USER, row["user"])),
        (event, SCHEMA.object, node(Label.PRODUCT, row["item"])),
        *_literals(event, {TERM.eventKind: row["kind"], TERM.time: time}),
    ]
    if value is not None:
        found.append((event, TERM.value, _exact(value)))
    if timed and time is not None and 0 <= time <= _LAST_SECOND:
        found.append((event, SCHEMA.startTime, Literal(datetime.fromtimestamp(time, UTC).isoformat(), datatype=XSD.dateTime)))
    return found
