"""What `clew extract` prints with --json, and the lines that it writes, fit the schemas that `clew schema` publishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator, ValidationError

from kg.workspace import Workspace
from recommend.cli import cli
from recommend.schema import schema, schema_names


def asked(*arguments: object) -> Any:
    done = CliRunner().invoke(cli, ["extract", *map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def checked(name: str, document: Any) -> Any:
    Draft202012Validator(schema(name)).validate(document)
    return document


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    rows = [f'{i},"{brand} Steel Mug {i}, Red","{brand}",40% cotton; bamboo' for i in range(12) for brand in ("Zibb", "Rubbermaid")]
    (folder / "shop.csv").write_text("\n".join(["key,title,brand,material", *rows, "x,,,"]) + "\n", "utf-8")
    gold = [
        {"input": f"{brand} Steel Mug {i}, Red", "target_scores": {"Brand": {brand: 1}, "Color": {("Red" if i < 6 else "n/a"): 1}}}
        for i in range(8)
        for brand in ("Zibb", "Acme & Co")
    ]
    (folder / "gold.jsonl").write_text("\n".join(map(json.dumps, gold)) + "\n", "utf-8")
    return folder


def test_a_run_and_its_lines_fit(shop: Path, tmp_path: Path) -> None:
    done = checked("extract-run", asked("run", shop / "shop.csv", "--out", tmp_path / "out.jsonl"))
    assert (done["products"], done["rejected"]) == (24, 1)
    lines = [checked("extract-mentions", json.loads(line)) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert any("share" in mention for line in lines for mention in line["mentions"])


def test_training_and_scoring_fit(shop: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    told = checked("extract-train", asked("train", shop / "gold.jsonl", "--model", model))
    assert set(told["attributes"]) == {"brand", "color"}
    answer = checked("extract-score", asked("score", "--gold", shop / "gold.jsonl", "--model", model, "--errors", "3"))
    assert answer["values"] and answer["errors"]
    rules = checked("extract-score", asked("score", "--gold", shop / "gold.jsonl", "--attribute", "Color", "--errors", "3"))
    assert rules["confusion"]["Color"]["kinds"] == {"invented": 4} and rules["errors"]["Color"][0]["said"] == "Red"


@pytest.mark.parametrize("texts", [["$5"], ["on request"], ["was $50 now $35", "2 for £10", "x"]])
def test_prices_fit(texts: list[str]) -> None:
    checked("extract-price", asked("price", *texts))


def test_both_queues_of_a_review_fit(tmp_path: Path) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("item,title,brand\na,Steel Mug,Rubbermaid\nb,Cup,Rubbermaid\nc,Pot,Rubermaid\n", "utf-8")
    workspace = Workspace(tmp_path / "shop").open(create=True)
    done = CliRunner().invoke(cli, ["graph", "ingest", "-w", str(workspace.path), "--catalogue", str(file), "-q"])
    assert done.exit_code == 0, done.output
    assert checked("extract-review", asked("review", "-w", workspace.path))["facts"]
    assert checked("extract-review", asked("review", "-w", workspace.path, "--same"))["pairs"]


def test_they_refuse_what_is_no_answer(shop: Path, tmp_path: Path) -> None:
    done = asked("run", shop / "shop.csv", "--out", tmp_path / "out.jsonl")
    for wrong in ({**done, "rejected": -1}, {**done, "more": 1}, {k: v for k, v in done.items() if k != "out"}):
        with pytest.raises(ValidationError):
            checked("extract-run", wrong)
    line = json.loads((tmp_path / "out.jsonl").read_text("utf-8").splitlines()[0])
    mention = line["mentions"][0]
    for wrong in ({**mention, "accepted": True}, {**mention, "confidence": 1.5}, {**mention, "raw": ""}):
        with pytest.raises(ValidationError):
            checked("extract-mentions", {**line, "mentions": [wrong]})
    with pytest.raises(ValidationError):
        checked("extract-price", {"low": 1})


def test_they_are_listed() -> None:
    names = {f"extract-{name}" for name in ("run", "mentions", "price", "train", "score", "review")}
    assert names <= set(schema_names())
