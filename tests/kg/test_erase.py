"""A person who is erased is gone: from every file of the workspace, whatever form it has, and from servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from kg.cli.graph import make_graph_group
from kg.engine import open_embedded
from kg.erase import erase
from kg.errors import UnknownKeyError
from kg.history import forget_in_history, history_file
from kg.ontology import Label
from kg.progress import Progress
from kg.store import engine_graph
from kg.stores.memory import MemoryStore
from kg.sync import synchronise, verify
from kg.testing import ColumnFacts, example_tables
from kg.truth import Truth
from kg.workspace import Workspace

KEY = "anna.maria-7"
OTHER = f"x{KEY}x"  # another person, whose key holds the first one's
PRODUCTS = "item,title,brand,price,currency\np1,LEGO City tractor,LEGO,20,USD\np2,LEGO ship,LEGO,50,USD\n"
EVENTS = (
    f"user,item,time\n{KEY},p1,2022-01-01\n{KEY},p2,2022-01-02\nbob,p2,2022-01-03\n"
    f"{KEY},nope,2022-01-03\nbob,{KEY},2022-01-03\nbob,gone,2022-01-03\n"
)
_ZSTD = b"\x28\xb5\x2f\xfd"


class Learned:
    """Two models: one of the graph that the workspace holds when it is made, one of a graph that is long gone."""

    def __init__(self, graph: Path) -> None:
        self.graph = graph
        self.listed = [("old", "sha256:gone", False)]
        self.unfinished = 0

    def train(self) -> None:
        self.listed.append(("new", Truth(self.graph).digest, True))

    def trained(self, workspace: Workspace) -> list[tuple[str, str, bool]]:
        return list(self.listed)

    def forget_unfinished(self, workspace: Workspace) -> int:
        self.unfinished += 1
        return 1

    def refit(self, workspace: Workspace, progress: Progress) -> str:
        self.listed = [("newer", Truth(workspace.graph).digest, True)]
        return "newer"


def plain_bytes(path: Path) -> bytes:
    """A file's bytes, and behind them what its zstd frames (of Parquet and of the embedded engine) hold."""
    raw = path.read_bytes()
    found, place = [raw], raw.find(_ZSTD)
    while place >= 0:
        try:
            with pa.input_stream(pa.py_buffer(raw[place:]), compression="zstd") as stream:
                found.append(stream.read(1 << 24))
        except OSError:
            found.append(b"")  # the four bytes stood there by chance, or other bytes follow the frame
            found.append(_first_frame(raw[place:]))
        place = raw.find(_ZSTD, place + 1)
    return b"\n".join(found)


def _first_frame(data: bytes) -> bytes:
    out = b""
    with pa.input_stream(pa.py_buffer(data), compression="zstd") as stream:
        while True:
            try:
                piece = stream.read(1)
            except OSError:
                return out
            if not piece:
                return out
            out += piece


def speak_of(folder: Path, key: str) -> set[str]:
    """The files under a folder that hold a key."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and key.encode() in plain_bytes(path)}


def call(group: click.Group, *args: object) -> Result:
    return CliRunner().invoke(group, [str(arg) for arg in args], catch_exceptions=False)


def answer(group: click.Group, *args: object) -> Any:
    done = call(group, *args, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def shop(tmp_path: Path) -> tuple[click.Group, Workspace, Learned]:
    """A workspace with everything that can speak of a person, and a second one in it that must stay."""
    workspace = Workspace(tmp_path / "shop")
    models = Learned(workspace.graph)
    group = make_graph_group(lambda workspace, name: (ColumnFacts(), None), None, models)
    (tmp_path / "products.csv").write_text(PRODUCTS)
    (tmp_path / "events.csv").write_text(EVENTS + f"{OTHER},p1,2022-01-03\n{OTHER},elsewhere,2022-01-03\n")
    answer(group, "ingest", "--catalogue", tmp_path / "products.csv", "--events", tmp_path / "events.csv", "-w", workspace.path)
    workspace.snapshot()
    open_embedded(workspace).close()
    history_file(workspace).write_text(f"\n# 2022\n+MATCH (u:User {{key: '{KEY}'}})\n+RETURN u\n\n# 2022\n+MATCH (n) RETURN n\n")
    (workspace.cache / ".embedded-0.kgl.99.tmp").write_text(f"a writer that died left {KEY} here")
    (workspace.graph / "events" / ".part.99.tmp").write_text(KEY)
    workspace.rejects_file.with_name(".rejects.jsonl.tmp").write_text(KEY)
    models.train()
    return group, workspace, models


def test_no_byte_of_a_person_stays(shop: tuple[click.Group, Workspace, Learned]) -> None:
    group, workspace, models = shop
    before = speak_of(workspace.path, KEY)
    kinds = ("graph/events/", "graph/nodes/User/", "graph/edges", "cache/snapshot/", "cache/embedded-", "cache/questions", "rejects.jsonl")
    seen = {kind for kind in kinds if any(name.startswith(kind) for name in before)}
    assert seen == set(kinds) - {"graph/edges"}, "the scan must see the key in every form before it can tell that it is gone"
    found = answer(group, "erase", "--user", KEY, "-w", workspace.path)
    assert (found["events"], found["rejects"], found["questions"]) == (2, 2, 1)
    assert found["changes"] == {"new": 0, "changed": 0, "unchanged": found["changes"]["unchanged"], "removed": 3}
    assert {
        name for name in speak_of(workspace.path, KEY) if KEY.encode() in plain_bytes(workspace.path / name).replace(OTHER.encode(), b"")
    } == set()
    assert models.unfinished == 1


def test_nobody_else_goes(shop: tuple[click.Group, Workspace, Learned]) -> None:
    group, workspace, _ = shop
    rejected = len(workspace.rejects_file.read_text().splitlines())
    answer(group, "erase", "--user", KEY, "-w", workspace.path)
    truth = Truth(workspace.graph)
    assert truth.tables().users.column("key").to_pylist() == ["bob", OTHER]
    assert len(workspace.rejects_file.read_text().splitlines()) == rejected - 2
    assert "MATCH (n) RETURN n" in history_file(workspace).read_text()
    assert answer(group, "validate", "-w", workspace.path)["n_faults"] == 0
    assert answer(group, "verify", "-w", workspace.path)["faults"] == []
    assert workspace.snapshot().digest == truth.digest
    assert truth.runs[-1]["run"] == "erase"
    assert KEY not in json.dumps(truth.runs)


def test_it_says_what_it_cannot_reach(shop: tuple[click.Group, Workspace, Learned]) -> None:
    group, workspace, _ = shop
    told = call(group, "erase", "--user", KEY, "-w", workspace.path).stdout
    assert "Gone: 2 events, 2 rejected rows, 1 questions," in told
    assert "The model new was trained with 2 events of this person." in told
    assert "The model old learned from an earlier graph that may have held the person." in told
    assert "Train again to forget them: `clew train`, then `clew models prune --keep 0`; until then no model answers." in told
    assert "These files still hold them, and reading one again brings them back: " in told
    assert "events.csv" in told
    assert "Exports, backups and servers that were not named are yours to see to." in told


def test_refit_trains_again(shop: tuple[click.Group, Workspace, Learned]) -> None:
    group, workspace, models = shop
    found = call(group, "erase", "--user", KEY, "--refit", "-w", workspace.path).stdout
    assert "The model new was trained with 2 events of this person and was deleted." in found
    assert "The model newer was trained without them and answers now." in found
    assert models.listed == [("newer", Truth(workspace.graph).digest, True)]
    again = answer(group, "erase", "--user", "bob", "--refit", "-w", workspace.path)
    assert again["models"] == [{"name": "newer", "current": True, "events": 1}]
    assert again["refitted"] == "newer"


def test_a_dry_run_changes_nothing(shop: tuple[click.Group, Workspace, Learned]) -> None:
    group, workspace, models = shop
    before = {path: path.read_bytes() for path in workspace.path.rglob("*") if path.is_file() and path.name != "lock"}
    found = answer(group, "erase", "--user", KEY, "--dry-run", "-w", workspace.path)
    assert {path: path.read_bytes() for path in workspace.path.rglob("*") if path.is_file() and path.name != "lock"} == before
    told = call(group, "erase", "--user", KEY, "--dry-run", "-w", workspace.path).stdout
    assert told.startswith("Would be gone: 2 events")
    assert "With --refit a new model is trained without them and the others are deleted." in told
    assert models.unfinished == 0
    done = answer(group, "erase", "--user", KEY, "-w", workspace.path)
    same = ("digest", "events", "changes", "rejects", "questions", "files", "models")
    assert {name: done[name] for name in same} == {name: found[name] for name in same}


def test_a_stranger_is_told_of(shop: tuple[click.Group, Workspace, Learned]) -> None:
    group, workspace, _ = shop
    done = call(group, "erase", "--user", "boby", "-w", workspace.path)
    assert done.exit_code == 1
    assert "There is no user 'boby'." in done.stderr
    assert "bob" in done.stderr


def test_an_erasure_that_was_killed_is_finished(shop: tuple[click.Group, Workspace, Learned], monkeypatch: pytest.MonkeyPatch) -> None:
    _, workspace, _ = shop
    with monkeypatch.context() as patched:
        patched.setattr("kg.erase._delete", lambda paths: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            erase(workspace, KEY)
    assert any(name.startswith("cache/embedded-") for name in speak_of(workspace.path, KEY))
    found = erase(workspace, KEY)
    assert (found.events, found.rejects) == (0, 2)
    assert not [name for name in speak_of(workspace.path, KEY) if not name.startswith(("graph/", "rejects"))]
    with pytest.raises(UnknownKeyError):
        erase(workspace, KEY)


def test_a_person_known_only_by_rejected_rows_goes_too(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path).open(create=True)
    Truth(workspace.graph).write(example_tables())
    long = "k" * 600
    rows = [
        {"reason": "unknown product: x", "row": {"user": 17, "item": "x"}},
        {"reason": "no such user: 17", "row": {"item": "x"}},
        {"reason": "broken", "row": "17,x,"},
        {"reason": "fine", "row": "170,17a,x17"},
        {"reason": "long", "row": {"user": long}},
    ]
    workspace.rejects_file.write_text("".join(json.dumps({"file": "17.csv", "line": 17, **row}) + "\n" for row in rows) + "not JSON: 17\n")
    assert erase(workspace, "17").rejects == 4
    from kg.canon import bounded_key

    assert erase(workspace, bounded_key(long)).rejects == 1
    assert [json.loads(line)["reason"] for line in workspace.rejects_file.read_text().splitlines()] == ["fine"]


def test_a_server_forgets_them_too(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path).open(create=True)
    truth = Truth(workspace.graph)
    truth.write(example_tables())
    same, other, bare = MemoryStore(), MemoryStore(), MemoryStore()
    synchronise(same, engine_graph(example_tables(), truth.digest))
    synchronise(other, engine_graph(example_tables(), "sha256:with edges of a model"))
    synchronise(bare, engine_graph(example_tables(), "sha256:bare", with_users=False))
    found = erase(workspace, "u1", {"bolt://a": same, "bolt://b": other, "bolt://c": bare})
    assert found.engines == ("bolt://a", "bolt://b")
    graph = engine_graph(truth.tables(), truth.digest)
    assert [same.digest(), other.digest(), bare.digest()] == [truth.digest, None, "sha256:bare"]
    assert verify(same, graph) == verify(other, graph) == []
    assert same.node(Label.USER, "u1") is None


def test_the_commands_refusals(shop: tuple[click.Group, Workspace, Learned], tmp_path: Path) -> None:
    group, workspace, _ = shop
    both = call(group, "erase", "--user", KEY, "--refit", "--dry-run", "-w", workspace.path)
    assert (both.exit_code, "A dry run trains no model." in both.stderr) == (2, True)
    alone = make_graph_group(lambda workspace, name: (ColumnFacts(), None))
    nobody = call(alone, "erase", "--user", KEY, "--refit", "-w", workspace.path)
    assert (nobody.exit_code, "There is nothing here that trains a model." in nobody.stderr) == (2, True)
    embedded = call(group, "erase", "--user", KEY, "--store", "embedded", "-w", workspace.path)
    assert (embedded.exit_code, "The embedded engine is emptied with the other caches." in embedded.stderr) == (2, True)
    assert Truth(workspace.graph).tables().users.num_rows == 3, "a refusal changes nothing"


def test_a_history_that_is_not_there_is_fine(tmp_path: Path) -> None:
    assert forget_in_history(Workspace(tmp_path), lambda text: True) == 0
