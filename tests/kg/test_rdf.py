"""RDF: a graph goes out and comes back the same; hostile files are refused."""

from __future__ import annotations

import json
import math
import socket
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rdflib import RDF, Graph, Literal

from kg.errors import InputError, UsageError
from kg.model import Entity, Evidence, Fact, Price, Product
from kg.ontology import Label, Rel, relation
from kg.price_bands import band_evidence, lay_bands
from kg.rdf import FORMATS, PROV, SCHEMA, node, write_rdf
from kg.rdf_read import read_rdf
from kg.tables import EVENT_SCHEMA, GraphTables, distinct_evidence, events_table, evidence_tables, products_table, tree_tables
from kg.testing import stated
from kg.truth import Truth

pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")  # rdflib's JSON-LD parser speaks of itself


def tables_of(products: list[Product], facts: list[Fact], events: list[tuple[object, ...]] = (), timed: bool = True) -> GraphTables:  # type: ignore[assignment]
    log = (
        pa.table(
            [pa.array(column, kind.type) for column, kind in zip(zip(*events, strict=True), EVENT_SCHEMA, strict=True)], schema=EVENT_SCHEMA
        )
        if events
        else EVENT_SCHEMA.empty_table()
    )
    evidence = {name: distinct_evidence(table) for name, table in evidence_tables(facts, "catalogue", "run 1").items()}
    return GraphTables(products_table(products), evidence, events_table(log), timed)


def shop() -> GraphTables:
    products = [
        Product(
            "B0/1",
            "A \"shirt\"\r\n'of' cotton",
            {"brand": "Ada®", "quantity": "2 pieces"},
            Price(9.99, 12.5, "EUR", 20.0, "100 g", 2),
            False,
            "a.csv:7",
        ),
        Product("2", "Hat", {"description": " spaces \x00 \u202e"}, Price(0.1 + 0.2, 0.1 + 0.2, "USD")),
        Product("3", "Bare", price=Price(None, 5.0)),
    ]
    read = Evidence("brand", 0, 4, "Ada®", "columns", 1.0)
    guessed = Evidence("title", 15, 21, "cotton", "rules", 1 / 3)
    facts = [
        Fact("B0/1", relation(Rel.HAS_BRAND), Entity(Label.BRAND, "Ada®"), (read, Evidence("title", 0, 1, "A", "tagger", 0.1))),
        Fact("B0/1", relation(Rel.MADE_OF), Entity(Label.MATERIAL, "cotton"), (guessed,)),
        Fact("2", relation("DIRECTED_BY"), Entity(Label.ENTITY, "Ada", "director"), (read,)),
        stated("B0/1", "ALSO_BOUGHT", "2"),
        stated("2", "ALSO_BOUGHT", "not in the catalogue"),
    ]
    events = [
        ("u1", "2", 1_700_000_000, 1.0, "purchase"),
        ("u1", "2", 1_700_000_000, 1.0, "purchase"),
        ("u1", "B0/1", None, 4.7, "rating"),
        ("u 2", "2", -5, math.inf, "view"),
        ("u 2", "3", 10**15, 1.0, "cart"),
    ]
    found = tables_of(products, facts, events)
    child, parent = Entity(Label.MATERIAL, "cotton"), Entity(Label.MATERIAL, "plant fibre")
    tree = tree_tables([(child, relation(Rel.KIND_OF), parent)], "catalogue", "vocabulary")
    bands = lay_bands(found.products, found.evidence, found.bands)
    banded = {str(Rel.IN_PRICE_BAND): distinct_evidence(band_evidence(found.products, found.evidence, bands))}
    return GraphTables(found.products, {**found.evidence, **tree, **banded}, found.events, True, bands)


def digest(tables: GraphTables, folder: Path) -> str:
    return Truth(folder).write(tables).digest


def same(one: GraphTables, other: GraphTables) -> None:
    assert one.products.equals(other.products)
    assert list(one.evidence) == list(other.evidence)
    for name in one.evidence:
        assert one.evidence[name].to_pylist() == other.evidence[name].to_pylist()
    assert one.events.equals(other.events)
    assert (one.timed, one.bands.to_pylist()) == (other.timed, other.bands.to_pylist())


@pytest.mark.parametrize("name", FORMATS)
def test_there_and_back_with_the_same_digest(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"shop.{name}"
    assert write_rdf(shop(), path, name) > 100
    back = read_rdf(path, name)
    same(shop(), back)
    assert digest(back, tmp_path / "one") == digest(shop(), tmp_path / "two")


@pytest.mark.parametrize("name", FORMATS)
def test_many_chunks_and_none(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kg.rdf._TRIPLES_PER_CHUNK", 10)
    write_rdf(shop(), tmp_path / "shop", name)
    same(shop(), read_rdf(tmp_path / "shop", name))
    write_rdf(GraphTables.empty(), tmp_path / "empty", name)
    same(GraphTables.empty(), read_rdf(tmp_path / "empty", name))


def test_others_find_schema_org_and_prov(tmp_path: Path) -> None:
    write_rdf(shop(), tmp_path / "shop.ttl", "ttl")
    graph = Graph().parse(tmp_path / "shop.ttl", format="turtle")
    shirt, hat = node(Label.PRODUCT, "B0/1"), node(Label.PRODUCT, "2")
    assert (shirt, SCHEMA.brand, node(Label.BRAND, "brand:ada")) in graph
    assert (shirt, SCHEMA.material, node(Label.MATERIAL, "material:cotton")) in graph
    offer = graph.value(hat, SCHEMA.offers)
    assert (offer, RDF.type, SCHEMA.Offer) in graph and float(graph.value(offer, SCHEMA.price)) == 0.1 + 0.2  # type: ignore[arg-type]
    rows = graph.query(
        "SELECT ?text ?who WHERE { ?e a prov:Entity; rdf:object ?m; prov:value ?text; prov:wasAttributedTo ?who . ?m a skos:Concept }",
        initNs={"prov": PROV},
    )
    assert (Literal("cotton"), node("Extractor", "rules")) in list(rows)


def test_people_can_be_left_out(tmp_path: Path) -> None:
    write_rdf(shop(), tmp_path / "shop.nt", "nt", with_users=False)
    assert b"u1" not in (tmp_path / "shop.nt").read_bytes()
    assert read_rdf(tmp_path / "shop.nt", "nt").events.num_rows == 0


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=NAMES, key=NAMES, user=NAMES, brand=NAMES, text=NAMES, confidence=st.floats(0, 1), price=st.floats(0, 1e300))
@example("\\", '"', "\u202e", "\x00", "<>", 5e-324, 1.7976931348623157e308)
def test_any_unicode_and_any_number_come_back(
    tmp_path: Path, name: str, title: str, key: str, user: str, brand: str, text: str, confidence: float, price: float
) -> None:
    fact = Fact(key, relation(Rel.HAS_BRAND), Entity(Label.BRAND, brand), (Evidence(text, 0, len(text), text, text, confidence),))
    tables = tables_of([Product(key, title, {text: title}, Price(price, price))], [fact], [(user, key, 1, 1.0, "purchase")])
    write_rdf(tables, tmp_path / "any", name)
    same(tables, read_rdf(tmp_path / "any", name))


def test_rdf_xml_is_not_read(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><rdf:RDF xmlns:rdf="x">&b;</rdf:RDF>'
    (tmp_path / "bomb.rdf").write_text(bomb)
    with pytest.raises(InputError, match="reads no RDF of the kind 'rdf'"):
        read_rdf(tmp_path / "bomb.rdf", "rdf")
    for name in FORMATS:
        with pytest.raises(InputError, match=r"bomb\.rdf is not"):
            read_rdf(tmp_path / "bomb.rdf", name)


@pytest.mark.parametrize(
    "document",
    [
        {"@context": "https://schema.org/", "@id": "urn:a"},
        {"@context": [{"a": "urn:b"}, "file:///etc/passwd"], "@id": "urn:a"},
        {"@context": {"@import": "https://schema.org/"}, "@id": "urn:a"},
        {"@context": {"a": {"@id": "urn:b", "@context": "https://schema.org/"}}, "a": {"c": 1}},
        [{"@graph": [{"@context": "http://127.0.0.1:1/", "@id": "urn:a"}]}],
    ],
)
def test_a_context_from_elsewhere_is_never_fetched(tmp_path: Path, document: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("something opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    (tmp_path / "far.jsonld").write_text(json.dumps(document))
    with pytest.raises(InputError, match="clew fetches nothing"):
        read_rdf(tmp_path / "far.jsonld", "jsonld")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("ttl", b"\xff\xfe", "is not UTF-8"),
        ("ttl", b"<a> <b> ", "is not turtle"),
        ("ttl", b"@prefix : <file:///etc/passwd> .", "not a graph that this version"),
        ("ttl", b"<a> <b> " + b"(" * 50_000, "nested too deep|is not turtle"),
        ("nt", b"hello", "is not nt"),
        ("jsonld", b"{", "is not json-ld"),
        ("jsonld", b"[" * 100_000, "nested too deep|is not json-ld"),
        ("nt", b"<urn:a> <urn:b> <urn:c> .", "not a graph that this version of clew wrote"),
    ],
)
def test_damaged_and_foreign_files(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_rdf(tmp_path / "file", name)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('<https://schema.org/name> "Hat"', '<https://schema.org/name> "  "', "blank title"),
        ('term#confidence> "1.0"', 'term#confidence> "7"', "A confidence lies between 0 and 1"),
        ('term#confidence> "1.0"', 'term#confidence> "much"', "is not RDF that clew wrote|much"),
        ("relation#MADE_OF> .\n", "relation#`x`> .\n", "cannot be a relation"),
        ("relation#MADE_OF> .\n", "other#MADE_OF> .\n", "no relation of clew"),
        (
            "<https://schema.org/object> <urn:clew:node/Product/3>",
            "<https://schema.org/object> <urn:clew:node/Product/9>",
            "names the product '9'",
        ),
        ("term#spanStart>", "term#spanBegin>", "lacks a confidence or a span"),
        ("<https://schema.org/agent> <urn:clew:node/User", "<https://schema.org/agent> <urn:clew:node/Brand", "is not a User"),
        ("term#origin>", "term#beginning>", "has no urn:clew:term#origin"),
        ("<https://schema.org/offers> <urn:clew:node/Offer/2>", '<https://schema.org/offers> "2"', "where an address has to"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "shop.nt"
    write_rdf(shop(), path, "nt")
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        read_rdf(path, "nt")
    assert str(path) in caught.value.message


def test_an_unknown_format_lists_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no RDF format 'xml'") as caught:
        write_rdf(shop(), tmp_path / "x", "xml")
    assert "ttl, nt, jsonld" in caught.value.hint
    assert not list(tmp_path.iterdir())
