"""`clew demo`: the main job on the bundled real data, from files to explained recommendations."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kg.cli.common import Session, command_options
from kg.ontology import Label

if TYPE_CHECKING:
    from rich.console import RenderableType

    from recommend.demo import Demo, Span, Table
    from recommend.service import Recommender

DEFAULT = Path("clew-demo")


@click.command()
@command_options
def demo(session: Session) -> None:
    """The main job on the bundled real data, in the workspace ./clew-demo.

    Real purchases of a real shop become a graph and a model on this machine; then ten recommendations with reasons, a product
    that nobody has bought yet, a newcomer with two purchases, and how good all this is. A second run uses what is there.
    """
    from kg.workspace import Workspace
    from recommend.demo import Demo

    if click.get_current_context().get_parameter_source("workspace") is click.core.ParameterSource.DEFAULT:
        session = Session(DEFAULT, session.as_json, session.quiet, session.verbose)
    run = Demo(Workspace(session.workspace), session.progress())
    shown = _Show(session, run)
    shown.prepare()
    shown.answers()
    shown.evaluation()
    shown.end()


class _Show:
    """Runs the stages one after the other and says what came out of each."""

    def __init__(self, session: Session, run: Demo) -> None:
        self._session, self._run = session, run
        self._seconds: dict[str, float] = {}
        self._document: dict[str, Any] = {"schema_version": 1, "workspace": str(session.workspace)}
        self._place = "" if session.workspace == Path("clew-data") else f" -w {session.workspace}"

    def _say(self, *parts: RenderableType) -> None:
        from recommend.cli.show import rendered

        if not self._session.as_json:
            click.echo(rendered(*parts))

    def _head(self, title: str) -> None:
        from recommend.cli.show import text

        self._say("", text(title, "bold"), text("─" * min(len(title), 40), "dim"))

    def _timed(self, name: str, started: float) -> None:
        self._seconds[name] = round(time.perf_counter() - started, 1)

    def prepare(self) -> None:
        """Files → graph → model, or what an earlier run left."""
        from recommend.cli.show import text
        from recommend.demo import CUT

        found = self._run.ready()
        self._document["reused"] = found is not None
        if found is not None:
            self._recommender = found
            self._say(
                text(f"The graph and the model in {self._session.workspace} are those of an earlier run; delete the folder to start anew.")
            )
            return
        self._say(
            text("A real shop: what volunteers in the United States bought on Amazon (Open e-commerce 1.0, CC0)."),
            text(f"Purchases up to {CUT} make the graph; the later ones are kept to test with. Everything is computed here and now."),
        )
        started = time.perf_counter()
        kept, later = self._run.lay_out()
        report = self._run.ingest()
        self._timed("graph", started)
        started = time.perf_counter()
        self._recommender = self._run.train()
        self._timed("model", started)
        graph = self._recommender
        unsold = int((~graph.scorer.seen).sum())
        made = {name: f"{report.nodes.get(name, 0):,}" for name in (Label.PRODUCT, Label.USER, Label.BRAND, Label.MATERIAL, Label.COLOR)}
        self._document["graph"] = {
            "nodes": dict(report.nodes),
            "edges": dict(report.edges),
            "never_bought": unsold,
            "kept_purchases": later,
        }
        self._say(
            text(f"{made[Label.PRODUCT]} products ({unsold:,} never bought so far), {kept:,} purchases by {made[Label.USER]} people."),
            text(f"Read out of the titles: {made[Label.BRAND]} brands, {made[Label.MATERIAL]} materials, {made[Label.COLOR]} colours."),
        )
        read = self._run.read_titles()
        self._document["read"] = [{"title": title, "spans": [asdict(span) for span in spans]} for title, spans in read]
        self._say("", *(line for title, spans in read for line in marked(title, spans)))

    def answers(self) -> None:
        """Ten recommendations, one of them put to the test, a product that nobody has, a newcomer."""
        from recommend.cli.show import answer_text, check_table, new_product_text
        from recommend.demo import NEW_PRODUCT, NEWCOMER

        started = time.perf_counter()
        recommender = self._recommender
        self._shopper = shopper = self._run.cold_example(recommender)
        ten, new, newcomer = (
            recommender.recommend(user=shopper, k=10),
            recommender.new_product(self._run.new_product(), k=3),
            recommender.recommend(history=NEWCOMER, k=5),
        )
        first = recommender.explain(ten.items[0].item_key, user=shopper)
        checked = recommender.check(first)
        self._timed("answers", started)
        self._ten = ten
        self._document["check"] = checked.to_dict()
        self._document |= {"shopper": ten.to_dict(), "new_product": new.to_dict(), "newcomer": newcomer.to_dict()}
        if self._session.as_json:
            return
        self._head(f"Ten recommendations for the shopper {shopper}")
        self._say(self._bought(recommender, shopper), "")
        click.echo(answer_text(ten))
        self._head("Is the first of them there for the reason given?")
        self._say(*check_table(checked, first.items[0].score)[1:])
        self._head("A brand-new product, typed in as JSON")
        self._say(_plain(NEW_PRODUCT), "")
        click.echo(new_product_text(new))
        self._head("A newcomer with two purchases")
        titles = [recommender.snapshot.title(recommender.snapshot.items.row(key)) for key in NEWCOMER]
        self._say(_plain("bought: " + "; ".join(titles)), "")
        click.echo(answer_text(newcomer))

    def _bought(self, recommender: Recommender, shopper: str) -> RenderableType:
        from recommend.wording import short_title

        graph = recommender.snapshot
        rows = dict.fromkeys(graph.events.of_user(graph.users.row(shopper)).item_rows[::-1].tolist())
        last = "; ".join(short_title(graph.title(row)) for row in list(rows)[:4])
        return _plain(f"has {len(rows)} products, the latest: {last}")

    def evaluation(self) -> None:
        """The table."""
        from recommend.demo import CUT, K

        started = time.perf_counter()
        found, reused = self._run.table(self._recommender)
        self._timed("evaluation", started)
        self._document["evaluation"] = found.to_dict() | {"reused": reused}
        self._head(f"How good is it? Purchases after {CUT}, which nothing here has seen")
        people = {row.task: row.users for row in found.rows}
        told = ", ".join(f"{people[task]} people for {task}" for task in ("cold", "warm", "all"))
        self._say(
            _plain(f"Every product is ranked. Recall@{K} / NDCG@{K} in %, {told}. cold: products never bought before; warm: the others."),
            figures(found),
            *(_plain(line) for line in differences(found)),
        )
        if reused:
            self._say(_plain("(figures of the earlier run of this model)"))

    def end(self) -> None:
        """What to try next, and what it took."""
        from recommend.cli.show import text

        item = self._ten.items[0].item_key
        commands = [
            f"clew explain {self._shopper} {item} --check{self._place}",
            f'clew recommend --text "stainless steel water bottle" --where "price <= 25"{self._place}',
            f"clew cypher list{self._place}",
        ]
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self._document |= {"next": commands, "seconds": self._seconds, "peak_mb": round(memory)}
        self._head("Try next")
        if not self._session.as_json:
            click.echo("\n".join(commands))  # not folded: they are to be copied
        took = ", ".join(f"{name} {seconds:g} s" for name, seconds in self._seconds.items())
        self._say("", text(f"It took: {took}; {memory / 1000:.1f} GB of memory at most.", "dim"))
        if self._session.as_json:
            self._session.emit(self._document, lambda: "")


def marked(title: str, spans: Sequence[Span]) -> list[RenderableType]:
    """A title with the characters underlined that something was read out of, and what that was."""
    from rich.text import Text

    shown = Text(title)
    for span in spans:
        shown.stylize("underline", span.start, span.end)
    told = [f"{span.attribute} {span.value} ({title[span.start : span.end]!r}, {span.confidence:.0%} sure)" for span in spans]
    return [shown, Text("  " + " · ".join(told), "dim")]


def _plain(line: str) -> RenderableType:
    from recommend.cli.show import text

    return text(line)


def figures(found: Table) -> RenderableType:
    """The evaluation as a table: a ranker a row, a kind of products a column."""
    from recommend.cli.show import table
    from recommend.demo import RANKERS, TASKS

    cells = {(row.ranker, row.task): f"{100 * row.recall:.2f} / {100 * row.ndcg:.2f}" for row in found.rows}
    return table(("", *TASKS), [(name, *(cells[name, task] for task in TASKS)) for name in RANKERS if (name, TASKS[0]) in cells])


def differences(found: Table) -> list[str]:
    """One line a kind of products: clew against the best simple ranker, with the interval of the difference."""
    return [
        f"{one.task}: clew is {100 * one.ndcg:+.2f} NDCG against {one.against} (95 %: {100 * one.low:+.2f} to {100 * one.high:+.2f})"
        for one in found.differences
    ]
