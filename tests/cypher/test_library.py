"""Every query of the library, executed on the embedded engine: its rows on a shop that fits on a page (`kg.testing`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cypher.guard import guard
from cypher.query import library
from kg.errors import EngineError
from kg.explore import run_named
from kg.ontology import RELATIONS, Label, Rel
from kg.proposals import Likeness, Named, proposed
from kg.store import FULLTEXT_INDEX, VECTOR_INDEX, GraphStore, engine_graph, plain
from kg.stores.embedded import EmbeddedStore
from kg.sync import synchronise
from kg.tables import distinct_evidence
from kg.testing import example_tables

PORTABLE = sorted(name for name, query in library().items() if not query.needs)
EXPECTED = json.loads((Path(__file__).parent / "library_rows.json").read_text(encoding="utf-8"))


class Proposes:
    """Says that the two spellings of the example's toy maker may be one."""

    def alike(self, named: Sequence[Named]) -> list[Likeness]:
        [seldom, often] = sorted((brand for brand in named if brand.key in ("brand:le-go", "brand:lego")), key=lambda brand: brand.count)
        return [Likeness(seldom, often, 0.98)]


@pytest.fixture(scope="module")
def store() -> Iterator[GraphStore]:
    tables = example_tables()
    alike = proposed(tables.evidence, tables.rest, Proposes())
    tables = replace(tables, evidence={**tables.evidence, str(Rel.SAME_AS): distinct_evidence(alike)})
    with EmbeddedStore() as store:
        synchronise(store, engine_graph(tables, "sha256:example"))
        yield store


@pytest.mark.parametrize("name", PORTABLE)
def test_a_query_gives_its_rows(store: GraphStore, name: str) -> None:
    case = EXPECTED[name]
    found = run_named(store, name, case["parameters"])
    assert found.columns == library()[name].columns
    rows = [[round(cell, 6) if isinstance(cell, float) else plain(cell) for cell in row] for row in found.rows]
    assert sorted(rows, key=repr) == sorted(case["rows"], key=repr)


@pytest.mark.parametrize("name", PORTABLE)
def test_a_query_only_reads(name: str) -> None:
    assert guard(library()[name].text).wanted == {p.name for p in library()[name].parameters}


@pytest.mark.parametrize("name", sorted(library()))
def test_labels_and_relations_are_the_ontologys(name: str) -> None:
    text = library()[name].text
    assert set(re.findall(r"\((?:\w+)?:(\w+)", text)) <= {str(label) for label in Label}
    assert set(re.findall(r"\[(?:\w+)?:(\w+)", text)) <= set(RELATIONS)


@pytest.mark.parametrize("name", sorted(library()))
def test_a_query_is_portable(name: str) -> None:
    text = library()[name].text
    assert not re.search(r"\[\w*:\w+\s*\|", text), "one relation type per pattern"
    assert "apoc" not in text.lower() and "/*" not in text
    assert all(library()[name].columns)


@pytest.mark.parametrize("name", sorted(library()))
def test_a_query_says_what_it_costs(name: str) -> None:
    query = library()[name]
    assert re.match(r"([\d.]+ m?s Neo4j|not measured\Z)" if query.needs else r"[\d.]+ m?s embedded", query.cost)


@pytest.mark.parametrize("name", sorted(set(library()) - set(PORTABLE)))
def test_a_query_is_not_sent_to_an_engine_that_lacks_its_index(store: GraphStore, name: str) -> None:
    with pytest.raises(EngineError, match=f"{name} needs .* index.*, which the embedded engine does not have"):
        run_named(store, name, {"item": "p1"} if "item" in library()[name].text else {"text": "lego"})


def test_the_indexes_of_the_library_are_those_that_are_made() -> None:
    named = {"search_titles": FULLTEXT_INDEX, "similar_by_text": VECTOR_INDEX}
    assert set(named) == set(library()) - set(PORTABLE)
    assert all(f"'{index}'" in library()[name].text for name, index in named.items())


@pytest.mark.parametrize("name", sorted(library()))
def test_a_walk_starts_at_the_product_that_was_asked_for(name: str) -> None:
    """The embedded engine begins a pattern at the end whose label is rarer, at 300,000 products and 100 materials with every edge there
    is: 450 ms instead of half of one. A product that was found by its key and handed on is where the pattern begins."""
    branches = library()[name].text.split("UNION ALL\n")
    assert not [branch for branch in branches if re.match(r"MATCH \(\w+:Product \{key: \$item\}\)<?-", branch)]
