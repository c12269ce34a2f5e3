"""The shell: what a line means, completion, history, and a prompt that is typed into."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.output.vt100 import Vt100_Output

from kg.cli.cypher import cypher
from kg.cli.shell import Shell, is_whole, talk
from kg.cli.shell_words import CypherCompleter
from kg.cli.tables import answer_text, draw_path
from kg.engine import open_embedded
from kg.explore import Explorer
from kg.history import history_file
from kg.store import Edge, Limits, Node
from kg.store import Path as GraphPath
from kg.testing import example_tables
from kg.truth import Truth
from kg.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("shop")).open(create=True)
    Truth(made.graph).write(example_tables())
    return made


@pytest.fixture(scope="module")
def explorer(workspace: Workspace) -> Iterator[Explorer]:
    limits = Limits(rows=5, seconds=2.0)
    made = Explorer(lambda: open_embedded(workspace, True, limits), limits)
    yield made
    made.close()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def shell(explorer: Explorer, told: list[str]) -> Shell:
    return Shell(explorer, told.append)


def test_a_question_is_answered_in_a_table(shell: Shell, told: list[str]) -> None:
    assert shell.take("MATCH (p:Product {key: 'p1'}) RETURN p.key AS key, p.title AS title;")
    assert told[0].splitlines()[0].split() == ["key", "title"]
    assert told[0].splitlines()[2].split(maxsplit=1) == ["p1", "LEGO City tractor"]
    assert told[1].startswith("1 row, ")
    shell.take("MATCH (p:Product) RETURN p.key")
    assert told[-1].startswith("5 rows (there are more: start with --rows, or add LIMIT), ")
    shell.take("MATCH (p:Product {key: 'none'}) RETURN p.key")
    assert told[-1].startswith("0 rows, ")
    assert shell.take("  ;")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("CREATE (n:Product)", "A question does not begin with 'CREATE'.", "Begin with MATCH"),
        ("MATCH (n) DETACH DELETE n", "DETACH is not for exploration.", ""),
        ("MATCH (n) RETURN $x", "The query needs the parameter x.", ""),
        ("MATCH (n:Prodct) RETURN n", "The query does not fit the graph", "`clew graph stats`"),
        (":run nothing", "There is no query 'nothing'.", ""),
        (":run", "There is no query ''.", ""),
        (":run also_bought item", "'item' is no parameter.", "Write name=value."),
        (":run also_bought", "The query also_bought needs the parameter item (text).", ""),
        (":run also_bought item='p1", "A quote is not closed.", "Write :run NAME name='some words'."),
        (":param x", "'x' is no parameter.", "Write name=value."),
        (":show nothing", "There is no query 'nothing'.", ""),
        (":format xml", "There is no format 'xml'.", "There are table, json, csv."),
        (":nothing", "There is no command :nothing.", "There are :help, "),
    ],
)
def test_what_cannot_be_done_is_told_and_the_shell_goes_on(shell: Shell, told: list[str], text: str, message: str, hint: str) -> None:
    assert not shell.take(text)
    assert told[-1].startswith(f"error: {message}")
    assert hint in told[-1]
    assert shell.take("RETURN 1 AS n")
    assert not shell.over


def test_a_question_past_its_limits_ends_the_engine_and_the_next_opens_it_again(shell: Shell, told: list[str], explorer: Explorer) -> None:
    first = explorer.store
    bomb = "MATCH (a), (b), (c), (d), (e), (f), (g), (h) RETURN count(*) AS n"
    assert not shell.take(bomb)
    assert "took longer than 2 s" in told[-1] or "more memory" in told[-1]
    explorer.close()
    assert shell.take("RETURN 1 AS n")
    assert explorer.store is not first
    first.close()
    explorer.store.close()  # as if it had been killed
    assert shell.take("RETURN 2 AS n")


def test_ctrl_c_stops_a_question(shell: Shell, told: list[str], explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    running = explorer.store
    with monkeypatch.context() as patched:
        patched.setattr(type(running), "run", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert not shell.take("RETURN 1 AS n")
    assert told == ["Stopped."]
    assert shell.take("RETURN 1 AS n")
    assert explorer.store is not running


def test_commands(shell: Shell, told: list[str]) -> None:
    def after(text: str) -> str:
        assert shell.take(text), told[-1]
        return told[-1]

    assert ":run NAME name=value …" in after(":help")
    assert "HAS_BRAND" in after(":schema")
    assert "also_bought" in after(":queries")
    assert after(":show also_bought").startswith("MATCH")
    assert after(":param") == "No parameter is set."
    assert after(":param item = p1") == '$item = "p1"'
    after(":param limit => 1;")
    assert after(":params") == '$item = "p1"\n$limit = 1'
    after(":param item='p1'")
    shell.take(":run also_bought")
    assert told[-1].startswith("1 row, ")
    shell.take(":run also_bought item=p3")
    assert told[-2].splitlines()[2].startswith("p")
    shell.take(":format json")
    assert json.loads(after("MATCH (p:Product {key: $item}) RETURN p.key AS key"))["rows"] == [["p1"]]
    shell.take(":format csv")
    assert after("MATCH (p:Product {key: $item}) RETURN p.key AS key") == "key\np1"
    after(":quit")
    assert shell.over


def test_when_an_input_is_whole() -> None:
    assert is_whole(":help")
    assert is_whole("RETURN 1;")
    assert is_whole("RETURN 1\n")
    assert is_whole("")
    assert not is_whole("MATCH (n)")


@pytest.mark.parametrize(
    ("before", "offered"),
    [
        ("MATCH (b:Br", ["Brand"]),
        ("MATCH (a)-[r:HAS_B", ["HAS_BRAND"]),
        ("MATCH (a)<-[:kn", ["KNITTED_BY"]),
        ("MATCH (p:Product) WHERE p.ti", ["title"]),
        ("MATCH (p:Product)-[r:BOUGHT]-(u) WHERE r.", ["count", "first", "last"]),
        ("MATCH (b:Brand {", ["key", "name"]),
        ("MATCH (b:Brand {key: 'x', na", ["name"]),
        ("MATCH (:User)-[:RATED {va", ["value"]),
        ("MATCH (p:Product) RETURN p.key = $it", ["item"]),
        ("MATCH (product:Product) WHERE pro", ["product", "properties("]),
        ("ret", ["RETURN"]),
        ("RETURN toint", ["toInteger("]),
        (":fo", ["format"]),
        (":run paths_by_bu", ["paths_by_buyers"]),
        (":show paths_by_bu", ["paths_by_buyers"]),
        (":run also_bought ", ["item=", "limit="]),
        (":format j", ["json"]),
        (":quit no", []),
    ],
)
def test_tab_completes_what_fits_the_place(explorer: Explorer, before: str, offered: list[str]) -> None:
    completer = CypherCompleter(explorer.schema, {"item": "p1"})
    found = completer.get_completions(Document(before), CompleteEvent(completion_requested=True))
    assert [completion.text for completion in found] == offered


def test_only_what_the_graph_holds_is_offered(explorer: Explorer) -> None:
    completer = CypherCompleter(explorer.schema, {})
    offered = {completion.text for completion in completer.get_completions(Document("MATCH ()-[:"), CompleteEvent())}
    assert offered == set(explorer.schema.edges)
    assert "CO_BOUGHT" not in offered
    assert {c.text for c in completer.get_completions(Document("MATCH (x) WHERE x."), CompleteEvent())} == set(explorer.schema.properties)


def typed(shell: Shell, workspace: Workspace, keys: str) -> None:
    with create_pipe_input() as pipe:
        pipe.send_text(keys)
        talk(shell, workspace, pipe, DummyOutput())


def test_a_person_types(shell: Shell, told: list[str], workspace: Workspace) -> None:
    history_file(workspace).unlink(missing_ok=True)
    drawn = io.StringIO()
    with create_pipe_input() as pipe:

        def type_on() -> None:
            pipe.send_text("MATCH (b:Bra\t")
            for _ in range(500):  # completion is its own task: typing on before it is done would miss it
                if "Brand" in drawn.getvalue():
                    break
                time.sleep(0.02)
            pipe.send_text(" {key: 'brand:lego'})\rRETURN b.name AS name\r\r:help\r:quit\r")

        typist = threading.Thread(target=type_on)
        typist.start()
        talk(shell, workspace, pipe, Vt100_Output(drawn, lambda: Size(40, 100)))
        typist.join()
    assert told[0].endswith("edges on the embedded engine.\nEnd a question with ; — :help tells more, Ctrl-D leaves.")
    assert told[1].splitlines()[2] == "LEGO"
    assert told[-1].startswith("A question ends with ;")
    kept = history_file(workspace)
    assert "+MATCH (b:Brand {key: 'brand:lego'})\n+RETURN b.name AS name\n" in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0, "questions may name people"


def test_earlier_questions_come_back(shell: Shell, told: list[str], workspace: Workspace) -> None:
    history_file(workspace).unlink(missing_ok=True)
    typed(shell, workspace, "RETURN 41 AS n;\r:quit\r")
    told.clear()
    shell.over = False
    typed(shell, workspace, "\x1b[A\x1b[A\r\x04")  # up, up, enter, ctrl-d
    assert told[1].splitlines()[2].strip() == "41"


def test_ctrl_c_drops_what_is_being_written(shell: Shell, told: list[str], workspace: Workspace) -> None:
    typed(shell, workspace, "MATCH nonsense\x03RETURN 7 AS n;\r\x04")
    assert len(told) == 3
    assert told[1].splitlines()[2].strip() == "7"


def test_a_workspace_that_cannot_be_written_to_has_no_history(shell: Shell, told: list[str], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file stands where the folder would be")
    typed(shell, Workspace(tmp_path), "RETURN 1 AS n;\r\x04")
    assert told[1].splitlines()[2].strip() == "1"


def piped(workspace: Workspace, text: str, *options: str) -> Any:
    return CliRunner().invoke(cypher, ["shell", "-w", str(workspace.path), *options], input=text, catch_exceptions=False)


def test_a_pipe_is_read_to_its_end(workspace: Workspace) -> None:
    script = "// two questions\n:param item => 'p1';\n\nMATCH (p:Product {key: $item})\n\nRETURN p.key AS key;\nRETURN 2 AS two\n"
    done = piped(workspace, script, "--format", "csv")
    assert (done.exit_code, done.stdout) == (0, '$item = "p1"\nkey\np1\ntwo\n2\n')
    assert json.loads(piped(workspace, "RETURN 1 AS n", "--json").stdout)["rows"] == [[1]]
    assert piped(workspace, ":quit\nRETURN 1 AS n;\n").stdout == ""
    failed = piped(workspace, "CREATE (n);\nRETURN 3 AS three;\n")
    assert failed.exit_code == 1
    assert "three" not in failed.stdout


PATH = GraphPath(
    (Node("User", "u1"), Node("Product", "p1", {"title": "LEGO City tractor"}), Node("Brand", "brand:lego", {"name": "LEGO"})),
    (Edge("BOUGHT", "u1", "p1"), Edge("HAS_BRAND", "p1", "brand:lego")),
)


def test_a_path_is_drawn_in_the_room_there_is() -> None:
    assert draw_path(PATH, 200) == ["(User u1) ─BOUGHT→ (Product p1 LEGO City tractor) ─HAS_BRAND→ (Brand brand:lego LEGO)"]
    assert draw_path(PATH, 50) == [
        "(User u1)",
        "  ─BOUGHT→ (Product p1 LEGO City tractor)",
        "  ─HAS_BRAND→ (Brand brand:lego LEGO)",
    ]
    assert draw_path(PATH, 20)[1] == "  ─BOUGHT→ (Product…"
    back = GraphPath((Node("Product", "p1"), Node("User", "u1")), (Edge("BOUGHT", "u1", "p1"),))
    assert draw_path(back, 80) == ["(Product p1) ←BOUGHT─ (User u1)"]


def test_rows_with_long_paths_become_records() -> None:
    assert answer_text(["p", "n"], [[PATH, 1]], 120).splitlines()[0].split() == ["p", "n"]
    text = answer_text(["path", "n"], [[PATH, 1], [None, 2]], 60)
    assert text.splitlines() == [
        "path  (User u1)",
        "        ─BOUGHT→ (Product p1 LEGO City tractor)",
        "        ─HAS_BRAND→ (Brand brand:lego LEGO)",
        "n     1",
        "",
        "path  ",
        "n     2",
    ]
    assert all(len(line) <= 60 for line in text.splitlines())
