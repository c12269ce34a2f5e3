"""What an ingest does to a graph, on tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from kg.categories import category_tree
from kg.errors import InputError
from kg.merge import CATALOGUE, TREE, TRIPLES, Incoming, compare, merge
from kg.model import Entity, Fact, Price, Product
from kg.ontology import Label, Rel, relation
from kg.price_bands import band_evidence, lay_bands
from kg.tables import BAND_SCHEMA, EVENT_SCHEMA, GraphTables, evidence_tables, products_table, tree_tables
from kg.testing import ColumnFacts, example_tables, stated
from kg.truth import Truth


def incoming(products: Sequence[Product], triples: Sequence[Fact] | None = None, events: Sequence[pa.Table] | None = None) -> Incoming:
    facts = [fact for listed in ColumnFacts().facts(products) for fact in listed]
    stated_by_triples = None if triples is None else evidence_tables(triples, TRIPLES)
    return Incoming(products_table(products), evidence_tables(facts, CATALOGUE), {}, stated_by_triples, events)


def events(*rows: tuple[str, str, int]) -> pa.Table:
    columns = list(zip(*((*row, 1.0, "purchase") for row in rows), strict=True))
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, EVENT_SCHEMA, strict=True)], schema=EVENT_SCHEMA)


LEGO = Product("p1", "LEGO tractor", {"brand": "LEGO"}, Price(10.0, 10.0, "USD"))
BRIO = Product("p2", "Brio train", {"brand": "Brio"}, Price(20.0, 20.0, "USD"))


def test_the_same_input_twice_changes_nothing(tmp_path: Path) -> None:
    given = incoming([LEGO, BRIO], [stated("p1", "MADE_BY", "Ole")], [events(("u", "p1", 1), ("u", "p1", 1))])
    once = merge(GraphTables.empty(), given, run="one")
    twice = merge(once, given, run="two")
    truth = Truth(tmp_path)
    assert truth.digest_of(once) == truth.digest_of(twice)
    assert compare(once, twice).to_dict() == {"new": 0, "changed": 0, "unchanged": 15, "removed": 0}


def test_evidence_keeps_the_run_that_first_said_it() -> None:
    once = merge(GraphTables.empty(), incoming([LEGO]), run="one")
    twice = merge(once, incoming([LEGO, BRIO]), run="two")
    assert twice.evidence[Rel.HAS_BRAND].column("run").to_pylist() == ["one", "two"]


def test_a_product_that_comes_again_replaces_what_was_read_out_of_it() -> None:
    old = merge(GraphTables.empty(), incoming([LEGO, BRIO], [stated("p1", "MADE_BY", "Ole")]))
    new = merge(old, incoming([Product("p1", "Duplo tractor", {"brand": "Duplo"})]))
    assert new.products.column("title").to_pylist() == ["Duplo tractor", "Brio train"]
    assert new.edges[Rel.HAS_BRAND].column("target_key").to_pylist() == ["brand:duplo", "brand:brio"]
    assert new.entities[Label.BRAND].column("key").to_pylist() == ["brand:brio", "brand:duplo"]  # LEGO went with its last fact
    assert new.edges["MADE_BY"].num_rows == 1  # triples stay
    assert compare(old, new).changed == 1


def test_a_triple_that_comes_again_replaces_its_confidence_and_no_other() -> None:
    old = merge(GraphTables.empty(), incoming([LEGO], [stated("p1", "MADE_BY", "Ole", 0.5), stated("p1", "MADE_BY", "Ann", 0.5)]))
    new = merge(old, Incoming(triples=evidence_tables([stated("p1", "MADE_BY", "Ole", 0.9)], TRIPLES)))
    assert new.edges["MADE_BY"].column("confidence").to_pylist() == [0.5, 0.9]
    assert new.products.equals(old.products)


def test_catalogue_and_triples_state_one_fact_with_two_pieces_of_evidence() -> None:
    found = merge(GraphTables.empty(), incoming([LEGO], [stated("p1", Rel.HAS_BRAND, "Lego")]))
    assert found.edges[Rel.HAS_BRAND].column("evidence_count").to_pylist() == [2]


def test_pruning_removes_what_the_given_kind_of_input_no_longer_says() -> None:
    triples = [stated("p1", "MADE_BY", "Ole"), stated("p2", "MADE_BY", "Ann")]
    old = merge(GraphTables.empty(), incoming([LEGO, BRIO], triples, [events(("u", "p1", 1), ("v", "p2", 1))]))
    without = merge(old, incoming([LEGO]), prune=True)
    assert without.product_keys.to_pylist() == ["p1"]
    assert without.edges["MADE_BY"].num_rows == 1  # the triple of a product that is gone goes with it
    assert without.users.column("key").to_pylist() == ["u"]
    kept = merge(old, Incoming(triples=evidence_tables(triples[:1], TRIPLES)), prune=True)
    assert kept.edges["MADE_BY"].num_rows == 1
    assert kept.products.num_rows == 2
    fewer = merge(old, Incoming(events=[events(("v", "p2", 1))]), prune=True)
    assert fewer.users.column("key").to_pylist() == ["v"]


def test_an_event_in_two_files_is_one_and_twice_in_a_file_is_two() -> None:
    twice, once = events(("u", "p1", 1), ("u", "p1", 1)), events(("u", "p1", 1), ("u", "p1", 2))
    found = merge(GraphTables.empty(), incoming([LEGO], events=[twice, once]))
    assert found.events.column("time").to_pylist() == [1, 1, 2]
    assert merge(found, Incoming(events=[once])).events.equals(found.events)


def test_moments_and_orders_do_not_mix() -> None:
    old = merge(GraphTables.empty(), incoming([LEGO], events=[events(("u", "p1", 1))]))
    with pytest.raises(InputError, match="cannot be in one graph"):
        merge(old, Incoming(events=[events(("u", "p1", 2))], timed=False))
    assert merge(old, Incoming(events=[events(("u", "p1", 2))], timed=False), prune=True).timed is False


def test_category_paths_draw_a_tree() -> None:
    found = example_tables()
    tree = list(zip(*(found.edges[Rel.PART_OF].column(c).to_pylist() for c in ("source_key", "target_key")), strict=True))
    assert tree == [("category:toys-bricks", "category:toys"), ("category:toys-trains", "category:toys")]
    deep = category_tree([("category:a-b-c", "A > B > C"), ("category:b", "B"), ("category:renamed", "A > B"), ("category:a", "A > ")])
    assert [(child.name, parent.name, parent.key) for child, _, parent in deep] == [("B", "A", "category:a"), ("C", "B", "category:a-b")]
    gone = merge(found, Incoming(products_table([LEGO])), prune=True)
    assert Rel.PART_OF not in gone.evidence


def test_only_the_part_of_the_vocabulary_that_is_in_use_is_kept() -> None:
    def kind(child: str, parent: str) -> tuple[Entity, object, Entity]:
        return Entity(Label.MATERIAL, child), relation(Rel.KIND_OF), Entity(Label.MATERIAL, parent)

    tree = tree_tables([kind("oak", "wood"), kind("wood", "plant"), kind("jute", "fibre")], TREE, "vocabulary")  # type: ignore[list-item]
    facts = evidence_tables([stated("p1", Rel.MADE_OF, "oak")], CATALOGUE)
    found = merge(GraphTables.empty(), Incoming(products_table([LEGO]), facts, tree))
    assert found.entities[Label.MATERIAL].column("key").to_pylist() == ["material:oak", "material:plant", "material:wood"]


def priced(n: int, category: str, first: float = 1.0, currency: str = "USD", prefix: str = "p") -> list[Product]:
    return [
        Product(f"{prefix}{k:03d}", "T", {"category": category}, Price(first + k, first + k, currency)) for k in range(n)
    ]  # fmt: skip


def test_bands_are_fifths_within_a_category_and_currency() -> None:
    found = merge(
        GraphTables.empty(), incoming([*priced(25, "Toys"), *priced(25, "Toys", 100.0, "EUR", "e"), *priced(3, "Socks", 50.0, prefix="s")])
    )
    rows = found.bands.to_pylist()
    usd = [(row["low"], row["high"]) for row in rows if (row["category_key"], row["currency"]) == ("category:toys", "USD")]
    assert usd == [(0.0, 5.0), (5.0, 10.0), (10.0, 15.0), (15.0, 20.0), (20.0, None)]
    edges = dict(zip(*(found.edges[Rel.IN_PRICE_BAND].column(c).to_pylist() for c in ("source_key", "target_key")), strict=True))
    assert edges["p004"] == "price_band:toys:usd:1"  # a price that is a border belongs to the band that it begins
    assert edges["e024"] == "price_band:toys:eur:4"
    assert edges["s000"].startswith("price_band:all:usd:")  # too few socks for bands of their own
    assert {row["name"] for row in rows} >= {"Toys 0 to below 5 USD", "Toys from 20 USD"}


def test_bands_use_the_nearest_parent_that_has_enough() -> None:
    found = merge(GraphTables.empty(), incoming([*priced(15, "Toys > A"), *priced(15, "Toys > B", prefix="q")]))
    assert {row["category_key"] for row in found.bands.to_pylist()} == {"category:toys", ""}
    assert found.edges[Rel.IN_PRICE_BAND].column("target_key")[0].as_py().startswith("price_band:toys:usd:")


def test_borders_stay_until_they_are_asked_to_move() -> None:
    old = merge(GraphTables.empty(), incoming(priced(25, "Toys")))
    more = incoming(priced(25, "Toys", 1000.0, prefix="q"))
    stay, move = merge(old, more), merge(old, more, move_bands=True)
    assert stay.bands.equals(old.bands)
    assert not move.bands.equals(old.bands)
    assert compare(old, stay).changed == 0


def test_every_price_lies_in_its_band() -> None:
    rng = np.random.default_rng(3)
    products = [Product(f"p{k}", "T", {}, Price(float(x), float(x))) for k, x in enumerate(np.round(rng.lognormal(3, 1, 200), 2))]
    table = products_table([*products, Product("free", "T", {}, Price(0.0, 0.0)), Product("none", "T")])
    bands = lay_bands(table, {}, BAND_SCHEMA.empty_table())
    limits = {row["key"]: (row["low"], row["high"]) for row in bands.to_pylist()}
    found = band_evidence(table, {}, bands).to_pylist()
    assert len(found) == 201
    for row in found:
        low, high = limits[row["target_key"]]
        assert low <= float(row["text"]) and (high is None or float(row["text"]) < high)
