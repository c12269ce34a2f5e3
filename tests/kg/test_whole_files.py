"""Files appear whole or not at all."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from kg.whole_files import beside, remove_forsaken, whole_file, write_whole


def test_a_file_is_there_when_the_block_has_ended_well(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with whole_file(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.parent == tmp_path
    assert path.read_text() == "half"
    assert [found.name for found in tmp_path.iterdir()] == ["file.txt"]


def test_a_block_that_fails_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    assert [found.name for found in tmp_path.iterdir()] == ["file.txt"]


def test_a_disk_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.txt"
    path.write_text("before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kg.whole_files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "after")
    assert path.read_text() == "before"
    assert [found.name for found in tmp_path.iterdir()] == ["file.txt"]


def test_permissions_stay_and_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("before")
    (tmp_path / "real.txt").chmod(0o600)
    (tmp_path / "link.txt").symlink_to("real.txt")
    write_whole(tmp_path / "link.txt", "after")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "after"
    assert stat.S_IMODE((tmp_path / "real.txt").stat().st_mode) == 0o600


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(path.read_text()))
    reader.start()
    write_whole(path, "through")
    reader.join(timeout=10)
    assert read == ["through"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_halves_that_nobody_goes_on_with_are_removed(tmp_path: Path) -> None:
    old, young = beside(tmp_path / "old.kgl"), beside(tmp_path / "young.kgl")
    for path in (old, young, tmp_path / "file.txt"):
        path.write_text("half")
    os.utime(old, (0, 0))
    os.utime(tmp_path / "file.txt", (0, 0))
    remove_forsaken(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {young.name, "file.txt"}
