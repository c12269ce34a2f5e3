"""`clew extract review`: a person looks at the least sure facts, and at brands that may be one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kg.cli.common import Session, command_options

if TYPE_CHECKING:
    from extraction.review import Doubt, Pair

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Question:
    """What a person is shown, and by key what the answer becomes; keys are told in their order."""

    shown: str
    answers: Mapping[str, Callable[[], Entry]]
    keys: str


@click.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="At most so many.")
@click.option("--same", is_flag=True, help="Look at brands that may be one (SAME_AS) instead of facts.")
@command_options
def review(session: Session, limit: int, same: bool) -> None:
    """Look at the least sure facts, the most used products first; keys accept, correct, reject, and take the last answer back.

    Answers are corrections of the workspace: they outlive every ingest, and `clew extract train --corrections` learns from them. With
    --same brands are joined or told apart, which a later answer can undo. With --json the queue is printed and nothing is asked.
    """
    from extraction.corrections import read_corrections
    from extraction.review import pairs, queue
    from kg.truth import Truth
    from kg.workspace import Workspace

    workspace = Workspace(session.workspace).open()
    tables, said = Truth(workspace.graph).tables(), read_corrections(workspace.corrections_file)
    if same:
        alike = pairs(tables, said, limit)
        listed, questions = [pair.to_dict() for pair in alike], [_about_pair(pair) for pair in alike]
    else:
        doubts = queue(tables, said, limit)
        listed, questions = [doubt.to_dict() for doubt in doubts], [_about_fact(doubt) for doubt in doubts]
    if session.as_json:
        session.emit({"schema_version": 1, "pairs" if same else "facts": listed}, lambda: "")
        return
    count = _ask(questions, workspace.corrections_file)
    click.echo(f"{count} answers in {workspace.corrections_file}; `clew graph ingest` applies them.")


def _ask(questions: Sequence[_Question], file: Path) -> int:
    """Put the questions one after another; how many answers stand at the end."""
    from extraction.corrections import append_correction, taken_back

    given: list[tuple[int, Entry]] = []
    place = 0
    while place < len(questions):
        question = questions[place]
        click.echo(f"\n{place + 1}/{len(questions)}  {question.shown}\n  {question.keys}")
        key = _key(question)
        if key == "q":
            break
        if key == "u":
            if given:
                place, entry = given.pop()
                append_correction(file, taken_back(entry))
            continue
        if key != "s":
            entry = question.answers[key]()
            append_correction(file, entry)
            given.append((place, entry))
        place += 1
    return len(given)


def _about_fact(doubt: Doubt) -> _Question:
    from extraction.review import accepted, corrected, rejected

    seen = f"{doubt.worth - 1} events" if doubt.worth > 1 else "no event"
    shown = f"{doubt.attribute} = {doubt.entity}  ({doubt.confidence:.0%} sure, {seen})\n  {doubt.marked()}"
    answers: dict[str, Callable[[], Entry]] = {
        "a": lambda: accepted(doubt),
        "c": lambda: corrected(doubt, click.prompt("right value")),
        "r": lambda: rejected(doubt),
    }
    return _Question(shown, answers, "[a]ccept  [c]orrect  [r]eject  [s]kip  [u]ndo  [q]uit")


def _about_pair(pair: Pair) -> _Question:
    from extraction.review import joined, parted

    shown = (
        f"Is {pair.name!r} ({pair.products} products) the same as {pair.other_name!r} ({pair.other_products})?"
        f"  ({pair.score:.0%} alike)\n  {pair.entity}, {pair.other}"
    )
    answers: dict[str, Callable[[], Entry]] = {"a": lambda: joined(pair), "r": lambda: parted(pair)}
    return _Question(shown, answers, "[a] the same  [r] different  [s]kip  [u]ndo  [q]uit")


def _key(question: _Question) -> str:
    """One of the keys; others are asked again. The end of the input quits."""
    while True:
        try:
            key = click.getchar().lower()
        except EOFError:
            return "q"
        if key in question.answers or (key and key in "suq"):
            return key
        if key in ("", "\x04"):
            return "q"
        click.echo(question.keys)
