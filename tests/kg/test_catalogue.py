"""Catalogue rows → products: every check, every reason, nothing lost."""

from __future__ import annotations

import csv
import datetime
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.canon import MAX_KEY_BYTES
from kg.catalogue import read_catalogue
from kg.config import CatalogueColumns, CatalogueSource, Join, SourceFile
from kg.errors import InputError
from kg.model import Price, Product
from kg.rejects import Rejects
from kg.values import is_visible

SHOP = Path(__file__).parents[1] / "data" / "small-shop" / "products.csv"
COLUMNS = {role: role for role in ("item", "title", "brand", "category", "price", "currency", "available")}


def read(path: Path, rows: list[dict[str, Any]], **settings: Any) -> tuple[list[Product], Rejects]:
    """The products of rows written as JSON lines, with columns called by their roles."""
    path = path / "rows.jsonl"
    path.write_text("".join(json.dumps({"title": "a", **row}) + "\n" for row in rows), encoding="utf-8")
    parser = settings.pop("price_parser", None)
    source = CatalogueSource(columns=CatalogueColumns(**settings.pop("columns", COLUMNS)), **settings)
    rejects = Rejects()
    # One good row more: a catalogue without any product is an error of its own.
    with path.open("a") as file:
        file.write('{"item": "good", "title": "good"}\n')
    products = list(read_catalogue([path], source, rejects, price_parser=parser))
    assert len(products) + rejects.count + rejects.repeats == rejects.rows == len(rows) + 1
    assert products.pop().key == "good"
    return products, rejects


def reason(path: Path, row: dict[str, Any], **settings: Any) -> str:
    products, rejects = read(path, [{"item": "1", **row}], **settings)
    assert not products
    assert rejects.first[0]["row"] == {"title": "a", "item": "1", **row}
    return str(rejects.first[0]["reason"])


def one(path: Path, row: dict[str, Any], **settings: Any) -> Product:
    products, _ = read(path, [{"item": "1", **row}], **settings)
    return products[0]


def test_a_real_shop(tmp_path: Path) -> None:
    rejects = Rejects()
    products = list(read_catalogue([SHOP], CatalogueSource(currency="USD"), rejects))
    assert (len(products), rejects.count) == (rejects.rows, 0)
    first = products[0]
    assert (first.key, first.title) == ("0786965606", "D&D Player’s Handbook (Dungeons & Dragons Core Rulebook)")
    assert (dict(first.fields), first.price, first.source) == (
        {"category": "TABLETOP_GAME"},
        Price(22.95, 22.95, "USD"),
        "products.csv:2",
    )


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"item": ""}, "no key: the product key (item) is blank"),
        ({"item": "  "}, "no key: the product key (item) is blank"),
        ({"item": None}, "no key: the product key (item) is blank"),
        ({"item": {"a": 1}}, "not text: a value is dict, not text or a number"),
        ({"item": "a\0b"}, "NUL in a key: the product key (item) 'a\\x00b'"),
        ({"title": ""}, "blank title: the product '1' has no character that can be seen"),
        ({"title": " \t\u3000\u200b\ufeff\x00"}, "blank title: the product '1' has no character that can be seen"),
        ({"title": None}, "blank title: the product '1' has no character that can be seen"),
        ({"price": -0.01}, "negative price: -0.01"),
        ({"price": "-3"}, "negative price: -3"),
        ({"price": "-$3.50"}, "negative price: '-$3.50'"),
        ({"price": "$ -3.50"}, "negative price: '$ -3.50'"),
        ({"price": 1e12}, "absurd price: 1e+12 is above 1e+09 (max_price under [catalogue])"),
        ({"price": "99999999999"}, "absurd price: 1e+11 is above 1e+09 (max_price under [catalogue])"),
        ({"price": 10**400}, "absurd price: infinite"),
        ({"price": "9" * 400}, "absurd price: infinite"),
        ({"price": True}, "unreadable price: True"),
        ({"price": [1, 2]}, "unreadable price: [1, 2]"),
        ({"price": "12 or 13"}, "unreadable price: '12 or 13'"),
        ({"price": 3, "currency": "dollars"}, "unknown currency: 'dollars' is no ISO 4217 code such as USD"),
        ({"available": "perhaps"}, "unknown availability: 'perhaps'"),
        ({"brand": {"name": "LEGO"}}, "not text: a value is dict, not text or a number"),
    ],
)
def test_a_row_that_is_wrong_is_set_aside_with_its_reason(tmp_path: Path, row: dict[str, Any], why: str) -> None:
    assert reason(tmp_path, row) == why


@pytest.mark.parametrize("title", ["🧦", "👩‍👩‍👧", "裙子", "x" * 5_000, "\u202eright to left", " a ", "0", "a\0b", "“”", "\U0001fae8"])
def test_titles_that_people_can_see_are_taken_as_they_are(tmp_path: Path, title: str) -> None:
    assert one(tmp_path, {"title": title}).title == title


def test_an_untitled_product_can_be_called_by_its_key(tmp_path: Path) -> None:
    assert one(tmp_path, {"title": " "}, untitled="key").title == "1"


def test_a_key_is_text_of_at_most_512_bytes(tmp_path: Path) -> None:
    products, _ = read(tmp_path, [{"item": 7}, {"item": 8.0}, {"item": " a b "}, {"item": "é" * 400}])
    assert [product.key for product in products[:3]] == ["7", "8", "a b"]
    assert len(products[3].key.encode()) <= MAX_KEY_BYTES


def test_numeric_keys_of_parquet_become_decimal_text(tmp_path: Path) -> None:
    columns = {
        "int": pa.array([1, 2**62, None]),
        "float": pa.array([17850.0, float("nan"), 2.5]),
        "decimal": pa.array([Decimal("12.00"), Decimal("1.50"), None]),
        "bytes": pa.array([b"abc", b"caf\xe9", b""]),
        "date": pa.array([datetime.date(2024, 1, 2), None, None]),
        "category": pa.array(["x", "y", "x"]).dictionary_encode(),
        "uuid": pa.array([uuid.UUID(int=1).bytes, None, None], pa.uuid()),
        "half": pa.array([1.5, None, 2.0], pa.float16()),
        "moment": pa.array([1_600_000_000_000_000, None, 2**62], pa.timestamp("us")),
        "nanoseconds": pa.array([1_600_000_000_000_000_001, None, None], pa.timestamp("ns")),
    }
    keys: dict[str, list[str]] = {}
    for name, array in columns.items():
        pq.write_table(pa.table({"item": array, "title": ["a", "b", "c"]}), tmp_path / "a.parquet")
        rejects = Rejects()
        keys[name] = [p.key for p in read_catalogue([tmp_path / "a.parquet"], CatalogueSource(), rejects)]
        assert len(keys[name]) + rejects.count == rejects.rows
    assert keys == {
        "int": ["1", str(2**62)],
        "float": ["17850", "2.5"],
        "decimal": ["12", "1.50"],
        "bytes": ["abc"],
        "date": ["2024-01-02"],
        "category": ["x", "y"],
        "uuid": ["00000000-0000-0000-0000-000000000001"],
        "half": ["1.5", "2"],
        "moment": ["2020-09-13T12:26:40", str(2**62)],
        "nanoseconds": ["2020-09-13T12:26:40"],
    }


def test_of_two_rows_with_one_key_the_first_is_taken(tmp_path: Path) -> None:
    rows = [{"item": "1", "title": "A", "brand": "x"}] * 3 + [
        {"item": "1", "title": "B", "brand": "x"},
        {"item": "1", "title": "A", "brand": "y"},
        {"item": 1, "title": "A", "brand": "x"},
    ]
    products, rejects = read(tmp_path, rows)
    assert [product.title for product in products] == ["A"]
    assert rejects.repeats == 3
    assert [entry["reason"] for entry in rejects.first] == [
        "key again with another title: '1' was taken from rows.jsonl:1",
        "key again with another content (the title is the same): '1' was taken from rows.jsonl:1",
    ]


def test_fields_are_kept_as_written(tmp_path: Path) -> None:
    row = {
        "brand": " LEGO® ",
        "category": [["Toys", "Bricks"], "Gifts", None, ["Sets"]],
        "size": 42,
        "bullets": True,
        "color": " ",
        "material": float("nan"),
    }
    columns = {"item": "item", "title": "title", "other": ["bullets"]} | {n: n for n in ("brand", "category", "size", "color", "material")}
    fields = dict(one(tmp_path, row, columns=columns).fields)
    assert fields == {"brand": " LEGO® ", "category": "Toys > Bricks|Gifts|Sets", "size": "42", "bullets": "true"}


@pytest.mark.parametrize(
    ("price", "currency", "expected"),
    [
        (12, None, Price(12, 12, "EUR")),
        (12.5, "usd", Price(12.5, 12.5, "USD")),
        ("12.50", "£", Price(12.5, 12.5, "GBP")),
        ("0", "", Price(0, 0, "EUR")),
        (None, "USD", None),
        ("", "USD", None),
        ("call us", None, None),
        (float("nan"), None, None),
    ],
)
def test_prices_that_are_numbers(tmp_path: Path, price: Any, currency: str | None, expected: Price | None) -> None:
    assert one(tmp_path, {"price": price, "currency": currency}, currency="EUR").price == expected


def test_prices_of_text_go_through_the_parser(tmp_path: Path) -> None:
    asked: list[str | None] = []

    def parser(text: str, currency: str | None = None) -> Price | None:
        asked.append(currency)
        if text == "upside 9 down 3":
            raise InputError("The price range is upside down.")
        return Price(10, 35, "USD", was=50, count=2) if text.startswith("was") else None

    found = one(tmp_path, {"price": "was $50 now $35"}, price_parser=parser, currency="EUR").price
    assert found == Price(10, 35, "USD", was=50, count=2)
    one(tmp_path, {"price": "was 5", "currency": "CAD"}, price_parser=parser, currency="EUR")
    assert asked == ["EUR", "CAD"]
    assert one(tmp_path, {"price": "was $50", "currency": "CAD"}, price_parser=parser).price == Price(10, 35, "CAD", was=50, count=2)
    assert reason(tmp_path, {"price": "3 for 2"}, price_parser=parser) == "unreadable price: '3 for 2'"
    why = "unreadable price: 'upside 9 down 3' (The price range is upside down)"
    assert reason(tmp_path, {"price": "upside 9 down 3"}, price_parser=parser) == why
    assert reason(tmp_path, {"price": "was 1"}, price_parser=parser, max_price=20) == (
        "absurd price: 35 is above 20 (max_price under [catalogue])"
    )


@pytest.mark.parametrize(
    ("value", "available"),
    [
        *((value, True) for value in (None, "", "yes", "In Stock", "in_stock", "https://schema.org/InStock", 5, "3", True, "有货", "ja")),
        *((value, False) for value in (0, "0", "no", "OutOfStock", "http://schema.org/SoldOut", "out of stock", False, -1, "缺货", 0.0)),
    ],
)
def test_availability(tmp_path: Path, value: Any, available: bool) -> None:
    assert one(tmp_path, {"available": value}).available is available


def test_a_missing_column_names_the_nearest(tmp_path: Path) -> None:
    for name, text in (("a.csv", "sku,Titel\n1,a\n"), ("a.jsonl", '{"sku": "1", "Titel": "a"}\n')):
        (tmp_path / name).write_text(text)
        source = CatalogueSource(columns=CatalogueColumns(item="sku", title="title"))
        with pytest.raises(InputError, match="has no column 'title' \\(title\\)") as caught:
            list(read_catalogue([tmp_path / name], source, Rejects()))
        assert caught.value.hint == "Did you mean 'Titel'?"
    (tmp_path / "a.csv").write_text("sku,title\n")
    source = CatalogueSource(columns=CatalogueColumns(item="sku", title="title", brand="zzz"))
    with pytest.raises(InputError, match="has no column 'zzz' \\(brand\\)") as caught:
        list(read_catalogue([tmp_path / "a.csv"], source, Rejects()))
    assert caught.value.hint == "It has 'sku', 'title'."


def test_a_catalogue_without_any_product_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sku,title\n")
    with pytest.raises(InputError, match=r"The catalogue has no product \(.*a.csv\): there is no row.") as caught:
        list(read_catalogue([tmp_path / "a.csv"], CatalogueSource(), Rejects()))
    assert caught.value.hint == "Check the file and its columns under [catalogue]."
    (tmp_path / "a.csv").write_text("sku,title\n1, \n2, \n")
    with pytest.raises(InputError, match="all 2 rows were rejected, most often: blank title"):
        list(read_catalogue([tmp_path / "a.csv"], CatalogueSource(), Rejects()))
    with pytest.raises(InputError, match=r"\(no file\): there is no row"):
        list(read_catalogue([], CatalogueSource(), Rejects()))


def test_a_column_that_no_json_row_has_is_noted(tmp_path: Path) -> None:
    class Heard:
        def __init__(self) -> None:
            self.notes: list[str] = []
            self.done = 0

        @contextmanager
        def stage(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
            assert name == "reading the catalogue"
            yield self.advance

        def advance(self, done: int) -> None:
            self.done += done

        def note(self, message: str) -> None:
            self.notes.append(message)

    (tmp_path / "a.jsonl").write_text('{"id": 1, "title": "a"}\n{"id": 2, "title": "b", "price": 3}\n')
    source = CatalogueSource(columns=CatalogueColumns(item="id", title="title", price="price", brand="brnd"))
    heard = Heard()
    assert len(list(read_catalogue([tmp_path / "a.jsonl"], source, Rejects(), heard))) == 2
    assert (heard.notes, heard.done) == ([f"No row of {tmp_path}/a.jsonl has 'brnd' (brand)."], 2)


def test_a_catalogue_that_is_not_utf8_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"sku,title\n1,caf\xe9\n")
    with pytest.raises(InputError, match="most often: not UTF-8") as caught:
        list(read_catalogue([tmp_path / "a.csv"], CatalogueSource(), Rejects()))
    assert caught.value.hint == "Save the file as UTF-8."


def test_files_may_have_other_columns_when_they_are_guessed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sku,title\n1,one\n")
    (tmp_path / "b.csv").write_text("标题,商品编号,品牌,价格\n裙子,2,优衣库,99\n")
    found = list(read_catalogue([tmp_path / "a.csv", tmp_path / "b.csv"], CatalogueSource(), Rejects()))
    assert [(p.key, p.title, p.source) for p in found] == [("1", "one", "a.csv:2"), ("2", "裙子", "b.csv:2")]
    assert dict(found[1].fields) == {"brand": "优衣库"}


def test_a_join_brings_titles_from_another_table(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item": [0, 1, 2], "asin": ["A", "B", "C"]}), tmp_path / "items.parquet")
    (tmp_path / "titles.csv").write_text("asin,name,shop\nA,Alpha,x\nB,Beta,y\nA,Again,y\n")
    join = Join(path=str(tmp_path / "titles.csv"), on="asin", key="asin", take={"title": "name"})
    source = CatalogueSource(columns=CatalogueColumns(item="item", title="title"), join=(join,))
    rejects = Rejects()
    found = [(p.key, p.title) for p in read_catalogue([tmp_path / "items.parquet"], source, rejects)]
    assert found == [("0", "Alpha"), ("1", "Beta")]
    assert rejects.first[0]["row"] == {"item": 2, "asin": "C", "title": None}
    for change, told in (({"on": "asn"}, "no column 'asn'"), ({"key": "asn"}, "no column 'asn'"), ({"take": {"title": "nme"}}, "'nme'")):
        wrong = source.model_copy(update={"join": (join.model_copy(update=change),)})
        with pytest.raises(InputError, match=told):
            list(read_catalogue([tmp_path / "items.parquet"], wrong, Rejects()))
    nothing = source.model_copy(update={"join": (join.model_copy(update={"on": "item"}),)})
    with pytest.raises(InputError, match="so the join finds nothing") as caught:
        list(read_catalogue([tmp_path / "items.parquet"], nothing, Rejects()))
    assert "both columns must hold the same" in caught.value.hint


def test_where_narrows_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sku,title,shop\n1,one,de\n2,two,fr\n3,three,de\n")
    rejects = Rejects()
    file = SourceFile(path=str(tmp_path / "a.csv"), where={"shop": "de"})
    assert [p.key for p in read_catalogue([file], CatalogueSource(), rejects)] == ["1", "3"]
    assert rejects.rows == 2
    with pytest.raises(InputError, match="has no column 'shp' \\(where\\)"):
        list(read_catalogue([SourceFile(path=file.path, where={"shp": "de"})], CatalogueSource(), Rejects()))


def test_too_many_rejects_stop_the_reading(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sku,title\n" + "1, \n" * 50)
    with pytest.raises(InputError, match="More than 10 rows were rejected"):
        list(read_catalogue([tmp_path / "a.csv"], CatalogueSource(), Rejects(limit=10)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=6))
def test_any_title_goes_in_and_comes_back_the_same(tmp_path_factory: pytest.TempPathFactory, titles: list[str]) -> None:
    folder = tmp_path_factory.mktemp("titles")
    titles = [*titles, "good"]
    rows = [{"item": f"k{place}", "title": title} for place, title in enumerate(titles)]
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["item", "title"])
        writer.writeheader()
        writer.writerows(rows)
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        rejects = Rejects()
        found = [p.title for p in read_catalogue([folder / name], CatalogueSource(), rejects)]
        assert found == [title for title in titles if is_visible(title)]
        assert len(found) + rejects.count == rejects.rows == len(rows)


ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.text(max_size=3), max_size=2)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(COLUMNS, ANY)), max_size=8))
def test_no_row_is_lost_whatever_it_holds(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    read(tmp_path_factory.mktemp("rows"), rows)  # asserts taken + rejected + repeats == rows
