"""The ontology file of a graph, taken up when the graph is opened; and values of the properties that it types."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Any

from kg.ontology import CORE, Ontology, PropertyType, adopt

FILE_NAME = "ontology.toml"
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def adopt_beside(folder: Path) -> Ontology:
    """Adopt the ontology file of a folder; the core where there is none.

    Args:
        folder: a workspace, or whatever folder the graph's own folder lies in.

    Raises:
        InputError: the file is wrong.
        StateError: it contradicts another one that this process has open.
    """
    path = folder.absolute() / FILE_NAME
    found = CORE
    if path.is_file():
        from kg.ontology_file import load_ontology  # its checks need more than a graph without such a file does

        found = load_ontology(path)
    adopt(found, str(path))
    return found


def property_value(text: str | None, kind: PropertyType) -> Any:
    """A cell as a property of a type; None where the cell is blank.

    Raises:
        ValueError: the text is no such value.
    """
    text = (text or "").strip()
    if not text:
        return None
    if kind == "integer":
        value = int(text)
        if not -(2**63) <= value < 2**63:
            raise ValueError(text)
        return value
    if kind == "number":
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(text)
        return number
    if kind == "boolean":
        if text.casefold() not in _BOOLEANS:
            raise ValueError(text)
        return _BOOLEANS[text.casefold()]
    if kind == "date":
        return datetime.date.fromisoformat(text).isoformat()
    return text
