"""Guessing what a column holds, in several languages, and refusing what cannot be guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kg.chunks import RowChunk
from kg.config import CatalogueColumns, EventColumns, TripleColumns
from kg.errors import InputError
from kg.mapping import catalogue_columns, event_columns, guess_catalogue, guess_events, triple_columns
from kg.readers import sample

DATA = Path(__file__).parents[3] / "shared" / "data"
SHOP = Path(__file__).parents[1] / "data" / "small-shop"


def chunk(*rows: dict[str, Any]) -> RowChunk:
    return RowChunk("rows.jsonl", range(1, len(rows) + 1), rows)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("sku,name,type,price", {"item": "sku", "title": "name", "category": "type", "price": "price"}),
        ("id,Product Title,Brand,Colour", {"item": "id", "title": "Product Title", "brand": "Brand", "color": "Colour"}),
        ("Handle,Title,Body (HTML),Vendor,Product Category,Type,Variant Price",
         {"item": "Handle", "title": "Title", "description": "Body (HTML)", "brand": "Vendor", "category": "Product Category",
          "price": "Variant Price"}),
        ("商品编号,标题,品牌,价格,材质,颜色,库存",
         {"item": "商品编号", "title": "标题", "brand": "品牌", "material": "材质", "color": "颜色", "price": "价格", "available": "库存"}),
        ("商品コード,商品名,ブランド,価格,カテゴリー",
         {"item": "商品コード", "title": "商品名", "brand": "ブランド", "category": "カテゴリー", "price": "価格"}),
        ("상품번호,상품명,브랜드,가격", {"item": "상품번호", "title": "상품명", "brand": "브랜드", "price": "가격"}),
        ("Artikelnummer,Bezeichnung,Marke,Preis,Größe,Währung",
         {"item": "Artikelnummer", "title": "Bezeichnung", "brand": "Marke", "size": "Größe", "price": "Preis", "currency": "Währung"}),
        ("Référence,Titre,Marque,Prix,Matière",
         {"item": "Référence", "title": "Titre", "brand": "Marque", "material": "Matière", "price": "Prix"}),
        ("referencia,nombre,marca,precio,categoría",
         {"item": "referencia", "title": "nombre", "brand": "marca", "category": "categoría", "price": "precio"}),
        ("артикул,название,бренд,цена", {"item": "артикул", "title": "название", "brand": "бренд", "price": "цена"}),
    ],
)  # fmt: skip
def test_headers_in_many_languages(header: str, expected: dict[str, str]) -> None:
    assert guess_catalogue(header.split(","), []) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("customer,sku,date,qty", {"user": "customer", "item": "sku", "time": "date", "value": "qty"}),
        ("userId,movieId,rating,timestamp", {"user": "userId", "item": "movieId", "time": "timestamp", "value": "rating"}),
        ("user_id,item_id,pos", {"user": "user_id", "item": "item_id", "order": "pos"}),
        ("event_time,event_type,product_id,category_id,price,user_id",
         {"user": "user_id", "item": "product_id", "time": "event_time", "kind": "event_type"}),
        ("用户ID,商品编号,购买时间,数量,行为类型",
         {"user": "用户ID", "item": "商品编号", "time": "购买时间", "value": "数量", "kind": "行为类型"}),
        ("Kundennummer,Artikelnummer,Bestelldatum,Menge",
         {"user": "Kundennummer", "item": "Artikelnummer", "time": "Bestelldatum", "value": "Menge"}),
        ("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID",
         {"user": "CustomerID", "item": "StockCode", "time": "InvoiceDate", "value": "Quantity"}),
    ],
)  # fmt: skip
def test_event_headers(header: str, expected: dict[str, str]) -> None:
    assert guess_events(header.split(","), []) == expected


def test_values_decide_where_names_do_not() -> None:
    rows = [{"a": f"X{n}", "b": f"a long name of thing {n}", "c": "5", "d": "2024-01-0" + str(n)} for n in range(1, 9)]
    assert guess_catalogue(["a", "b", "c", "d"], rows) == {"item": "a", "title": "b"}
    events = [{"user": "u", "item": "i", "bought": row["d"], "n": 1} for row in rows]
    assert guess_events(["user", "item", "bought", "n"], events) == {"user": "user", "item": "item", "time": "bought"}


def test_a_column_whose_values_do_not_fit_its_name_is_left_out() -> None:
    rows = [{"sku": "1", "title": "a", "price": "see shop", "inventory_quantity": "3 pieces"}] * 3
    assert guess_catalogue(list(rows[0]), rows) == {"item": "sku", "title": "title"}
    assert "value" not in guess_events(["user", "item", "note"], [{"user": "u", "item": "i", "note": "fine"}])


def test_a_description_is_the_title_where_there_is_no_other() -> None:
    assert guess_catalogue(["StockCode", "Description"], []) == {"item": "StockCode", "title": "Description"}


def test_what_cannot_be_guessed_is_asked_for() -> None:
    with pytest.raises(InputError) as caught:
        catalogue_columns(None, chunk({"number": 1, "titel_": "a"}, {"number": 1, "titel_": "a"}))
    assert caught.value.message == "No column of rows.jsonl looks like the product's key; it has 'number', 'titel_'."
    assert caught.value.hint.endswith('Say it under [catalogue]: columns = { item = "…", title = "…" }.')
    with pytest.raises(InputError, match="looks like the person's key or the product's key; it has no column") as caught:
        event_columns(None, chunk({}))
    assert "[events]" in caught.value.hint
    with pytest.raises(InputError, match="looks like the person's key") as caught:
        event_columns(None, chunk({"usr_idd": 1, "item": 2}))
    assert caught.value.hint.startswith("Is it 'usr_idd'? Say it under [events]")


def test_a_given_mapping_is_checked_and_kept() -> None:
    given = CatalogueColumns(item="a", title="b", brand="c")
    assert catalogue_columns(given, chunk({"a": 1, "b": 2})) is given  # JSON rows may leave out what they do not have
    with pytest.raises(InputError, match="has no column 'b'"):
        catalogue_columns(given, chunk({"a": 1}))
    assert event_columns(EventColumns(user="a", item="b"), chunk({"a": 1, "b": 2})).user == "a"


def test_triples_are_found_by_their_names() -> None:
    found = triple_columns(None, chunk({"item_id": 1, "relation": "brand", "entity": "LEGO"}), False)
    assert found == TripleColumns(item="item_id", relation="relation", entity="entity")
    assert triple_columns(None, chunk({"head": 1, "relation": 0, "tail": 5}), False) == TripleColumns(
        item="head", relation="relation", entity="tail"
    )
    assert triple_columns(None, chunk({"product": 1, "value": "x"}), True) == TripleColumns(item="product", entity="value")
    with pytest.raises(InputError, match="looks like the relation"):
        triple_columns(None, chunk({"product": 1, "value": "x"}), False)
    with pytest.raises(InputError, match=r"Nothing says which relation the rows of rows.jsonl state") as caught:
        triple_columns(TripleColumns(item="a", entity="b"), chunk({"a": 1, "b": 2}), False)
    assert caught.value.hint == "Give columns.relation or relation under [[triples]]."


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not beside the repository")
@pytest.mark.parametrize(
    ("file", "kind", "expected"),
    [
        ("open-ecommerce/products.parquet", "catalogue", "item_id title product_type median_price"),
        ("open-ecommerce/purchases.parquet", "events", "user_id item_id date qty"),
        ("beauty/items.parquet", "catalogue", "item_id title brand category_path"),
        ("beauty/interactions.parquet", "events", "user_id item_id pos"),
        ("ml1m/items.parquet", "catalogue", "item title genre"),
        ("ml1m/train.parquet", "events", "user item ts"),
        ("amazon-book/train.parquet", "events", "user item"),
        ("online-retail/transactions.parquet", "events", "CustomerID StockCode InvoiceDate Quantity"),
        ("online-retail/transactions.parquet", "catalogue", "StockCode Description UnitPrice"),
    ],
)
def test_real_files(file: str, kind: str, expected: str) -> None:
    names, rows = sample(DATA / file)
    found = guess_catalogue(names, rows) if kind == "catalogue" else guess_events(names, rows)
    assert set(expected.split()) <= set(found.values())
    assert set(found.values()) <= {*expected.split(), "Quantity"}


def test_the_small_shop() -> None:
    names, rows = sample(SHOP / "orders.jsonl")
    assert guess_events(names, rows) == {"user": "customer", "item": "sku", "time": "date", "value": "qty"}
