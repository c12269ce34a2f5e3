"""Event rows → one table: every check, every date, nothing lost."""

from __future__ import annotations

import datetime
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.config import EventColumns, EventsSource, Join, SourceFile
from kg.errors import InputError
from kg.event_files import SCHEMA, first_events, is_timed, read_events
from kg.rejects import Rejects

SHOP = Path(__file__).parents[1] / "data" / "small-shop" / "orders.jsonl"
DATA = Path(__file__).parents[3] / "shared" / "data"
NOW = 1_700_000_000  # 14 November 2023
COLUMNS = {role: role for role in ("user", "item", "time", "value", "kind")}


def read(folder: Path, rows: list[dict[str, Any]], known: set[str] | None = None, **settings: Any) -> tuple[pa.Table, Rejects]:
    """The events of rows written as JSON lines, with columns called by their roles."""
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps({"user": "u", "item": "i", **row}) + "\n" for row in rows), encoding="utf-8")
    columns = {role: role for role in COLUMNS if role in ("user", "item") or any(role in row for row in rows)}
    source = EventsSource(columns=EventColumns(**settings.pop("columns", columns)), **settings)
    rejects = Rejects()
    table = read_events([path], source, rejects, known, now=NOW)
    assert table.num_rows + rejects.count == rejects.rows == len(rows)
    assert table.schema.remove_metadata() == SCHEMA
    table.validate(full=True)
    return table, rejects


def one(folder: Path, row: dict[str, Any], **settings: Any) -> dict[str, Any]:
    table, rejects = read(folder, [row], **settings)
    assert not rejects.count, rejects.first
    return dict(table.to_pylist()[0])


def reason(folder: Path, row: dict[str, Any], **settings: Any) -> str:
    table, rejects = read(folder, [{}, row, {}], **settings)
    assert table.num_rows == 2
    assert (rejects.first[0]["line"], rejects.first[0]["row"]) == (2, {"user": "u", "item": "i", **row})
    return str(rejects.first[0]["reason"])


def seconds(*parts: int, hours: float = 0) -> int:
    return int((datetime.datetime(*parts, tzinfo=datetime.UTC) - datetime.timedelta(hours=hours)).timestamp())  # type: ignore[misc,arg-type]


def test_a_real_log() -> None:
    rejects = Rejects()
    table = read_events([SHOP], EventsSource(), rejects)
    assert (table.num_rows, rejects.count) == (rejects.rows, 0)
    assert is_timed(table)
    first = {"user": "u0027", "item": "B00PC5CI8K", "time": seconds(2018, 2, 10), "value": 1.0, "kind": "purchase"}
    assert table.slice(0, 1).to_pylist() == [first]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"user": ""}, "no key: the person (user) is blank or no text"),
        ({"user": None}, "no key: the person (user) is blank or no text"),
        ({"user": {"name": "x"}}, "no key: the person (user) is blank or no text"),
        ({"item": " "}, "no key: the product (item) is blank or no text"),
        ({"item": "a\0"}, "no key: the product (item) is blank or no text"),
        ({"item": "other"}, "unknown product: the catalogue has no 'other'"),
        ({"time": "soon"}, "unreadable date: 'soon'"),
        ({"time": "2021-02-30"}, "unreadable date: '2021-02-30'"),
        ({"time": "2021"}, "unreadable date: 2021 is no count of seconds since 1970; a rank is mapped as order, not as time"),
        ({"time": 17}, "unreadable date: 17 is no count of seconds since 1970; a rank is mapped as order, not as time"),
        ({"time": "03/04/2021"}, "ambiguous date: '03/04/2021' is day first or month first; set day_first under [events]"),
        (
            {"time": "1/2/21"},
            "ambiguous date: '1/2/21' may be 2001-02-21, 2021-01-02, 2021-02-01; "
            "set day_first under [events], or write years of four digits",
        ),
        ({"time": "0001-01-01"}, "implausible date: before 1900"),
        ({"time": "2023-11-17"}, "date in the future: 2023-11-17 (allow_future under [events] takes it)"),
        ({"time": 4_000_000_000}, "date in the future: 2096-10-02 (allow_future under [events] takes it)"),
        ({"value": "many"}, "unreadable number: the value is 'many'"),
        ({"value": 1e300}, "absurd value: value is beyond float32"),
        ({"value": 0}, "no purchase: the value is 0; give it the kind return if it was one"),
        ({"value": "-2"}, "no purchase: the value is -2; give it the kind return if it was one"),
        (
            {"kind": "swap"},
            "unknown kind of event: 'swap' is none of purchase, view, cart, rating, return, dislike; say what it is under events.kinds",
        ),
    ],
)
def test_a_row_that_is_wrong_is_set_aside_with_its_reason(tmp_path: Path, row: dict[str, Any], why: str) -> None:
    assert reason(tmp_path, row, known={"i"}) == why


def test_a_row_that_is_wrong_in_two_ways_is_rejected_once(tmp_path: Path) -> None:
    assert reason(tmp_path, {"user": "", "item": "other", "time": "soon"}, known={"i"}).startswith("no key: the person")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2022-08-22", seconds(2022, 8, 22)),
        (" 2022-08-22 ", seconds(2022, 8, 22)),
        ("2022-08-22 10:11", seconds(2022, 8, 22, 10, 11)),
        ("2022-08-22T10:11:12.987", seconds(2022, 8, 22, 10, 11, 12)),
        ("2022-08-22T10:11:12Z", seconds(2022, 8, 22, 10, 11, 12)),
        ("2022-08-22T10:11:12+02:00", seconds(2022, 8, 22, 8, 11, 12)),
        ("20220822", seconds(2022, 8, 22)),
        (20220822, seconds(2022, 8, 22)),
        ("2022/8/2", seconds(2022, 8, 2)),
        ("2022年8月22日", seconds(2022, 8, 22)),
        ("2022年8月22日 10时11分12秒", seconds(2022, 8, 22, 10, 11, 12)),
        ("22.8.2022", seconds(2022, 8, 22)),
        ("03.04.2022 07:08", seconds(2022, 4, 3, 7, 8)),
        ("22/08/2022", seconds(2022, 8, 22)),
        ("8/22/2022 1:05 PM", seconds(2022, 8, 22, 13, 5)),
        ("8/22/2022 12:05 am", seconds(2022, 8, 22, 0, 5)),
        ("5/5/2022", seconds(2022, 5, 5)),
        ("22 Aug 2022", seconds(2022, 8, 22)),
        ("22-Aug-2022", seconds(2022, 8, 22)),
        ("August 22nd, 2022", seconds(2022, 8, 22)),
        ("Mon, 22 Aug 2022 10:11:12 +0100", seconds(2022, 8, 22, 9, 11, 12)),
        ("1661126400", 1661126400),
        (1661126400, 1661126400),
        (1661126400123, 1661126400),
        ("1661126400123456", 1661126400),
        (1661126400123456789, 1661126400),
        (1661126400.9, 1661126400),
        (0, 0),
        ("", None),
        (None, None),
    ],
)
def test_dates_in_many_ways(tmp_path: Path, text: Any, moment: int | None) -> None:
    assert one(tmp_path, {"time": text})["time"] == moment
    assert one(tmp_path, {"time": text}, timezone="UTC")["time"] == moment
    # Beside a date that is written in another way (the slow way of a whole column).
    assert read(tmp_path, [{"time": text}, {"time": "22 Aug 2022"}])[0].column("time").to_pylist() == [moment, seconds(2022, 8, 22)]


@pytest.mark.parametrize(
    "text", ["2022-13-01", "8/32/2022", "22 Foo 2022", "99 Aug 2022", "2022-08-22 25:00", "13:61 PM", "8/22/2022 13:05 PM"]
)
def test_dates_that_are_none(tmp_path: Path, text: str) -> None:
    assert reason(tmp_path, {"time": text}) == f"unreadable date: {text!r}"


def test_a_time_without_a_zone_is_in_the_configured_one(tmp_path: Path) -> None:
    found = [one(tmp_path, {"time": text}, timezone="Europe/Berlin")["time"] for text in ("2022-08-22", "22 Aug 2022", "2022-01-22")]
    assert found == [seconds(2022, 8, 22, hours=2), seconds(2022, 8, 22, hours=2), seconds(2022, 1, 22, hours=1)]
    assert one(tmp_path, {"time": "2022-08-22T00:00Z"}, timezone="Europe/Berlin")["time"] == seconds(2022, 8, 22)
    # An hour that the clock shows twice, and one that it skips.
    assert one(tmp_path, {"time": "2022-10-30 02:30:00"}, timezone="Europe/Berlin")["time"] == seconds(2022, 10, 30, 0, 30)
    assert one(tmp_path, {"time": "2022-03-27 02:30:00"}, timezone="Europe/Berlin")["time"] == seconds(2022, 3, 27, 1)


def test_the_file_decides_how_its_open_dates_are_read(tmp_path: Path) -> None:
    day = [{"time": "03/04/2021"}, {"time": "25/04/2021"}]
    assert read(tmp_path, day)[0].column("time").to_pylist() == [seconds(2021, 4, 3), seconds(2021, 4, 25)]
    month = [{"time": "03/04/2021"}, {"time": "04/25/2021"}]
    assert read(tmp_path, month)[0].column("time").to_pylist() == [seconds(2021, 3, 4), seconds(2021, 4, 25)]
    both = [*day, {"time": "04/25/2021"}]
    table, rejects = read(tmp_path, both)
    assert (table.num_rows, rejects.reasons) == (2, {"ambiguous date": 1})
    for day_first, expected in ((True, seconds(2021, 4, 3)), (False, seconds(2021, 3, 4))):
        assert one(tmp_path, {"time": "03/04/2021"}, day_first=day_first)["time"] == expected


def test_the_deciding_date_may_stand_in_a_later_part_of_the_file(tmp_path: Path) -> None:
    rows = [{"time": "03/04/2021"}] * 20_000 + [{"time": "25/04/2021"}]
    table, rejects = read(tmp_path, rows)
    assert rejects.count == 0
    assert table.column("time")[0].as_py() == seconds(2021, 4, 3)


def test_the_future_may_be_allowed(tmp_path: Path) -> None:
    assert one(tmp_path, {"time": "2023-11-15"})["time"] == seconds(2023, 11, 15)  # tomorrow: another time zone's today
    assert one(tmp_path, {"time": "2099-01-01"}, allow_future=True)["time"] == seconds(2099, 1, 1)


@pytest.mark.parametrize(
    "array",
    [
        pa.array([datetime.datetime(2022, 8, 22, 10), None], pa.timestamp("ns")),
        pa.array([datetime.datetime(2022, 8, 22, 10), None], pa.timestamp("s", "UTC")),
        pa.array(
            [datetime.datetime(2022, 8, 22, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=2))), None], pa.timestamp("us", "+02:00")
        ),
        pa.array([1_661_162_400, None]),
        pa.array([1_661_162_400_000, None]),
        pa.array([1_661_162_400.0, float("nan")]),
        pa.array(["2022-08-22 10:00", None]),
        pa.array(["2022-08-22T12:00+02:00", ""], pa.large_string()),
    ],
    ids=lambda array: str(array.type),
)
def test_times_of_parquet(tmp_path: Path, array: pa.Array) -> None:
    pq.write_table(pa.table({"user": [1.0, 2.0], "item": pa.array([7, 8], pa.int16()), "time": array}), tmp_path / "a.parquet")
    table = read_events([tmp_path / "a.parquet"], EventsSource(), Rejects(), {"7", "8"}, now=NOW)
    assert table.column("time").to_pylist() == [seconds(2022, 8, 22, 10), None]
    assert table.column("user").to_pylist() == ["1", "2"]
    assert table.column("item").to_pylist() == ["7", "8"]


def test_days_of_parquet(tmp_path: Path) -> None:
    for kind in (pa.date32(), pa.date64()):
        array = pa.array([datetime.date(2022, 8, 22), datetime.date(1969, 12, 31)], kind)
        pq.write_table(pa.table({"user": [1, 2], "item": [7, 8], "date": array}), tmp_path / "a.parquet")
        table = read_events([tmp_path / "a.parquet"], EventsSource(), Rejects(), now=NOW)
        assert table.column("time").to_pylist() == [seconds(2022, 8, 22), -86_400]
        berlin = read_events([tmp_path / "a.parquet"], EventsSource(timezone="Europe/Berlin"), Rejects(), now=NOW)
        assert berlin.column("time")[0].as_py() == seconds(2022, 8, 22, hours=2)


def test_an_order_stands_in_for_time(tmp_path: Path) -> None:
    columns = {"user": "user", "item": "item", "order": "n"}
    table, rejects = read(tmp_path, [{"n": 3}, {"n": "4"}, {"n": None}, {"n": 5.0}, {"n": 1.5}, {"n": "x"}], columns=columns)
    assert table.column("time").to_pylist() == [3, 4, None, 5]
    assert [entry["reason"] for entry in rejects.first] == ["no rank: n is no whole number", "unreadable number: the n is 'x'"]
    assert not is_timed(table)
    assert not is_timed(read(tmp_path, [{}], columns={"user": "user", "item": "item"})[0])
    assert is_timed(read_events([], EventsSource(), Rejects()))


def test_times_and_orders_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item,time\nu,i,2020-01-01\n")
    (tmp_path / "b.csv").write_text("user,item,pos\nu,i,1\n")
    with pytest.raises(InputError, match=r"b.csv has an order, the event files before it have the other") as caught:
        read_events([tmp_path / "a.csv", tmp_path / "b.csv"], EventsSource(), Rejects())
    assert caught.value.hint == "Map the same for all of them under [events]."


def test_kinds(tmp_path: Path) -> None:
    rows = [{"kind": kind} for kind in ("Purchase", "pv", " add_to_cart ", "reviewed", "Kauf", "购买", None, "", "7")]
    table, _ = read(tmp_path, rows, kinds={"7": "view"}, kind="rating")
    assert table.column("kind").to_pylist() == ["purchase", "view", "cart", "rating", "purchase", "purchase", "rating", "rating", "view"]
    assert one(tmp_path, {}, kinds={"Purchase": "view"}, kind="cart")["kind"] == "cart"
    assert one(tmp_path, {"kind": "purchase"}, kinds={"Purchase": "view"})["kind"] == "view"


def test_values(tmp_path: Path) -> None:
    rows = [{"value": value} for value in (2, "3.5", None, "", float("nan"), 0.25)]
    assert read(tmp_path, rows)[0].column("value").to_pylist() == [2.0, 3.5, 1.0, 1.0, 1.0, 0.25]
    assert one(tmp_path, {"value": -1, "kind": "rating"})["value"] == -1.0
    pq.write_table(pa.table({"user": ["u"] * 3, "item": ["i"] * 3, "rating": pa.array([1, None, -3], pa.int8())}), tmp_path / "a.parquet")
    rejects = Rejects()
    assert read_events([tmp_path / "a.parquet"], EventsSource(), rejects).column("value").to_pylist() == [1.0, 1.0]
    assert rejects.first[0]["reason"] == "no purchase: the rating is -3; give it the kind return if it was one"


def test_long_keys_are_bounded(tmp_path: Path) -> None:
    assert len(one(tmp_path, {"user": "é" * 900})["user"].encode()) <= 512


def test_a_missing_column_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("customer,sku\n")
    source = EventsSource(columns=EventColumns(user="custumer", item="sku"))
    with pytest.raises(InputError, match="has no column 'custumer' \\(user\\)") as caught:
        read_events([tmp_path / "a.csv"], source, Rejects())
    assert caught.value.hint == "Did you mean 'customer'?"


def test_a_misspelt_column_of_json_is_found_at_the_end_of_the_file(tmp_path: Path) -> None:
    columns = {"user": "user", "item": "item", "time": "tiem"}
    with pytest.raises(InputError, match=r"No row of .*rows.jsonl has 'tiem' \(time\)") as caught:
        read(tmp_path, [{"time": "2020-01-01"}] * 9_000, columns=columns)
    assert caught.value.hint == "Correct the name, or take it out of the mapping."
    assert read(tmp_path, [{}] * 9_000 + [{"tiem": "2020-01-01"}], columns=columns)[0].num_rows == 9_001
    (tmp_path / "next.csv").write_text("user,item,tiem\n")
    with pytest.raises(InputError, match="No row of"):
        (tmp_path / "a.jsonl").write_text('{"user": "u", "item": "i"}\n')
        source = EventsSource(columns=EventColumns(**columns))
        read_events([tmp_path / "a.jsonl", tmp_path / "next.csv"], source, Rejects())


def test_moments_that_no_calendar_reaches_are_set_aside(tmp_path: Path) -> None:
    far = {
        "late": pa.array([2**62, 1_600_000_000_000_000], pa.timestamp("us")),
        "early": pa.array([-(2**62), 1_600_000_000_000_000], pa.timestamp("us")),
        "numbers": pa.array([2**63 + 5, 1_600_000_000], pa.uint64()),
        "infinite": pa.array([float("inf"), 1_600_000_000.0]),
        "nanoseconds": pa.array([9_000_000_000_000_000_001, 1_600_000_000_000_000_001], pa.timestamp("ns")),
    }
    for name, array in far.items():
        pq.write_table(pa.table({"user": ["u", "v"], "item": ["i", "j"], "time": array}), tmp_path / "a.parquet")
        rejects = Rejects()
        table = read_events([tmp_path / "a.parquet"], EventsSource(), rejects, now=NOW)
        assert table.column("time").to_pylist() == [1_600_000_000], name
        assert rejects.first[0]["reason"].partition(":")[0] in ("unreadable date", "date in the future", "implausible date"), name


def test_files_may_be_narrowed_and_joined(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,number,part\nu,1,reveal\nu,2,target\nv,2,target\n")
    (tmp_path / "b.csv").write_text("number,key\n1,A\n2,B\n")
    source = EventsSource(
        columns=EventColumns(user="user", item="key"),
        join=(Join(path=str(tmp_path / "b.csv"), on="number", key="number", take={"key": "key"}),),
    )
    rejects = Rejects()
    table = read_events([SourceFile(path=str(tmp_path / "a.csv"), where={"part": "target"})], source, rejects, {"A", "B"})
    assert table.select(["user", "item"]).to_pylist() == [{"user": "u", "item": "B"}, {"user": "v", "item": "B"}]
    assert rejects.rows == 2


def test_the_first_events_are_shown(tmp_path: Path) -> None:
    columns, table = first_events(SHOP, EventsSource(), 3)
    assert (columns.user, table.num_rows) == ("customer", 3)
    (tmp_path / "a.csv").write_text("user,item\n")
    assert first_events(tmp_path / "a.csv", EventsSource())[1].num_rows == 0
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(InputError, match="has no row"):
        first_events(tmp_path / "a.json", EventsSource())


def test_too_many_rejects_stop_the_reading(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\n" + "u,x\n" * 50)
    with pytest.raises(InputError, match=r"More than 10 rows were rejected.*most often \(11\): unknown product"):
        read_events([tmp_path / "a.csv"], EventsSource(), Rejects(limit=10), {"i"})


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared data is not beside the repository")
def test_a_large_log_takes_seconds(tmp_path: Path) -> None:
    n = 1_000_000
    table = pa.table({"user": np.arange(n) % 5_000, "item": np.arange(n) % 9_000, "ts": np.arange(n) + 1_500_000_000})
    pq.write_table(table, tmp_path / "a.parquet")
    started = time.process_time()
    rejects = Rejects()
    found = read_events([tmp_path / "a.parquet"], EventsSource(), rejects, {str(key) for key in range(8_999)})
    assert time.process_time() - started < 10
    assert (found.num_rows, rejects.count) == (n - 111, 111)
    assert rejects.first[0]["line"] == 9_000


ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.lists(st.text(max_size=3), max_size=2)
LIKE_A_DATE = r"\A[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([T ][0-9:]{1,8})?(Z|[+-][0-9]{2}:[0-9]{2})?\Z"
DATES = st.datetimes().map(str) | st.dates().map(lambda d: d.strftime("%d/%m/%Y")) | st.from_regex(LIKE_A_DATE)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional={**dict.fromkeys(COLUMNS, ANY), "time": ANY | DATES}), min_size=1, max_size=8))
def test_no_row_is_lost_whatever_it_holds(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    read(tmp_path_factory.mktemp("rows"), rows, {"i"}, timezone="Asia/Tokyo")  # asserts taken + rejected == rows


@pytest.mark.parametrize(("word", "kind"), [("Refund", "return"), ("退货", "return"), ("thumbs_down", "dislike"), ("return", "return")])
def test_words_that_say_no(tmp_path: Path, word: str, kind: str) -> None:
    table, rejects = read(tmp_path, [{"kind": word, "value": -1}])
    assert (table.column("kind").to_pylist(), rejects.count) == ([kind], 0)
