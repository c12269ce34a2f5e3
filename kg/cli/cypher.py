"""`clew cypher`: queries of the library, and questions of one's own behind the guard."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from kg.cli.common import Session, command_options

if TYPE_CHECKING:
    from kg.store import Rows

_FORMAT = click.option(
    "--format", "shape", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True, help="How rows are printed."
)
_PARAM = click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Value of a parameter; may be given again.")
_STORE = click.option("--store", "address", help="bolt://… of a server; the embedded engine when not given.")
_ROWS = click.option("--rows", type=click.IntRange(min=1), default=1_000, show_default=True, help="Rows that are kept.")
_TIMEOUT = click.option(
    "--timeout", "seconds", type=click.FloatRange(min=0.1), default=30.0, show_default=True, help="Seconds a query may take."
)
_MEMORY = click.option(
    "--memory", "memory_mb", type=click.IntRange(min=64), default=2_048, show_default=True, help="MB beyond the loaded graph."
)


@click.group()
def cypher() -> None:
    """Named queries and read-only exploration."""


@cypher.command(name="list")
@command_options
def list_queries(session: Session) -> None:
    """The queries of the library: what each takes and gives."""
    from cypher.query import library

    found = list(library().values())

    def told() -> str:
        from kg.cli.tables import text_table

        rows = [[q.group, q.name, ", ".join(p.name + ("" if p.required else "?") for p in q.parameters), q.summary] for q in found]
        return text_table(["group", "name", "parameters", "what it tells"], rows)

    session.emit([query.to_dict() for query in found], told)


@cypher.command(name="show")
@click.argument("name")
@_PARAM
@command_options
def show_query(session: Session, name: str, params: tuple[str, ...]) -> None:
    """The text of a query with its parameters, to be pasted into Neo4j Browser or cypher-shell as it is."""
    from cypher.query import cypher_literal
    from kg.explore import bound_parameters, named_query

    query = named_query(name)
    # What must be given and is not stands there as a text of dots: it runs, and finds nothing.
    missing = {p.name: "…" for p in query.parameters if p.required and p.type == "text"}
    values = bound_parameters(query, {**missing, **dict(map(_split, params))})

    def told() -> str:
        sets = [f":param {name} => {cypher_literal(value)};" for name, value in values.items()]
        cost = [f"// {query.cost}"] if query.cost else []
        return "\n".join([f"// {query.summary}", *cost, *sets, f"{query.text};"])

    session.emit({**query.to_dict(), "text": query.text, "cost": query.cost}, told)


@cypher.command(name="run")
@click.argument("name")
@_PARAM
@_FORMAT
@_STORE
@command_options
def run_query(session: Session, name: str, params: tuple[str, ...], shape: str, address: str | None) -> None:
    """Run a query of the library."""
    from kg.engine import open_store
    from kg.explore import named_query, run_named
    from kg.workspace import Workspace

    named_query(name)  # an unknown name is told before an engine is started
    given = dict(map(_split, params))
    store = open_store(Workspace(session.workspace), address, session.progress())
    try:
        found = run_named(store, name, given)
    finally:
        store.close()
    _print(session, found, shape)


@cypher.command()
@click.argument("text")
@_PARAM
@_FORMAT
@_STORE
@_ROWS
@_TIMEOUT
@_MEMORY
@command_options
def query(
    session: Session, text: str, params: tuple[str, ...], shape: str, address: str | None, rows: int, seconds: float, memory_mb: int
) -> None:
    """Run a question of your own: one statement that only reads. Parameters are JSON, else text."""
    from kg.engine import open_store
    from kg.explore import explore
    from kg.store import Limits
    from kg.workspace import Workspace

    limits = Limits(rows, seconds, memory_mb)
    given = {key: _json_or_text(value) for key, value in map(_split, params)}
    workspace = Workspace(session.workspace)
    store = open_store(workspace, address, session.progress(), limits)
    try:
        found = explore(store, text, given, limits)
    finally:
        store.close()
    _print(session, found, shape)


def _split(param: str) -> tuple[str, str]:
    from kg.errors import UsageError

    name, sign, value = param.partition("=")
    if not sign or not name:
        raise UsageError(f"{param!r} is no parameter.", "Write --param name=value.")
    return name, value


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


@cypher.command()
@_FORMAT
@_STORE
@_ROWS
@_TIMEOUT
@_MEMORY
@command_options
def shell(session: Session, shape: str, address: str | None, rows: int, seconds: float, memory_mb: int) -> None:
    """Ask question after question: completion, history, `:help`. Reads statements from standard input in a pipe."""
    import sys

    from kg.cli.shell import Shell, talk
    from kg.engine import open_store
    from kg.explore import Explorer
    from kg.store import Limits
    from kg.workspace import Workspace

    workspace = Workspace(session.workspace).open()
    limits = Limits(rows, seconds, memory_mb)
    progress = session.progress()
    explorer = Explorer(lambda: open_store(workspace, address, progress, limits), limits)
    try:
        shell = Shell(explorer, click.echo, "json" if session.as_json else shape)
        if sys.stdin.isatty():
            talk(shell, workspace)
        elif not shell.read(sys.stdin.read()):
            sys.exit(1)
    finally:
        explorer.close()


@cypher.command()
@click.option("--store", "address", required=True, help="bolt://… of the server.")
@click.option("--user", envvar="CLEW_NEO4J_USER", default="neo4j", show_default=True, help="Whose password.")
@click.option("--forget", is_flag=True, help="Take the password out of the keyring.")
@command_options
def login(session: Session, address: str, user: str, forget: bool) -> None:
    """Keep a server's password in this system's keyring, so that no command and no file has to carry it.

    The password is asked for without showing it, or read from standard input in a pipe; the server is asked whether it is right.
    """
    from kg.stores import passwords
    from kg.stores.bolt_session import BoltConnection, BoltSettings

    BoltSettings(address, user, "")  # an address that is none is told before anything is typed
    if forget:
        held = passwords.forget(address, user)
        document = {"server": passwords.service(address), "user": user, "kept": False}
        session.emit(document, lambda: f"The keyring holds no password of {user} at {address}{' any more' if held else ''}.")
        return
    password = _asked_password(user, address)
    BoltConnection(BoltSettings(address, user, password)).close()
    passwords.keep(address, user, password)
    document = {"server": passwords.service(address), "user": user, "kept": True}
    session.emit(document, lambda: f"The keyring keeps the password of {user} at {address}.")


def _asked_password(user: str, address: str) -> str:
    import sys

    from kg.errors import UsageError

    if sys.stdin.isatty():
        return str(click.prompt(f"Password of {user} at {address}", hide_input=True, err=True))
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise UsageError("There is no password on standard input.", "Run the command on a terminal, or pipe one line into it.")
    return password


def _print(session: Session, found: Rows, shape: str) -> None:
    from kg.cli.tables import answer_text, csv_table

    document = found.to_dict()
    if session.as_json or shape == "json":
        click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
    elif shape == "csv":
        click.echo(csv_table(found.columns, found.rows))
    else:
        click.echo(answer_text(found.columns, found.rows) if found.rows else "No rows.")
        if found.truncated:
            click.echo(f"… more than {len(found.rows):,} rows; raise --rows or add LIMIT", err=True)
