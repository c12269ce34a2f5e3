"""A connection to Neo4j: where its address and credentials come from, and what its errors mean in plain words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import neo4j
from neo4j import exceptions

from kg.errors import ClewError, EngineError, InputError, StateError, UsageError
from kg.stores import passwords

SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
OLDEST = (5, 0)
_RETRY_SECONDS = 60.0  # how long the driver tries again, waiting longer each time, what may succeed later
_INCOMPLETE_RETRIES = 3
_START_HINT = "Start one with `make neo4j`, or check the address and that nothing blocks it."


@dataclass(frozen=True, slots=True)
class BoltSettings:
    """How to reach a server.

    Args:
        uri: `bolt://host:7687`; also bolt+s, bolt+ssc, neo4j, neo4j+s, neo4j+ssc.
        user, password: credentials; a user of "" goes without any.
        database: name; None is the user's home database.
        password_from: where the password was found, for people: "environment" or "keyring"; never the password.

    Raises:
        UsageError: the address has no such scheme, no host, or carries a password.
    """

    uri: str
    user: str
    password: str = field(repr=False)
    database: str | None = None
    password_from: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.uri)
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise UsageError(f"{self.uri!r} is not the address of a Neo4j.", f"It looks like bolt://localhost:7687 ({', '.join(SCHEMES)}).")
        if parts.password or parts.username:
            raise UsageError(
                "A password does not belong into an address.", "Set CLEW_NEO4J_USER and CLEW_NEO4J_PASSWORD instead, or use the keyring."
            )

    @classmethod
    def from_environment(cls, uri: str) -> BoltSettings:
        """Credentials and database from CLEW_NEO4J_USER, _PASSWORD, _DATABASE; CLEW_NEO4J_AUTH=none goes without.

        Without a password there, the system's keyring is asked for that of this user at this address (`kg.stores.passwords`).

        Raises:
            EngineError: there is no password in either.
            UsageError: CLEW_NEO4J_AUTH has another value, or the address is none.
        """
        auth = os.environ.get("CLEW_NEO4J_AUTH", "basic")
        database = os.environ.get("CLEW_NEO4J_DATABASE") or None
        if auth not in ("basic", "none"):
            raise UsageError(f"CLEW_NEO4J_AUTH is {auth!r}.", "It is `basic` (user and password) or `none`.")
        if auth == "none":
            return cls(uri, "", "", database)
        user, password = os.environ.get("CLEW_NEO4J_USER", "neo4j"), os.environ.get("CLEW_NEO4J_PASSWORD", "")
        settings = cls(uri, user, password, database, "environment")
        if password:
            return settings
        kept, where = passwords.recall(uri, user)
        if not kept:
            raise EngineError(
                f"There is no password for the user {user} at {uri}: CLEW_NEO4J_PASSWORD is not set, and {where}.",
                f"Set it, keep the password with `clew cypher login --store {uri}`, or set CLEW_NEO4J_AUTH=none for a server without any.",
            )
        return replace(settings, password=kept, password_from="keyring")


class BoltConnection:
    """A pool of connections whose errors are clew's.

    Args:
        settings: where and who.
        retry_seconds: how long a transaction is tried again.

    Raises:
        EngineError: no server, wrong password, too old, no such database.
    """

    def __init__(self, settings: BoltSettings, retry_seconds: float = _RETRY_SECONDS) -> None:
        self.settings = settings
        auth = (settings.user, settings.password) if settings.user else None
        with self.plain_words():
            self._driver = neo4j.GraphDatabase.driver(
                settings.uri,
                auth=auth,
                max_transaction_retry_time=retry_seconds,
                connection_timeout=10.0,
                connection_acquisition_timeout=30.0,
                notifications_min_severity="OFF",
                user_agent="clew",
            )
        try:
            with self.plain_words():
                self.version = check_version(self._driver.get_server_info().agent, settings.uri)
                self.read("RETURN 1")
        except BaseException:
            self._driver.close()
            raise

    def session(self, write: bool) -> neo4j.Session:
        """A session; a server refuses writes in one that is made for reading."""
        mode = neo4j.WRITE_ACCESS if write else neo4j.READ_ACCESS
        return self._driver.session(database=self.settings.database, default_access_mode=mode, fetch_size=5_000)

    def read(self, query: str, **parameters: Any) -> list[neo4j.Record]:
        """All records of a read query, tried again where that can help."""
        with self.plain_words(), self.session(write=False) as session:
            return session.execute_read(lambda transaction: list(transaction.run(query, parameters)))

    def write(
        self, work: Callable[[neo4j.ManagedTransaction], Any], again: Callable[[neo4j.ManagedTransaction], Any] | None = None
    ) -> None:
        """Run a piece of work in one transaction, tried again where that can help.

        Args:
            work: what to do.
            again: what to do after a commit whose answer was lost, and which may have been done; None where `work` is the same
                done once or twice.
        """
        for attempt in range(_INCOMPLETE_RETRIES):
            try:
                with self.plain_words(), self.session(write=True) as session:
                    session.execute_write(work if again is None or not attempt else again)
                return
            except _AnswerLostError:
                if attempt == _INCOMPLETE_RETRIES - 1:
                    raise

    def close(self) -> None:
        """Close all connections."""
        self._driver.close()

    @contextmanager
    def plain_words(self) -> Iterator[None]:
        """Turn the driver's errors into clew's."""
        try:
            yield
        except exceptions.Neo4jError as error:
            raise _of_server(error, self.settings) from error
        except exceptions.DriverError as error:
            raise _of_driver(error, self.settings) from error
        except (UnicodeEncodeError, OverflowError) as error:
            # The driver's words for a parameter that cannot be sent: half a character, a number beyond 64 bits.
            raise InputError(f"Neo4j cannot take this value: {error}.", "Texts are Unicode, whole numbers have 64 bits.") from error


class _AnswerLostError(EngineError):
    """The connection broke between a commit and its answer."""


def check_version(agent: str, uri: str) -> tuple[int, int]:
    """The release of a server, (5, 26); one that does not say counts as the oldest that will do.

    Args:
        agent: what it calls itself, such as "Neo4j/5.26.31".
        uri: its address, for the message.

    Raises:
        EngineError: it is too old.
    """
    match = re.match(r"Neo4j/(\d+)\.(\d+)", agent)
    found = (int(match[1]), int(match[2])) if match else OLDEST
    if found < OLDEST:
        raise EngineError(
            f"{agent} at {uri} is too old.", f"clew needs Neo4j {OLDEST[0]}.{OLDEST[1]} or newer; 5.26 is the long-term release."
        )
    return found


def _of_driver(error: exceptions.DriverError, settings: BoltSettings) -> ClewError:
    if isinstance(error, exceptions.IncompleteCommit):
        return _AnswerLostError(
            f"The connection to {settings.uri} broke while it committed.", "Run the command again: it goes on from there."
        )
    causes = _causes(error)
    reason, story = _first_line(causes[-1]), " ".join(map(str, causes)).lower()
    if "ssl" in story or "certificate" in story:
        hint = "A server without certificates takes bolt://, one with a certificate of its own bolt+ssc:// or neo4j+ssc://."
        return EngineError(f"There is no encrypted connection to {settings.uri}: {reason}.", hint)
    if isinstance(error, exceptions.UnsupportedServerProduct) or any(word in story for word in ("handshake", "protocol", "like http")):
        return EngineError(
            f"What answers at {settings.uri} speaks no Bolt that clew knows ({reason}).",
            f"Give the Bolt port, 7687 by default, of Neo4j {OLDEST[0]}.{OLDEST[1]} or newer.",
        )
    if isinstance(error, exceptions.ServiceUnavailable | exceptions.SessionExpired):
        return EngineError(f"No Neo4j answers at {settings.uri} ({reason}).", _START_HINT)
    return EngineError(f"The connection to Neo4j at {settings.uri} failed: {reason}.", _START_HINT)


def _causes(error: BaseException) -> list[BaseException]:
    """An error and what led to it, the first cause last."""
    found = [error]
    while (cause := found[-1].__cause__ or found[-1].__context__) is not None and cause not in found:
        found.append(cause)
    return found


_BY_CODE: dict[str, tuple[type[ClewError], str, str]] = {
    "Neo.ClientError.Security.Unauthorized": (
        EngineError,
        "Neo4j at {uri} refuses the user {user!r}: the name or the password is wrong.",
        "Set CLEW_NEO4J_USER and CLEW_NEO4J_PASSWORD.",
    ),
    "Neo.ClientError.Security.AuthenticationRateLimit": (
        EngineError,
        "Neo4j at {uri} has seen too many wrong passwords of {user!r}.",
        "Wait five seconds and give the right one in CLEW_NEO4J_PASSWORD.",
    ),
    "Neo.ClientError.Security.CredentialsExpired": (
        EngineError,
        "The password of {user!r} at {uri} has to be changed first.",
        "Log in with Neo4j Browser once, then set CLEW_NEO4J_PASSWORD.",
    ),
    "Neo.ClientError.Database.DatabaseNotFound": (
        EngineError,
        "Neo4j at {uri} has no database {database!r}.",
        "Set CLEW_NEO4J_DATABASE to one that it has (SHOW DATABASES lists them).",
    ),
    "Neo.DatabaseError.Schema.ConstraintCreationFailed": (
        StateError,
        "What the database at {uri} holds already breaks a constraint of clew's: {details}",
        "Take the repeated nodes out of it, or use a database of its own.",
    ),
    "Neo.ClientError.Schema.IndexAlreadyExists": (
        StateError,
        "An index in the database at {uri} stands where clew's constraint has to: {reason}.",
        "Drop that index; the constraint brings its own.",
    ),
    "Neo.ClientError.Schema.ConstraintValidationFailed": (StateError, "A constraint of the database at {uri} does not hold: {reason}.", ""),
    "Neo.TransientError.General.MemoryPoolOutOfMemoryError": (
        EngineError,
        "Neo4j at {uri} has too little memory for this: {reason}.",
        "Give it more (dbms.memory.transaction.total.max), or ask for less.",
    ),
}
_READ_ONLY_CODES = (
    "Neo.ClientError.Security.Forbidden",
    "Neo.ClientError.General.ForbiddenOnReadOnlyDatabase",
    "Neo.ClientError.General.WriteOnReadOnlyAccessDatabase",
    "Neo.ClientError.Cluster.NotALeader",
)


def _of_server(error: exceptions.Neo4jError, settings: BoltSettings) -> ClewError:
    code, reason = error.code or "", _first_line(error)
    words = {"uri": settings.uri, "user": settings.user, "database": settings.database, "reason": reason}
    words["details"] = " ".join(str(error.message or "").split())[:400]
    if code in _BY_CODE:
        kind, message, hint = _BY_CODE[code]
        return kind(message.format(**words), hint)
    if code in _READ_ONLY_CODES or "read-only" in reason or "read only" in reason:
        return EngineError(
            f"Neo4j at {settings.uri} lets nobody write here: {reason}.", "Write to the leader, to another database, or as another user."
        )
    if "Timeout" in code or "TimedOut" in code or code == "Neo.ClientError.Transaction.TransactionTerminated":
        return InputError(f"The query was stopped: {reason}.", "Ask for less, or allow more seconds.")
    if code.startswith(("Neo.ClientError.Statement", "Neo.ClientError.Procedure")):
        return InputError(f"Neo4j cannot run this query: {reason}.", "Check it against `clew cypher list` or the ontology.")
    return EngineError(f"Neo4j at {settings.uri} failed: {reason} ({code}).", "Its log says more.")


def _first_line(error: BaseException) -> str:
    text = error.message if isinstance(error, exceptions.Neo4jError) else str(error)
    return (text or type(error).__name__).splitlines()[0].strip().rstrip(".")[:400]
