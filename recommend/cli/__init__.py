"""The command line `clew`: a group that loads a command's module only when the command is asked for."""

from __future__ import annotations

import importlib
import os

import click

from recommend.version import __version__

# Command → module, attribute. Nothing of these is imported for `clew --help`; the summaries stand here for the same reason.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("recommend.cli.demo", "demo", "The main job on the bundled real data."),
    "init": ("recommend.cli.init", "init", "Look at files and write a clew.toml that fits them."),
    "graph": ("recommend.cli.graph", "graph", "Build, see, check and move the graph."),
    "extract": ("extraction.cli", "extract", "Read attributes out of product text."),
    "train": ("recommend.cli.train", "train", "Fit views, GNN and weights into a model."),
    "models": ("recommend.cli.models", "models", "Which model answers."),
    "recommend": ("recommend.cli.ask", "recommend", "Recommend, for anyone and anything, with reasons."),
    "explain": ("recommend.cli.explain", "explain", "Every part of one score."),
    "evaluate": ("recommend.cli.evaluate", "evaluate", "Full-ranking evaluation of a protocol file."),
    "cypher": ("kg.cli.cypher", "cypher", "Named queries and read-only exploration."),
    "doctor": ("recommend.cli.doctor", "doctor", "What is installed, what answers, what is missing."),
    "schema": ("recommend.cli.schema", "schema", "JSON Schemas of the answers."),
    "completion": ("recommend.cli.completion", "completion", "Shell completion for bash, zsh or fish."),
}


class LazyGroup(click.Group):
    """A click group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of need."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="clew")
def cli() -> None:
    """A recommender that can be followed back to its reasons."""


def main() -> None:
    """Entry point of the console script."""
    # Read when torch is loaded. Threads that wait by spinning wait for whoever else is at work: beside one other busy process on two cores
    # 40 steps of the demo's GNN took 74 s with two threads, 17 s with one, and 18 s with two that sleep while they wait.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    cli(prog_name="clew")
