"""What exploration may run: one statement that only reads, made of words on a list.

No engine's read-only mode is a barrier (all of them still load files), so this one is. It does not look for bad words; it
takes the text apart into tokens and lets through what it knows: clauses, operators and functions on lists, names where
names may stand, and nothing else. What the engine gets is written anew from those tokens, with comments dropped and every
string turned into a parameter, so that the engine and the guard cannot read the same text in two ways.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_CHARACTERS = 100_000
MAX_TOKENS = 5_000
MAX_DEPTH = 60


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEYWORDS = _words(
    """MATCH OPTIONAL WHERE WITH RETURN ORDER BY SKIP LIMIT UNWIND UNION ALL DISTINCT AS ASC ASCENDING DESC DESCENDING
    AND OR XOR NOT IN STARTS ENDS CONTAINS IS NULL TRUE FALSE CASE WHEN THEN ELSE END EXISTS"""
)
_STARTS = _words("MATCH OPTIONAL UNWIND WITH RETURN")
_VALUES = _words("NULL TRUE FALSE END")  # keywords that a value ends with
# Never a name either: a word of writing, of files or of administration has no business in a question.
FORBIDDEN = _words(
    """CREATE MERGE SET DELETE DETACH NODETACH REMOVE DROP LOAD CSV COPY EXPORT IMPORT ATTACH CALL YIELD FOREACH USE INSERT ALTER
    GRANT REVOKE DENY START STOP SHOW TERMINATE PROFILE EXPLAIN PERIODIC COMMIT BEGIN ROLLBACK TRANSACTIONS FORMAT INSTALL PRAGMA
    BACKUP RESTORE"""
)
FUNCTIONS = _words(
    """abs all any avg ceil char_length coalesce collect count date datetime duration elementid endnode exists exp floor head id isempty
    keys labels last left length log log10 lower ltrim max min nodes none nullif percentilecont percentiledisc properties range reduce
    relationships replace reverse right round rtrim shortestpath sign single size split sqrt startnode stdev stdevp substring sum tail
    toboolean tofloat tointeger tolower tostring toupper trim type upper"""
)
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<line>//[^\n]*)
      | (?P<block>/\*.*?\*/)
      | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<quoted>`[^`]*`)
      | (?P<number>0x[0-9A-Fa-f]+|(?:\d+(?:\.(?!\.)\d+)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<parameter>\$[A-Za-z_][A-Za-z0-9_]*)
      | (?P<word>[^\W\d]\w*)
      | (?P<mark><=|>=|<>|=~|<-|->|\.\.|[()\[\]{},.:;|+\-*/%^<>=])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "`": "`"}
_OPEN = {"(": ")", "[": "]", "{": "}"}
_PREFIX = "clew_text_"  # names of the parameters that strings become


class RefusedError(Exception):
    """A query that exploration does not run.

    Args:
        message: what stands in the way, one sentence.
        hint: what to do instead.
    """

    def __init__(self, message: str, hint: str = "Exploration only reads: MATCH … WHERE … RETURN …") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Guarded:
    """A query that may run.

    Args:
        text: the statement, written anew.
        parameters: the strings that stood in it, by the name they go by now.
        wanted: names of the parameters that must be given.
    """

    text: str
    parameters: dict[str, str]
    wanted: frozenset[str]

    def shown(self, column: str) -> str:
        """A column's name with the strings back in their place."""
        for name, text in self.parameters.items():
            column = column.replace(f"${name}", "'" + text + "'")
        return column


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # word, quoted, number, parameter, string, mark
    text: str
    spaced: bool  # whether blanks or a comment stood before it


def guard(query: str) -> Guarded:
    """The query as it may run.

    Raises:
        RefusedError: it is too long or too deep, holds something that is not on the lists, or is not one statement.
    """
    tokens = _tokens(query)
    if tokens and tokens[-1].text == ";":
        tokens.pop()
    if not tokens:
        raise RefusedError("There is no query.")
    _check_brackets(tokens)
    if tokens[0].kind != "word" or tokens[0].text.upper() not in _STARTS:
        raise RefusedError(f"A question does not begin with {tokens[0].text[:40]!r}.", "Begin with MATCH, UNWIND, WITH or RETURN.")
    for place, token in enumerate(tokens):
        _check(token, tokens[place - 1] if place else None, tokens[place + 1] if place + 1 < len(tokens) else None)
    return _written(tokens)


def _tokens(query: str) -> list[_Token]:
    if len(query) > MAX_CHARACTERS:
        raise RefusedError(f"The query has {len(query):,} characters; {MAX_CHARACTERS:,} are the most.", "Pass long values by --param.")
    if re.search(r"\\[uUxX]", query):
        raise RefusedError("Escapes such as \\u0041 are not taken.", "Write the character itself, or pass it by --param.")
    found: list[_Token] = []
    place, spaced = 0, False
    while place < len(query):
        match = _TOKEN.match(query, place)
        if match is None:
            raise RefusedError(f"The query cannot be read from {query[place : place + 20]!r} on.", "Check quotes and brackets.")
        kind = str(match.lastgroup)
        if kind in ("space", "line", "block"):
            spaced = True
        else:
            found.append(_Token(kind, match.group(), spaced))
            spaced = False
        if len(found) > MAX_TOKENS:
            raise RefusedError(f"The query has more than {MAX_TOKENS:,} words and marks.", "Pass lists by --param.")
        place = match.end()
    return found


def _check_brackets(tokens: list[_Token]) -> None:
    waiting: list[str] = []
    for token in tokens:
        if token.kind != "mark":
            continue
        if token.text == ";":
            raise RefusedError("Only one statement is run.", "Ask one question at a time.")
        if token.text in _OPEN:
            waiting.append(_OPEN[token.text])
        elif token.text in _OPEN.values() and (not waiting or waiting.pop() != token.text):
            raise RefusedError(f"A bracket {token.text!r} does not close one.", "Check the brackets.")
        if len(waiting) > MAX_DEPTH:
            raise RefusedError(f"Brackets are nested more than {MAX_DEPTH} deep.")
    if waiting:
        raise RefusedError(f"A bracket is not closed: {waiting[-1]!r} is missing.", "Check the brackets.")


def _check(token: _Token, before: _Token | None, after: _Token | None) -> None:
    ends_value = before is not None and (
        before.kind in ("quoted", "number", "parameter", "string")
        or (before.kind == "mark" and before.text in (")", "]", "}"))
        or (before.kind == "word" and (not _is_keyword(before) or before.text.upper() in _VALUES))
    )
    if token.kind == "quoted":
        if not re.fullmatch(r"`[^`\\\x00-\x1f]{1,64}`", token.text):
            raise RefusedError("A name in backticks has 1 to 64 plain characters.")
        if ends_value or (after is not None and after.text == "("):
            raise RefusedError(f"{token.text} cannot stand there.")
    elif token.kind in ("string", "number", "parameter"):
        if ends_value and not (before is not None and before.text in ("*", "..")):
            raise RefusedError(f"{token.text[:40]} cannot stand after {before.text[:40] if before else ''}.", "An operator is missing.")
    elif token.kind == "word":
        _check_word(token, before, after, ends_value)


def _check_word(token: _Token, before: _Token | None, after: _Token | None, ends_value: bool) -> None:
    word = token.text
    if not word.isascii() and (word.upper().isascii() or word.lower().isascii() or word.casefold().isascii()):
        raise RefusedError(f"{word!r} is another word in disguise.")
    is_name = before is not None and before.kind == "mark" and before.text in (".", ":")
    is_map_key = before is not None and before.text in ("{", ",") and after is not None and after.text == ":"
    if word.upper() in FORBIDDEN and not ((is_name or is_map_key) and not (after is not None and after.text == "(")):
        raise RefusedError(f"{word.upper()} is not for exploration.")
    if is_name or is_map_key:
        # Behind a colon stands a label, or the value of a map's key, which may be a call of a plain function.
        value = before is not None and before.text == ":" and word.lower() in FUNCTIONS
        if after is not None and after.text == "(" and not value:
            raise RefusedError(f"There is no function {before.text if before else ''}{word} here.", "Only plain functions are run.")
        return
    if ends_value and not _is_keyword(token):
        raise RefusedError(f"{word!r} cannot stand after {before.text[:40] if before else ''!r}: it is no clause that only reads.")
    if after is not None and after.text == "(" and not _is_keyword(token) and word.lower() not in FUNCTIONS:
        raise RefusedError(f"There is no function {word} here.", f"These are run: {', '.join(sorted(FUNCTIONS))}.")
    if after is not None and after.text == "{" and word.upper() in ("COUNT", "COLLECT"):
        raise RefusedError(f"{word.upper()} {{ … }} is not taken.", "Write the pattern as a MATCH of its own.")


def _is_keyword(token: _Token) -> bool:
    return token.kind == "word" and token.text.upper() in KEYWORDS


def _written(tokens: list[_Token]) -> Guarded:
    parameters: dict[str, str] = {}
    pieces = []
    for token in tokens:
        text = token.text
        if token.kind == "parameter" and text[1:].startswith(_PREFIX):
            raise RefusedError(f"A parameter cannot be called {text}.")
        if token.kind == "string":
            name = f"{_PREFIX}{len(parameters)}"
            parameters[name] = _decoded(text)
            text = f"${name}"
        pieces.append(f" {text}" if token.spaced else text)
    wanted = frozenset(token.text[1:] for token in tokens if token.kind == "parameter")
    return Guarded("".join(pieces).strip(), parameters, wanted)


def _decoded(literal: str) -> str:
    def plain(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            raise RefusedError(f"\\{match[1]} is no escape that is taken.", "Pass the text by --param.")
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.)", plain, literal[1:-1], flags=re.DOTALL)
