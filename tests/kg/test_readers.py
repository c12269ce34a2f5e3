"""Reading rows: every format, and every way in which a file can be broken."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg import json_files
from kg.errors import InputError
from kg.lines import MAX_LINE
from kg.readers import kind_of, read_chunks, read_rows, sample
from kg.rejects import Rejects

ROWS = [{"key": "1", "title": "Größe M, rot"}, {"key": "2", "title": '5" hose\nfor "garden"'}, {"key": "3", "title": "裙子 🧦"}]


def _csv(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


WRITERS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "csv": _csv,
    "tsv": lambda rows: _csv(rows, "\t"),
    "tab": lambda rows: _csv(rows, "\t"),
    "jsonl": _jsonl,
    "ndjson": _jsonl,
    "json": lambda rows: json.dumps(rows, indent=1).encode(),
    "parquet": _parquet,
    "pq": _parquet,
}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}


def rows_of(path: Path | str) -> tuple[list[dict[str, Any]], Rejects]:
    rejects = Rejects()
    return [dict(row) for _, row in read_rows(path, rejects)], rejects


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def failure(path: Path | str) -> str:
    with pytest.raises(InputError) as caught:
        rows_of(path)
    assert caught.value.hint
    return f"{caught.value.message} | {caught.value.hint}"


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("codec", PACKERS)
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write(tmp_path, f"rows.{suffix.upper()}{codec}", PACKERS[codec](WRITERS[suffix](ROWS)))
    rows, rejects = rows_of(path)
    assert rows == ROWS
    assert rejects.count == 0
    assert sample(path, 2)[0] == ["key", "title"]
    assert len(sample(path, 2)[1]) == 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=6))
def test_any_unicode_comes_back_the_same(tmp_path_factory: pytest.TempPathFactory, titles: list[str]) -> None:
    folder = tmp_path_factory.mktemp("unicode")
    rows = [{"key": str(place), "title": title} for place, title in enumerate(titles)]
    for suffix, writer in WRITERS.items():
        found, rejects = rows_of(write(folder, f"rows.{suffix}", writer(rows)))
        assert found == rows, suffix
        assert rejects.count == 0


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_crash_a_text_reader(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    for name in ("rows.csv", "rows.jsonl", "rows.json", "rows.csv.gz", "rows.parquet"):
        try:
            rows_of(write(folder, name, data))
        except InputError as error:
            assert error.hint


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=20).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")), max_size=20))
def test_no_line_of_a_csv_file_is_lost(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    """Each line is in a taken or in a rejected row, whatever its quotes and bytes."""
    lines = [b"%d:" % place + line for place, line in enumerate(lines)]
    path = write(tmp_path_factory.mktemp("lines"), "rows.csv", b"a,b\n" + b"".join(line + b"\n" for line in lines))
    rows, rejects = rows_of(path)
    everything = " ".join([*(str(row) for row in rows), *(str(entry["row"]) for entry in rejects.first)])
    assert all(f"{place}:" in everything for place in range(len(lines)))


def test_a_bom_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    for name, data in (("a.csv", b"key\n1\n"), ("a.jsonl", b'{"key": "1"}\n'), ("a.json", b'[{"key": "1"}]')):
        assert rows_of(write(tmp_path, name, b"\xef\xbb\xbf" + data))[0] == [{"key": "1"}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_read_from_the_header(tmp_path: Path, delimiter: str) -> None:
    path = write(tmp_path, "a.csv", _csv([{"key": "1", "a title": "x,y;z"}], delimiter))
    assert rows_of(path)[0] == [{"key": "1", "a title": "x,y;z"}]


def test_excels_own_first_line_names_the_delimiter(tmp_path: Path) -> None:
    assert rows_of(write(tmp_path, "a.csv", b"sep=;\r\nkey;title\r\n1;a,b\r\n"))[0] == [{"key": "1", "title": "a,b"}]


def test_a_csv_row_that_is_broken_is_set_aside_and_the_rest_taken(tmp_path: Path) -> None:
    data = b'key,title\n1,caf\xe9\n2,"two\nlines"\n3,x,y\n4,"never closed\n5,five\n6,"12" ruler"\n7,seven\n\n8,eight\n'
    rows, rejects = rows_of(write(tmp_path, "a.csv", data))
    assert [row["key"] for row in rows] == ["2", "5", "7", "8"]
    assert [(entry["line"], entry["reason"]) for entry in rejects.first] == [
        (2, "not UTF-8: byte 0xe9 at place 6 of the line"),
        (5, "ragged row: it has 3 cells, the header 2"),
        (6, 'broken quotes: text follows a closing quote; inside quotes, write "" for a quote'),
        (8, 'broken quotes: text follows a closing quote; inside quotes, write "" for a quote'),
    ]
    assert [entry["row"] for entry in rejects.first] == ["1,caf\\xe9", "3,x,y", '4,"never closed', '6,"12" ruler"']
    assert rejects.rows == 4


def test_a_quote_that_is_never_closed_swallows_nothing(tmp_path: Path) -> None:
    rows, rejects = rows_of(write(tmp_path, "a.csv", b'key,title\n1,"open\n2,two\n3,three\n'))
    assert [row["key"] for row in rows] == ["2", "3"]
    assert rejects.first[0]["reason"] == "broken quotes: a quote is never closed"


def test_a_cell_may_not_be_endless(tmp_path: Path) -> None:
    lines = b"".join(b"%d,row\n" % n for n in range(30_000))
    rows, rejects = rows_of(write(tmp_path, "a.csv", b'key,title\nx,"open\n' + lines))
    assert len(rows) == 30_000
    assert rejects.first[0]["reason"].startswith("broken quotes: a quote is not closed within 131,072 characters")


def test_a_line_of_ten_megabytes_is_set_aside_unread(tmp_path: Path) -> None:
    long = b"x" * (10 << 20)
    for name, before, after in (("a.csv", b"key,title\n1,", b"\n2,two\n"), ("a.jsonl", b'{"key": "', b'"}\n{"key": "2"}\n')):
        rows, rejects = rows_of(write(tmp_path, name, before + long + after))
        assert [row["key"] for row in rows] == ["2"]
        assert rejects.first[0]["reason"].startswith("line too long: 10,485,7")
        assert f"a row may have {MAX_LINE:,}" in rejects.first[0]["reason"]
        assert len(rejects.first[0]["row"]) < 5_000


def test_a_long_line_inside_quotes_costs_only_the_rows_it_is_in(tmp_path: Path) -> None:
    data = b'key,title\n1,"open\n2,two\n3,' + b"x" * (2 << 20) + b"\n4,four\n"
    rows, rejects = rows_of(write(tmp_path, "a.csv", data))
    assert [row["key"] for row in rows] == ["2", "4"]
    assert [entry["line"] for entry in rejects.first] == [2, 4]


def test_json_lines_that_are_no_rows_are_set_aside(tmp_path: Path) -> None:
    lines = [
        b'{"key": "1"}',
        b"",
        b"[1, 2]",
        b'"text"',
        b"7",
        b"null",
        b"true",
        b'{"key": "\\ud83d"}',
        b'{"a": [{"\\uDE00": 1}]}',
        b'{"key": "\\ud83d\\ude00"}',
        b'{"key": ',
        b'{"key": "\xff"}',
        b"[" * 100_000,
        b'{"n": ' + b"9" * 5_000 + b"}",
    ]
    rows, rejects = rows_of(write(tmp_path, "a.jsonl", b"\n".join(lines)))
    assert rows == [{"key": "1"}, {"key": "😀"}]
    assert [(entry["line"], entry["reason"]) for entry in rejects.first] == [
        (3, "not an object: a row is {…}, this is an array"),
        (4, "not an object: a row is {…}, this is text"),
        (5, "not an object: a row is {…}, this is a number"),
        (6, "not an object: a row is {…}, this is null"),
        (7, "not an object: a row is {…}, this is true or false"),
        (8, "not Unicode: half of a surrogate pair (such as \\ud83d alone)"),
        (9, "not Unicode: half of a surrogate pair (such as \\ud83d alone)"),
        (11, "not JSON: Expecting value at place 9 of the line"),
        (12, "not UTF-8: byte 0xff at place 10 of the line"),
        (13, "not JSON: nested too deeply"),
        (14, "not JSON: a number is too long"),
    ]


def test_a_json_file_may_be_an_array_an_object_or_lines(tmp_path: Path) -> None:
    rejects = Rejects()
    path = write(tmp_path, "a.json", b'[\n {"key": 1},\n 5,\n\n {"key": "\\ud800"}, {"key": 2}\n]')
    assert [(line, dict(row)) for line, row in read_rows(path, rejects)] == [(2, {"key": 1}), (5, {"key": 2})]
    assert [entry["line"] for entry in rejects.first] == [3, 5]
    assert rows_of(write(tmp_path, "b.json", b'{\n "key": 1\n}'))[0] == [{"key": 1}]
    assert rows_of(write(tmp_path, "c.json", b'{"key": 1}\n{"key": 2}\n'))[0] == [{"key": 1}, {"key": 2}]
    assert rows_of(write(tmp_path, "d.json", b"[ ]"))[0] == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'[{"key": 1},\n{"key": ]', "a.json:2 is not JSON: Expecting value."),
        (b'[{"key": 1}\n{"key": 2}]', "a.json:2 is not JSON: a comma or ] should follow."),
        (b'[{"key": 1}', "a.json:1 is not JSON: a comma or ] should follow."),
        (b'[{"key": 1},\n"\xff"]', "a.json:2 is not UTF-8 (byte 14)."),
        (b" \n", "a.json is empty."),
    ],
)
def test_a_json_array_that_is_broken_says_where(tmp_path: Path, data: bytes, message: str) -> None:
    assert message in failure(write(tmp_path, "a.json", data))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(VALUES, max_size=6), st.integers(1, 9), st.sampled_from([None, 1]), st.booleans())
@settings(deadline=None, max_examples=60)
def test_an_array_read_in_pieces_is_the_array(values: list[Any], block: int, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_files, "_BLOCK", block)
        found = list(json_files._Array("a.json", text[:1], io.BytesIO(text[1:])))
    assert [value for _, value, _ in found] == json.loads(text)
    assert indent is None or [line for line, _, _ in found] == sorted({line for line, _, _ in found})


def test_an_array_is_read_element_by_element() -> None:
    class Endless(io.RawIOBase):
        """An array that never ends."""

        taken = 0

        def read(self, size: int = -1) -> bytes:
            self.taken += size
            return (b"[" if self.taken == size else b"") + b'{"key": "k"},\n' * (size // 14)

    stream = Endless()
    chunks = json_files.json_chunks("a.json", stream, Rejects(), 1_000)  # type: ignore[arg-type]
    assert next(chunks).lines[:2] == [1, 2] and len(next(chunks)) == 1_000
    assert stream.taken < 1 << 20


def test_an_element_without_end_is_refused_before_memory_is() -> None:
    text = b'[{"key": 1}, {"key": "' + b"x" * (6 << 20)
    with pytest.raises(InputError, match=r"a\.json:1 is not JSON: Unterminated string .*within 1,048,576 characters"):
        list(json_files.json_chunks("a.json", io.BytesIO(text), Rejects(), 10))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet"])
def test_an_empty_file_is_told(tmp_path: Path, name: str) -> None:
    assert "is empty." in failure(write(tmp_path, name, b""))
    assert "is empty." in failure(write(tmp_path, f"{name}.gz", gzip.compress(b"", mtime=0)))
    if name != "a.parquet":
        assert "is empty." in failure(write(tmp_path, name, b"\xef\xbb\xbf"))


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "products.csv", b"key\n")
    told = failure(tmp_path / "product.csv")
    assert "There is no file" in told
    assert f"Did you mean {tmp_path / 'products.csv'}?" in told
    assert "Correct the path." in failure(tmp_path / "zzzzzzzzzzzzz.csv")
    assert f"the folder {tmp_path / 'nowhere'} does not exist" in failure(tmp_path / "nowhere" / "a.csv")


def test_a_directory_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "rows.csv"
    folder.mkdir()
    assert "is a directory, not a file. | Name a file in it." in failure(folder)
    write(folder, "products.csv", b"key\n")
    assert "Name a file in it: products.csv." in failure(folder)


def test_an_unknown_extension_is_told(tmp_path: Path) -> None:
    told = failure(write(tmp_path, "rows.dat", b"key\n"))
    assert "has no extension that tells its format. | Name it csv, tsv, jsonl" in told
    assert "Save the sheet as CSV." in failure(write(tmp_path, "rows.xlsx", b"PK"))
    assert "has no extension" in failure(write(tmp_path, "rows", b"key\n"))
    assert "is a directory" in failure(tmp_path)
    assert f"Did you mean {tmp_path / 'rows.xlsx'}?" in failure(tmp_path / "rows.xls")
    assert kind_of("a.b/rows.csv.GZ").codec == "gzip"


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.csv", _parquet([{"key": 1}]), "is a Parquet file, not CSV."),
        ("a.csv", gzip.compress(b"key\n1\n", mtime=0), "is compressed with gzip, not CSV."),
        ("a.jsonl", PACKERS[".zst"](b"{}"), "is compressed with zstd, not JSONL."),
        ("a.csv", "key\n1\n".encode("utf-16"), "is UTF-16 text, not CSV. | Save it as UTF-8."),
        ("a.csv", b"PK\x03\x04rest", "is a zip archive or an Excel workbook, not CSV."),
        ("a.csv.gz", gzip.compress(_parquet([{"key": 1}]), mtime=0), "is a Parquet file, not CSV."),
        ("a.parquet", b"key,title\n1,a\n", "is not a whole Parquet file"),
        ("a.parquet", _parquet([{"key": "a" * 99}])[:-9], "is not a whole Parquet file"),
        ("a.parquet.gz", gzip.compress(b"key,title\n1,a\n", mtime=0), "is not a whole Parquet file"),
        ("a.csv.gz", b"key,title\n1,a\n", "is not whole gzip data"),
        ("a.csv.zst", b"key,title\n1,a\n", "is not whole zstd data"),
        ("a.csv.gz", gzip.compress(_csv(ROWS * 99), mtime=0)[:-20], "is not whole gzip data"),
        ("a.csv.zst", PACKERS[".zst"](_csv(ROWS * 99))[:-20], "is not whole zstd data"),
        ("a.csv", b"key,key\n1,2\n", "names the column 'key' twice. | Rename one of them."),
        ("a.csv", b"key,\xfftitle\n1,2\n", "The header of"),
        ("a.csv", b'key,"title\n1,2\n', "cannot be read: broken quotes: a quote is never closed"),
        ("a.csv", b"key,title\r1,a\r2,b\r", "has no end. | Save the file with line ends of Unix or Windows."),
        ("a.csv", b"x" * (MAX_LINE + 5), "has no end."),
    ],
)
def test_a_file_that_is_something_else_is_told(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    assert told in failure(write(tmp_path, name, data))


def test_a_damaged_page_of_parquet_is_told(tmp_path: Path) -> None:
    data = bytearray(_parquet([{"key": f"{n}" * 20} for n in range(5_000)]))
    data[100:4_000] = bytes(3_900)
    assert "is not a whole Parquet file" in failure(write(tmp_path, "a.parquet", bytes(data)))


def test_parquet_text_that_is_not_utf8_is_set_aside(tmp_path: Path) -> None:
    broken = pa.Array.from_buffers(pa.binary(), 3, pa.array([b"ok", b"caf\xe9", None]).buffers()).view(pa.string())
    pq.write_table(pa.table({"key": [1, 2, 3], "title": broken}), tmp_path / "a.parquet")
    rows, rejects = rows_of(tmp_path / "a.parquet")
    assert rows == [{"key": 1, "title": "ok"}, {"key": 3, "title": None}]
    assert (rejects.first[0]["line"], rejects.first[0]["reason"]) == (2, "not UTF-8: column title")
    assert rejects.first[0]["row"]["title"] == "caf\\xe9"


def test_a_million_rows_of_parquet_are_never_all_in_memory(tmp_path: Path) -> None:
    pq.write_table(pa.table({"key": pa.array(range(200_000))}), tmp_path / "a.parquet")
    chunks = list(read_chunks(tmp_path / "a.parquet", Rejects()))
    assert max(map(len, chunks)) <= 65_536
    assert chunks[-1].lines[-1] == 200_000


def test_a_category_column_of_parquet_is_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"key": pa.array(["a", "b", "a"]).dictionary_encode()}), tmp_path / "a.parquet")
    assert rows_of(tmp_path / "a.parquet")[0] == [{"key": "a"}, {"key": "b"}, {"key": "a"}]


def test_a_table_without_rows_still_tells_its_columns(tmp_path: Path) -> None:
    for name, data in (("a.csv", b"key,title\n"), ("a.parquet", _parquet([{"key": 1, "title": "a"}]))):
        path = write(tmp_path, name, data)
        if name == "a.parquet":
            pq.write_table(pq.read_table(path).slice(0, 0), path)
        assert [chunk.names() for chunk in read_chunks(path, Rejects())] == [["key", "title"]]
        assert sample(path) == (["key", "title"], [])
    with pytest.raises(InputError, match="has no columns"):
        sample(write(tmp_path, "a.json", b"[]"))


def test_standard_input_is_json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(_jsonl(ROWS) + b"oops\n")))
    rows, rejects = rows_of("-")
    assert rows == ROWS
    assert rejects.first[0]["file"] == "standard input"
    with pytest.raises(InputError, match="can be read only once"):
        sample("-")


def test_chunks_can_be_narrowed_and_widened(tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        path = write(tmp_path, name, WRITERS[name[2:]](ROWS))
        chunk = next(chunk for chunk in read_chunks(path, Rejects()) if len(chunk))
        taken = chunk.take([0, 2]).adding({"more": ["x", "y"]})
        assert [dict(taken.row(place)) for place in (0, 1)] == [{**ROWS[0], "more": "x"}, {**ROWS[2], "more": "y"}]
        assert list(taken.column("more")) == ["x", "y"]
        assert list(taken.column("nothing")) == [None, None]
        assert [taken.lines[0], taken.lines[1]] == [chunk.lines[0], chunk.lines[2]]
