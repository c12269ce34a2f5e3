"""What trained models owe to a person who is to be forgotten, and how it is paid (implements `kg.cli.graph_erase.Models`).

A bundle holds no key and no row of a person, only sums over all of them: how many people had two products, vectors fitted to
all histories. Nobody can be taken out of such a sum afterwards, so a model forgets by being trained again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kg.progress import Progress
    from kg.workspace import Workspace


def trained(workspace: Workspace) -> list[tuple[str, str, bool]]:
    """Name, digest of the graph it learned from and whether it answers, of each model."""
    from recommend import bundle

    return [(one.name, one.snapshot_digest, one.current) for one in bundle.bundles(workspace.models)]


def forget_unfinished(workspace: Workspace) -> int:
    """Delete the state of trainings that were stopped: it was fitted to histories; returns the number of files."""
    found = [*(workspace.cache / "text").rglob("gnn-*"), *workspace.models.glob("*.tmp/**/*")]
    files = [path for path in found if path.is_file()]
    for file in files:
        file.unlink()
    return len(files)


def refit(workspace: Workspace, progress: Progress) -> str:
    """Train again with the workspace's settings and delete every other model; returns the new one's name."""
    from kg.config import Config
    from recommend import bundle
    from recommend.train import train

    config = Config.load(workspace.config_file) if workspace.config_file.is_file() else Config()
    made = train(workspace, config.train, progress)
    bundle.prune(workspace.models, keep=0)
    return made.name
