"""Brands of titles."""

from __future__ import annotations

from extraction.base import Mention, entity_of
from extraction.words import Words


def first_word(words: Words) -> list[Mention]:
    """The first word as brand, when it is written with a capital."""
    if not words or not words.texts[0][0].isupper():
        return []
    start, end = words.starts[0], words.ends[0]
    raw = words.text[start:end]
    return [Mention("brand", raw, raw, entity_of("brand", raw), "title", start, end, 0.6, "rules")]
