"""SHACL shapes made from the ontology, and a graph held against them by pyshacl (W3C Shapes Constraint Language, 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow.compute as pc
from rdflib import XSD

from kg.canon import MAX_KEY_BYTES, entity_key
from kg.ontology import Family, Label, Property, all_relations, entity_labels, product_properties, relation
from kg.progress import SILENT, Progress
from kg.rdf import PROPERTY, PROPERTY_TYPES, PROV, RELATION, SCHEMA, TERM, rdf_graph
from kg.tables import GraphTables
from kg.validate import Fault

PRODUCTS_AT_ONCE = 500
_HEAD = f"""@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix schema: <{SCHEMA}> .
@prefix prov: <{PROV}> .
@prefix clew: <{TERM}> .
@prefix rel: <{RELATION}> .
"""
_ONE_TEXT = "sh:minCount 1 ; sh:maxCount 1 ; sh:datatype xsd:string ; sh:minLength 1"
_FIXED = f"""
clew:ProductShape a sh:NodeShape ; sh:targetClass schema:Product ;
  sh:property [ sh:path schema:productID ; {_ONE_TEXT} ; sh:maxLength {MAX_KEY_BYTES} ] ;
  sh:property [ sh:path schema:name ; {_ONE_TEXT} ; sh:pattern "\\\\S" ; sh:message "A title is one text that is not blank." ] ;
  sh:property [ sh:path schema:offers ; sh:minCount 1 ; sh:maxCount 1 ] .

clew:OfferShape a sh:NodeShape ; sh:targetClass schema:Offer, schema:AggregateOffer ;
  sh:property [ sh:path schema:price ; sh:maxCount 1 ; sh:minInclusive 0 ; sh:message "A price is one number of 0 or more." ] ;
  sh:property [ sh:path schema:lowPrice ; sh:maxCount 1 ; sh:minInclusive 0 ; sh:lessThanOrEquals schema:highPrice ;
                sh:message "A price range begins at 0 or more and is not upside down." ] ;
  sh:property [ sh:path schema:highPrice ; sh:maxCount 1 ; sh:minInclusive 0 ] ;
  sh:property [ sh:path schema:priceCurrency ; sh:maxCount 1 ; sh:pattern "^[A-Z]{{3}}$" ; sh:message "A currency is an ISO 4217 code." ] .

clew:EvidenceShape a sh:NodeShape ; sh:targetClass prov:Entity ;
  sh:property [ sh:path rdf:subject ; sh:minCount 1 ; sh:maxCount 1 ] ;
  sh:property [ sh:path rdf:object ; sh:minCount 1 ; sh:maxCount 1 ] ;
  sh:property [ sh:path clew:confidence ; sh:minCount 1 ; sh:maxCount 1 ; sh:minInclusive 0 ; sh:maxInclusive 1 ;
                sh:message "A confidence is one number from 0 to 1." ] ;
  sh:property [ sh:path clew:spanStart ; sh:minCount 1 ; sh:maxCount 1 ; sh:minInclusive 0 ; sh:lessThanOrEquals clew:spanEnd ;
                sh:message "A quoted span begins at 0 or later and ends after it begins." ] .

clew:EventShape a sh:NodeShape ; sh:targetClass schema:BuyAction, schema:ViewAction, schema:AssessAction, schema:Action ;
  sh:property [ sh:path schema:agent ; sh:minCount 1 ; sh:maxCount 1 ; sh:class schema:Person ] ;
  sh:property [ sh:path schema:object ; sh:minCount 1 ; sh:maxCount 1 ; sh:class schema:Product ; sh:message "An event is about a product of the catalogue." ] .
"""  # noqa: E501


def shapes_turtle() -> str:
    """The shapes as Turtle: one a label, one a relation, and those of products, offers, evidence and events."""
    labels = (_label_shape(label) for label in entity_labels())
    stored = (Family.FACT, Family.LINK, Family.TREE)
    relations = (_relation_shape(name) for name, found in all_relations().items() if found.family in stored)
    return "\n".join([_HEAD, _FIXED.strip() + "\n", *labels, *relations, *map(_property_shape, product_properties())])


def _label_shape(label: Label) -> str:
    prefix = "" if label is Label.ENTITY else entity_key(label, "x").removesuffix("x")
    pattern = f' ; sh:pattern "^{prefix}" ; sh:message "A key of {label} begins with {prefix}"' if prefix else ""
    return (
        f"clew:{label}Shape a sh:NodeShape ; sh:targetClass clew:{label} ;\n"
        f"  sh:property [ sh:path schema:identifier ; {_ONE_TEXT} ; sh:maxLength {MAX_KEY_BYTES}{pattern} ] ;\n"
        f"  sh:property [ sh:path schema:name ; {_ONE_TEXT} ] .\n"
    )


def _property_shape(each: Property) -> str:
    kind = PROPERTY_TYPES[each.type].removeprefix(str(XSD))
    least = " ; sh:minCount 1" if each.required else ""
    return (
        f"clew:{each.name}PropertyShape a sh:NodeShape ; sh:targetClass schema:Product ;\n"
        f"  sh:property [ sh:path <{PROPERTY[each.name]}> ; sh:maxCount 1{least} ; sh:datatype xsd:{kind} ;"
        f' sh:message "{each.name} is one {each.type}." ] .\n'
    )


def _relation_shape(name: str) -> str:
    ends = relation(name)
    lines = [f"clew:{name}Shape a sh:NodeShape ; sh:targetSubjectsOf rel:{name} ; sh:class {_class(ends.source)}"]
    if ends.family is not Family.LINK:  # a link may name a product that the catalogue lacks
        message = f'sh:message "{name} leads to a {ends.target}."'
        lines.append(f" ;\n  sh:property [ sh:path rel:{name} ; sh:class {_class(ends.target)} ; {message} ]")
    return "".join(lines) + " .\n"


def _class(label: Label) -> str:
    return {Label.PRODUCT: "schema:Product", Label.USER: "schema:Person"}.get(label, f"clew:{label}")


def validate_shacl(tables: GraphTables, progress: Progress = SILENT) -> list[Fault]:
    """Hold a graph against the shapes, some products at a time, so that memory does not grow with the catalogue.

    Returns:
        What violates them: where (the node) and why.
    """
    from pyshacl import validate
    from rdflib import Graph
    from rdflib.namespace import SH

    shapes = Graph().parse(data=shapes_turtle(), format="turtle")
    found: dict[tuple[str, str], Fault] = {}
    with progress.stage("holding the graph against SHACL shapes", tables.products.num_rows) as advance:
        for part in _parts(tables):
            _, report, _ = validate(rdf_graph(part), shacl_graph=shapes, advanced=False, meta_shacl=False, do_owl_imports=False)
            assert isinstance(report, Graph)
            for result in report.objects(None, SH.result):
                where = str(report.value(result, SH.focusNode)).removeprefix("urn:clew:node/")
                message = str(report.value(result, SH.resultMessage))
                found[where, message] = Fault(where, message)
            advance(part.products.num_rows)
    return [fault for _, fault in sorted(found.items())]


def _parts(tables: GraphTables) -> Iterator[GraphTables]:
    """The graph in pieces: some products with their facts and events; trees, and facts of products that do not exist, first."""
    keys = tables.product_keys
    strays = {name: t.filter(pc.invert(pc.is_in(t.column("source_key"), value_set=keys))) for name, t in tables.evidence.items()}
    strange = tables.events.filter(pc.invert(pc.is_in(tables.events.column("item"), value_set=keys)))
    yield replace(tables, products=tables.products.slice(0, 0), evidence=strays, events=strange)
    for start in range(0, tables.products.num_rows, PRODUCTS_AT_ONCE):
        products = tables.products.slice(start, PRODUCTS_AT_ONCE)
        mine = products.column("key").combine_chunks()
        evidence = {name: t.filter(pc.is_in(t.column("source_key"), value_set=mine)) for name, t in tables.evidence.items()}
        events = tables.events.filter(pc.is_in(tables.events.column("item"), value_set=mine))
        yield replace(tables, products=products, evidence=evidence, events=events)
