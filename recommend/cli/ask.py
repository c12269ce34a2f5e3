"""`clew recommend`: the one ask, cold or warm."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kg.cli.common import Session, command_options
from kg.errors import UsageError
from kg.whole_files import whole_file
from recommend.request import LANGUAGES, Repeat, Request

if TYPE_CHECKING:
    from kg.config import RecommendConfig
    from recommend.faithful import Check
    from recommend.result import Answer, NewProductAnswer
    from recommend.service import Recommender


def setting_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that shape an answer, whatever is asked; what is not given comes from `clew.toml`."""
    options = (
        click.option("--explain", "explain", type=int, help="How many paths to show for each.  [default: 3]"),
        click.option("--lang", type=click.Choice(LANGUAGES), help="Language of the reasons.  [default: en]"),
        click.option(
            "--polish", is_flag=True, help="Let the language model of CLEW_LLM_* put the reasons more fluently; it may claim no more."
        ),
        click.option("--exclude", type=click.Path(path_type=Path), help="Deny list: one product key a line."),
        click.option("--repeat", type=click.Choice([str(r) for r in Repeat]), help="May products already bought come back?  [default: no]"),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command()
@click.option("--user", help="A person of the graph.")
@click.option("--history", help="Product keys with commas: a session, or a newcomer.")
@click.option("--item", help="A product: what is like it?")
@click.option("--text", help="Words: what fits them?")
@click.option("--new-product", "new_product", metavar="FILE", help="A product that nobody has yet: who would want it? (- for JSON lines)")
@click.option("--all-users", is_flag=True, help="Everybody, into --out.")
@click.option("--out", type=click.Path(path_type=Path), help="With --all-users: .jsonl or .parquet.")
@click.option("-k", "k", type=int, help="How many.  [default: 10]")
@click.option("--where", default="", help="A condition, such as: price <= 30 and brand in (lego, brio) and not title ~ refill")
@click.option("--max-per-brand", type=int, help="At most so many of one brand.")
@click.option("--all", "all_paths", is_flag=True, help="Show every path of every score.")
@click.option("--check", is_flag=True, help="With --new-product: take the first person's strongest fact out of the graph and rank again.")
@setting_options
@command_options
def recommend(session: Session, **options: Any) -> None:
    """Recommend, for anyone and anything, with reasons."""
    from recommend.service import Recommender

    questions = [name for name in ("user", "history", "item", "text", "new_product") if options[name] is not None]
    asked = len(questions) + bool(options["all_users"])
    if asked != 1:
        raise UsageError(
            "Ask one of --user, --history, --item, --text, --new-product and --all-users.", "Such as: clew recommend --user KEY"
        )
    if options["all_users"] != (options["out"] is not None):
        raise UsageError("--all-users and --out FILE go together.", "Such as: clew recommend --all-users --out all.jsonl")
    if options["check"] and options["new_product"] is None:
        raise UsageError("--check goes with --new-product.", "Of a recommendation: clew explain USER ITEM --check")
    if options["polish"] and (options["all_users"] or options["new_product"] is not None):
        raise UsageError("--polish goes with --user, --history, --item or --text.", "Such as: clew recommend --user KEY --polish")
    settings = request_settings(session, options)
    settings |= {name: options[name] for name in ("where", "all_paths")}
    recommender = Recommender.open(session.workspace)
    if options["all_users"]:
        _everybody(session, recommender, Request(user_key="", **settings), options["out"])
    elif options["new_product"] is not None:
        _new_products(session, recommender, options["new_product"], settings, options["check"])
    else:
        history = None if options["history"] is None else options["history"].split(",")
        answer = recommender.recommend(user=options["user"], history=history, item=options["item"], text=options["text"], **settings)
        _print(session, polished(session, recommender, answer) if options["polish"] else answer)


def polished(session: Session, recommender: Recommender, answer: Answer) -> Answer:
    """The answer with reasons that the configured language model put more fluently.

    Raises:
        EngineError: no model is configured, or it cannot be reached.
    """
    from extraction.llm_choice import language_model
    from extraction.llm_config import LlmConfig
    from kg.config import Config

    file = session.workspace / "clew.toml"
    table = Config.load(file).extraction.llm if file.is_file() else None
    return recommender.polish(answer, language_model(LlmConfig.from_environment(table), session.progress().note))


def request_settings(session: Session, options: dict[str, Any]) -> dict[str, Any]:
    """Settings of a request: those of the command line, else those of `clew.toml`, else the defaults."""
    defaults = _configured(session)
    made: dict[str, Any] = {}
    for name, configured in (
        ("k", "k"),
        ("explain", "explain"),
        ("repeat", "repeat"),
        ("lang", "language"),
        ("max_per_brand", "max_per_brand"),
    ):
        value = options.get(name)
        if value is None and defaults is not None:
            value = getattr(defaults, configured)
        if value is not None:
            made[name] = value
    exclude = options.get("exclude") or (Path(defaults.exclude) if defaults is not None and defaults.exclude else None)
    if exclude is not None:
        from recommend.filters import read_keys

        made["exclude"] = read_keys(exclude)
    if defaults is not None and defaults.out_of_stock:
        made["out_of_stock"] = True
    return made


_TABLES = frozenset({"catalogue", "events", "triples", "extraction", "train"})


def _configured(session: Session) -> RecommendConfig | None:
    """`[recommend]` of clew.toml; a file that has only tables that say nothing of answers is not validated, which takes a while."""
    file = session.workspace / "clew.toml"
    if not file.is_file():
        return None
    try:
        silent = tomllib.loads(file.read_text(encoding="utf-8")).keys() <= _TABLES
    except (OSError, ValueError):
        silent = False  # loading it below says what is wrong
    if silent:
        return None
    from kg.config import Config

    return Config.load(file).recommend


def _print(session: Session, answer: Answer) -> None:
    from recommend.cli.show import answer_text

    session.emit(answer.to_dict(), partial(answer_text, answer))


def _new_products(session: Session, recommender: Recommender, path: str, settings: dict[str, Any], checked: bool) -> None:
    from kg.config import Config
    from recommend.new_item import read_new_products

    file = session.workspace / "clew.toml"
    products = read_new_products(path, Config.load(file) if file.is_file() else Config())
    with session.progress().stage("reading attributes", len(products)) as advance:
        answers: list[tuple[NewProductAnswer, Check | None]] = []
        for product in products:
            answer = recommender.new_product(product, **settings)
            answers.append((answer, recommender.check_new(answer) if checked and answer.users else None))
            advance(1)
    documents = [answer.to_dict() | ({} if found is None else {"check": found.to_dict()}) for answer, found in answers]
    session.emit(documents[0] if len(documents) == 1 else documents, partial(_new_text, answers))


def _new_text(answers: list[tuple[NewProductAnswer, Check | None]]) -> str:
    from recommend.cli.show import check_table, new_product_text

    return "\n\n".join(new_product_text(answer, () if found is None else check_table(found)) for answer, found in answers)


def _everybody(session: Session, recommender: Recommender, request: Request, out: Path) -> None:
    if not out.name.endswith((".jsonl", ".parquet")):
        raise UsageError(f"{out} is neither .jsonl nor .parquet.", "Name the file all.jsonl or all.parquet.")
    total = recommender.snapshot.n_users
    with session.progress().stage("recommending", total) as advance, whole_file(out) as part:
        answers = _counted(recommender.ask_all(request), advance)
        items = _write_parquet(part, answers) if out.suffix == ".parquet" else _write_lines(part, answers)
    session.emit(
        {"schema_version": 1, "users": total, "items": items, "out": str(out)},
        lambda: f"{items:,} recommendations for {total:,} people in {out}",
    )


def _counted(answers: Iterable[Answer], advance: Callable[[int], None]) -> Iterator[Answer]:
    for answer in answers:
        yield answer
        advance(1)


def _write_lines(part: Path, answers: Iterable[Answer]) -> int:
    items = 0
    with part.open("w", encoding="utf-8") as file:
        for answer in answers:
            file.write(json.dumps(answer.to_dict(), ensure_ascii=False, allow_nan=False) + "\n")
            items += len(answer.items)
    return items


def _write_parquet(part: Path, answers: Iterable[Answer]) -> int:
    """One row a recommendation; paths and rest as JSON text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("user_key", "branch")),
            ("rank", pa.int32()),
            *((name, pa.string()) for name in ("item_key", "title")),
            ("score", pa.float64()),
            ("cold", pa.bool_()),
            *((name, pa.string()) for name in ("reason", "paths", "rest")),
        ]
    )
    items = 0
    with pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for answer in answers:
            rows = [_row(answer, item) for item in answer.to_dict()["items"]]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            items += len(rows)
    return items


def _row(answer: Answer, item: dict[str, Any]) -> dict[str, Any]:
    kept = {name: item[name] for name in ("rank", "item_key", "title", "score", "cold", "reason")}
    packed = {name: json.dumps(item[name], ensure_ascii=False) for name in ("paths", "rest")}
    return {"user_key": answer.request.user_key, "branch": str(answer.branch), **kept, **packed}
