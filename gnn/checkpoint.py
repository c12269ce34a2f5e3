"""The state of an unfinished fit, so that one that was stopped goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from gnn.arrays import Arrays, map_arrays, save_arrays
from gnn.encoder import Tower

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass
class Best:
    """The best step so far by the validation part."""

    score: float = -1.0
    step: int = 0
    state: dict[str, torch.Tensor] = field(default_factory=dict)

    def offer(self, score: float, step: int, tower: Tower) -> None:
        """Take the tower's parameters if they score higher than any before."""
        if score > self.score:
            self.score, self.step = score, step
            self.state = {name: value.detach().clone() for name, value in tower.state_dict().items()}

    def put_into(self, tower: Tower) -> None:
        """Give the tower the best parameters, if any step was ever looked at."""
        if self.state:
            tower.load_state_dict(self.state)


class Checkpoint:
    """One file in a folder, named by what is fitted.

    Draws depend on seed and step only, so parameters and Adam's moments are all there is to keep.

    Args:
        folder: where it lies.
        key: digest of snapshot, features and settings; another fit's state is not taken.
    """

    def __init__(self, folder: Path, key: str) -> None:
        name = key.removeprefix("sha256:")[:32]
        self.arrays_file = folder / f"gnn-{name}.safetensors"
        self.manifest_file = folder / f"gnn-{name}.json"

    def keep(self, step: int, tower: Tower, optimiser: torch.optim.Optimizer, best: Best) -> None:
        """Write the state after a step; the manifest, which makes it count, comes last."""
        arrays: Arrays = {f"now.{name}": value.detach().cpu().numpy() for name, value in tower.state_dict().items()}
        arrays |= {f"best.{name}": value.cpu().numpy() for name, value in best.state.items()}
        for place, parameter in enumerate(p for group in optimiser.param_groups for p in group["params"]):
            for moment in _MOMENTS:
                state = optimiser.state.get(parameter, {})
                if moment in state:
                    arrays[f"{moment}.{place}"] = state[moment].cpu().numpy()
        self.manifest_file.unlink(missing_ok=True)
        save_arrays(arrays, self.arrays_file)
        manifest = {"step": step, "best_step": best.step, "best_score": best.score}
        self.manifest_file.write_text(json.dumps(manifest) + "\n", encoding="utf-8")

    def restore(self, tower: Tower, optimiser: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LambdaLR, best: Best) -> int:
        """Put a kept state back; returns the number of steps done, 0 when nothing was kept."""
        if not self.manifest_file.is_file() or not self.arrays_file.is_file():
            return 0
        manifest = json.loads(self.manifest_file.read_text(encoding="utf-8"))
        step, arrays = int(manifest["step"]), map_arrays(self.arrays_file)
        tower.load_state_dict({name: torch.from_numpy(np.array(arrays[f"now.{name}"])) for name in tower.state_dict()})
        best.score, best.step = float(manifest["best_score"]), int(manifest["best_step"])
        best.state = {
            name.removeprefix("best."): torch.from_numpy(np.array(array)) for name, array in arrays.items() if name.startswith("best.")
        }
        for place, parameter in enumerate(p for group in optimiser.param_groups for p in group["params"]):
            if f"exp_avg.{place}" in arrays:
                moments = {m: torch.from_numpy(np.array(arrays[f"{m}.{place}"])).to(parameter.device) for m in _MOMENTS}
                optimiser.state[parameter] = {"step": torch.tensor(float(step)), **moments}
        schedule.last_epoch = step
        for group, base in zip(optimiser.param_groups, schedule.base_lrs, strict=True):
            group["lr"] = base * schedule.lr_lambdas[0](step)
        return step

    def drop(self) -> None:
        """Forget the state: the fit has ended."""
        self.manifest_file.unlink(missing_ok=True)
        self.arrays_file.unlink(missing_ok=True)
