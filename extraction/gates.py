"""Where a word may be read as a material or a colour: gates by kind of product and by the words around it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from extraction.vocabularies import data
from extraction.words import Words

_PIECES = re.compile(r"[^\W\d_]+")


@cache
def _groups() -> Mapping[str, frozenset[str]]:
    return {name: frozenset(words) for name, words in data("kinds")["groups"].items()}


@cache
def groups_of(category: str) -> frozenset[str]:
    """The groups that a category's words put it in ("SKIN_MOISTURIZER" → {"consumable"}).

    A tool for a consumable is none: HAIR_BRUSH holds "hair" and "brush", and the brush decides.
    """
    words = set(_PIECES.findall(category.casefold().replace("_", " ")))
    found = {name for name, members in _groups().items() if words & members}
    if "device" in found:
        found -= {"consumable", "cleaner", "device"}
    return frozenset(found)


def groups_of_title(words: Words) -> frozenset[str]:
    """The groups of a title without a category, by its first dozen words."""
    return groups_of(" ".join(words.folded[:12]))
