"""docs/ontology.md says what the ontology says (CLEW_UPDATE_GOLDENS=1 writes it again)."""

from __future__ import annotations

import os
from pathlib import Path

from kg.ontology import RELATIONS, Label
from kg.ontology_page import ontology_page

PAGE = Path(__file__).parents[2] / "docs" / "ontology.md"


def test_the_page_is_up_to_date() -> None:
    text = ontology_page()
    if os.environ.get("CLEW_UPDATE_GOLDENS"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


def test_nothing_is_left_out() -> None:
    text = ontology_page()
    assert all(f"`{name}`" in text for name in RELATIONS)
    assert all(f"`{label}`" in text for label in set(Label) - {Label.QUERY})
