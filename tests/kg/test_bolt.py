"""Addresses, credentials and servers that are not there; with a real server: tests/live."""

from __future__ import annotations

import socket
import threading

import pytest

from kg.errors import EngineError, UsageError
from kg.stores.bolt_session import BoltConnection, BoltSettings, check_version
from kg.stores.launcher import free_port


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USER", "PASSWORD", "DATABASE", "AUTH"):
        monkeypatch.delenv(f"CLEW_NEO4J_{name}", raising=False)


@pytest.mark.parametrize("uri", ["http://localhost:7474", "localhost:7687", "bolt://", "", "file:///etc/passwd"])
def test_other_addresses_are_refused(uri: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a Neo4j") as caught:
        BoltSettings(uri, "neo4j", "x")
    assert "bolt://localhost:7687" in caught.value.hint


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="does not belong into an address") as caught:
        BoltSettings("bolt://neo4j:secret@localhost", "neo4j", "x")
    assert "secret" not in caught.value.message + caught.value.hint


def test_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_NEO4J_PASSWORD", "secret")
    assert BoltSettings.from_environment("bolt://localhost") == BoltSettings("bolt://localhost", "neo4j", "secret")
    monkeypatch.setenv("CLEW_NEO4J_USER", "reader")
    monkeypatch.setenv("CLEW_NEO4J_DATABASE", "shop")
    found = BoltSettings.from_environment("neo4j+s://host:7777")
    assert found == BoltSettings("neo4j+s://host:7777", "reader", "secret", "shop")
    assert "secret" not in repr(found)


def test_no_password() -> None:
    with pytest.raises(EngineError, match="no password for Neo4j at bolt://localhost") as caught:
        BoltSettings.from_environment("bolt://localhost")
    assert "CLEW_NEO4J_AUTH=none" in caught.value.hint


def test_a_server_without_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_NEO4J_AUTH", "none")
    assert BoltSettings.from_environment("bolt://localhost") == BoltSettings("bolt://localhost", "", "")


def test_another_kind_of_auth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_NEO4J_AUTH", "kerberos")
    with pytest.raises(UsageError, match="CLEW_NEO4J_AUTH is 'kerberos'"):
        BoltSettings.from_environment("bolt://localhost")


def test_nobody_listens() -> None:
    with pytest.raises(EngineError, match=r"No Neo4j answers at bolt://127\.0\.0\.1") as caught:
        BoltConnection(BoltSettings(f"bolt://127.0.0.1:{free_port()}", "neo4j", "x"), retry_seconds=0.1)
    assert "make neo4j" in caught.value.hint and caught.value.exit_code == 3


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\x00\x00\x00", b"SSH-2.0-x\r\n"])
def test_what_answers_is_no_neo4j_of_today(answer: bytes) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer_one() -> None:
        connection, _ = listener.accept()
        connection.recv(20)
        connection.sendall(answer)
        connection.close()

    thread = threading.Thread(target=answer_one, daemon=True)
    thread.start()
    with pytest.raises(EngineError, match=r"speaks no Bolt that clew knows") as caught:
        BoltConnection(BoltSettings(f"bolt://127.0.0.1:{listener.getsockname()[1]}", "neo4j", "x"), retry_seconds=0.1)
    assert "7687" in caught.value.hint
    listener.close()


@pytest.mark.parametrize("agent", ["Neo4j/4.4.37", "Neo4j/3.5.0"])
def test_a_server_too_old(agent: str) -> None:
    with pytest.raises(EngineError, match=f"{agent} at bolt://x is too old") as caught:
        check_version(agent, "bolt://x")
    assert "5.0 or newer" in caught.value.hint


@pytest.mark.parametrize("agent", ["Neo4j/5.26.31", "Neo4j/2025.10.1", "Memgraph"])
def test_servers_that_may_answer(agent: str) -> None:
    check_version(agent, "bolt://x")
