"""What Tab completes in the shell: the words that fit where the cursor stands, taken from the graph that is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from cypher.guard import FUNCTIONS, KEYWORDS
from cypher.query import library
from kg.live_schema import LiveSchema

_CAMEL = (
    *("endNode", "startNode", "elementId", "isEmpty", "toString", "toInteger", "toFloat", "toBoolean"),
    *("toLower", "toUpper", "percentileCont", "percentileDisc", "shortestPath", "stDev", "stDevP"),
)
_SPELLED = {name.lower(): name for name in _CAMEL}
_COMMANDS = ("help", "schema", "queries", "show", "run", "param", "format", "quit")
_LABEL = re.compile(r"\([^()\[\]]*:(?P<word>\w*)\Z")
_TYPE = re.compile(r"\[[^()\[\]]*:(?P<word>\w*)\Z")
_PROPERTY = re.compile(r"\b(?P<variable>\w+)\.(?P<word>\w*)\Z")
_MAP_KEY = re.compile(r"[(\[](?P<variable>\w*)(?::(?P<kind>\w+))?[^{}()\[\]]*\{(?:[^{}]*,)?\s*(?P<word>\w*)\Z")
_PARAMETER = re.compile(r"\$(?P<word>\w*)\Z")
_WORD = re.compile(r"(?P<word>\w*)\Z")
_DECLARED = re.compile(r"[(\[]\s*(\w+)\s*:\s*(\w+)")
_VARIABLE = re.compile(r"(?:[(\[]\s*|\bAS\s+)([^\W\d]\w*)", re.IGNORECASE)


class CypherCompleter(Completer):
    """Completion by place: labels behind `(x:`, relations behind `[:`, properties behind `x.` and in `{`, else words of the language.

    Args:
        schema: of the graph.
        parameters: what is set by `:param`; may change later.
    """

    def __init__(self, schema: LiveSchema, parameters: Mapping[str, Any]) -> None:
        self.schema = schema
        self.parameters = parameters

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Completions of the word before the cursor, in order; those whose case differs too."""
        before = document.text_before_cursor
        word, offered = self._command(before) if before.startswith(":") else self._question(before)
        seen = set()
        for text, meta in offered:
            if text.lower().startswith(word.lower()) and text not in seen:
                seen.add(text)
                yield Completion(text, -len(word), display_meta=meta)

    def _question(self, before: str) -> tuple[str, list[tuple[str, str]]]:
        schema = self.schema
        if match := _LABEL.search(before):
            return match["word"], [(name, f"{n:,} nodes") for name, n in schema.nodes.items()]
        if match := _TYPE.search(before):
            return match["word"], [(name, f"{n:,} edges") for name, n in schema.edges.items()]
        if match := _PARAMETER.search(before):
            return match["word"], [(name, "parameter") for name in self.parameters]
        if match := _PROPERTY.search(before):
            return match["word"], self._properties(dict(_DECLARED.findall(before)).get(match["variable"]))
        if match := _MAP_KEY.search(before):
            return match["word"], self._properties(match["kind"] or dict(_DECLARED.findall(before)).get(match["variable"]))
        found = _WORD.search(before)
        word = found["word"] if found else ""
        words = [(name, "variable") for name in dict.fromkeys(_VARIABLE.findall(before)) if name != word]
        words += [(name, "") for name in sorted(KEYWORDS)]
        return word, words + [(f"{_SPELLED.get(name, name)}(", "function") for name in sorted(FUNCTIONS)]

    def _properties(self, kind: str | None) -> list[tuple[str, str]]:
        of_node, of_edge = self.schema.node_properties.get(kind or ""), self.schema.edge_properties.get(kind or "")
        return [(name, kind or "property") for name in of_node or of_edge or self.schema.properties]

    def _command(self, before: str) -> tuple[str, list[tuple[str, str]]]:
        words = before[1:].split(" ")
        if len(words) == 1:
            return words[0], [(name, "command") for name in _COMMANDS]
        if words[0] in ("run", "show") and len(words) == 2:
            return words[1], [(query.name, query.summary) for query in library().values()]
        if words[0] == "run" and words[1] in library():
            return words[-1], [(f"{p.name}=", p.type) for p in library()[words[1]].parameters]
        if words[0] == "format":
            return words[-1], [(name, "") for name in ("table", "json", "csv")]
        return "", []
