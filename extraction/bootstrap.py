"""Rows that a tagger is taught with: gold files, a catalogue's columns, a person's corrections, a language model's answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from extraction.corrections import Corrections
from extraction.evaluate import GoldRow, attribute_of, read_gold
from extraction.llm import LlmExtractor
from extraction.reading import products_to_learn
from extraction.review import labels
from extraction.tag_training import rows_of_products
from kg.model import Product
from kg.progress import SILENT, Progress
from kg.seeds import generator


def training_rows(files: Iterable[Path], progress: Progress = SILENT) -> tuple[list[GoldRow], list[Product]]:
    """Rows and products of files: gold files by their labels, catalogues by their columns.

    Raises:
        InputError: a file cannot be read.
    """
    rows: list[GoldRow] = []
    products: list[Product] = []
    for file in files:
        if is_gold(file):
            own = read_gold(file)
            rows += own
            products += [row.product for row in own]
        else:
            read = list(products_to_learn(file, progress))
            rows += rows_of_products(read)
            products += read
    return rows, products


def is_gold(file: Path) -> bool:
    """Whether the first line of a file is a row of a gold file."""
    if file.suffix not in (".jsonl", ".json") or not file.is_file():
        return False
    with file.open(encoding="utf-8") as stream:
        try:
            first = json.loads(stream.readline())
        except ValueError:
            return False
    return isinstance(first, dict) and "target_scores" in first


def corrected_rows(rows: Sequence[GoldRow], corrections: Corrections) -> list[GoldRow]:
    """The rows with what people said: a value that the title states replaces the label of its attribute."""
    titles = {row.product.key: row.product.title for row in rows}
    given: dict[str, dict[str, frozenset[str]]] = {}
    for item, attribute, values in labels(corrections, titles):
        given.setdefault(item, {})[attribute] = frozenset(values)
    return [_with(row, given[row.product.key]) if row.product.key in given else row for row in rows]


def asked_rows(rows: Sequence[GoldRow], llm: LlmExtractor, count: int, seed: int = 0) -> list[GoldRow]:
    """The rows, `count` of them labelled by a language model: what it says of the title, and absent where it says nothing.

    Only slots without a label are filled; a title that it could not be asked about stays as it is.

    Args:
        rows: partly labelled.
        llm: is asked.
        count: how many titles.
        seed: of the choice.
    """
    chosen = sorted(generator(seed, "bootstrap titles").permutation(len(rows))[:count].tolist())
    labelled = list(rows)
    for i, mentions in zip(chosen, llm.answers([rows[i].product for i in chosen]), strict=True):
        if mentions is None:
            continue
        own = {attribute_of(name): name for name in rows[i].values}
        said: dict[str, frozenset[str]] = {}
        for name in llm.attributes[""]:
            attribute = attribute_of(name)
            if attribute not in own:
                said[name] = frozenset(m.raw for m in mentions if m.attribute == attribute and m.field == "title")
        labelled[i] = replace(rows[i], values={**rows[i].values, **said})
    return labelled


def _with(row: GoldRow, given: dict[str, frozenset[str]]) -> GoldRow:
    names = {attribute_of(name): name for name in row.values}
    return replace(row, values={**row.values, **{names.get(attribute, attribute): values for attribute, values in given.items()}})
