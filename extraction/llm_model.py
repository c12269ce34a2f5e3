"""What a language model is to clew, whoever runs it: messages in, text and its cost out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol, runtime_checkable

from kg.errors import EngineError

# A string of the schema under this keyword must be a part of the keyword's text. Only models that decode under the schema use it; it is
# taken out before a schema goes to an endpoint.
PART_OF = "x-part-of"


class NoAnswerError(EngineError):
    """One request got no answer; another may."""


Schema = Mapping[str, Any]

_PIECE = re.compile(r"[A-Za-z]+|\d+|\s+|[^\sA-Za-z\d]")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Args:
        role: who speaks.
        content: what is said.
    """

    role: Literal["system", "user", "assistant"]
    content: str

    def to_dict(self) -> dict[str, str]:
        """The form of a chat endpoint."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost.

    Args:
        prompt_tokens, completion_tokens: tokens read and written.
        estimated: the model did not say, the numbers are `estimated_tokens`.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """Tokens in all."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens, self.completion_tokens + other.completion_tokens, self.estimated or other.estimated
        )


NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer.

    Args:
        text: what the model wrote.
        usage: what it cost; of a cached answer, what it did cost.
        finish: "stop" when the model was done, "length" when it was cut off, "declined" when it would not.
        cached: the answer was there already and cost nothing now.
    """

    text: str
    usage: Usage
    finish: Literal["stop", "length", "declined"] = "stop"
    cached: bool = False


@runtime_checkable
class LanguageModel(Protocol):
    """Something that answers. Implementations: an endpoint, a local model, recorded answers, a cache before any of them."""

    @property
    def name(self) -> str:
        """Name for people: "gpt-4o-mini at api.example.com"."""
        ...

    @property
    def digest(self) -> str:
        """Digest of everything but the messages that decides the answer; no secret is part of it."""
        ...

    @property
    def parallel(self) -> int:
        """How many `complete` calls may run at a time."""
        ...

    def complete(self, messages: Sequence[Message], schema: Schema | None = None) -> Completion:
        """Answer a conversation.

        Args:
            messages: the conversation so far.
            schema: JSON Schema of the answer; None for free text.

        Raises:
            EngineError: there is no answer to be had; says why and what to do.
        """
        ...

    def count(self, text: str) -> int:
        """Tokens that a text takes, exactly or about."""
        ...


class WrappedModel:
    """What stands before a model and is called like it; a subclass answers.

    Args:
        model: the model.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def digest(self) -> str:
        """The model's digest."""
        return self.model.digest

    @property
    def parallel(self) -> int:
        """As the model."""
        return self.model.parallel

    def count(self, text: str) -> int:
        """As the model."""
        return self.model.count(text)


@lru_cache(maxsize=8192)  # the rules and the examples come again in every prompt
def estimated_tokens(text: str) -> int:
    """About how many tokens a text takes, for a model whose tokenizer is not here.

    A word of Latin letters takes one token per six letters begun, a number one per three digits, any other character two thirds (letters
    of other scripts) or one (marks). Within about 20 % of current byte-pair tokenizers on product titles; never used for what was spent
    when the model says it.
    """
    total = 0.0
    for piece in _PIECE.findall(text):
        if piece[0].isascii() and piece[0].isalpha():
            total += 1 + (len(piece) - 1) // 6
        elif piece[0].isdigit():
            total += math.ceil(len(piece) / 3)
        elif not piece.isspace():
            total += 2 / 3 if piece.isalpha() else 1
    return math.ceil(total)


def plain_schema(schema: Schema) -> dict[str, Any]:
    """The schema without clew's own keywords (`x-…`), as an endpoint may be sent."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: cleaned(v) for key, v in value.items() if not key.startswith("x-")}
        return [cleaned(v) for v in value] if isinstance(value, list | tuple) else value

    plain: dict[str, Any] = cleaned(schema)
    return plain
