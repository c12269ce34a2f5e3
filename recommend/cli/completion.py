"""`clew completion`: the script that lets a shell complete clew's commands and options."""

from __future__ import annotations

import click

from kg.cli.common import Session, command_options

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@command_options
def completion(session: Session, shell: str) -> None:
    """Shell completion for bash, zsh or fish.

    \b
    bash: clew completion bash > ~/.local/share/bash-completion/completions/clew
    zsh:  clew completion zsh > "${fpath[1]}/_clew"
    fish: clew completion fish > ~/.config/fish/completions/clew.fish
    """
    script = completion_script(shell)
    session.emit({"schema_version": 1, "shell": shell, "script": script}, lambda: script)


def completion_script(shell: str) -> str:
    """The script for one of `SHELLS`."""
    from click.shell_completion import get_completion_class

    from recommend.cli import cli

    made = get_completion_class(shell)
    assert made is not None
    return made(cli, {}, "clew", "_CLEW_COMPLETE").source()
