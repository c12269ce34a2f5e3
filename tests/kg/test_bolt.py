"""Addresses, credentials and servers that are not there; with a real server: tests/live."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import keyring
import pytest
from click.testing import CliRunner
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked, PasswordDeleteError, PasswordSetError

from kg.errors import EngineError, UsageError
from kg.stores import passwords
from kg.stores.bolt_session import BoltConnection, BoltSettings, check_version
from kg.stores.launcher import free_port
from recommend.cli import cli


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


def test_no_password(held: Held) -> None:
    with pytest.raises(EngineError, match=r"no password for the user neo4j at bolt://localhost.*the keyring holds none") as caught:
        BoltSettings.from_environment("bolt://localhost")
    assert "CLEW_NEO4J_AUTH=none" in caught.value.hint


class Held(KeyringBackend):
    """A keyring that lives in a dictionary."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self, locked: bool = False) -> None:
        self.passwords: dict[tuple[str, str], str] = {}
        self.locked = locked

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("the collection is locked.\nD-Bus says so")
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise PasswordSetError("it is locked")
        self.passwords[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.passwords.pop((service, username), None) is None:
            raise PasswordDeleteError("none")


@pytest.fixture
def held() -> Iterator[Held]:
    before, backend = keyring.get_keyring(), Held()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def test_the_keyring_is_asked_where_the_environment_has_no_password(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords.keep("bolt://Host", "neo4j", "kept")
    passwords.keep("bolt://host", "reader", "other")
    found = BoltSettings.from_environment("neo4j+s://host:7687")
    assert (found.password, found.password_from) == ("kept", "keyring") and "kept" not in repr(found)
    monkeypatch.setenv("CLEW_NEO4J_USER", "reader")
    assert BoltSettings.from_environment("bolt://host").password == "other"
    monkeypatch.setenv("CLEW_NEO4J_PASSWORD", "given")
    found = BoltSettings.from_environment("bolt://host")
    assert (found.password, found.password_from) == ("given", "environment")


def test_a_keyring_that_does_not_answer_is_told(held: Held) -> None:
    held.locked = True
    with pytest.raises(EngineError, match=r"the keyring cannot be read \(the collection is locked\)"):
        BoltSettings.from_environment("bolt://host")
    with pytest.raises(EngineError, match="did not take the password of neo4j at bolt://host: it is locked"):
        passwords.keep("bolt://host", "neo4j", "secret")


def test_a_system_without_a_keyring(held: Held) -> None:
    keyring.set_keyring(NoKeyring())
    with pytest.raises(EngineError, match="this system has no keyring") as caught:
        BoltSettings.from_environment("bolt://host")
    assert "clew cypher login --store bolt://host" in caught.value.hint
    with pytest.raises(EngineError, match="did not take"):
        passwords.keep("bolt://host", "neo4j", "secret")


def test_login_forgets_and_never_prints_the_password(held: Held) -> None:
    passwords.keep("bolt://host", "neo4j", "s3cret")
    done = CliRunner().invoke(cli, ["cypher", "login", "--store", "bolt://host", "--forget"])
    assert done.exit_code == 0 and "any more" in done.output and held.passwords == {}
    assert "any more" not in CliRunner().invoke(cli, ["cypher", "login", "--store", "bolt://host", "--forget"]).output
    done = CliRunner().invoke(cli, ["cypher", "login", "--store", "bolt://127.0.0.1:1"], input="s3cret\n")
    assert done.exit_code == 3 and "s3cret" not in done.output and held.passwords == {}
    done = CliRunner().invoke(cli, ["cypher", "login", "--store", "bolt://127.0.0.1:1"], input="")
    assert done.exit_code == 2 and "no password on standard input" in done.output


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
