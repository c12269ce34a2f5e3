from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from extraction.cli import extract
from extraction.reading import thinned
from kg.model import Product


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
    assert "These exist: accurate, columns, hybrid" in done.stderr


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


def test_a_model_is_trained_scored_and_read_with(tmp_path: Path) -> None:
    gold, shop, model = tmp_path / "gold.jsonl", tmp_path / "shop.jsonl", tmp_path / "model"
    titles = [f"{brand} Steel Mug {i}, Red" for i in range(8) for brand in ("Zibb", "Acme & Co")]
    labelled = [{"input": title, "target_scores": {"Brand Name": {title.partition(" Steel")[0]: 1}}} for title in titles]
    gold.write_text("\n".join(map(json.dumps, labelled)) + "\n", "utf-8")
    done = call("train", str(gold), "--model", str(model), "--json", "--about", "made up")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["attributes"]["brand"]["values"] == 16 and told["bytes"] <= 5_000_000
    scored = json.loads(call("score", "--gold", str(gold), "--model", str(model), "--json").stdout)
    assert scored["extractor"] == "tagger"
    assert scored["published"]["all"]["f1"] == 1.0
    assert scored["values"]["Brand Name"] == {"seen": {"recall": 1.0, "n": 16}, "unseen": {"recall": 0.0, "n": 0}}
    assert scored["confusion"]["Brand Name"] == {"kinds": {}, "pairs": []}
    assert "recall of values seen in training 1.000" in call("score", "--gold", str(gold), "--model", str(model)).stdout
    shop.write_text(json.dumps({"key": "k", "title": "Acme & Co Steel Mug, Blue"}) + "\n", "utf-8")
    read = call("run", str(shop), "--out", "-", "--model", str(model), "-q")
    assert [m["raw"] for m in json.loads(read.stdout)["mentions"] if m["extractor"] == "tagger"] == ["Acme & Co"]


def test_columns_alone_teach_a_model(tmp_path: Path) -> None:
    shop, model = tmp_path / "shop.csv", tmp_path / "model"
    rows = [f'{i},"{brand} Steel Mug {i}",{brand if i % 2 else ""}' for i in range(40) for brand in ("Zibb", "Acme")]
    shop.write_text("\n".join(["key,title,brand", *rows]) + "\n", "utf-8")
    done = call("train", str(shop), "--model", str(model), "--gazetteer", "--unlabelled", "unknown")
    assert done.exit_code == 0, done.output
    assert "brand" in done.stdout and "MB" in done.stdout
    assert "no attribute 'Brnd'" in call("train", str(shop), "--model", str(model), "--attribute", "Brnd").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--extractor", "rules", "--model", "x"], "--model is of the extractors accurate, hybrid, tagger, not of rules"),
        (["--llm-budget", "20%"], "--llm-budget is of the extractors llm and hybrid, not of rules"),
    ],
)
def test_options_that_do_not_fit_the_extractor_are_told(rows: Path, arguments: list[str], message: str) -> None:
    done = call("run", str(rows), "--out", "-", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_budget_reaches_the_language_model(rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, gold, model = tmp_path / "answers.jsonl", tmp_path / "gold.jsonl", str(tmp_path / "model")
    answers.write_text(json.dumps({"input": "LEGO City Tractor, 174 Pieces", "answer": "{}"}) + "\n", "utf-8")
    labelled = [{"input": f"Zibb Mug {i}", "target_scores": {"Brand": {"Zibb": 1}}} for i in range(12)]
    gold.write_text("\n".join(map(json.dumps, labelled)) + "\n", "utf-8")
    assert call("train", str(gold), "--model", model).exit_code == 0
    monkeypatch.setenv("CLEW_LLM_REPLAY", str(answers))
    hybrid = ("run", str(rows), "--extractor", "hybrid", "--model", model, "-w", str(tmp_path / "none"), "--llm-budget")
    done = call(*hybrid, "0%", "--out", str(tmp_path / "o.jsonl"))
    assert done.exit_code == 0, done.output
    assert "asked about 0 products" in done.stderr
    assert "'lots' is no budget" in call(*hybrid, "lots", "--out", "-").stderr


def test_standard_input_is_learned_from_and_read(rows: Path, tmp_path: Path) -> None:
    left = tmp_path / "rejects.jsonl"
    done = call("run", "-", "--out", "-", "-q", "--rejects", str(left), text=rows.read_text("utf-8"))
    assert done.exit_code == 0, done.output
    assert done.stdout == call("run", str(rows), "--out", "-", "-q").stdout
    assert json.loads(left.read_text("utf-8"))["file"] == "-"


@pytest.mark.parametrize(("count", "kept"), [(0, 0), (7, 7), (10, 10), (11, 6), (40, 10), (1000, 8)])
def test_what_is_learned_from_is_spread_over_a_long_catalogue(count: int, kept: int) -> None:
    found, total = thinned((Product(str(i), "Mug") for i in range(count)), most=10)
    keys = [int(product.key) for product in found]
    assert (len(keys), total) == (kept, count)
    assert len({b - a for a, b in itertools.pairwise(keys)}) <= 1


def test_fifty_answers_of_a_language_model_teach_a_new_shop(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorded answers of GPT-4 about titles of OA-Mine, whose own labels are only scored with."""
    folder, shop, gold, model = shared_data / "extraction" / "oa-mine", tmp_path / "shop.jsonl", tmp_path / "gold.jsonl", tmp_path / "model"
    lines = (folder / "test.jsonl").read_text("utf-8").splitlines()[::3]
    rows = [json.loads(line) for line in lines]
    shop.write_text("".join(json.dumps({"title": row["input"], "category": row["category"]}) + "\n" for row in rows), "utf-8")
    gold.write_text("\n".join(lines) + "\n", "utf-8")
    monkeypatch.setenv("CLEW_LLM_REPLAY", str(folder / "gpt-4-0613-answers.jsonl"))
    done = call(
        "train", str(shop), "--bootstrap", "50", "--model", str(model), "--attribute", "Brand", "--json", "-w", str(tmp_path / "none")
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["attributes"]["brand"]["rows"] == 50
    scored = json.loads(call("score", "--gold", str(gold), "--attribute", "Brand", "--model", str(model), "--json").stdout)
    assert scored["published"]["attributes"]["Brand"]["f1"] > 0.5
    seen, unseen = (scored["values"]["Brand"][part] for part in ("seen", "unseen"))
    assert seen["n"] + unseen["n"] == scored["published"]["attributes"]["Brand"]["n"] > 100
    assert seen["recall"] > unseen["recall"]


def test_answers_about_a_few_titles_teach_the_trained_tier(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, shop, out = shared_data / "extraction" / "oa-mine", tmp_path / "shop.jsonl", tmp_path / "out.jsonl"
    rows = [json.loads(line) for line in (folder / "test.jsonl").read_text("utf-8").splitlines()]
    shop.write_text("".join(json.dumps({"title": row["input"], "category": row["category"]}) + "\n" for row in rows), "utf-8")
    monkeypatch.setenv("CLEW_LLM_REPLAY", str(folder / "gpt-4-0613-answers.jsonl"))
    done = call("run", str(shop), "--out", str(out), "--extractor", "trained", "--bootstrap", "20", "-w", str(tmp_path / "none"))
    assert done.exit_code == 0, done.output
    read = [json.loads(line)["mentions"] for line in out.read_text("utf-8").splitlines()]
    assert sum(any(m["attribute"] == "brand" and m["extractor"] == "tagger" for m in mentions) for mentions in read) > 0.8 * len(read)
    refused = call("run", str(shop), "--out", "-", "--bootstrap", "20")
    assert refused.exit_code == 2
    assert "--bootstrap is of the extractor trained, not of rules." in refused.stderr


def test_rows_that_nothing_is_learned_from_are_told(rows: Path, tmp_path: Path) -> None:
    other = tmp_path / "own.jsonl"
    other.write_text('{"key": "b", "title": "Hanes Wool Hat"}\n', "utf-8")
    done = call("run", str(other), "--out", str(tmp_path / "out.jsonl"), "--learn", str(rows))
    assert done.exit_code == 0, done.output
    assert f"{rows}: 1 row teaches nothing, such as line 2: the title is blank." in done.stderr
