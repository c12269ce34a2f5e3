"""All evidence of a fact, from the truth; a snapshot holds only the strongest piece."""

from __future__ import annotations

from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from kg.model import Evidence
from kg.workspace import Workspace


class AllEvidence:
    """Looks evidence up in a workspace's truth; each relation's file is read once, when it is asked for.

    Args:
        workspace: whose truth.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._table = cache(self._read)

    def _read(self, relation: str) -> pa.Table:
        from kg.tables import EVIDENCE_SCHEMA
        from kg.truth import Truth

        return Truth(self._workspace.graph).table(f"evidence/{relation}", EVIDENCE_SCHEMA)

    def __call__(self, relation: str, source_key: str, target_key: str) -> tuple[Evidence, ...]:
        """All pieces of one fact, the most certain first."""
        table = self._table(relation)
        same = pc.and_(pc.equal(table.column("source_key"), source_key), pc.equal(table.column("target_key"), target_key))
        order = [("confidence", "descending"), ("field", "ascending"), ("span_start", "ascending"), ("extractor", "ascending")]
        return tuple(
            Evidence(row["field"], row["span_start"], row["span_end"], row["text"], row["extractor"], row["confidence"], row["run"])
            for row in table.filter(same).sort_by(order).to_pylist()
        )
