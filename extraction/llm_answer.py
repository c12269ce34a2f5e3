"""What a model wrote → values per attribute, or why not. Believes nothing: not the form, not the size, not the types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from extraction.llm_align import Refusal

MAX_ANSWER_CHARS = 100_000
MAX_VALUE_CHARS = 500
MAX_VALUES_READ = 20
# Words that models write where there is nothing.
ABSENT = frozenset(
    {"", "n/a", "na", "none", "null", "nil", "unknown", "not specified", "not stated", "not mentioned", "not available", "-", "–", "[]"}
)
_LISTED = re.compile(r"\s*[,;/&、，；]\s*|\s+and\s+")


@dataclass(frozen=True, slots=True)
class Values:
    """An answer of the asked form.

    Args:
        values: (attribute, value) in the order of the answer.
        refused: (attribute, value as text, why).
    """

    values: tuple[tuple[str, str], ...]
    refused: tuple[tuple[str, str, Refusal], ...] = ()


def read_answer(text: str, attributes: Sequence[str]) -> Values | Refusal:
    """The values of an answer: a JSON object {attribute: value, list of values, or none}, alone or within prose.

    Args:
        text: what the model wrote.
        attributes: what it was asked for; an answer that has none of them is not of the asked form.
    """
    if len(text) > MAX_ANSWER_CHARS:
        return Refusal.WRONG_FORM
    known = {name.casefold().replace("_", " "): name for name in attributes}
    found = None
    for candidate in _objects(text):
        found = candidate
        if any(_name(key, known) for key in candidate):
            return _values(candidate, known)
    if found is not None:
        return Refusal.WRONG_FORM
    if "{" in text:
        return Refusal.CUT_OFF
    return Refusal.WRONG_FORM if _is_json(text) else Refusal.NO_JSON


def list_parts(value: str) -> list[str]:
    """The parts of a value that lists several ("Quick-dry, Breathable"); nothing for one that does not."""
    parts = [part for part in _LISTED.split(value.strip()) if part]
    return parts if len(parts) > 1 else []


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """JSON objects that begin anywhere in the text, from left to right."""
    decoder = json.JSONDecoder()
    at, tries = text.find("{"), 0
    while at >= 0 and tries < 50:
        tries += 1
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield found
        at = text.find("{", end)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _name(key: str, known: dict[str, str]) -> str | None:
    return known.get(key.strip().casefold().replace("_", " "))


def _values(answer: dict[str, Any], known: dict[str, str]) -> Values:
    values: list[tuple[str, str]] = []
    refused: list[tuple[str, str, Refusal]] = []
    for key, said in answer.items():
        name = _name(key, known)
        listed = said if isinstance(said, list) else [said]
        for value in listed[:MAX_VALUES_READ]:
            text = _text(value)
            if text is None:
                refused.append((name or key[:MAX_VALUE_CHARS], str(value)[:MAX_VALUE_CHARS], Refusal.WRONG_FORM))
            elif text.casefold().strip() in ABSENT:
                continue
            elif name is None:
                refused.append((key[:MAX_VALUE_CHARS], text[:MAX_VALUE_CHARS], Refusal.NOT_ASKED))
            else:
                values.append((name, text))
        refused.extend((name or key, "…", Refusal.WRONG_FORM) for _ in listed[MAX_VALUES_READ:])
    return Values(tuple(values), tuple(refused))


def _text(value: Any) -> str | None:
    """A value as text: text, or a number as it is written; None for anything else."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= MAX_VALUE_CHARS else None
