"""`clew extract`: the extractor on its own, without a graph."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from kg.cli.common import Session, command_options

if TYPE_CHECKING:
    from extraction.base import Mention
    from kg.model import Price, Product
    from kg.rejects import Rejects

PICTURED = 200


@click.group()
def extract() -> None:
    """Read attributes out of product text."""


@extract.command()
@click.argument("file")
@click.option("--out", required=True, help="Where the mentions go, a JSON object a line; `-` is standard output.")
@click.option("--extractor", default="rules", show_default=True, help="What reads.")
@click.option("--learn", multiple=True, metavar="FILE", help="Catalogue to learn brands from [default: the file itself].")
@click.option("--html", type=click.Path(path_type=Path), help=f"Also write a page with the first {PICTURED} titles, mentions marked.")
@click.option("--rejects", "rejects_file", type=click.Path(path_type=Path), help="Where rows that cannot be read go.")
@click.option("--max-rejects", type=click.IntRange(min=0), help="Stop when more rows than this cannot be read.")
@command_options
def run(
    session: Session,
    file: str,
    out: str,
    extractor: str,
    learn: tuple[str, ...],
    html: Path | None,
    rejects_file: Path | None,
    max_rejects: int | None,
) -> None:
    """Mentions of every product of FILE (CSV, JSONL, Parquet, … or `-` for JSONL on standard input)."""
    from extraction.base import build_extractor
    from extraction.reading import read_products
    from kg.rejects import Rejects

    progress = session.progress()
    with Rejects(rejects_file, max_rejects) as rejects:
        with progress.stage("reading"):
            products = list(read_products(file, rejects))
            taught = [p for name in learn for p in read_products(name, Rejects())] or products
        with progress.stage("learning"):
            reader = build_extractor(extractor, taught)
        counted = mentions_written = 0
        pictured: list[tuple[Product, list[Mention]]] = []
        with progress.stage("extracting", len(products)) as advance, _output(out) as stream:
            for product, mentions in zip(products, reader.extract(products), strict=True):
                stream.write(json.dumps({"key": product.key, "mentions": [m.to_dict() for m in mentions]}, ensure_ascii=False) + "\n")
                counted, mentions_written = counted + 1, mentions_written + len(mentions)
                if html and len(pictured) < PICTURED:
                    pictured.append((product, mentions))
                advance(1)
    if html:
        from extraction.show import page

        html.write_text(page(pictured), "utf-8")
    _tell(session, out, counted, mentions_written, rejects)


@contextlib.contextmanager
def _output(out: str) -> Iterator[IO[str]]:
    """The file, which appears whole or not at all; or standard output."""
    if out == "-":
        yield sys.stdout
        return
    path = Path(out)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            yield stream
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _tell(session: Session, out: str, products: int, mentions: int, rejects: Rejects) -> None:
    done = {"schema_version": 1, "out": out, "products": products, "mentions": mentions, "rejected": rejects.count}
    if rejects.count:
        first = rejects.first[0]
        session.progress().note(f"{rejects.count} rows were left out; the first: {first['file']}:{first['line']}, {first['reason']}.")
    if out != "-":
        session.emit(done, lambda: f"{mentions} mentions of {products} products in {out}")


@extract.command()
@click.argument("texts", nargs=-1, required=True, metavar="TEXT…")
@click.option("--currency", help="ISO 4217 code that $, ¥, kr or a bare number means here.")
@command_options
def price(session: Session, texts: tuple[str, ...], currency: str | None) -> None:
    """The price that each TEXT states, as JSON; `null` where it states none."""
    from extraction.price import parse_price

    if currency is not None:
        from babel.numbers import list_currencies

        from kg.errors import UnknownKeyError

        currency = currency.upper()
        if currency not in list_currencies():
            raise UnknownKeyError("currency", currency, list_currencies())
    found = [_document(parse_price(text, currency)) for text in texts]
    session.emit(found[0] if len(found) == 1 else found, lambda: "\n".join(json.dumps(one, ensure_ascii=False) for one in found))


def _document(price: Price | None) -> dict[str, Any] | None:
    return price.to_dict() if price else None


@extract.command()
@click.option("--gold", required=True, type=click.Path(path_type=Path), help="Labelled titles: input, category, target_scores.")
@click.option("--extractor", default="rules", show_default=True, help="What reads.")
@click.option("--learn", multiple=True, metavar="FILE", help="Catalogue to learn brands from [default: the gold file's titles].")
@click.option("--attribute", "attributes", multiple=True, help="Score this attribute only, as the gold file names it.")
@click.option("--errors", default=0, metavar="N", type=click.IntRange(min=0), help="Also list N slots of each attribute that are wrong.")
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
@command_options
def score(
    session: Session, gold: Path, extractor: str, learn: tuple[str, ...], attributes: tuple[str, ...], errors: int, seed: int
) -> None:
    """Precision, recall and F1 on labelled titles: the published protocol and the strict one."""
    from extraction.base import build_extractor
    from extraction.evaluate import check_attributes, misses, read_gold
    from extraction.evaluate import score as scored
    from extraction.reading import read_products
    from kg.rejects import Rejects

    rows = read_gold(gold)
    check_attributes(rows, attributes)
    taught = [p for name in learn for p in read_products(name, Rejects())] or [row.product for row in rows]
    reader = build_extractor(extractor, taught)
    answer = scored(reader, rows, seed, attributes or None)
    if errors:
        found = list(reader.extract([row.product for row in rows]))
        names = answer["published"]["attributes"]
        answer["errors"] = {name: [m.to_dict() for m in itertools.islice(misses(rows, found, name), errors)] for name in names}
    session.emit(answer, lambda: _table(answer))


def _table(answer: dict[str, Any]) -> str:
    lines = []
    for protocol in ("published", "strict"):
        lines.append(f"{protocol:<28}{'n':>6}{'P':>8}{'R':>8}{'F1':>8}  95 % interval")
        rows = [*answer[protocol]["attributes"].items(), ("all", answer[protocol]["all"])]
        for name, f in rows:
            low, high = f["ci95"]
            lines.append(f"{name:<28}{f['n']:>6}{f['precision']:>8.3f}{f['recall']:>8.3f}{f['f1']:>8.3f}  [{low:.3f}, {high:.3f}]")
        lines.append("")
    for name, listed in answer.get("errors", {}).items():
        lines.append(f"{name}: what was read wrong")
        lines += [
            f"  {e['kind']}: said {e['said']!r}, right is {' or '.join(map(repr, e['gold'])) or 'nothing'}: {e['title']}" for e in listed
        ]
        lines.append("")
    lines.append(f"{answer['titles_per_cpu_second']:.0f} titles a CPU-second")
    return "\n".join(lines)
