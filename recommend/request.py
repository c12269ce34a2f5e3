"""The one request of the command line, of HTTP and of Python: what is asked, and how the answer is to look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from kg.errors import InputError, UnknownKeyError, UsageError
from kg.model import Product

MAX_K = 1000
MAX_HISTORY = 1000
MAX_TEXT = 10_000
SESSION_KEY = "session"  # key of the User node of a `--history` question
QUERY_KEY = "query"  # key of the Query node of a `--text` question
LANGUAGES = ("en", "zh")


class Repeat(StrEnum):
    """Whether a product that the person already has may come back."""

    NO = "no"
    YES = "yes"
    AUTO = "auto"  # only what the person bought on two days or more


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question. Exactly one of the first five is given.

    Args:
        user_key: a person of the graph.
        history: keys of products, the oldest first: a session, or a person that the graph does not know.
        item_key: a product of the graph; the answer is what is like it.
        text: words.
        new_product: a product that the graph does not have; the answer is who would want it.
        k: how many recommendations, 1 to 1,000.
        where: a condition on products (`recommend.where`), empty for none.
        repeat: whether products already bought may come back.
        exclude: keys of products that must not be recommended.
        explain: how many paths each recommendation shows, 0 or more.
        all_paths: show every path, one by one; `explain` then has no say.
        lang: language of the sentences, "en" or "zh".
        max_per_brand: at most so many recommendations of one brand, None for no limit.
        out_of_stock: recommend products that are not available, too.

    Raises:
        UsageError: none or several questions, or a setting out of range.
        InputError: a key or text that is not Unicode.
    """

    user_key: str | None = None
    history: tuple[str, ...] | None = None
    item_key: str | None = None
    text: str | None = None
    new_product: Product | None = None
    k: int = 10
    where: str = ""
    repeat: Repeat = Repeat.NO
    exclude: frozenset[str] = frozenset()
    explain: int = 3
    all_paths: bool = False
    lang: str = "en"
    max_per_brand: int | None = None
    out_of_stock: bool = False

    def __post_init__(self) -> None:
        self._check_question()
        if not 1 <= self.k <= MAX_K:
            raise UsageError(f"k is {self.k}.", f"Ask for 1 to {MAX_K} recommendations.")
        if self.explain < 0:
            raise UsageError(f"explain is {self.explain}.", "Give the number of paths to show, 0 or more.")
        if self.max_per_brand is not None and self.max_per_brand < 1:
            raise UsageError(f"max_per_brand is {self.max_per_brand}.", "Give 1 or more, or leave it out for no limit.")
        if self.lang not in LANGUAGES:
            raise UnknownKeyError("language", self.lang, LANGUAGES)
        object.__setattr__(self, "repeat", _repeat(self.repeat))
        object.__setattr__(self, "exclude", frozenset(self.exclude))

    def _check_question(self) -> None:
        asked = [name for name in QUESTIONS if getattr(self, name) is not None]
        if len(asked) != 1:
            given = f"not {' and '.join(asked)} together" if asked else "none is given"
            raise UsageError(f"A request has exactly one of user, history, item, text and new product; {given}.")
        if self.history is not None:
            object.__setattr__(self, "history", _history(self.history))
        if self.text is not None:
            _check_unicode("text", self.text)
            if not self.text.strip():
                raise UsageError("The text to search for is blank.", "Give at least one word.")
            if len(self.text) > MAX_TEXT:
                raise UsageError(f"The text has {len(self.text)} characters.", f"Give at most {MAX_TEXT}.")
        for name in ("user_key", "item_key", "where"):
            _check_unicode(name, getattr(self, name) or "")

    @property
    def question(self) -> str:
        """Which of the five questions is asked, by its name here."""
        return next(name for name in QUESTIONS if getattr(self, name) is not None)

    def to_dict(self) -> dict[str, Any]:
        """The echo in an answer: the question, k, and every setting that is not the default."""
        asked = getattr(self, self.question)
        echo: dict[str, Any] = {self.question: _plain(asked), "k": self.k}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in QUESTIONS and field.name != "k" and value != field.default:
                echo[field.name] = _plain(value)
        return echo


QUESTIONS = ("user_key", "history", "item_key", "text", "new_product")


def _plain(value: Any) -> Any:
    if isinstance(value, Product):
        return product_row(value)
    if isinstance(value, frozenset):
        return sorted(value)
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, StrEnum) else value


def product_row(product: Product) -> dict[str, Any]:
    """A product as the row that a catalogue would have: key, title, the other fields, the price."""
    row: dict[str, Any] = {"key": product.key, "title": product.title, **product.fields}
    if product.price is not None:
        row["price"] = {"low": product.price.low, "high": product.price.high, "currency": product.price.currency}
    return row


def _history(keys: Iterable[str]) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(key.strip() for key in keys if key.strip()))
    if len(unique) > MAX_HISTORY:
        raise UsageError(f"The history has {len(unique)} products.", f"Give the last {MAX_HISTORY}.")
    for key in unique:
        _check_unicode("history", key)
    return unique


def _repeat(value: str) -> Repeat:
    try:
        return Repeat(value)
    except ValueError:
        raise UnknownKeyError("repeat setting", value, list(Repeat)) from None


def _check_unicode(name: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(f"The {name.removesuffix('_key')} {value!r} is not Unicode text.", "Pass it as UTF-8.") from None


def request_of(values: Mapping[str, Any]) -> Request:
    """A request from a mapping with the names above, as HTTP or a file brings it.

    Raises:
        UnknownKeyError: a name that a request does not have.
    """
    known = [field.name for field in fields(Request)]
    for name in values:
        if name not in known:
            raise UnknownKeyError("request setting", name, known)
    given = dict(values)
    if isinstance(given.get("history"), list):
        given["history"] = tuple(given["history"])
    return Request(**given)
