"""What the tower is trained on: find the rest of a history from a part of it, among all known products."""

from __future__ import annotations

import torch
from torch import Tensor


def history_softmax(logits: Tensor, wanted: Tensor, target_people: Tensor, seen: Tensor) -> Tensor:
    """Softmax cross-entropy of each target against all products outside the person's whole history.

        −log( exp s_t / (exp s_t + Σ_{i ∉ history} exp s_i) ), mean over a person's targets, then over people

    The other targets and the inputs are no negatives: the person has them.

    Args:
        logits: float [people, candidates], may be bfloat16.
        wanted: float32 [t], logits of the targets in full precision.
        target_people: int64 [t], row of each target in `logits`.
        seen: int64 [2, s], person and column of every history product among the candidates, targets included.

    Returns:
        float [], the loss.
    """
    outside = logits.index_put((seen[0], seen[1]), logits.new_tensor(float("-inf")))
    rest = torch.logsumexp(outside.float(), dim=1)  # [people]
    losses = torch.logaddexp(rest[target_people], wanted) - wanted  # [t]
    counts = torch.bincount(target_people, minlength=logits.shape[0]).clamp(min=1)
    return (losses / counts[target_people]).sum() / logits.shape[0]
