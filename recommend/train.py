"""Training in a workspace: estimate, fit, keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kg.config import FitSettings, TrainConfig
from kg.errors import StateError, UnknownKeyError
from kg.progress import SILENT, Progress
from kg.snapshot import GraphSnapshot
from recommend import bundle
from recommend.texts import snapshot_texts
from recommend.training import Training
from recommend.tuning import Tuned, keep, search, tuned_settings
from recommend.views import next_ease
from recommend.views.ease import MOST
from recommend.views.facts import view_name
from recommend.views.similar import ALL_PAIRS

if TYPE_CHECKING:
    from kg.workspace import Workspace
    from recommend.fit import Texts


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
    # Pairs of texts: all of them up to a size, beyond it those that are found.
    seconds = 10 + items / 1500 + (4 * (items / 10_000) ** 2 if items <= ALL_PAIRS else items / 500) + events / 5000
    # Views of more than `ALL_PAIRS` products lie in files; the GNN, and views with what chooses their weights, come one after the other.
    mb = 700 + items * 0.01 + events * 0.0002 + (512 * items * 12 / 2**20 if items <= ALL_PAIRS else 0)
    gnn, views = 0.0, min(items, 10_000) * 0.08
    if "gnn" not in config.without:
        people = min(snapshot.n_users, 1024)
        seconds += config.settings.gnn_towers * 2 * 180 * (0.05 + people * known * 1.5e-8)
        gnn = 900 + known * 0.038
    if "ease" not in config.without:
        dense = min(known, MOST)
        seconds += 2 * 30 * (dense / 10_000) ** 3
        views += 4 * dense**2 / 2**20
    if "next_ease" not in config.without and next_ease.dense(snapshot.events, items):
        side = min(known, next_ease.MOST)
        seconds += 2 * (events / 200_000 + 15 * (side / 5_000) ** 3)
        views += next_ease.BYTES * side**2 / 2**20
    return Estimate(seconds, mb + max(gnn, views))


def check_without(names: Iterable[str], snapshot: GraphSnapshot) -> None:
    """Refuse a part that does not exist.

    Raises:
        UnknownKeyError: no such view; near ones are suggested.
    """
    known = {"gnn", "ease", "co_bought", "co_bought_similar", "similar", "similar_wide", "next_bought", "next_ease"}
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
        The bundle; on one machine's CPU, with as many threads, the same graph and settings give the same digest.

    Raises:
        StateError: no product in the graph, or another process is writing.
    """
    from recommend.fit import fit

    settings = (config or TrainConfig()).spelled_out()
    settings = settings.model_copy(update={"settings": tuned_settings(workspace, settings)})
    with workspace.lock():
        training = _training(workspace, settings, progress)
        workspace.models.mkdir(parents=True, exist_ok=True)
        with enough_memory(training.snapshot, settings):
            fitted = fit(training)
        with progress.stage("saving the model"):
            return bundle.save(workspace.models, fitted, settings.model_dump(mode="json"))


def tune(workspace: Workspace, config: TrainConfig, trials: int, minutes: float | None, progress: Progress = SILENT) -> Tuned:
    """Look for better settings on validation and keep them where the next training finds them.

    Args:
        workspace: an open workspace with a graph.
        config: settings that hold now; what its `settings` give explicitly is not looked for.
        trials: how many, those of earlier runs of the same search among them.
        minutes: at most; None: no limit.
        progress: who listens.

    Raises:
        StateError: no product in the graph, too few events to choose on, or another process is writing.
    """
    from recommend.fit import read_texts, settled

    with workspace.lock():
        training = _training(workspace, config, progress)
        with enough_memory(training.snapshot, config):
            texts = read_texts(training, "gnn" not in config.without)
            now = config.model_copy(update={"settings": tuned_settings(workspace, config)})
            start = settled(replace(training, config=now)).config.settings
        found = search(
            rehearsal(training, texts), config, workspace.cache / "tuning", training.snapshot.digest, trials, minutes, progress, start
        )
        keep(workspace, found)
        return found


def rehearsal(training: Training, texts: Texts) -> Callable[[FitSettings], float]:
    """What `tuning.search` asks: the figure of some settings on validation, with everything else as in a training.

    Args:
        training: what may be learnt from.
        texts: of its catalogue, read once for all settings.
    """
    from recommend.choose import choose
    from recommend.fit import parts_of

    def rehearse(settings: FitSettings) -> float:
        changed = training.config.model_copy(update={"settings": settings})
        tried = replace(training, config=changed, cache=None, progress=SILENT)
        with enough_memory(tried.snapshot, tried.config):
            _, report = choose(parts_of(tried, texts), tried.snapshot, tried)
        return figure_of(report)

    return rehearse


@contextmanager
def enough_memory(snapshot: GraphSnapshot, config: TrainConfig) -> Iterator[None]:
    """Turn a lack of memory into a sentence that says what to lower.

    Raises:
        StateError: the work inside ran out of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _out_of_memory(error):
            raise
        most = ("ease", "gnn", *(("next_ease",) if next_ease.dense(snapshot.events, snapshot.n_items) else ()))
        parts = [name for name in most if name not in config.without]
        lower = f"Leave out what needs most: clew train --without {','.join([*config.without, *parts])}." if parts else ""
        if not parts and config.text_encoder != ("words",):
            lower = "Know texts by their words alone: clew train --text-encoder words."
        raise StateError(
            f"Training ran out of memory; about {estimate(snapshot, config).mb:.0f} MB are needed for {snapshot.n_items} products.",
            lower or "Use a machine with more memory, or a smaller catalogue.",
        ) from error


def _out_of_memory(error: RuntimeError) -> bool:
    """torch says it in words on the processor, and by the name of the error on a GPU."""
    return "allocate memory" in str(error) or type(error).__name__ == "OutOfMemoryError"


def figure_of(report: Mapping[str, Any]) -> float:
    """NDCG@20 of the joint list on validation, mean over the people of all branches.

    Raises:
        StateError: there were too few events to choose on.
    """
    branches = list(report.get("branches", {}).values())
    if not branches:
        raise StateError("There are too few events to choose settings on.", "Train without --tune: the defaults hold.")
    return float(np.average([one["ndcg@20"]["all"] for one in branches], weights=[sum(one["people"]) for one in branches]))


def _training(workspace: Workspace, settings: TrainConfig, progress: Progress) -> Training:
    snapshot = workspace.snapshot()
    if not snapshot.n_items:
        raise StateError("The graph holds no product, so there is nothing to learn.", "Take a catalogue in: clew graph ingest.")
    cache = workspace.cache / "text"
    cache.mkdir(parents=True, exist_ok=True)
    return Training(snapshot, snapshot_texts(snapshot), (), settings, cache, progress)


def describe(made: bundle.Bundle) -> dict[str, Any]:
    """The JSON of `clew train`."""
    return {"model": made.digest, "graph": made.snapshot_digest, "bytes": made.bytes, "report": dict(made.report)}
