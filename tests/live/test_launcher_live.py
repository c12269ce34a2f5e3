"""The launcher on a real server."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from kg.errors import EngineError
from kg.stores import launcher
from kg.stores.launcher import Server

pytestmark = pytest.mark.live


def test_a_second_start_answers_with_the_running_server(server: Server) -> None:
    assert launcher.start(server.home) == server
    assert launcher.running(server.home) == server
    assert server.uri == f"bolt://127.0.0.1:{server.bolt_port}"
    assert server.browser is None


def test_the_command_names_the_address_and_the_password(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert launcher.main(["--home", str(server.home)]) == 0
    said = capsys.readouterr().out
    assert "runs already" in said and server.uri in said and server.password in said


def test_only_the_owner_reads_the_password(server: Server) -> None:
    assert stat.S_IMODE((server.home / "password").stat().st_mode) == 0o600


def test_it_listens_on_loopback_alone(server: Server) -> None:
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    listening = [line.split()[1] for table in tables for line in table if line.split()[3] == "0A"]
    ours = [address.rpartition(":")[0] for address in listening if address.endswith(f":{server.bolt_port:04X}")]
    assert ours and set(ours) <= {"0100007F", "0000000000000000FFFF00000100007F"}


def test_a_start_that_fails_shows_what_java_said(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"ended while it started.*heap") as caught:
        launcher.start(tmp_path / "home", heap="1x")
    assert "console.log" in caught.value.hint
    assert launcher.running(tmp_path / "home") is None


def test_a_failing_neo4j_admin_is_quoted(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="neo4j-admin database nonsense failed"):
        launcher.admin(tmp_path / "home", "database", "nonsense")
