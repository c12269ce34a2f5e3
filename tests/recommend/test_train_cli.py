"""`clew train`, `clew models` and `clew evaluate` as a person types them."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from kg.config import PRESETS
from recommend.cli import cli
from recommend.cli.evaluate import evaluate
from recommend.cli.train import train
from recommend.schema import schema

ITEMS = "item,title,brand\n" + "".join(f"p{n},{'red' if n % 2 else 'blue'} {'hat' if n % 3 else 'lamp'},b{n % 4}\n" for n in range(24))
TRAIN = "user,item,pos\n" + "".join(f"u{u},p{(u * 2 + 4 * n) % 20},{n}\n" for u in range(15) for n in range(4))
TEST = "user,item,pos\n" + "".join(f"u{u},p{20 + u % 4},9\n" for u in range(15))
PROTOCOL = """
name = "tiny"
k = [3]
extractor = "columns"
[catalogue]
path = "items.csv"
columns = { item = "item", title = "title", brand = "brand" }
[events]
columns = { user = "user", item = "item", order = "pos" }
train = "train.csv"
[[test]]
name = "cold"
events = "test.csv"
candidates = "unseen"
"""


def fits(name: str, document: dict) -> dict:
    """The document, if it fits its published schema."""
    Draft202012Validator(schema(name)).validate(document)
    return document


def run(*arguments: str, code: int = 0):
    result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def protocol(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("protocol")
    for name, text in (("items.csv", ITEMS), ("train.csv", TRAIN), ("test.csv", TEST), ("protocol.toml", PROTOCOL)):
        (folder / name).write_text(text)
    return folder / "protocol.toml"


def test_one_ranker(protocol):
    document = fits("evaluate", json.loads(run("evaluate", str(protocol), "--ranker", "text-knn", "--json", "-q").stdout))
    assert document["model"] == "text-knn" and document["tests"]["cold"]["users"] == 15
    assert 0 <= document["tests"]["cold"]["ndcg@3"] <= 1


def test_several_rankers_are_compared_in_pairs(protocol):
    shown = run("evaluate", str(protocol), "--ranker", "popularity,attributes", "-q").stdout
    assert "attributes − popularity, cold:" in shown
    asked = ("evaluate", str(protocol), "--ranker", "popularity,attributes", "--json", "-q")
    document = fits("evaluate", json.loads(run(*asked).stdout))
    assert set(document["rankers"][0]["against"]["cold"]) == {"difference", "low", "high"}


def test_reasons_are_put_to_the_test(protocol):
    words = protocol.with_name("words.toml")
    words.write_text(PROTOCOL + '[train]\ntext_encoder = ["words"]\nwithout = ["gnn"]\n')
    asked = ("evaluate", str(words), "--explanations", "4", "--refit-seed", "1", "-q")
    document = fits("evaluate", json.loads(run(*asked, "--json").stdout))
    found = document["explanations"]["cold"]
    assert found["people"] == 4
    assert (found["true"]["mean"], found["leak"]["mean"], found["additivity"]["within_1e-6"]) == (1, 0, 1)
    assert document["refit_seed"] == 1
    shown = run(*asked).stdout
    assert "tiny, cold: 4 people" in shown and "coverage" in shown
    assert "goes with --explanations" in run("evaluate", str(words), "--refit-seed", "1", code=2).output


def test_what_is_wrong_is_said(protocol, tmp_path):
    assert "text-knn" in run("evaluate", str(protocol), "--ranker", "text-kn", code=1).output
    assert "There is no file" in run("evaluate", str(tmp_path / "none.toml"), code=1).output


@pytest.fixture(scope="module")
def own_workspace(small_shop, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "workspace"
    shutil.copytree(small_shop, folder)
    return folder


def test_train_list_use_undo_prune(own_workspace):
    where = ("-w", str(own_workspace))
    assert "seconds" in fits("train", json.loads(run("train", "--estimate", "--json", "-q", *where).stdout))["estimate"]
    made = fits("train", json.loads(run("train", "--preset", "fast", "--text-encoder", "words", "--json", "-q", *where).stdout))
    assert made["model"].startswith("sha256:") and made["report"]["branches"]
    listed = fits("models-list", json.loads(run("models", "list", "--json", *where).stdout))["models"]
    assert [one["digest"] for one in listed if one["current"]] == [made["model"]]
    assert "* " in run("models", "list", *where).stdout
    other = next(one["name"] for one in listed if not one["current"])
    assert fits("models-use", json.loads(run("models", "use", other, "--json", *where).stdout))["current"] == other
    assert json.loads(run("models", "use", "--undo", "--json", *where).stdout)["current"] == made["model"][7:23]
    assert "Name one model" in run("models", "use", *where, code=2).output
    card = fits("models-show", json.loads(run("models", "show", "--json", *where).stdout))
    assert card["preset"] == "fast" and card["without"] == ["gnn"] and "gnn" not in card["views"]
    assert "preset fast" in run("models", "show", *where).stdout
    assert fits("models-prune", json.loads(run("models", "prune", "--keep", "0", "--json", *where).stdout))["deleted"] == [other]
    assert "Nothing to delete" in run("models", "prune", *where).stdout


def test_a_part_that_does_not_exist(own_workspace):
    assert "part of the model 'gnm'" in run("train", "--without", "gnm", "-w", str(own_workspace), code=1).output


def test_a_device_can_be_named_and_is_no_part_of_the_model(protocol, own_workspace):
    where = ("-w", str(own_workspace), "--text-encoder", "words", "--json", "-q")
    made = [json.loads(run("train", "--device", device, *where).stdout)["model"] for device in ("cpu", "cpu:0")]
    assert made[0] == made[1]
    assert "'gpu' is no device" in run("train", "--device", "gpu", *where, code=1).output
    assert "'gpu' is no device" in run("evaluate", str(protocol), "--device", "gpu", "--ranker", "popularity", "-q", code=1).output
    assert "no device 'cuda:99'" in run("train", "--device", "cuda:99", *where, code=3).output
    assert "no device 'cuda:99'" in run("evaluate", str(protocol), "--device", "cuda:99", "-q", code=3).output


def test_presets_are_named_alike_everywhere(protocol, own_workspace):
    for command in (train, evaluate):
        (choice,) = (option.type for option in command.params if option.name == "preset")
        assert list(choice.choices) == list(PRESETS)
    assert "'quick' is not one of 'fast'" in run("train", "--preset", "quick", "-w", str(own_workspace), code=2).output
    words = protocol.with_name("fast.toml")
    words.write_text(PROTOCOL + '[train]\ntext_encoder = ["words"]\n')
    document = fits("evaluate", json.loads(run("evaluate", str(words), "--preset", "fast", "--json", "-q").stdout))
    assert (document["preset"], document["without"]) == ("fast", ["gnn"])
