"""Named queries: a `.cypher` file with a header that says what it is, what it takes and what it gives.

    // What a product is and has.            the summary: the first comment, up to the first `@`
    // @param item: text                     a parameter without a default must be given
    // @param limit: integer = 20
    // @columns label, key, name
    // @needs fulltext                       what only some engines have; left out, it runs on all
    // @cost 0.2 ms embedded, 2 ms Neo4j     measured on the graph of 2.4 million edges, or "not measured"
    MATCH …

The group is the folder, the name the file's. The rest of the file is one read-only statement that Neo4j Browser also runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

GROUPS = ("explore", "explain", "quality", "analytics")
_TAG = re.compile(r"@(param|columns|needs|cost)\s+(.*)", re.DOTALL)
_PARAMETER = re.compile(r"(\w+)\s*:\s*(text|integer|number|boolean|list)\s*(?:=\s*(.+))?\Z", re.DOTALL)
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_TYPES: dict[str, tuple[type, ...]] = {"text": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "list": (list,)}


class QueryError(Exception):
    """A named query does not exist, or was given parameters that it does not take.

    Args:
        message: what is wrong.
        hint: what would be right.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: its name, its type, and its default (`required` when there is none)."""

    name: str
    type: str
    default: Any = None
    required: bool = True

    def read(self, text: str) -> Any:
        """The value that a command line's text stands for.

        Raises:
            QueryError: the text is no value of the type.
        """
        if self.type == "text":
            return text
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = [part.strip() for part in text.split(",")] if self.type == "list" else None
        return self.check(value, text)

    def check(self, value: Any, shown: object = None) -> Any:
        """The value itself, if it is of the type.

        Raises:
            QueryError: it is not.
        """
        fits = isinstance(value, _TYPES[self.type]) and (self.type == "boolean" or not isinstance(value, bool))
        if not fits:
            raise QueryError(f"The parameter {self.name} is {self.type}, not {shown if shown is not None else value!r}.")
        return value


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A query of the library.

    Args:
        name, group: file and folder.
        summary: one or two sentences.
        parameters: in the order of the file.
        columns: what a row holds.
        text: the statement.
        cost: what it was measured to take; empty when it was not.
        needs: capabilities that an engine must have; without any, it runs on all.
    """

    name: str
    group: str
    summary: str
    parameters: tuple[Parameter, ...]
    columns: tuple[str, ...]
    text: str
    cost: str = ""
    needs: tuple[str, ...] = ()

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Values for all parameters, defaults filled in.

        Args:
            given: name → value, or text from a command line for a parameter that is not text.

        Raises:
            QueryError: a parameter is missing, unknown or of another type.
        """
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                raise QueryError(f"The query {self.name} has no parameter {name!r}.", f"It takes {', '.join(names) or 'none'}.")
        bound = {}
        for parameter in self.parameters:
            if parameter.name not in given:
                if parameter.required:
                    hint = f"Add --param {parameter.name}=…"
                    raise QueryError(f"The query {self.name} needs the parameter {parameter.name} ({parameter.type}).", hint)
                bound[parameter.name] = parameter.default
            else:
                value = given[parameter.name]
                bound[parameter.name] = parameter.read(value) if isinstance(value, str) else parameter.check(value)
        return bound

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew cypher list --json`."""
        return {
            "name": self.name,
            "group": self.group,
            "summary": self.summary,
            "parameters": {parameter.name: parameter.type for parameter in self.parameters},
            "columns": list(self.columns),
            "needs": list(self.needs),
        }


def cypher_literal(value: Any) -> str:
    """A parameter's value as Cypher writes it: texts in single quotes, everything that could end one escaped."""
    if isinstance(value, str):
        escaped = "".join(_ESCAPES.get(c, c if c.isprintable() else f"\\u{ord(c):04X}" if ord(c) < 0x10000 else c) for c in value)
        return f"'{escaped}'"
    if isinstance(value, list):
        return "[" + ", ".join(map(cypher_literal, value)) + "]"
    return json.dumps(value)


def parse(name: str, group: str, source: str) -> NamedQuery:
    """The query that a `.cypher` file holds.

    Raises:
        QueryError: the header says something that it may not, or something is missing.
    """
    lines = source.splitlines()
    n_header = next((place for place, line in enumerate(lines) if not line.startswith("//")), len(lines))
    blocks = "\n".join(line.removeprefix("//").strip() for line in lines[:n_header]).split("\n@")
    summary = " ".join(blocks[0].split())
    parameters: list[Parameter] = []
    columns: tuple[str, ...] = ()
    cost = ""
    needs: tuple[str, ...] = ()
    for block in blocks[1:]:
        tag = _TAG.match("@" + block)
        if tag is None:
            raise QueryError(f"{group}/{name}.cypher has an unknown tag: @{block.split()[0]}")
        what, rest = tag[1], tag[2].strip()
        if what == "param":
            parameters.append(_parameter(f"{group}/{name}.cypher", rest))
        elif what == "columns":
            columns = tuple(column.strip() for column in rest.split(","))
        elif what == "needs":
            needs = tuple(need.strip() for need in rest.split(","))
        else:
            cost = " ".join(rest.split())
    text = "\n".join(lines[n_header:]).strip().removesuffix(";")
    if not (summary and columns and text):
        raise QueryError(f"{group}/{name}.cypher lacks a summary, its @columns or its statement.")
    return NamedQuery(name, group, summary, tuple(parameters), columns, text, cost, needs)


def _parameter(where: str, text: str) -> Parameter:
    found = _PARAMETER.match(text)
    if found is None:
        raise QueryError(f"{where}: @param {text} is not `name: type` or `name: type = default`.")
    name, kind, default = found.groups()
    if default is None:
        return Parameter(name, kind)
    return Parameter(name, kind, Parameter(name, kind).check(json.loads(default)), required=False)


@cache
def library() -> Mapping[str, NamedQuery]:
    """All queries that come with clew, by name."""
    root = files("cypher") / "library"
    found: dict[str, NamedQuery] = {}
    for group in GROUPS:
        for file in sorted((root / group).iterdir(), key=lambda f: f.name):
            if file.name.endswith(".cypher"):
                query = _read(group, file)
                if query.name in found:
                    raise QueryError(f"Two queries are called {query.name}.")
                found[query.name] = query
    return found


def _read(group: str, file: Traversable) -> NamedQuery:
    return parse(file.name.removesuffix(".cypher"), group, file.read_text(encoding="utf-8"))
