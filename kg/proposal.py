"""A first `clew.toml` for files that nobody has described yet: what each column seems to be, to be read by a person."""

from __future__ import annotations

import itertools
import json
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kg.catalogue import PriceParser, read_catalogue
from kg.chunks import ColumnChunk
from kg.config import CatalogueColumns, CatalogueSource, EventColumns, EventsSource
from kg.errors import InputError
from kg.event_files import first_events
from kg.mapping import guess_catalogue, guess_events, looks_like_keys, required
from kg.readers import read_chunks, sample
from kg.rejects import Rejects
from kg.values import text_list
from kg.whole_files import write_whole

_SHOWN = 5
_ASKED = 200  # events whose products are looked up in the catalogue

_OPTIONAL = {
    "description": "longer text",
    "brand": "read out of titles when there is no column",
    "material": "read out of titles when there is no column",
    "category": '"A > B" is a path in a tree, "A|B" a set',
    "color": "",
    "size": "",
    "price": "a number, or text such as 12,99 €",
    "currency": "ISO 4217 code",
    "available": "yes/no, in stock, or the number in stock",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What `clew init` found.

    Args:
        catalogue, events: role → column, in the order of the file that is written.
        products, actions: the first rows as they were read: role → text.
        unused: columns of the catalogue and of the events that nothing reads.
        matched: of the events looked up, how many name a product of the catalogue; None without events.
        asked: how many were looked up.
        rejected: of the catalogue's rows, those set aside before the first ones were read, with their reason.
        text: the content of `clew.toml`.
    """

    catalogue: Mapping[str, str]
    events: Mapping[str, str]
    products: Sequence[Mapping[str, str]]
    actions: Sequence[Mapping[str, str]]
    unused: Mapping[str, Sequence[str]]
    matched: int | None
    asked: int
    rejected: Mapping[str, int]
    text: str


def propose(catalogue: Sequence[Path], events: Sequence[Path], folder: Path, price_parser: PriceParser | None = None) -> Proposal:
    """Look at files and propose a configuration for them.

    Args:
        catalogue: files of products (at least one); the mapping is guessed from the first.
        events: files of events, or none.
        folder: where `clew.toml` will lie; its paths are relative to it.
        price_parser: reads prices out of text.

    Raises:
        InputError: a file cannot be read, or nothing in it looks like a key, a title or a person.
    """
    names, rows = sample(catalogue[0])
    columns = guess_catalogue(names, rows)
    event_names, event_rows = sample(events[0]) if events else ([], [])
    event_roles = guess_events(event_names, event_rows) if events else {}
    matched, asked = None, 0
    if events and "item" in event_roles:
        wanted = [text for text in text_list([row.get(event_roles["item"]) for row in event_rows[:_ASKED]]) if text]
        asked = len(wanted)
        columns, matched = _key_that_matches(catalogue, columns, names, rows, wanted)
    required(columns, ("item", "title"), str(catalogue[0]), names, "[catalogue]")
    if events:
        required(event_roles, ("user", "item"), str(events[0]), event_names, "[events]")
    source = CatalogueSource(columns=CatalogueColumns.model_validate(columns))
    rejects = Rejects()
    products = list(itertools.islice(read_catalogue([catalogue[0]], source, rejects, price_parser=price_parser), _SHOWN))
    return Proposal(
        catalogue=columns,
        events=event_roles,
        products=[_shown_product(product) for product in products],
        actions=_shown_events(events[0], event_roles) if events else [],
        unused={
            "catalogue": [name for name in names if name not in columns.values()],
            "events": [name for name in event_names if name not in event_roles.values()],
        },
        matched=matched,
        asked=asked,
        rejected=dict(rejects.reasons),
        text=_text(catalogue, columns, names, rows, events, event_roles, event_names, event_rows, folder),
    )


def _key_that_matches(
    files: Sequence[Path], columns: dict[str, str], names: Sequence[str], rows: Sequence[Mapping[str, Any]], wanted: Sequence[str]
) -> tuple[dict[str, str], int]:
    """The mapping with the key column that the events name products by, and how many of the asked events it answers.

    A catalogue often has several keys (a number, an ASIN, a SKU); which one counts is what the events say.
    """
    taken = {column for role, column in columns.items() if role != "item"}
    candidates = [name for name in names if name not in taken and (name == columns.get("item") or looks_like_keys(rows, name))]
    if not candidates:
        return columns, 0
    asked = set(wanted)
    hits: dict[str, set[str]] = {name: set() for name in candidates}
    for file in files:
        for chunk in read_chunks(file, Rejects()):
            present = set(chunk.names()) if isinstance(chunk, ColumnChunk) else set(candidates)
            for name in present & set(candidates):
                hits[name] |= asked.intersection(text for text in text_list(chunk.column(name)) if text)
    counts = {name: sum(text in hits[name] for text in wanted) for name in candidates}
    best = max(candidates, key=lambda name: (counts[name], name == columns.get("item")))
    ordered = {"item": best, **{role: column for role, column in columns.items() if role != "item"}}
    return ordered, counts[best]


def _shown_product(product: Any) -> dict[str, str]:
    shown = {"item": product.key, "title": product.title, **product.fields}
    if product.price is not None:
        price = product.price
        bounds = dict.fromkeys(f"{bound:g}" for bound in (price.low, price.high) if bound is not None)
        shown["price"] = "–".join(bounds) + (f" {price.currency}" if price.currency else "")
    if not product.available:
        shown["available"] = "no"
    return shown


def _shown_events(file: Path, roles: Mapping[str, str]) -> list[dict[str, str]]:
    import datetime

    columns, table = first_events(file, EventsSource(columns=EventColumns.model_validate(roles)), _SHOWN)
    shown = []
    for row in table.to_pylist():
        moment = row.pop("time")
        if moment is not None:
            when = datetime.datetime.fromtimestamp(moment, datetime.UTC)
            row["order" if columns.order else "time"] = str(moment) if columns.order else f"{when:%Y-%m-%d %H:%M:%S}"
        shown.append({role: f"{value:g}" if isinstance(value, float) else str(value) for role, value in row.items()})
    return shown


def _text(
    catalogue: Sequence[Path],
    columns: Mapping[str, str],
    names: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    events: Sequence[Path],
    event_roles: Mapping[str, str],
    event_names: Sequence[str],
    event_rows: Sequence[Mapping[str, Any]],
    folder: Path,
) -> str:
    lines = [
        "# What clew reads, and how. Written by `clew init`: a proposal, to be corrected by hand.",
        "# Paths start at this file's folder. A key that clew does not know is refused, with the nearest that it knows.",
        "",
        "[catalogue]",
        f"files = {_files(catalogue, folder)}",
        '# currency = "EUR"       # of prices that carry none',
        "# max_price = 1e9        # a higher price is a mistake, its row is set aside",
        "",
        "[catalogue.columns]      # what it is = the column that holds it",
        *_mapped(columns, rows),
        *(f'# {role} = ""{f"  # {hint}" if hint else ""}' for role, hint in _OPTIONAL.items() if role not in columns),
        *_unused(names, columns),
    ]
    if events:
        lines += [
            "",
            "[events]",
            f"files = {_files(events, folder)}",
            '# kind = "purchase"      # of events that carry none: purchase, view, cart or rating',
            '# timezone = "UTC"       # of times that carry none',
            "# allow_future = false",
            "",
            "[events.columns]",
            *_mapped(event_roles, event_rows),
            *_unused(event_names, event_roles),
        ]
    lines += [
        "",
        "[recommend]",
        "# k = 10",
        "# max_per_brand = 3",
        '# exclude = "deny.txt"   # product keys never to recommend, one a line',
        "",
    ]
    return "\n".join(lines)


def _files(files: Sequence[Path], folder: Path) -> str:
    relative = (os.path.relpath(file.absolute(), folder.absolute()) for file in files)
    return "[" + ", ".join(_quoted(Path(path).as_posix()) for path in relative) + "]"


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's is one, but for DEL, which TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _mapped(roles: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for role, column in roles.items():
        setting = f"{role} = {_quoted(column)}"
        values = dict.fromkeys(" ".join(text.split())[:40] for row in rows[:50] if (text := _shown(row.get(column))))
        example = " · ".join(itertools.islice((value for value in values if value.isprintable()), 2))
        lines.append(f"{setting}{' ' * max(0, 24 - _columns(setting))} # {example}" if example else setting)
    return lines


def _columns(text: str) -> int:
    """How wide the text is on a terminal, where Chinese and its neighbours take two columns a character."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _shown(value: Any) -> str:
    return (text_list([value])[0] or "").strip()


def _unused(names: Sequence[str], roles: Mapping[str, str]) -> list[str]:
    unused = [name for name in names if name not in roles.values()]
    return [f"# not read: {', '.join(_quoted(name) for name in unused)}"] if unused else []


def write_config(path: Path, text: str, force: bool) -> None:
    """Write a configuration file, whole or not at all.

    Raises:
        InputError: one is there and `force` is not set.
    """
    if path.exists() and not force:
        raise InputError(f"{path} exists already.", "Edit it, or write it anew with --force.")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text)
