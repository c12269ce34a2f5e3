"""Vocabularies that clew ships: materials with their tree, colours with their base colour. Sources are named in the files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from kg.digest import digest_json


@dataclass(frozen=True, slots=True)
class Term:
    """One spelling of a vocabulary.

    Args:
        words: its words, casefolded, as they follow each other in a title.
        value: the name that it stands for ("aluminium" → "aluminum", "navy" → "blue").
        gate: where it may be read as such (`extraction/gates.py`).
    """

    words: tuple[str, ...]
    value: str
    gate: str


def _read(name: str) -> Mapping[str, Any]:
    document: dict[str, Any] = json.loads(resources.files("extraction.data").joinpath(f"{name}.json").read_text("utf-8"))
    return document


@cache
def data(name: str) -> Mapping[str, Any]:
    """A shipped JSON file by name, read once."""
    return _read(name)


@cache
def digest() -> str:
    """Digest of all vocabularies."""
    return digest_json([data(name) for name in ("materials", "colors", "kinds", "contexts", "chinese")])


@cache
def material_tree() -> tuple[tuple[str, str], ...]:
    """(child, parent) names of materials: ("cotton", "plant fibre"), …"""
    return tuple((name, entry["parent"]) for name, entry in data("materials")["materials"].items() if entry["parent"])


@cache
def materials() -> tuple[Term, ...]:
    """Every spelling of every material."""
    return tuple(
        Term(tuple(spelling.casefold().replace("-", " ").split()), name, entry["gate"])
        for name, entry in data("materials")["materials"].items()
        for spelling in (name, *entry["aliases"])
    )


@cache
def colors() -> tuple[Term, ...]:
    """Every spelling of every colour; the value is the base colour."""
    return tuple(
        Term(tuple(spelling.casefold().replace("-", " ").split()), base, "color")
        for base, shades in data("colors")["colors"].items()
        for spelling in (base, *(s for shade, aliases in shades.items() for s in (shade, *aliases)))
    )


def by_first_word(terms: tuple[Term, ...]) -> Mapping[str, tuple[Term, ...]]:
    """First word → its terms, the longest first; a name of several words is found joined by hyphens too."""
    table: dict[str, list[Term]] = {}
    for term in terms:
        table.setdefault(term.words[0], []).append(term)
        if len(term.words) > 1:
            joined = "-".join(term.words)
            table.setdefault(joined, []).append(Term((joined,), term.value, term.gate))
    return {word: tuple(sorted(found, key=lambda term: (-len(term.words), term.value))) for word, found in table.items()}
