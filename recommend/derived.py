"""The edges that a model found between two products, as engines hold them: for `clew graph sync --with-model`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from kg.ontology import Rel, relation
from kg.progress import SILENT, Progress
from kg.store import edge_schema
from recommend.parts import Hop
from recommend.scorer import Scorer
from recommend.views.base import Candidate, SparseView

# View → the relation of its edges, and whether j → i says the same as i → j (then one of the two is written).
_VIEWS = {"co_bought": (Rel.CO_BOUGHT, True), "next_bought": (Rel.NEXT_BOUGHT, False), "similar": (Rel.SIMILAR_TEXT, True)}
_PEOPLE_SHOWN = 5  # below this many, a count could tell of single people and is left out (as in answers)


def derived_edges(scorer: Scorer, progress: Progress = SILENT) -> Mapping[str, pa.Table]:
    """Derived edges by relation (`kg.store.edge_schema`, sorted by source and target) of the views that explanations use.

    Args:
        scorer: the model in use.
        progress: hears one stage a view, in edges.
    """
    found = {}
    for name, (rel, both_ways) in _VIEWS.items():
        view: object = scorer.views.get(name)
        if isinstance(view, SparseView) and view.matrix.nnz:
            found[str(rel)] = _edges(scorer, view, rel, both_ways, progress)
    return {name: table for name, table in found.items() if table.num_rows}


def _edges(scorer: Scorer, view: SparseView, rel: Rel, both_ways: bool, progress: Progress) -> pa.Table:
    matrix: sp.csr_array = view.matrix
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))
    pairs = np.stack([rows, matrix.indices.astype(np.int32)], axis=1)
    if both_ways:
        pairs = np.sort(pairs, axis=1)
    pairs = np.unique(pairs, axis=0)
    keys = scorer.snapshot.items.keys
    counts: list[int | None] = []
    words: list[str | None] = []
    with progress.stage(f"edges {rel}", len(pairs)) as advance:
        for source, target in pairs.tolist():
            hop: Hop = view.hop(source, Candidate(target))
            counts.append(hop.count if hop.count is not None and hop.count >= _PEOPLE_SHOWN else None)
            words.append(", ".join(hop.words) or None)
            advance(1)
    columns = {
        "source_key": keys.take(pa.array(pairs[:, 0])),
        "target_key": keys.take(pa.array(pairs[:, 1])),
        "count": pa.array(counts, pa.int64()),
        "words": pa.array(words, pa.string()),
        "derived": pa.array([True] * len(pairs), pa.bool_()),
    }
    return pa.table(columns).select(edge_schema(relation(rel)).names).cast(edge_schema(relation(rel)))
