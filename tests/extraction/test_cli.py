from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from extraction.cli import extract


def call(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(extract, arguments, input=text)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    lines = [
        {"key": "a", "title": "LEGO City Tractor, 174 Pieces", "brand": "LEGO"},
        {"title": "  "},
        {"title": "Hanes Cotton Socks, Black, 6 Pack", "product_type": "SOCKS"},
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", "utf-8")
    return path


def test_run_writes_one_object_a_product(rows: Path, tmp_path: Path) -> None:
    out, page, left = tmp_path / "out.jsonl", tmp_path / "page.html", tmp_path / "rejects.jsonl"
    done = call("run", str(rows), "--out", str(out), "--html", str(page), "--rejects", str(left), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["products"] == 2
    sources = {"a": rows.read_text().splitlines()[0], "3": rows.read_text().splitlines()[2]}
    for line in out.read_text("utf-8").splitlines():
        read = json.loads(line)
        source = json.loads(sources[read["key"]])
        for m in read["mentions"]:
            field = source.get(m["field"]) or source["product_type"]
            assert field[m["start"] : m["end"]] == m["raw"]
    assert "LEGO" in page.read_text("utf-8")
    assert json.loads(left.read_text("utf-8"))["line"] == 2
    assert "1 rows were left out" in done.stderr


def test_run_streams_to_standard_output(rows: Path) -> None:
    done = call("run", str(rows), "--out", "-", "--extractor", "columns", "-q")
    assert done.exit_code == 0
    assert [json.loads(line)["key"] for line in done.stdout.splitlines()] == ["a", "3"]


def test_too_many_rejects_leave_no_output(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert call("run", str(rows), "--out", str(out), "--max-rejects", "0").exit_code == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "none.jsonl", "--out", "-"], "There is no file none.jsonl"),
        (["score", "--gold", "none.jsonl"], "There is no gold file none.jsonl"),
        (["price", "5", "--currency", "EUX"], "There is no currency 'EUX'"),
    ],
)
def test_bad_input_is_told_with_what_to_do(arguments: list[str], message: str) -> None:
    done = call(*arguments, "--json")
    assert done.exit_code == 1
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert message in error["message"]
    assert error["hint"]


def test_an_unknown_extractor_is_told(rows: Path) -> None:
    done = call("run", str(rows), "--out", "-", "--extractor", "ruels")
    assert done.exit_code == 1
    assert "These exist: columns" in done.stderr


def test_a_file_without_titles_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"titel": "x"}\n', "utf-8")
    done = call("run", str(path), "--out", "-")
    assert done.exit_code == 1
    assert "no product that can be read" in done.stderr
    assert "the row has no 'title'" in done.stderr


def test_price_is_one_document() -> None:
    one = call("price", "was $50 now $35", "--json")
    assert json.loads(one.stdout) == {"low": 35.0, "high": 35.0, "currency": "USD", "was": 50.0, "per": None, "count": None}
    assert json.loads(call("price", "on request").stdout) is None
    assert [p and p["currency"] for p in json.loads(call("price", "$5", "x", "--json", "--currency", "cad").stdout)] == ["CAD", None]


def test_score_has_both_protocols(tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    rows = [{"input": f"Cup {i}, Black", "category": "MUG", "target_scores": {"Color": {"Black": 1}}} for i in range(5)]
    gold.write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    answer = json.loads(call("score", "--gold", str(gold), "--json", "--errors", "2").stdout)
    assert answer["published"]["attributes"]["Color"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "n": 5, "ci95": [1.0, 1.0]}
    assert answer["strict"]["all"]["f1"] == 1.0
    assert answer["titles_per_cpu_second"] > 0
    assert answer["errors"] == {"Color": []}
    assert "95 % interval" in call("score", "--gold", str(gold)).stdout
    assert "no attribute 'Colour'" in call("score", "--gold", str(gold), "--attribute", "Colour").stderr
