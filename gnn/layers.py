"""The operators of the tower: linear maps and weighted sums over edges, so that a vector stays a sum of named components."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.nn import MessagePassing


def sparse_tensor(matrix: sp.csr_array, device: torch.device) -> Tensor:
    """A SciPy matrix as a torch CSR tensor (float32)."""
    parts = (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data.astype(np.float32))
    starts, columns, values = (torch.from_numpy(part) for part in parts)
    return torch.sparse_csr_tensor(starts, columns, values, size=matrix.shape, check_invariants=False).to(device)


class _Product(torch.autograd.Function):
    """Sparse times dense whose gradient uses a transpose that was made once, not in every step."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, dense: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ dense

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, Tensor]:
        return None, None, ctx.transposed @ grads[0]


class Operator:
    """A fixed sparse matrix [n, m] and its transpose on a device."""

    def __init__(self, matrix: sp.csr_array, device: torch.device) -> None:
        self._matrix = matrix
        self.forward = sparse_tensor(sp.csr_array(matrix), device)
        self.transposed = sparse_tensor(sp.csr_array(matrix.T.tocsr()), device)

    def some(self, rows: NDArray[np.int64]) -> Operator:
        """The operator of some of its rows."""
        return Operator(sp.csr_array(self._matrix[rows]), self.forward.device)

    def __matmul__(self, dense: Tensor) -> Tensor:
        return cast(Tensor, _Product.apply(self.forward, self.transposed, dense))


class WeightedSum(MessagePassing):  # type: ignore[misc]
    """Sum of the neighbours' vectors with fixed weights Â: out_i = Σ_e Â_ie x_e (linear; no activation, no self loop).

    Differs from GCN (Kipf and Welling, 2017): rows are L2-normalised over idf weights instead of symmetric degrees, and there is
    no weight matrix: the entities' vectors are learnt in the space of the result.

    The weights never change, so PyG's fused path is taken: one sparse product, and its transpose for the gradient.
    """

    def __init__(self) -> None:
        super().__init__(aggr="sum")

    def forward(self, x: Tensor, weights: Operator) -> Tensor:
        """Aggregate.

        Args:
            x: float [n_sources, d].
            weights: operator [n_targets, n_sources], Â.

        Returns:
            float [n_targets, d].
        """
        return cast(Tensor, self.propagate(weights.forward, x=(x, None), transposed=weights.transposed))

    def message_and_aggregate(self, edge_index: Tensor, x: tuple[Tensor, None], transposed: Tensor) -> Tensor:
        """Σ_e Â_ie x_e of every target (float [n_targets, d])."""
        return cast(Tensor, _Product.apply(edge_index, transposed, x[0]))


def orthogonal(n_rows: int, n_columns: int, generator: torch.Generator) -> Tensor:
    """A matrix with orthonormal columns (or rows, if it is wide), drawn by QR of a Gaussian (float32 [n_rows, n_columns])."""
    wide = n_rows < n_columns
    shape = (n_columns, n_rows) if wide else (n_rows, n_columns)
    basis, triangle = torch.linalg.qr(torch.randn(shape, generator=generator, dtype=torch.float64))
    basis = basis * torch.sign(torch.diagonal(triangle))
    return cast(Tensor, (basis.T if wide else basis).contiguous().to(torch.float32))
