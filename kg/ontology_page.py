"""The page that describes the ontology (docs/ontology.md), written from the ontology itself."""

from __future__ import annotations

from collections.abc import Iterator

from kg.canon import entity_key
from kg.ontology import (
    ATTRIBUTE_RELATIONS,
    EVENT_RELATIONS,
    Family,
    Label,
    all_relations,
    display_name,
    entity_labels,
    product_properties,
    stated_columns,
)
from kg.store import edge_schema, node_schema

_FAMILIES = {
    Family.EVENT: "what people did; counted from the events, which the truth keeps one by one",
    Family.FACT: "what a product is made of; each with all of its evidence",
    Family.LINK: "one product with another, as a source states it",
    Family.TREE: "what is a kind or a part of what",
    Family.DERIVED: "what a model found between two products; written by `clew graph sync --with-model`",
    Family.ANSWER: "only in answers, never stored",
}
_HEAD = """# The ontology

{where}. Every node has a unique `key` of at most 512 bytes;
a relation of a triples file that is not listed here becomes a fact towards an `Entity`, whose `kind` says what it is.
`clew graph validate --shacl` holds a graph against shapes made from the same lists.
"""


CORE_PAGE = "Written by the tests from `kg/ontology.py` (CLEW_UPDATE_GOLDENS=1 writes it again)"


def ontology_page(where: str = CORE_PAGE) -> str:
    """The whole page, with what adopted ontology files add.

    Args:
        where: what the page was made from.
    """
    return "\n".join([_HEAD.format(where=where), *_drawing(), *_labels(), *_relations(), *_words()])


def _drawing() -> Iterator[str]:
    yield "```mermaid\ngraph LR"
    for found in all_relations().values():
        if found.family in (Family.EVENT, Family.FACT, Family.LINK, Family.TREE):
            yield f"  {found.source} -- {found.name} --> {found.target}"
    yield f"  {Label.PRODUCT} -. any other .-> {Label.ENTITY}\n```\n"


def _labels() -> Iterator[str]:
    yield "## Nodes\n\n| label | key | properties |\n|---|---|---|"
    for label in (Label.PRODUCT, Label.USER, *entity_labels()):
        properties = ", ".join(f"`{field.name}` {field.type}" for field in node_schema(label) if field.name != "key") or "–"
        yield f"| `{label}`{_called(label)} | {_key(label)} | {properties} |"
    yield ""


def _called(term: str) -> str:
    name = display_name(term, "en")
    return f" ({name})" if name else ""


def _key(label: Label) -> str:
    if label in (Label.PRODUCT, Label.USER):
        return "the shop's own"
    if label is Label.PRICE_BAND:
        return "`price_band:<category>:<currency>:<number>`"
    return "`<kind>:<name>`" if label is Label.ENTITY else f"`{entity_key(label, 'x').removesuffix('x')}<name>`"


def _relations() -> Iterator[str]:
    yield "## Relations\n"
    for family, said in _FAMILIES.items():
        listed = [found for found in all_relations().values() if found.family is family]
        yield f"**{family}** – {said}.\n"
        yield "| relation | from | to | properties |\n|---|---|---|---|"
        for found in listed:
            properties = ", ".join(f"`{name}`" for name in edge_schema(found).names[2:]) if family is not Family.ANSWER else "–"
            yield f"| `{found.name}`{_called(found.name)} | {found.source} | {found.target} | {properties} |"
        yield ""


def _words() -> Iterator[str]:
    yield "## Words of files\n\n| in a catalogue or an answer | relation |\n|---|---|"
    yield from (f"| `{word}` | `{name}` |" for word, name in ATTRIBUTE_RELATIONS.items())
    yield from (f"| `{each.column}` | `{each.relation}` |" for each in stated_columns())
    yield from (f"| `{each.column}` | `{each.name}` of a product, {each.type} |" for each in product_properties())
    yield "\n| kind of an event | relation |\n|---|---|"
    yield from (f"| `{word}` | `{name}` |" for word, name in EVENT_RELATIONS.items())
    yield ""
