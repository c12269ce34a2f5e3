"""Training in a workspace: estimate, fit, keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kg.config import TrainConfig
from kg.errors import StateError, UnknownKeyError
from kg.progress import SILENT, Progress
from kg.snapshot import GraphSnapshot
from recommend import bundle
from recommend.texts import snapshot_texts
from recommend.training import Training
from recommend.views.facts import view_name

if TYPE_CHECKING:
    from kg.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a training will cost, from sizes alone; a rule of thumb measured on two cores.

    Args:
        seconds: wall clock.
        mb: peak memory.
    """

    seconds: float
    mb: float

    def to_dict(self) -> dict[str, float]:
        """JSON values."""
        return {"seconds": round(self.seconds), "mb": round(self.mb)}


def estimate(snapshot: GraphSnapshot, config: TrainConfig) -> Estimate:
    """Time and memory of a training of this size."""
    items, events = snapshot.n_items, len(snapshot.events)
    known = int((snapshot.item_event_counts > 0).sum())
    seconds = 10 + items / 1500 + 4 * (items / 10_000) ** 2 + events / 5000
    mb = 700 + items * 0.03 + 512 * items * 12 / 2**20 + events * 0.002
    if "gnn" not in config.without:
        people = min(snapshot.n_users, 1024)
        seconds += 2 * 180 * (0.05 + people * known * 1.5e-8)
        mb += 600 + people * known * 10 / 2**20
    return Estimate(seconds, mb)


def check_without(names: Iterable[str], snapshot: GraphSnapshot) -> None:
    """Refuse a part that does not exist.

    Raises:
        UnknownKeyError: no such view; near ones are suggested.
    """
    known = {"gnn", "co_bought", "co_bought_similar", "similar", "similar_wide", "next_bought"}
    known |= {view_name(name) for name in snapshot.facts()} | {name.lower() for name in snapshot.links()}
    for name in names:
        if name not in known:
            raise UnknownKeyError("part of the model", name, known)


def train(workspace: Workspace, config: TrainConfig | None = None, progress: Progress = SILENT) -> bundle.Bundle:
    """Fit a model on the workspace's graph and make it the one that answers.

    Args:
        workspace: an open workspace with a graph.
        config: settings; the defaults when None.
        progress: who listens.

    Returns:
        The bundle; the same graph and settings give the same digest.

    Raises:
        StateError: no product in the graph, or another process is writing.
    """
    from recommend.fit import fit

    settings = config or TrainConfig()
    snapshot = workspace.snapshot()
    if not snapshot.n_items:
        raise StateError("The graph holds no product, so there is nothing to learn.", "Take a catalogue in: clew graph ingest.")
    with workspace.lock():
        cache = workspace.cache / "text"
        cache.mkdir(parents=True, exist_ok=True)
        workspace.models.mkdir(parents=True, exist_ok=True)
        fitted = fit(Training(snapshot, snapshot_texts(snapshot), (), settings, cache, progress))
        with progress.stage("saving the model"):
            return bundle.save(workspace.models, fitted, settings.model_dump(mode="json"))


def describe(made: bundle.Bundle) -> dict[str, Any]:
    """The JSON of `clew train`."""
    return {"model": made.digest, "graph": made.snapshot_digest, "bytes": made.bytes, "report": dict(made.report)}
