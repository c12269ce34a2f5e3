"""The JSON Schemas of the answers, as they are published: one file each under `recommend/schemas/`."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from kg.errors import UnknownKeyError


def schema_names() -> list[str]:
    """Names of all schemas, sorted."""
    return sorted(entry.name.removesuffix(".json") for entry in files("recommend.schemas").iterdir() if entry.name.endswith(".json"))


def schema(name: str) -> dict[str, Any]:
    """One schema; a `$ref` to `answer.json#/…` points into the schema of that name.

    Raises:
        UnknownKeyError: there is none of that name.
    """
    if name not in schema_names():
        raise UnknownKeyError("schema", name, schema_names())
    found: dict[str, Any] = json.loads(files("recommend.schemas").joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return found
