"""Every command can explain itself, and docs/commands.md says what they say (CLEW_UPDATE_GOLDENS=1 writes it again)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from recommend.cli import COMMANDS, cli

REFERENCE = Path(__file__).parents[2] / "docs" / "commands.md"
HEAD = """# Commands

Written by the tests from the commands themselves. Every command takes `--workspace/-w DIR` (or `CLEW_WORKSPACE`; `./clew-data` when
not given), `--json` (one JSON document on standard output; its schema: `clew schema`), `--quiet` and `--verbose`.
Exit codes: 0 done, 1 the input or the state is at fault, 2 the command line is at fault, 3 an engine or a part is missing,
130 interrupted (work so far is kept).
"""
COMMON = {"workspace", "as_json", "quiet", "verbose", "help"}


def commands(group: click.Group, path: tuple[str, ...] = ("clew",)) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=path[-1])
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None, f"{' '.join(path)} {name} is listed but cannot be loaded"
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))
        else:
            yield " ".join((*path, name)), found


ALL = dict(commands(cli))


def options(command: click.Command) -> list[click.Option]:
    return [param for param in command.params if isinstance(param, click.Option) and param.name not in COMMON and not param.hidden]


@pytest.mark.parametrize("name", ALL)
def test_a_command_says_what_it_does_and_so_does_each_option(name: str) -> None:
    command = ALL[name]
    assert (command.help or "").strip(), f"{name} has no help"
    for option in options(command):
        assert (option.help or "").strip(), f"{name} {option.opts[0]} has no help"


def test_the_summaries_of_clew_help_are_of_the_commands_that_exist() -> None:
    for name, (_, _, summary) in COMMANDS.items():
        assert summary.endswith("."), f"{name}: {summary}"


def reference() -> str:
    parts = [HEAD]
    for name, command in ALL.items():
        context = click.Context(command, info_name=name)
        usage = command.collect_usage_pieces(context)
        help_text = "\n".join(line.strip() for line in (command.help or "").replace("\b", "").strip().splitlines())
        parts.append(f"## `{name}`\n\n    {name} {' '.join(usage)}\n\n{help_text}\n")
        rows = [option.get_help_record(context) for option in options(command)]
        if any(rows):
            parts.append("\n".join(f"- `{row[0]}`: {' '.join(row[1].split())}" for row in rows if row) + "\n")
    return "\n".join(parts)


def test_the_reference_says_what_the_commands_say() -> None:
    text = reference()
    if os.environ.get("CLEW_UPDATE_GOLDENS"):
        REFERENCE.parent.mkdir(exist_ok=True)
        REFERENCE.write_text(text, encoding="utf-8")
    assert REFERENCE.read_text(encoding="utf-8") == text
