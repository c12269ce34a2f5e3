"""Links that a source states between two products (`ALSO_BOUGHT`, `ALSO_VIEWED`, …), walked both ways.

L_ji = [j → i] / √((out_j + 1)(in_i + 1)) + [i → j] / √((out_i + 1)(in_j + 1)); out, in: links of a product.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from kg.snapshot import GraphSnapshot
from recommend.arrays import Arrays, entry, pack
from recommend.parts import Hop
from recommend.views.base import NEW_ROW, Candidate, RawPath, SparseView


def link_matrix(stated: sp.csr_array) -> sp.csr_array:
    """The first term of L: CSR of ones [n_items, n_items] → CSR float32."""
    outward = np.diff(stated.indptr)
    inward = np.bincount(stated.indices, minlength=stated.shape[1])
    matrix = sp.diags_array(1 / np.sqrt(outward + 1)) @ stated @ sp.diags_array(1 / np.sqrt(inward + 1))
    matrix = sp.csr_array(matrix).astype(np.float32)
    matrix.setdiag(0)
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


class LinkView(SparseView):
    """Stated links of one relation.

    Args:
        relation: name of the relation.
        forward: the first term of L, CSR float32 [from, to].
    """

    def __init__(self, relation: str, forward: sp.csr_array) -> None:
        both = sp.csr_array(forward + forward.T)
        both.sort_indices()
        super().__init__(relation.lower(), relation, both)
        self.forward = forward

    @classmethod
    def build(cls, snapshot: GraphSnapshot, relation_name: str) -> LinkView:
        """The view of one relation of a snapshot."""
        size = (snapshot.n_items, snapshot.n_items)
        return cls.of_stated(relation_name, snapshot.edges[relation_name].matrix(size))

    @classmethod
    def of_stated(cls, relation_name: str, stated: sp.csr_array) -> LinkView:
        """The view of stated links (CSR of ones [n_items, n_items], from → to)."""
        return cls(relation_name, link_matrix(stated))

    def paths(self, history_row: int, candidate: Candidate) -> Iterator[RawPath]:
        """The link there, the link back, or both."""
        if candidate.row == NEW_ROW:
            return
        there, back = entry(self.forward, history_row, candidate.row), entry(self.forward, candidate.row, history_row)
        total = entry(self.matrix, history_row, candidate.row)
        if there:
            yield RawPath(self.relation, (Hop(self.relation, "out", "item", candidate.row),), total - back if back else total)
        if back:
            yield RawPath(self.relation, (Hop(self.relation, "in", "item", candidate.row),), back if there else total)

    def arrays(self) -> Arrays:
        """The first term."""
        return pack("forward", self.forward)
