"""`clew init` from files to a `clew.toml` that reads them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from kg.catalogue import read_catalogue
from kg.config import Config
from kg.event_files import read_events
from kg.proposal import write_config
from kg.rejects import Rejects
from recommend.cli import cli
from recommend.schema import schema

SHOP = Path(__file__).parents[1] / "data" / "small-shop"


def clew(*arguments: str | Path, width: int = 100) -> Result:
    return CliRunner(env={"COLUMNS": str(width)}).invoke(cli, ["init", *map(str, arguments)])


def shop(folder: Path) -> Path:
    result = clew(folder, "--catalogue", SHOP / "products.csv", "--events", SHOP / "orders.jsonl")
    assert result.exit_code == 0, result.output
    return folder / "clew.toml"


def test_the_file_that_it_writes_reads_the_shop(tmp_path: Path) -> None:
    config = Config.load(shop(tmp_path / "shop"))
    assert config.catalogue.columns is not None
    assert config.catalogue.columns.model_dump(exclude_none=True, exclude_defaults=True) == {
        "item": "sku",
        "title": "name",
        "category": "type",
        "price": "price",
    }
    assert config.events.columns is not None
    assert config.events.columns.model_dump(exclude_none=True) == {"user": "customer", "item": "sku", "time": "date", "value": "qty"}
    rejects = Rejects()
    products = list(read_catalogue(config.catalogue.files, config.catalogue, rejects))
    events = read_events(config.events.files, config.events, rejects, {product.key for product in products})
    assert len(products) > 100
    assert events.num_rows > 100
    assert rejects.count == 0


def test_it_shows_five_rows_as_it_read_them(tmp_path: Path) -> None:
    result = clew(tmp_path, "--catalogue", SHOP / "products.csv", "--events", SHOP / "orders.jsonl")
    lines = result.stdout.splitlines()
    assert lines[0] == "Products, as they were read:"
    assert lines[1] == "  0786965606 · D&D Player’s Handbook (Dungeons & Dragons Core Ru… · category: TABLETOP_GAME · price…"
    assert "  u0027 · B00PC5CI8K · value: 1 · kind: purchase · time: 2018-02-10 00:00:00" in lines
    assert "  200 of the first 200 events name a product of the catalogue." in lines
    assert lines[-3:] == [
        f"Wrote {tmp_path}/clew.toml. Look at it, then:",
        f"  clew graph ingest --workspace {tmp_path}",
        f"  clew train --workspace {tmp_path}",
    ]


def test_the_file_explains_itself(tmp_path: Path) -> None:
    text = shop(tmp_path).read_text()
    assert 'item = "sku"             # 0786965606 · 1440503257' in text
    assert '# brand = ""  # read out of titles when there is no column' in text
    # Every line that is switched off by a # can be switched on.
    switched_on = [line.removeprefix("# ") if line.startswith("# ") and " = " in line else line for line in text.splitlines()]
    (tmp_path / "on.toml").write_text("\n".join(switched_on))
    assert Config.load(tmp_path / "on.toml").recommend.max_per_brand == 3


@pytest.mark.parametrize("width", [40, 60])
def test_it_fits_a_narrow_terminal(tmp_path: Path, width: int) -> None:
    result = clew(tmp_path, "--catalogue", SHOP / "products.csv", "--events", SHOP / "orders.jsonl", width=width)
    assert all(len(line) <= width for line in result.stdout.splitlines() if " · " in line)


def test_json_says_the_same(tmp_path: Path) -> None:
    result = clew(tmp_path, "--catalogue", SHOP / "products.csv", "--events", SHOP / "orders.jsonl", "--json")
    answer = json.loads(result.stdout)
    Draft202012Validator(schema("init")).validate(answer)
    assert answer["config"] == f"{tmp_path}/clew.toml"
    assert answer["catalogue"]["columns"]["title"] == "name"
    assert len(answer["catalogue"]["rows"]) == len(answer["events"]["rows"]) == 5
    assert (answer["events"]["looked_up"], answer["events"]["matched"]) == (200, 200)


def test_json_without_events(tmp_path: Path) -> None:
    answer = json.loads(clew(tmp_path, "--catalogue", SHOP / "products.csv", "--json").stdout)
    Draft202012Validator(schema("init")).validate(answer)
    assert answer["events"] == {"columns": {}, "unused": [], "rows": [], "looked_up": 0, "matched": None}


def test_the_workspace_is_the_folder_when_none_is_named(tmp_path: Path) -> None:
    result = clew("--workspace", tmp_path / "ws", "--catalogue", SHOP / "products.csv")
    assert result.exit_code == 0, result.output
    assert "[events]" not in (tmp_path / "ws" / "clew.toml").read_text()


def test_it_never_writes_over_a_file_unasked(tmp_path: Path) -> None:
    (tmp_path / "clew.toml").write_text("mine")
    result = clew(tmp_path, "--catalogue", SHOP / "products.csv")
    assert result.exit_code == 1
    assert result.stderr == f"error: {tmp_path}/clew.toml exists already.\n  Edit it, or write it anew with --force.\n"
    assert (tmp_path / "clew.toml").read_text() == "mine"
    with pytest.raises(Exception, match="exists already"):
        write_config(tmp_path / "clew.toml", "other", force=False)
    assert clew(tmp_path, "--catalogue", SHOP / "products.csv", "--force").exit_code == 0
    assert "[catalogue]" in (tmp_path / "clew.toml").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["clew.toml"]


def test_the_key_is_the_column_that_the_events_name(tmp_path: Path) -> None:
    items = pa.table({"item_id": range(50), "asin": [f"B{n:09}" for n in range(50)], "title": [f"Thing number {n}" for n in range(50)]})
    pq.write_table(items, tmp_path / "items.parquet")
    (tmp_path / "log.csv").write_text("user,item\n" + "".join(f"u,B{n:09}\n" for n in range(30)))
    result = clew(tmp_path, "--catalogue", tmp_path / "items.parquet", "--events", tmp_path / "log.csv", "--json")
    answer = json.loads(result.stdout)
    assert answer["catalogue"]["columns"] == {"item": "asin", "title": "title"}
    assert (answer["events"]["matched"], answer["catalogue"]["unused"]) == (30, ["item_id"])


def test_events_of_another_shop_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item\nu,x\nu,y\n")
    result = clew(tmp_path, "--catalogue", SHOP / "products.csv", "--events", tmp_path / "log.csv")
    assert "  0 of the first 2 events name a product of the catalogue." in result.stdout
    assert "the two must hold the same keys" in result.stdout


def test_columns_with_strange_names_are_quoted(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"s""k\\u",title,"pri""ce\\\x7f"\n1,one,2\n')
    (tmp_path / "log.csv").write_text("user,item\nu,1\n")
    result = clew(tmp_path, "--catalogue", tmp_path / "a.csv", "--events", tmp_path / "log.csv")
    assert result.exit_code == 0, result.output
    config = Config.load(tmp_path / "clew.toml")
    assert config.catalogue.columns is not None
    assert (config.catalogue.columns.item, config.catalogue.columns.price) == ('s"k\\u', 'pri"ce\\\x7f')
    assert config.catalogue.files[0].path == f"{tmp_path}/a.csv"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 2, "Missing option '--catalogue'"),
        (["--catalogue", "nowhere.csv"], 1, "error: There is no file nowhere.csv"),
        (["--catalogue", "-"], 1, "error: Standard input can be read only once"),
        (["--catalogue", str(SHOP / "orders.jsonl")], 1, "looks like the title; it has 'customer', 'sku', 'date', 'qty'."),
        (
            ["--catalogue", str(SHOP / "products.csv"), "--events", str(SHOP / "products.csv")],
            1,
            "looks like the person's key; it has 'sku'",
        ),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, arguments: list[str], code: int, told: str) -> None:
    result = clew(tmp_path, *arguments)
    assert result.exit_code == code
    assert told in result.stderr
    assert not (tmp_path / "clew.toml").exists()


def test_it_needs_no_model() -> None:
    import subprocess

    code = f"import sys; sys.argv = ['clew', 'init', '--help']; sys.path.insert(0, {str(SHOP.parents[2])!r})\n"
    code += (
        "from recommend.cli import main\ntry:\n    main()\nexcept SystemExit:\n    pass\nassert not {'torch', 'spacy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
