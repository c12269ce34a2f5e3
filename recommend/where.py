"""The language of `--where`: conditions on products, such as `price <= 30 and (brand = "lego" or title ~ "wooden")`.

    condition := all ("or" all)*
    all       := one ("and" one)*
    one       := "not" one | "(" condition ")" | test
    test      := field ("=" | "!=" | "<" | "<=" | ">" | ">=" | "~") value | field ["not"] "in" "(" value ("," value)* ")"
    value     := number | word | "text" | 'text'

Fields are those of `FIELDS`, the columns that an ontology file maps to relations, and the properties that it types: a whole or any
number compares as a price does, a date (`released >= 1999-12-31`) too, a boolean is `true` or `false`, a text is a text as a title is.
Names are compared canonically (`L'Oréal® Paris` = `l-oréal paris`); `~` looks for the text at the start of a word, whatever its case.
A missing value makes a test false, `!=` and `not in` too; `not` turns the whole test around.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

from kg.errors import UsageError
from kg.ontology import PropertyType, Rel, product_properties, stated_columns
from kg.own_ontology import property_value

FieldKind = Literal["number", "date", "boolean", "text", "entity"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~", "in", "not in"]
NUMBERS = ("price",)
TEXTS = ("title",)
ENTITIES: dict[str, Rel] = {
    "brand": Rel.HAS_BRAND,
    "material": Rel.MADE_OF,
    "category": Rel.IN_CATEGORY,
    "color": Rel.HAS_COLOR,
    "size": Rel.HAS_SIZE,
}
FIELDS = (*NUMBERS, *ENTITIES, *TEXTS)


def entity_fields() -> dict[str, str]:
    """Fields that stand for entities → their relations: those of the core, and the columns that an ontology file maps."""
    return {**ENTITIES, **{each.column.lower(): each.relation for each in stated_columns() if each.column.lower() not in FIELDS}}


def property_fields() -> dict[str, PropertyType]:
    """Fields that stand for properties which an ontology file types → their type."""
    taken = {*FIELDS, *entity_fields()}
    return {each.name: each.type for each in product_properties() if each.name not in taken}


def all_fields() -> tuple[str, ...]:
    """Every field that a condition can speak of."""
    return (*NUMBERS, *entity_fields(), *TEXTS, *property_fields())


def _kind_of(field: str) -> FieldKind:
    if field in NUMBERS:
        return "number"
    if field in entity_fields():
        return "entity"
    match property_fields().get(field):
        case "integer" | "number":
            return "number"
        case "date":
            return "date"
        case "boolean":
            return "boolean"
    return "text"


MAX_LENGTH = 4000
MAX_DEPTH = 50

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<sign><=|>=|!=|==|[=<>~(),])
      | (?P<word>[^\s"'=<>~(),!]+)""",
    re.VERBOSE,
)
_KEYWORDS = ("and", "or", "not", "in")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)\Z")


class WhereError(UsageError):
    """A `--where` that cannot be understood; says at which character.

    Args:
        problem: what is wrong.
        place: character of the condition where it is, from 0.
        source: the whole condition.
        hint: what to write instead.
    """

    kind = "where"

    def __init__(self, problem: str, place: int, source: str, hint: str = "") -> None:
        near = source[place : place + 20].strip()
        where = f"at character {place + 1}, near {near!r}" if near else "at the end"
        super().__init__(f"The condition cannot be read: {problem} {where}.", hint or f"Write it like: {EXAMPLE}")
        self.place = place


EXAMPLE = 'price <= 30 and brand in ("lego", "playmobil") and not title ~ "refill"'


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a field with one value (for `in`: several)."""

    field: str
    operator: Operator
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    inner: Condition


@dataclass(frozen=True, slots=True)
class Every:
    """True where all parts are."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """True where one part is."""

    parts: tuple[Condition, ...]


Condition = Comparison | Not | Every | Some


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Literal["text", "sign", "word", "end"]
    value: str
    place: int

    def is_word(self, word: str) -> bool:
        return self.kind == "word" and self.value.lower() == word

    def is_sign(self, sign: str) -> bool:
        return self.kind == "sign" and self.value == sign


def parse_where(source: str) -> Condition:
    """The condition that a text states.

    Raises:
        WhereError: it cannot be read; names the place, and the nearest field for an unknown one.
    """
    if len(source) > MAX_LENGTH:
        raise WhereError(f"it is longer than {MAX_LENGTH} characters", MAX_LENGTH, source, "Use --exclude F for long lists.")
    parser = _Parser(source, _tokens(source))
    condition = parser.condition(0)
    parser.expect_end()
    return condition


def _tokens(source: str) -> list[_Token]:
    made: list[_Token] = []
    place = 0
    while place < len(source):
        match = _TOKEN.match(source, place)
        if match is None:
            quote = source[place] in "\"'"
            raise WhereError("a quoted text has no end" if quote else f"{source[place]!r} means nothing here", place, source)
        if match.lastgroup == "text":
            made.append(_Token("text", re.sub(r"\\(.)", r"\1", match.group()[1:-1]), place))
        elif match.lastgroup == "sign":
            made.append(_Token("sign", "=" if match.group() == "==" else match.group(), place))
        elif match.lastgroup == "word":
            made.append(_Token("word", match.group(), place))
        place = match.end()
    return [*made, _Token("end", "", len(source))]


class _Parser:
    def __init__(self, source: str, tokens: Sequence[_Token]) -> None:
        self._source, self._tokens, self._at = source, tokens, 0

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _fail(self, problem: str, hint: str = "", token: _Token | None = None) -> NoReturn:
        raise WhereError(problem, (token or self._now).place, self._source, hint)

    def _take_word(self, word: str) -> bool:
        found = self._now.is_word(word)
        self._at += found
        return found

    def _take_sign(self, sign: str) -> bool:
        found = self._now.is_sign(sign)
        self._at += found
        return found

    def expect_end(self) -> None:
        if self._now.kind != "end":
            self._fail("a closing bracket too many" if self._now.is_sign(")") else 'expected "and", "or" or the end')

    def condition(self, depth: int) -> Condition:
        parts = [self._all(depth)]
        while self._take_word("or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _all(self, depth: int) -> Condition:
        parts = [self._one(depth)]
        while self._take_word("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _one(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            self._fail(f"more than {MAX_DEPTH} levels of brackets and not")
        if self._take_word("not"):
            return Not(self._one(depth + 1))
        if self._take_sign("("):
            inner = self.condition(depth + 1)
            if not self._take_sign(")"):
                self._fail("expected a closing bracket")
            return inner
        return self._test()

    def _test(self) -> Comparison:
        field = self._field()
        operator = self._operator(field)
        if operator in ("in", "not in"):
            return Comparison(field, operator, self._list(field))
        return Comparison(field, operator, (self._value(field),))

    def _field(self) -> str:
        token = self._now
        if token.kind != "word" or token.value.lower() in _KEYWORDS:
            self._fail("expected a field", f"Fields are {', '.join(all_fields())}.")
        name = token.value.lower()
        name = "color" if name == "colour" else name
        if name not in all_fields():
            from rapidfuzz import process  # only on the way to an error

            near = process.extractOne(name, all_fields(), score_cutoff=50)
            also = f" Did you mean {near[0]}?" if near else ""
            self._fail(f"there is no field {token.value!r}", f"Fields are {', '.join(all_fields())}.{also}")
        self._at += 1
        return name

    def _operator(self, field: str) -> Operator:
        token = self._now
        if self._take_word("in"):
            return "in"
        if self._take_word("not"):
            if not self._take_word("in"):
                self._fail('expected "in" after "not"')
            return "not in"
        if token.kind != "sign" or token.value in "(),":
            self._fail(f"expected a comparison after {field!r}", "Comparisons are = != < <= > >= in ~.")
        self._at += 1
        kind = _kind_of(field)
        ordered = kind in ("number", "date")
        if token.value == "~" and kind not in ("text", "entity"):
            signs = "= != < <= > >= or in" if ordered else "= or !="
            self._fail(f"~ does not compare {kind}s", f"Use {signs} with {field}.", token)
        if token.value in ("<", "<=", ">", ">=") and not ordered:
            signs = "= or !=" if kind == "boolean" else "= != in or ~"
            self._fail(f"{token.value} does not compare {field}s", f"Use {signs} with {field}.", token)
        return token.value  # type: ignore[return-value]  # the tokenizer knows no other sign

    def _list(self, field: str) -> tuple[str, ...]:
        if not self._take_sign("("):
            self._fail('expected a bracket after "in"', 'Write a list: brand in ("lego", "playmobil").')
        values = [self._value(field)]
        while self._take_sign(","):
            values.append(self._value(field))
        if not self._take_sign(")"):
            self._fail("expected a comma or a closing bracket")
        return tuple(values)

    def _value(self, field: str) -> str:
        token = self._now
        if token.kind not in ("word", "text") or (token.kind == "word" and token.value.lower() in _KEYWORDS):
            self._fail(f"expected a value for {field}")
        kind = _kind_of(field)
        if kind == "number" and not _NUMBER.match(token.value):
            more = ", with a point for cents and no currency sign" if field in NUMBERS else ", with a point before decimals"
            self._fail(f"{token.value!r} is no number", f"Write {field} <= 30{more}.")
        if kind in ("date", "boolean"):
            self._typed(field, kind, token)
        if not token.value.strip():
            self._fail(f"an empty value for {field}")
        self._at += 1
        if token.kind == "word" and self._now.kind == "word" and self._now.value.lower() not in _KEYWORDS and kind != "number":
            self._fail("a value of several words needs quotes", f'Write {field} = "{token.value} {self._now.value}".')
        return token.value

    def _typed(self, field: str, kind: Literal["date", "boolean"], token: _Token) -> None:
        try:
            property_value(token.value, kind)
        except ValueError:
            like = "a date such as 1999-12-31" if kind == "date" else "true or false"
            self._fail(f"{token.value!r} is no {kind}", f"Compare {field} with {like}.")
