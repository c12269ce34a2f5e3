"""The launcher where things are missing; with a real server: tests/live."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from kg.errors import EngineError
from kg.stores import java, launcher


def executable(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "21" 2023-09-19', 21),
        ('openjdk version "11.0.2-ea"', 11),
    ],
)
def test_versions_of_java(said: str, version: int) -> None:
    assert java.java_version(said) == version


def test_something_else_called_java() -> None:
    with pytest.raises(EngineError, match="does not say its version: 'coffee'"):
        java.java_version("coffee")


def test_no_java(nothing_installed: Path) -> None:
    with pytest.raises(EngineError, match="needs Java, and there is none on the path") as caught:
        launcher.start(nothing_installed / "home")
    assert "JAVA_HOME" in caught.value.hint and caught.value.exit_code == 3


def test_java_home_without_java(nothing_installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(nothing_installed / "jdk"))
    with pytest.raises(EngineError, match="none in JAVA_HOME"):
        java.find_java()


def test_java_too_old(nothing_installed: Path) -> None:
    executable(nothing_installed / "bin" / "java", """echo 'openjdk version "11.0.2"' >&2""")
    with pytest.raises(EngineError, match=r"needs Java 17; .* is Java 11"):
        launcher.start(nothing_installed / "home")


def test_no_maven(nothing_installed: Path) -> None:
    executable(nothing_installed / "bin" / "java", """echo 'openjdk version "17.0.2"' >&2""")
    with pytest.raises(EngineError, match="no mvn on the path") as caught:
        launcher.start(nothing_installed / "home")
    assert "Install Maven" in caught.value.hint


def test_maven_that_reaches_nothing(nothing_installed: Path) -> None:
    executable(nothing_installed / "bin" / "java", """echo 'openjdk version "17.0.2"' >&2""")
    executable(nothing_installed / "bin" / "mvn", "echo '[ERROR] Could not transfer artifact'; exit 1")
    with pytest.raises(EngineError, match=r"could not fetch Neo4j .*Could not transfer artifact") as caught:
        launcher.start(nothing_installed / "home")
    assert "proxy" in caught.value.hint
    assert java.jars() is None


def test_the_command_says_it_in_one_sentence(nothing_installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert launcher.main(["--home", str(nothing_installed / "home")]) == 3
    said = capsys.readouterr()
    assert said.err.startswith("error: A Neo4j of one's own needs Java") and not said.out


def test_nothing_to_stop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert launcher.main(["--home", str(tmp_path), "--stop"]) == 0
    assert "No Neo4j" in capsys.readouterr().out


@pytest.mark.parametrize("state", ["", "[]", "{}", '{"pid": "x"}', '{"pid": 1, "bolt_port": 7687, "http_port": null}'])
def test_a_stale_or_foreign_state_file_names_no_server(tmp_path: Path, state: str) -> None:
    (tmp_path / "server.json").write_text(state)
    assert launcher.running(tmp_path) is None


def test_a_process_id_that_is_now_another_program(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(f'{{"pid": {os.getppid()}, "bolt_port": 1, "http_port": null}}')
    assert launcher.running(tmp_path) is None


def test_a_taken_port_gives_way_to_a_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert launcher.port_or_free(port) != port
    assert launcher.port_or_free(port) == port


def test_a_server_ends_with_its_owner(tmp_path: Path) -> None:
    owner = subprocess.Popen(["sleep", "1"])
    watched = subprocess.Popen(["/bin/sh", "-c", launcher.WATCH, "sh", str(owner.pid), "sleep", "60"])
    owner.wait()
    started = time.monotonic()
    watched.wait(timeout=20)
    assert time.monotonic() - started < 20
