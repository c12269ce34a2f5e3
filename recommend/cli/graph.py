"""`clew graph` with the extractor in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kg.cli.graph import make_graph_group
from recommend import owed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from kg.ingest import FactSourceFactory
    from kg.progress import Progress
    from kg.workspace import Workspace


def _extraction(workspace: Workspace, name: str) -> tuple[FactSourceFactory, Any]:
    from recommend.extractor import fact_source

    return fact_source(workspace, name), _price


def _price(text: str, currency: str | None = None) -> Any:
    """Loaded with the first price of text: a column of numbers needs no parser."""
    from extraction import parse_price

    return parse_price(text, currency)


def _derived(workspace: Workspace, progress: Progress) -> Mapping[str, pa.Table]:
    from recommend.bundle import load
    from recommend.derived import derived_edges

    return derived_edges(load(workspace), progress)


def _vectors(workspace: Workspace) -> tuple[Sequence[str], NDArray[np.float32]]:
    import numpy as np

    from recommend.bundle import load

    scorer = load(workspace)
    empty = np.zeros((scorer.snapshot.n_items, 0), np.float32)  # a model fitted without text
    return list(scorer.snapshot.items), empty if scorer.text is None else scorer.text.vectors


graph = make_graph_group(_extraction, _derived, owed, _vectors)
