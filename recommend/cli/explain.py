"""`clew explain`: every part of one score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kg.cli.common import Session, command_options
from kg.errors import UsageError
from kg.whole_files import write_whole
from recommend.cli.ask import polished, request_settings, setting_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from recommend.result import Answer
    from recommend.service import Recommender


@click.command()
@click.argument("who_and_what", nargs=-1, metavar="[USER] ITEM")
@click.option("--history", help="Product keys with commas, in place of USER.")
@click.option("--all", "all_paths", is_flag=True, help="Every path, one by one.")
@click.option("--check", "check", is_flag=True, help="Take the strongest fact out of the graph and rank again.")
@click.option("--what-if", "what_if", metavar="FACT", help="The rank if one more fact held, such as MADE_OF=material:cotton.")
@click.option(
    "--cypher", "cypher", is_flag=True, help="The query that finds these paths in Neo4j Browser with what each adds, parameters included."
)
@click.option("--out", "out", help="Draw it: .svg and .html files, with commas.")
@click.option("--why-not", "why_not", is_flag=True, help="What is missing against the product on place k.")
@click.option("-k", "k", type=int, help="The place of --why-not.  [default: 10]")
@setting_options
@command_options
def explain(session: Session, who_and_what: tuple[str, ...], history: str | None, **options: Any) -> None:
    """Why ITEM is recommended to USER (or to a session): every part of the score."""
    from recommend.service import Recommender

    files = _files(options["out"])
    wanted = 1 if history is not None else 2
    if len(who_and_what) != wanted:
        example = "clew explain --history KEY,KEY ITEM" if history is not None else "clew explain USER ITEM"
        raise UsageError(f"An explanation needs {'one product' if wanted == 1 else 'a user and a product'}.", f"Such as: {example}")
    recommender = Recommender.open(session.workspace)
    settings = {**request_settings(session, options), "all_paths": options["all_paths"]}
    keys = None if history is None else history.split(",")
    user = None if history is not None else who_and_what[0]
    answer = recommender.explain(who_and_what[-1], user=user, history=keys, **settings)
    if options["polish"]:
        answer = polished(session, recommender, answer)
    document = answer.to_dict()
    extra: list[RenderableType] = []
    if options["why_not"]:
        _why_not(recommender, answer, document, extra)
    if options["check"]:
        _check(recommender, answer, document, extra)
    if options["what_if"] is not None:
        _what_if(recommender, answer, options["what_if"], document, extra)
    if options["cypher"]:
        _cypher(recommender, answer, document, extra, options["what_if"])
    for file in files:
        _draw(answer, file)
    session.emit(document, lambda: _text(answer, extra))


def _draw(answer: Answer, file: Path) -> None:
    from recommend.draw import html, svg

    write_whole(file, svg(answer) if file.suffix == ".svg" else html(answer))


def _files(out: str | None) -> list[Path]:
    files = [Path(name.strip()) for name in (out or "").split(",") if name.strip()]
    for file in files:
        if file.suffix not in (".svg", ".html"):
            raise UsageError(f"{file} is neither .svg nor .html.", "Such as: --out why.svg,why.html")
    return files


def _cypher(recommender: Recommender, answer: Answer, document: dict[str, Any], extra: list[RenderableType], what_if: str | None) -> None:
    from cypher.query import library
    from recommend.cli.show import text
    from recommend.contributions import explaining_query, paste

    if answer.request.user_key is None:
        raise UsageError("A session is not in the graph, so no query finds its paths.", "Ask for a user: clew explain USER ITEM --cypher")
    graph, both = recommender.snapshot, {"user": answer.request.user_key, "item": answer.items[0].item_key}
    whole, given = explaining_query(recommender.scorer, graph.users.row(both["user"]), graph.items.row(both["item"]))
    queries: list[tuple[str, str, dict[str, Any]]] = [("contributions", whole, given)]
    if "why_not" in document:
        queries.append(("why_not", library()["why_not"].text, both | {"against": document["why_not"]["against"]}))
    if what_if is not None:
        queries.append(("what_if", library()["what_if"].text, both | {"entity": document["what_if"]["fact"]["to"]}))
    document["query"] = {"name": queries[0][0], "text": whole, "parameters": given}
    document["queries"] = [{"name": name, "text": query, "parameters": values} for name, query, values in queries]
    for _, query, values in queries:
        extra += ["", *(text(line) for line in paste(query, values))]


def _text(answer: Answer, extra: list[RenderableType]) -> str:
    from recommend.cli.show import explanation_text

    return explanation_text(answer, extra)


def _why_not(recommender: Recommender, answer: Answer, document: dict[str, Any], extra: list[RenderableType]) -> None:
    from recommend.cli.show import table, text

    found = recommender.why_not(answer)
    document["why_not"] = found.to_dict()
    rows = [(part.part, f"{part.here:.4f}", f"{part.there:.4f}", f"{part.there - part.here:+.4f}") for part in found.missing]
    extra += ["", text(found.sentence, "bold"), table(("part", "this", f"rank {found.k}", "short of"), rows)]


def _check(recommender: Recommender, answer: Answer, document: dict[str, Any], extra: list[RenderableType]) -> None:
    from recommend.cli.show import check_table

    found = recommender.check(answer)
    document["check"] = found.to_dict()
    extra += check_table(found, answer.items[0].score)


def _what_if(recommender: Recommender, answer: Answer, statement: str, document: dict[str, Any], extra: list[RenderableType]) -> None:
    from recommend.cli.show import text

    found = recommender.what_if(answer, statement)
    document["what_if"] = found.to_dict()
    told = f"With {found.fact['type']} {found.fact['to']} it would be on rank {found.rank_after} ({found.score_after:.4f})"
    extra += ["", text(f"{told}, not {found.rank_before} ({found.score_before:.4f}).", "bold")]
