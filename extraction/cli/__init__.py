"""`clew extract`: the extractor on its own, without a graph."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from extraction.cli.review import review
from extraction.cli.teach import reader_of, score, train
from kg.cli.common import Session, command_options
from kg.whole_files import whole_file

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
@click.option("--extractor", help="What reads [default: tagger with --model, else rules].")
@click.option("--model", type=click.Path(path_type=Path), help="Folder of a trained tagger.")
@click.option("--llm-budget", metavar="LIMIT", help='What a language model may be asked: "20%", "50k tokens", "2.50 USD".')
@click.option("--bootstrap", type=click.IntRange(min=1), metavar="N", help="Ask a language model about N titles to teach `trained` with.")
@click.option("--learn", multiple=True, metavar="FILE", help="Catalogue to learn brands from [default: the file itself].")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(min=1), help="Read with so many processes, one a core.")
@click.option("--html", type=click.Path(path_type=Path), help=f"Also write a page with the first {PICTURED} titles, mentions marked.")
@click.option("--rejects", "rejects_file", type=click.Path(path_type=Path), help="Where rows that cannot be read go.")
@click.option("--max-rejects", type=click.IntRange(min=0), help="Stop when more rows than this cannot be read.")
@command_options
def run(
    session: Session,
    file: str,
    out: str,
    extractor: str | None,
    model: Path | None,
    llm_budget: str | None,
    bootstrap: int | None,
    learn: tuple[str, ...],
    processes: int,
    html: Path | None,
    rejects_file: Path | None,
    max_rejects: int | None,
) -> None:
    """Mentions of every product of FILE (CSV, JSONL, Parquet, … or `-` for JSONL on standard input).

    FILE is read twice, to learn from it and to read its products; it may be larger than the memory.
    """
    from extraction.parallel import read_on_cores
    from extraction.reading import products_to_learn, read_products, thinned
    from kg.rejects import Rejects

    progress = session.progress()
    with Rejects(rejects_file, max_rejects) as rejects, _readable_twice(file) as source:
        with progress.stage("reading"):
            taught = (p for name in learn for p in products_to_learn(name, progress)) if learn else read_products(source, Rejects(), file)
            learned, total = thinned(taught)
        with progress.stage("learning"):
            reader = reader_of(extractor, learned, model, progress, session, llm_budget, bootstrap)
        counted = mentions_written = 0
        pictured: list[tuple[Product, list[Mention]]] = []
        with progress.stage("extracting", None if learn else total) as advance, _output(out) as stream:
            for product, mentions in read_on_cores(reader, read_products(source, rejects, file), processes):
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
def _readable_twice(file: str) -> Iterator[str]:
    """The file; standard input as a file that is gone afterwards, because it is learned from before it is read."""
    if file != "-":
        yield file
        return
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.flush()
        yield kept.name


@contextlib.contextmanager
def _output(out: str) -> Iterator[IO[str]]:
    """The file, which appears whole or not at all; or standard output."""
    if out == "-":
        yield sys.stdout
        return
    with whole_file(Path(out)) as temporary, temporary.open("w", encoding="utf-8") as stream:
        yield stream


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


extract.add_command(train)
extract.add_command(score)
extract.add_command(review)
