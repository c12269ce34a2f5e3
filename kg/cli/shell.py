"""The shell of `clew cypher shell`: what a line means, what it answers, and the prompt on a terminal."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cypher.query import library
from kg.cli.common import error_text, folded, terminal_width
from kg.errors import ClewError, UsageError
from kg.explore import Explorer, named_query

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.output import Output

    from kg.store import Rows
    from kg.workspace import Workspace

FORMATS = ("table", "json", "csv")
COMMANDS = {
    ":help": "this page",
    ":schema": "labels, relations and properties of the graph",
    ":queries": "the queries of the library",
    ":show NAME": "the text of a query",
    ":run NAME name=value …": "run a query of the library",
    ":param name=value": "set $name for questions (JSON, else text); without words, list what is set",
    ":format table|json|csv": "how rows are printed",
    ":quit": "leave (also Ctrl-D)",
}
_HELP = """A question ends with ; or an empty line. It may only read: MATCH … WHERE … RETURN …
Tab completes labels, relations, properties, functions and names of queries; ↑ finds earlier questions.
Ctrl-C stops a question that runs, or drops the one that is being written."""


class Shell:
    """Takes one input after the other and prints what it answers.

    Args:
        explorer: answers.
        write: prints a text.
        shape: "table", "json" or "csv".
    """

    def __init__(self, explorer: Explorer, write: Callable[[str], None], shape: str = "table") -> None:
        self.explorer = explorer
        self.write = write
        self.shape = shape
        self.parameters: dict[str, Any] = {}
        self.over = False

    def take(self, text: str) -> bool:
        """Do what an input says; errors are told. Returns whether all went well."""
        text = text.strip().rstrip(";").strip()
        if not text:
            return True
        try:
            if text.startswith(":"):
                self._command(text)
            else:
                self._print(self.explorer.ask(text, self.parameters))
        except ClewError as error:
            self.write(error_text(error, terminal_width()))
            return False
        except KeyboardInterrupt:
            self.write("Stopped.")
            return False
        return True

    def read(self, text: str) -> bool:
        """Do what a whole script says, to the first error: commands a line each, questions up to a line that ends with `;`."""
        waiting: list[str] = []
        for line in [*text.splitlines(), ";"]:
            if not waiting and line.strip().startswith("//"):
                continue
            waiting.append(line)
            if line.strip().startswith(":") or line.strip().endswith(";"):
                if not self.take("\n".join(waiting)):
                    return False
                waiting.clear()
            if self.over:
                break
        return True

    def _command(self, text: str) -> None:
        name, _, rest = text.partition(" ")
        known = {
            ":help": lambda: self.write(_told_commands()),
            ":schema": self._schema,
            ":queries": self._queries,
            ":show": lambda: self.write(named_query(rest.strip()).text),
            ":run": lambda: self._run(rest),
            ":param": lambda: self._param(rest.strip()),
            ":params": lambda: self._param(""),
            ":format": lambda: self._format(rest.strip()),
            ":quit": self._quit,
            ":exit": self._quit,
        }
        if name not in known:
            raise UsageError(f"There is no command {name}.", f"There are {', '.join(known)}; a question begins with MATCH.")
        known[name]()

    def _quit(self) -> None:
        self.over = True

    def _schema(self) -> None:
        from kg.cli.tables import text_table

        schema = self.explorer.schema
        rows = [["node", name, n, ", ".join(schema.node_properties[name])] for name, n in schema.nodes.items()]
        rows += [["edge", name, n, ", ".join(schema.edge_properties[name])] for name, n in schema.edges.items()]
        self.write(text_table(["what", "name", "number", "properties"], rows))

    def _queries(self) -> None:
        from kg.cli.tables import text_table

        rows = [[q.name, ", ".join(p.name + ("" if p.required else "?") for p in q.parameters), q.summary] for q in library().values()]
        self.write(text_table(["name", "parameters", "what it tells"], rows))

    def _run(self, rest: str) -> None:
        name, *given = _words(rest) or [""]
        query = named_query(name)
        pairs = [_pair(word) for word in given]
        wanted = {parameter.name for parameter in query.parameters}
        self._print(self.explorer.run(name, {n: v for n, v in self.parameters.items() if n in wanted} | dict(pairs)))

    def _param(self, rest: str) -> None:
        if rest:
            name, value = _pair(rest)
            self.parameters[name.removeprefix("$").strip()] = _value(value.removeprefix(">").strip())
        listed = [f"${name} = {json.dumps(value, ensure_ascii=False)}" for name, value in self.parameters.items()]
        self.write("\n".join(listed) or "No parameter is set.")

    def _format(self, shape: str) -> None:
        if shape not in FORMATS:
            raise UsageError(f"There is no format {shape!r}.", f"There are {', '.join(FORMATS)}.")
        self.shape = shape

    def _print(self, found: Rows) -> None:
        from kg.cli.tables import answer_text, csv_table

        if self.shape == "json":
            self.write(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
        elif self.shape == "csv":
            self.write(csv_table(found.columns, found.rows))
        else:
            if found.rows:
                self.write(answer_text(found.columns, found.rows))
            n = len(found.rows)
            more = " (there are more: start with --rows, or add LIMIT)" if found.truncated else ""
            self.write(f"{n:,} row{'' if n == 1 else 's'}{more}, {found.ms:.1f} ms")


def is_whole(text: str) -> bool:
    """Whether an input is complete: a command, or a question that ends with `;` or an empty line."""
    stripped = text.strip()
    return not stripped or stripped.startswith(":") or stripped.endswith(";") or text.endswith("\n")


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise UsageError("A quote is not closed.", "Write :run NAME name='some words'.") from None


def _pair(word: str) -> tuple[str, str]:
    name, sign, value = word.partition("=")
    if not sign or not name.strip():
        raise UsageError(f"{word!r} is no parameter.", "Write name=value.")
    return name, value


def _value(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _told_commands() -> str:
    width = max(map(len, COMMANDS))
    lines = [folded(line) for line in _HELP.splitlines()]
    return "\n".join([*lines, "", *(folded(f"{name.ljust(width)}  {what}", width + 2) for name, what in COMMANDS.items())])


def talk(shell: Shell, workspace: Workspace, read: Input | None = None, draw: Output | None = None) -> None:
    """Ask for inputs on a terminal until there are no more.

    Args:
        shell: takes them.
        workspace: whose cache keeps the history.
        read, draw: another input and output than the terminal (tests).
    """
    schema = shell.explorer.schema  # the engine is loaded before the first question, not during it
    prompt = _prompt(shell, workspace, read, draw)
    n_nodes, n_edges = sum(schema.nodes.values()), sum(schema.edges.values())
    held = f"{n_nodes:,} nodes, {n_edges:,} edges on the {shell.explorer.store.name} engine."
    shell.write(f"{held}\nEnd a question with ; — :help tells more, Ctrl-D leaves.")
    while not shell.over:
        try:
            text = prompt.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            break
        shell.take(text)


def _prompt(shell: Shell, workspace: Workspace, read: Input | None, draw: Output | None) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory
    from prompt_toolkit.lexers import PygmentsLexer
    from pygments.lexers.graph import CypherLexer  # type: ignore[import-untyped]

    from kg.cli.shell_words import CypherCompleter
    from kg.history import history_file

    path = history_file(workspace)
    history: History
    try:
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o600)  # questions may name people
        history = FileHistory(str(path))
    except OSError:
        history = InMemoryHistory()
    return PromptSession(
        "clew> ",
        multiline=True,
        prompt_continuation=lambda width, line, wrapped: " " * width if wrapped else "…".rjust(width - 1) + " ",
        lexer=PygmentsLexer(CypherLexer),
        completer=CypherCompleter(shell.explorer.schema, shell.parameters),
        complete_while_typing=False,
        history=history,
        auto_suggest=AutoSuggestFromHistory(),
        key_bindings=_keys(),
        input=read,
        output=draw,
    )


def _keys() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if is_whole(buffer.text) and buffer.document.is_cursor_at_the_end:
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return keys
