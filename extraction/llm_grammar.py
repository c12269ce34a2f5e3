"""A JSON Schema as a machine over bytes: which byte may come next, and how many are still needed.

A schema without recursion describes a regular language, so a non-deterministic automaton over the bytes of UTF-8 JSON is enough; its
deterministic states are made as they are met. Known keywords: `type` (one or several), `properties`, `required`, `additionalProperties`,
`items`, `minItems`, `maxItems`, `maxLength`, `enum`, `const`, `anyOf`, `oneOf`, titles and descriptions, and clew's `x-part-of`: the
string is a run of whole words of that text. All properties are written, in the schema's order, whether required or not.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from extraction.llm_align import is_separator, splits_word
from extraction.llm_model import PART_OF, Schema
from kg.errors import InputError

State = frozenset[int]

_IGNORED = {"title", "description", "$schema", "additionalProperties", "required", "default", "examples"}
_KNOWN = {
    "object": {"properties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"maxLength", PART_OF},
    "integer": set[str](),
    "number": set[str](),
    "boolean": set[str](),
    "null": set[str](),
}
# Bytes that begin a character inside a JSON string, by how many follow, with the range of the first that follows (RFC 3629).
_LEADS = (
    (range(0xC2, 0xE0), 1, range(0x80, 0xC0)),
    (range(0xE0, 0xE1), 2, range(0xA0, 0xC0)),
    (range(0xE1, 0xED), 2, range(0x80, 0xC0)),
    (range(0xED, 0xEE), 2, range(0x80, 0xA0)),
    (range(0xEE, 0xF0), 2, range(0x80, 0xC0)),
    (range(0xF0, 0xF1), 3, range(0x90, 0xC0)),
    (range(0xF1, 0xF4), 3, range(0x80, 0xC0)),
    (range(0xF4, 0xF5), 3, range(0x80, 0x90)),
)
_PLAIN = [b for b in range(0x20, 0x80) if b not in (0x22, 0x5C, 0x7F)]


class SchemaMachine:
    """Reads an answer byte by byte and knows what may follow.

    Args:
        schema: the answer's schema.

    Raises:
        InputError: the schema has a keyword that this machine does not know.
    """

    def __init__(self, schema: Schema) -> None:
        self._moves: list[dict[int, list[int]]] = []
        self._free: list[list[int]] = []
        begin = self._new()
        end = self._value(begin, schema)
        if end is None:
            raise InputError("No answer can be of this schema.", "A string has to be a part of a text that is empty.")
        self._end = end
        self._left = self._distances()
        self._steps: dict[tuple[State, int], State] = {}
        self.start = self._closed([begin])

    def step(self, state: State, byte: int) -> State:
        """The state after one more byte; the empty set when it may not come."""
        key = (state, byte)
        if key not in self._steps:
            self._steps[key] = self._closed(t for s in state for t in self._moves[s].get(byte, ()))
        return self._steps[key]

    def read(self, state: State, data: bytes) -> State:
        """The state after several bytes."""
        for byte in data:
            state = self.step(state, byte)
        return state

    def accepts(self, state: State) -> bool:
        """Whether the answer may end here."""
        return self._end in state

    def left(self, state: State) -> int:
        """The fewest bytes that complete the answer from here."""
        return min(self._left[s] for s in state)

    def following(self, state: State) -> Iterable[int]:
        """Bytes that may come next."""
        return {byte for s in state for byte, targets in self._moves[s].items() if any(self._left[t] < _NEVER for t in targets)}

    def _new(self) -> int:
        self._moves.append({})
        self._free.append([])
        return len(self._moves) - 1

    def _move(self, source: int, bytes_: Iterable[int], target: int) -> None:
        for byte in bytes_:
            self._moves[source].setdefault(byte, []).append(target)

    def _closed(self, states: Iterable[int]) -> State:
        seen = set(states)
        todo = deque(seen)
        while todo:
            for target in self._free[todo.popleft()]:
                if target not in seen:
                    seen.add(target)
                    todo.append(target)
        # A state that cannot be completed leads nowhere; a state that only passes on is not needed once closed.
        return frozenset(s for s in seen if self._left[s] < _NEVER and (self._moves[s] or s == self._end))

    def _distances(self) -> list[int]:
        """Per state the fewest bytes to the end (breadth first from the end, free moves cost nothing)."""
        before: list[list[tuple[int, int]]] = [[] for _ in self._moves]
        for source, moves in enumerate(self._moves):
            for target in {t for targets in moves.values() for t in targets}:
                before[target].append((source, 1))
            for target in self._free[source]:
                before[target].append((source, 0))
        left = [_NEVER] * len(self._moves)
        left[self._end] = 0
        todo = deque([self._end])
        while todo:
            state = todo.popleft()
            for source, cost in before[state]:
                if left[state] + cost < left[source]:
                    left[source] = left[state] + cost
                    todo.append(source) if cost else todo.appendleft(source)
        return left

    def _text(self, source: int, data: bytes) -> int:
        for byte in data:
            target = self._new()
            self._move(source, [byte], target)
            source = target
        return source

    def _gap(self, source: int) -> int:
        """An optional space."""
        target = self._new()
        self._free[source].append(target)
        self._move(source, b" ", target)
        return target

    def _either(self, source: int, makers: Iterable[Callable[[int], int | None]]) -> int | None:
        ends = []
        for make in makers:
            begin = self._new()
            self._free[source].append(begin)
            end = make(begin)
            if end is not None:
                ends.append(end)
        if not ends:
            return None
        joined = self._new()
        for end in ends:
            self._free[end].append(joined)
        return joined

    def _value(self, source: int, schema: Any) -> int | None:
        """Add one value's automaton from a state; its last state, or None when no value fits."""
        if not isinstance(schema, Mapping):
            raise InputError(f"{schema!r} is no schema.", "A schema is an object with a type.")
        for choice in ("anyOf", "oneOf"):
            if choice in schema:
                return self._either(source, [lambda s, part=part: self._value(s, part) for part in schema[choice]])  # type: ignore[misc]
        if "const" in schema or "enum" in schema:
            values = schema.get("enum", [schema.get("const")])
            return self._either(source, [lambda s, v=v: self._text(s, _json(v)) for v in values])  # type: ignore[misc]
        kinds = schema.get("type")
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if not kinds or not set(kinds) <= set(_KNOWN):
            raise InputError(f"A schema of type {kinds!r} cannot be decoded under.", f"Types are {', '.join(_KNOWN)}.")
        strange = set(schema) - {"type"} - _IGNORED - set().union(*(_KNOWN[kind] for kind in kinds))
        if strange:
            raise InputError(f"The schema keyword {min(strange)!r} cannot be decoded under.", "Leave it out.")
        return self._either(source, [lambda s, kind=kind: getattr(self, f"_{kind}")(s, schema) for kind in kinds])  # type: ignore[misc]

    def _object(self, source: int, schema: Schema) -> int | None:
        at = self._text(source, b"{")
        for i, (name, part) in enumerate(schema.get("properties", {}).items()):
            at = self._gap(self._text(at, b",")) if i else at
            end = self._value(self._gap(self._text(at, _json(name) + b":")), part)
            if end is None:
                return None
            at = end
        return self._text(at, b"}")

    def _array(self, source: int, schema: Schema) -> int | None:
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        at = self._text(source, b"[")
        end = self._new()
        if not least:
            self._free[at].append(end)
        count, before = 0, at
        while most is None or count < most:
            last = self._value(before, schema.get("items", {"type": "string"}))
            if last is None:
                return self._text(end, b"]") if not least else None
            count += 1
            if count >= least:
                self._free[last].append(end)
            after = self._gap(self._text(last, b","))
            if most is None and count >= max(least, 1):
                self._free[after].append(before)
                break
            before = after
        return self._text(end, b"]")

    def _string(self, source: int, schema: Schema) -> int | None:
        opened = self._text(source, b'"')
        if PART_OF in schema:
            closing = self._part(opened, schema[PART_OF])
            return None if closing is None else self._text(closing, b'"')
        most = schema.get("maxLength")
        if most is None:
            self._character(opened, opened)
            return self._text(opened, b'"')
        closing, at = self._new(), opened
        self._free[at].append(closing)
        for _ in range(most):
            target = self._new()
            self._character(at, target)
            self._free[target].append(closing)
            at = target
        return self._text(closing, b'"')

    def _character(self, source: int, target: int) -> None:
        self._move(source, _PLAIN, target)
        self._move(self._text(source, b"\\"), b'"\\/bfnrt', target)
        for leads, following, second in _LEADS:
            at = self._new()
            self._move(source, leads, at)
            for i in range(following):
                last = target if i == following - 1 else self._new()
                self._move(at, second if i == 0 else range(0x80, 0xC0), last)
                at = last

    def _part(self, source: int, text: str) -> int | None:
        """One state per character of the text; in and out only where a word begins or ends."""
        places = [self._new() for _ in range(len(text) + 1)]
        closing, possible = self._new(), False
        for i, char in enumerate(text):
            if char == "\n":
                continue
            encoded = _json(char)[1:-1]
            self._move(self._text(places[i], encoded[:-1]), encoded[-1:], places[i + 1])
            if not is_separator(char) and not splits_word(text, i):
                # Entered by a copy that has no way out, so that the empty string is no part.
                entry = self._new()
                self._moves[entry] = self._moves[places[i]]
                self._free[source].append(entry)
                possible = True
            if not is_separator(char) and not splits_word(text, i + 1):
                self._free[places[i + 1]].append(closing)
        return closing if possible else None

    def _integer(self, source: int, schema: Schema) -> int:
        signed = self._new()
        self._free[source].append(signed)
        self._move(source, b"-", signed)
        end, digits = self._new(), self._new()
        self._move(signed, b"0", end)
        self._move(signed, b"123456789", digits)
        for _ in range(14):
            self._free[digits].append(end)
            following = self._new()
            self._move(digits, b"0123456789", following)
            digits = following
        self._free[digits].append(end)
        return end

    def _number(self, source: int, schema: Schema) -> int:
        whole = self._integer(source, schema)
        end, digits = self._new(), self._text(whole, b".")
        self._free[whole].append(end)
        for _ in range(6):
            following = self._new()
            self._move(digits, b"0123456789", following)
            self._free[following].append(end)
            digits = following
        return end

    def _boolean(self, source: int, schema: Schema) -> int | None:
        return self._either(source, [lambda s: self._text(s, b"true"), lambda s: self._text(s, b"false")])

    def _null(self, source: int, schema: Schema) -> int:
        return self._text(source, b"null")


_NEVER = 1 << 60


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
