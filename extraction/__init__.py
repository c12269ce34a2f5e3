"""Reads facts out of product text, each with the characters that say so.

Everything is loaded when it is asked for: `import extraction` loads neither spaCy nor babel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from extraction.base import Extractor, Mention, build_extractor, extractor_names
    from extraction.price import parse_price
    from extraction.resolve import FactExtractor, to_facts

_HOMES = {
    "Extractor": "base",
    "Mention": "base",
    "build_extractor": "base",
    "extractor_names": "base",
    "parse_price": "price",
    "FactExtractor": "resolve",
    "to_facts": "resolve",
}

__all__ = [
    "Extractor",
    "FactExtractor",
    "Mention",
    "build_extractor",
    "extractor_names",
    "parse_price",
    "to_facts",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'extraction' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"extraction.{_HOMES[name]}"), name)
