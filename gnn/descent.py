"""The loop that the models to compare with share: Adam (or Adagrad), looks at a held-out part, the best step kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gnn.batches import Batch
from gnn.device import logits_dtype, repeatable
from gnn.losses import history_softmax
from kg.errors import StateError
from kg.progress import SILENT, Progress


@dataclass(frozen=True, slots=True)
class Descent:
    """How a fit goes down.

    Args:
        steps: at most.
        learning_rate: falls linearly to 0 over the steps.
        check_every: steps between two looks at the held-out part.
        patience: looks without gain before the fit stops.
        adagrad: by Adagrad, as LightFM does, instead of Adam.
    """

    steps: int
    learning_rate: float
    check_every: int = 20
    patience: int = 3
    adagrad: bool = False


def descend(
    name: str,
    model: nn.Module,
    loss: Callable[[int], Tensor],
    look: Callable[[], float] | None,
    how: Descent,
    progress: Progress = SILENT,
) -> dict[str, object]:
    """Fit a model; leaves the best parameters in it.

    Args:
        name: of the stage that `progress` hears, in steps.
        model: whose parameters are fitted.
        loss: loss of a step (1, 2, …).
        look: figure of the held-out part, higher is better; None when there is none, and the last step stays.
        how: settings.
        progress: who listens.

    Returns:
        How it went, as JSON values.

    Raises:
        StateError: the loss is not finite any more.
    """
    kind = torch.optim.Adagrad if how.adagrad else torch.optim.Adam
    optimiser = kind(model.parameters(), lr=how.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: max(0.0, 1 - step / how.steps))
    best, best_step, kept, step = -1.0, 0, {}, 0
    with repeatable(next(model.parameters()).device), progress.stage(name, how.steps) as advance:
        for step in range(1, how.steps + 1):
            value = loss(step)
            if not math.isfinite(float(value.detach())):
                raise StateError(f"The fit of {name} diverged at step {step}.", "Report it: the settings do not suit this shop.")
            optimiser.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            advance(1)
            if look is not None and (step % how.check_every == 0 or step == how.steps):
                with torch.no_grad():
                    found = look()
                if found > best:
                    best, best_step = found, step
                    kept = {key: tensor.detach().clone() for key, tensor in model.state_dict().items()}
                elif step - best_step >= how.patience * how.check_every:
                    break
    if kept:
        model.load_state_dict(kept)
    return {"steps": step} | ({"best_step": best_step, "valid": best} if look is not None else {})


def softmax_loss(batch: Batch, people: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Softmax of a batch's hidden products among all, by cosine / temperature.

    Args:
        batch: who is looked at, and what is hidden.
        people: float [b, d], made of what is shown.
        target: float [n_known, d], unit rows.
        temperature: of the softmax.
    """
    device = target.device
    scaled = nn.functional.normalize(people, dim=1) / temperature
    columns = torch.from_numpy(batch.columns).to(device)
    candidates = target if len(columns) == len(target) else target[columns]
    precision = logits_dtype("auto", device)
    logits = scaled.to(precision) @ candidates.to(precision).T
    hidden_of, hidden = (torch.from_numpy(part).to(device) for part in (batch.target_people, batch.target_columns))
    wanted = (scaled[hidden_of] * candidates[hidden]).sum(1)
    return history_softmax(logits, wanted, hidden_of, torch.from_numpy(batch.seen).to(device))
