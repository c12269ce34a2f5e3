"""The commands that answer, as a person calls them, on a small real shop: output, errors, exit codes, what is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from recommend.cli import cli
from recommend.schema import schema, schema_names

REGISTRY = Registry().with_resources((f"{name}.json", Resource.from_contents(schema(name))) for name in schema_names())
USER, ITEM = "u0027", "B013OY25GA"


def checked(name: str, text: str) -> dict:
    document = json.loads(text)
    Draft202012Validator(schema(name), registry=REGISTRY).validate(document)
    return document


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def ask(small_shop: Path):
    """`ask("recommend", …)` runs a command on the shop, in this process: the same code as the shell's, without its start."""

    def run(command: str, *args: str, check: bool = True, env: dict[str, str] | None = None) -> Done:
        result = CliRunner().invoke(cli, [command, *args, "-w", str(small_shop)], env=env, prog_name="clew")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        done = Done(result.exit_code, result.stdout, result.stderr)
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


@pytest.mark.parametrize(
    ("question", "branch"),
    [
        (["--user", USER], "known"),
        (["--history", f"{ITEM},B00PC5CI8K"], "session"),
        (["--item", ITEM], "similar"),
        (["--text", "alkaline batteries"], "text"),
        (["--text", "zzzzqqq"], "popular"),
    ],
)
def test_every_question_is_answered_by_its_branch(ask, question: list[str], branch: str) -> None:
    document = checked("answer", ask("recommend", *question, "-k", "5", "--json").stdout)
    assert document["branch"] == branch
    assert (document["fallback"] is not None) == (branch == "popular")
    assert len(document["items"]) == 5
    for item in document["items"]:
        total = sum(path["contribution"] for path in item["paths"]) + sum(item["rest"].values())
        assert abs(total - item["score"]) <= 1e-6 * max(1.0, abs(item["score"]))
        for path in item["paths"]:
            assert path["nodes"][-1]["key"] == item["item_key"]
            assert len(path["edges"]) == len(path["nodes"]) - 1


def test_the_text_for_people_fits_into_sixty_columns_and_obeys_no_color(ask) -> None:
    shown = ask("recommend", "--user", USER, "-k", "3", env={"COLUMNS": "60", "NO_COLOR": "1"}).stdout
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 60
    assert "for u0027" in shown


def test_a_new_product_is_read_and_offered(ask, tmp_path: Path) -> None:
    file = tmp_path / "new.jsonl"
    file.write_text('{"title": "Energizer Max AA Alkaline Batteries, 24 Pack", "price": "$14.99"}\n', encoding="utf-8")
    document = checked("new-product", ask("recommend", "--new-product", str(file), "-k", "3", "--check", "--json").stdout)
    assert document["check"]["rank_after"] >= document["check"]["rank_before"] >= 1
    assert document["product"]["key"] == "new"
    assert document["product"]["price"] == {"low": 14.99, "high": 14.99, "currency": "USD"}
    assert document["users"]
    assert document["similar"]
    title = document["product"]["title"]
    for mention in document["product"]["mentions"]:
        if mention["field"] == "title":
            assert title[mention["start"] : mention["end"]] == mention["raw"]
    for user in document["users"]:
        assert all(path["nodes"][0]["key"] == user["user_key"] and path["nodes"][-1]["key"] == "new" for path in user["paths"])


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_everybody_into_a_file(ask, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"all.{suffix}"
    document = checked("batch", ask("recommend", "--all-users", "--out", str(out), "-k", "2", "--json").stdout)
    assert document["items"] == 2 * document["users"]
    if suffix == "parquet":
        assert pq.read_table(out).num_rows == document["items"]
    else:
        lines = out.read_text(encoding="utf-8").splitlines()
        assert len(lines) == document["users"]
        checked("answer", lines[0])
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_an_explanation_with_everything(ask) -> None:
    first = json.loads(ask("recommend", "--user", USER, "-k", "1", "--json").stdout)["items"][0]
    args = (USER, first["item_key"], "--check", "--why-not", "--all")
    document = checked("explanation", ask("explain", *args, "--json").stdout)
    assert document["items"][0]["score"] == pytest.approx(first["score"], abs=1e-9)
    assert document["items"][0]["rank"] == 1
    assert document["items"][0]["rest"]["other_paths"] == 0
    assert document["check"]["rank_before"] == 1
    shown = ask("explain", *args).stdout
    assert first["reason"].split()[0] in shown
    assert "Taken out of the graph" in shown


def test_an_explanation_as_a_query_and_as_pictures(ask, tmp_path: Path) -> None:
    first = json.loads(ask("recommend", "--user", USER, "-k", "1", "--json").stdout)["items"][0]["item_key"]
    files = [tmp_path / "why.svg", tmp_path / "why.html"]
    document = checked("explanation", ask("explain", USER, first, "--cypher", "--out", ",".join(map(str, files)), "--json").stdout)
    assert all(file.stat().st_size > 500 for file in files)
    params = [f"--param={name}={json.dumps(value)}" for name, value in document["query"]["parameters"].items()]
    rows = json.loads(ask("cypher", "query", document["query"]["text"], *params, "--json").stdout)["rows"]
    whole = json.loads(ask("explain", USER, first, "--all", "--json").stdout)["items"][0]
    assert sum(row[-1] for row in rows) == pytest.approx(sum(path["contribution"] for path in whole["paths"]), abs=1e-6)
    assert f':param user => "{USER}";' in ask("explain", USER, first, "--cypher").stdout
    entity = next(node["key"] for path in whole["paths"] for node in path["nodes"] if node["label"] == "Category")
    asked = ask("explain", USER, first, "--why-not", "--what-if", f"IN_CATEGORY={entity}", "--cypher", "--json").stdout
    assert [query["name"] for query in checked("explanation", asked)["queries"]] == ["contributions", "why_not", "what_if"]


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["recommend", "--user", "u002"], 1, "There is no user 'u002'.\n  Did you mean u0"),
        (["recommend", "--item", "B013OY25G"], 1, "Did you mean B013OY25GA"),
        (["recommend"], 2, "Ask one of --user"),
        (["recommend", "--user", USER, "--text", "x"], 2, "Ask one of --user"),
        (["recommend", "--user", USER, "--where", "prize < 3"], 2, "there is no field 'prize' at character 1"),
        (["recommend", "--user", USER, "-k", "0"], 2, "k is 0"),
        (["recommend", "--all-users"], 2, "--all-users and --out FILE go together"),
        (["recommend", "--all-users", "--out", "all.csv"], 2, "neither .jsonl nor .parquet"),
        (["recommend", "--user", USER, "--exclude", "nowhere.txt"], 1, "The deny list nowhere.txt is not there"),
        (["recommend", "--new-product", "nowhere.jsonl"], 1, "nowhere.jsonl"),
        (["recommend", "--user", USER, "--check"], 2, "--check goes with --new-product"),
        (["recommend", "--new-product", "-", "--polish"], 2, "--polish goes with --user"),
        (["recommend", "--user", USER, "--polish"], 3, "No language model is configured"),
        (["explain", USER], 2, "needs a user and a product"),
        (["explain", USER, "nothing"], 1, "There is no product 'nothing'"),
        (["explain", USER, ITEM, "--out", "why.png"], 2, "neither .svg nor .html"),
        (["explain", "--history", ITEM, ITEM, "--cypher"], 2, "no query finds its paths"),
        (["explain", USER, ITEM, "--what-if", "cotton"], 2, "'cotton' is no fact"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence_and_the_right_code(ask, args: list[str], code: int, says: str) -> None:
    done = ask(*args, check=False)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
    as_json = ask(*args, "--json", check=False)
    assert as_json.returncode == code
    error = checked("error", as_json.stderr)
    assert error["error"]["message"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("null", "new.jsonl"),
        ('{"price": 3}', "has no title"),
        ('{"title": "  "}', "has no title"),
        ('{"title": "Cup", "price": -3}', "is no product"),
        ("[1, 2]", "new.jsonl"),
        ("{", "new.jsonl"),
    ],
)
def test_a_row_that_is_no_product(ask, tmp_path: Path, row: str, says: str) -> None:
    file = tmp_path / "new.jsonl"
    file.write_text(row + "\n" if row else "", encoding="utf-8")
    done = ask("recommend", "--new-product", str(file), check=False)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


_LOADED = """
import sys
from recommend.cli import cli
try:
    cli({args!r}, prog_name="clew")
except SystemExit as end:
    assert not end.code, end.code
heavy = sorted({{"torch", "torch_geometric", "transformers", "spacy", "sklearn", "pandas"}} & set(sys.modules))
assert not heavy, heavy
"""


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["recommend", "--help"],
        ["recommend", "--user", USER],
        ["recommend", "--history", ITEM],
        ["recommend", "--item", ITEM, "--json"],
        ["explain", USER, ITEM],
        ["doctor"],
        ["schema"],
    ],
)
def test_what_answers_from_arrays_loads_nothing_heavy(small_shop: Path, args: list[str]) -> None:
    place = [] if "--help" in args else ["-w", str(small_shop)]
    subprocess.run([sys.executable, "-c", _LOADED.format(args=[*args, *place])], check=True, capture_output=True, timeout=120)


def test_completion_prints_a_script_for_each_shell(ask) -> None:
    for shell in ("bash", "zsh", "fish"):
        document = checked("completion", ask("completion", shell, "--json").stdout)
        assert "_CLEW_COMPLETE" in document["script"]


def test_the_doctor_finds_everything_here(ask) -> None:
    document = checked("doctor", ask("doctor", "--json").stdout)
    assert document["healthy"]
    assert {"graph", "model"} <= {finding["name"] for finding in document["findings"] if finding["group"] == "workspace"}


def test_the_doctor_finds_a_stranger_that_owns_one_of_our_names(tmp_path: Path) -> None:
    (tmp_path / "cypher").mkdir()
    (tmp_path / "cypher" / "__init__.py").write_text("", encoding="utf-8")
    look = "from recommend.doctor import examine; f = next(f for f in examine() if f.name == 'cypher'); print(f.status, f.detail)"
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {look}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith(f"missing a stranger's package is imported: {tmp_path}")
