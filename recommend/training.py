"""What a fit takes, what it gives, and what every ranker can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kg.config import TrainConfig
from kg.events import EventLog
from kg.progress import SILENT, Progress
from kg.snapshot import GraphSnapshot
from recommend.scorer import Scorer
from recommend.tasks import Task

if TYPE_CHECKING:
    from gnn.embeddings import EmbeddingTable
    from gnn.text import TextEncoder
    from gnn.validation import Validation

Scores = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Training:
    """What a ranker may learn from.

    Args:
        snapshot: the graph, train's events only.
        texts: one text a product, by item row.
        valid: tasks to choose settings on; may be empty.
        config: settings of the fit.
        cache: folder for what is expensive (text vectors); None keeps nothing.
        progress: who listens.
    """

    snapshot: GraphSnapshot
    texts: Sequence[str]
    valid: Sequence[Task] = ()
    config: TrainConfig = field(default_factory=TrainConfig)
    cache: Path | None = None
    progress: Progress = SILENT


def held_out(snapshot: GraphSnapshot, tasks: Sequence[Task]) -> Validation | None:
    """What people of a graph should find in some tasks, for a fit that stops early; None without tasks."""
    from gnn.validation import Validation

    if not tasks:
        return None
    users, items = [], []
    for task in tasks:
        rows = snapshot.users.rows(task.keys)[np.repeat(np.arange(task.n_users), np.diff(task.targets.indptr))]
        users.append(rows[rows >= 0].astype(np.int32))
        items.append(task.targets.indices[rows >= 0].astype(np.int32))
    return Validation(np.concatenate(users), np.concatenate(items))


@dataclass(frozen=True, eq=False)
class Fitted:
    """A scorer and what it was made with.

    Args:
        scorer: over the whole of train.
        encoder: of texts; goes into the bundle.
        table: the GNN's, or None.
        report: what was chosen and how well it did on validation, as JSON values.
    """

    scorer: Scorer
    encoder: TextEncoder
    table: EmbeddingTable | None
    report: dict[str, Any] = field(default_factory=dict)


class Ranker(Protocol):
    """Scores every product for many histories at once; fitted on a graph of train alone."""

    def fit(self, training: Training) -> None:
        """Learn from train (and choose on valid)."""
        ...

    def scores(self, history: EventLog, n_users: int) -> Scores:
        """Scores of all products, for anyone: people that the ranker never saw among them.

        Args:
            history: events of people 0 to n_users − 1, sorted by person.
            n_users: how many people.

        Returns:
            float32 [n_users, n_items]; higher is better; finite.
        """
        ...
