"""Values as files hold them → the text that the graph holds."""

from __future__ import annotations

import datetime
import math
import unicodedata
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kg.canon import MAX_KEY_BYTES, bounded_key
from kg.chunks import Chunk

_ASCII_BLANK = "".join(map(chr, [*range(33), 127]))


class RowError(ValueError):
    """Why a row cannot be taken; what stands before the first colon is the kind of reason."""


def text_of(value: Any) -> str | None:
    """The text of a value, None where there is none (null, NaN).

    Whole numbers, floats such as 17850.0 among them, become decimal text; a list is joined with `|`, a list inside a list
    with ` > ` (a path in a category tree).

    Raises:
        RowError: an object, or bytes that are not UTF-8.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        return _number_text(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise RowError("not UTF-8: a value of bytes") from None
    if isinstance(value, list | tuple):
        parts = (text_of(" > ".join(_texts(part)) if isinstance(part, list | tuple) else part) for part in value)
        return "|".join(part for part in parts if part)
    raise RowError(f"not text: a value is {type(value).__name__}, not text or a number")


def _texts(values: Iterable[Any]) -> list[str]:
    return [text for value in values if (text := text_of(value))]


def _number_text(value: float | Decimal) -> str | None:
    if math.isnan(value):
        return None
    if math.isfinite(value) and value == int(value):
        return str(int(value))
    return repr(value) if isinstance(value, float) else format(value, "f")


def key_of(value: Any, what: str) -> str:
    """The key of a product or person: text without space around it, at most 512 bytes (a longer one is cut and hashed).

    Raises:
        RowError: blank, or it holds a NUL, which no command line can pass on.
    """
    text = (text_of(value) or "").strip()
    if not text:
        raise RowError(f"no key: the {what} is blank")
    if "\0" in text:
        raise RowError(f"NUL in a key: the {what} {text!r}")
    return bounded_key(text)


def is_visible(text: str) -> bool:
    """Whether a reader sees anything: not only spaces, controls and zero-width characters."""
    if text.isascii():
        return bool(text.strip(_ASCII_BLANK))
    return any(unicodedata.category(char) not in ("Zs", "Zl", "Zp", "Cc", "Cf") for char in text)


def text_array(chunk: Chunk, name: str) -> pa.Array:
    """A column as an Arrow string array; null where there is no value or none that is text."""
    array = chunk.arrow(name)
    if array is None:
        values = chunk.column(name)
        try:
            return pa.array(values, pa.string())
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            return pa.array([_text_or_none(value) for value in values], pa.string())
    kind = array.type
    if pa.types.is_string(kind):
        return array
    if pa.types.is_large_string(kind) or pa.types.is_integer(kind):
        return array.cast(pa.string())
    if pa.types.is_floating(kind) and _all_whole(array):
        return pc.if_else(pc.is_nan(array), None, array).cast(pa.int64()).cast(pa.string())
    return pa.array([_text_or_none(value) for value in array.to_pylist()], pa.string())


def _all_whole(array: pa.Array) -> bool:
    real = array.filter(pc.fill_null(pc.is_finite(array), False))
    finite = len(real) + array.null_count + (pc.sum(pc.is_nan(array)).as_py() or 0) == len(array)
    return finite and bool(pc.all(pc.equal(real, pc.floor(real))).as_py() is not False) and not _too_big(real)


def _too_big(real: pa.Array) -> bool:
    return len(real) > 0 and pc.max(pc.abs(real)).as_py() >= 2**53


def _text_or_none(value: Any) -> str | None:
    try:
        return text_of(value)
    except RowError:
        return None


def key_array(chunk: Chunk, name: str) -> pa.Array:
    """A column of keys, as `key_of` makes them; null where that would refuse."""
    text = pc.utf8_trim_whitespace(text_array(chunk, name))
    bad = pc.or_(pc.equal(text, ""), pc.match_substring(text, "\0"))
    text = pc.if_else(bad, None, text)
    longest = pc.max(pc.binary_length(text)).as_py() or 0
    if longest <= MAX_KEY_BYTES:
        return text
    return pa.array([None if key is None else bounded_key(key) for key in text.to_pylist()], pa.string())


def text_list(values: Sequence[Any]) -> list[str | None]:
    """The text of many values; None where there is none or none that is text."""
    return [value if isinstance(value, str) else _text_or_none(value) for value in values]
