"""A workspace: its folder, its one writer, its snapshot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kg.errors import StateError
from kg.testing import example_tables
from kg.truth import Truth
from kg.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "shop").open(create=True)
    Truth(made.graph).write(example_tables())
    return made


def test_a_workspace_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="There is no workspace at"):
        Workspace(tmp_path / "no").open()


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(StateError, match="is a file, not a workspace"):
        Workspace(tmp_path / "f").open(create=True)


def test_a_workspace_without_a_graph_has_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="There is no graph"):
        Workspace(tmp_path).open(create=True).snapshot()


def test_the_snapshot_is_kept_and_made_anew_when_the_truth_moves(workspace: Workspace) -> None:
    first = workspace.snapshot()
    kept = list((workspace.cache / "snapshot").iterdir())
    assert len(kept) == 1
    written = kept[0].stat().st_mtime_ns
    assert workspace.snapshot().digest == first.digest == Truth(workspace.graph).digest
    assert kept[0].stat().st_mtime_ns == written
    tables = example_tables()
    Truth(workspace.graph).write(type(tables)(tables.products, {}, tables.events))
    second = workspace.snapshot()
    assert second.digest != first.digest
    assert len(second.edges) == 0
    assert len(list((workspace.cache / "snapshot").iterdir())) == 1
    assert first.title(0) == "LEGO City tractor"  # a reader of the old one goes on


def test_a_cache_can_be_deleted_or_damaged(workspace: Workspace) -> None:
    digest = workspace.snapshot().digest
    shutil.rmtree(workspace.cache)
    assert workspace.snapshot().digest == digest
    folder = next((workspace.cache / "snapshot").iterdir())
    (folder / "events.arrow").write_bytes(b"")
    assert len(workspace.snapshot().events) == 9


def test_a_cache_that_cannot_be_written_is_done_without(workspace: Workspace, as_anyone: Callable[..., str]) -> None:
    code = "import sys; from kg.workspace import Workspace; print(Workspace(sys.argv[1]).snapshot().n_items)"
    shutil.rmtree(workspace.cache)
    workspace.path.chmod(0o555)
    try:
        assert as_anyone(code, workspace.path).split() == ["7"]
    finally:
        workspace.path.chmod(0o755)


def test_a_file_in_the_way_of_the_cache_is_told(workspace: Workspace) -> None:
    shutil.rmtree(workspace.cache)
    workspace.cache.write_text("no folder")
    with pytest.raises(NotADirectoryError):
        workspace.snapshot()


HOLD = """
import sys
from kg.workspace import Workspace
with Workspace(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_writer_is_refused_with_the_first_ones_process_id(workspace: Workspace) -> None:
    command = [sys.executable, "-c", HOLD, str(workspace.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline().strip() == "held"
        with pytest.raises(StateError) as told, workspace.lock():
            pass
        assert told.value.message == f"Process {first.pid} is writing to {workspace.path}."
        assert workspace.snapshot().n_items == 7  # readers go on
        first.kill()
    assert workspace.lock_file.read_text().strip() == str(first.pid)
    with workspace.lock():  # a dead writer holds nothing
        assert workspace.lock_file.read_text().strip() == str(os.getpid())
    with workspace.lock():
        pass
