"""Asks, ranks and explains: `from recommend import Recommender`. Loaded when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recommend.request import Request
    from recommend.service import Recommender

__all__ = ["Recommender", "Request"]
_HOMES = {"Recommender": "service", "Request": "request"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'recommend' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"recommend.{_HOMES[name]}"), name)
