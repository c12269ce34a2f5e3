"""`clew train --tune N`: a search over the few settings that matter, on validation alone. Optuna comes in through this door only.

The first trial is the settings that hold now, so what is kept is never worse than they are where it was measured. Each trial stands
in a journal before the next begins: a search that was stopped, or killed, goes on where it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kg.config import FitSettings, TrainConfig
from kg.digest import digest_json
from kg.errors import ClewError, StateError
from kg.progress import SILENT, Progress
from kg.seeds import derive
from kg.whole_files import write_whole
from recommend.views.ease import RIDGE

if TYPE_CHECKING:
    import optuna

    from kg.workspace import Workspace

# Setting → least, most, and whether it is looked for by its logarithm.
SPACE: dict[str, tuple[float, float, bool]] = {
    "gnn_effort": (0.4, 1.6, True),
    "gnn_temperature": (0.03, 0.2, True),
    "gnn_identity_dropout": (0.2, 0.8, False),
    "shrink": (0.5, 50.0, True),
    "ridge": (2.0, 200.0, True),
}
_OF_PART = {"gnn_effort": "gnn", "gnn_temperature": "gnn", "gnn_identity_dropout": "gnn", "ridge": "ease"}
_RANDOM_TRIALS = 6  # before the search believes what it has seen

_REFUSED = "refused"

Rehearse = Callable[[FitSettings], float]


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search found.

    Args:
        settings: the best by setting, those that were looked for only.
        figure: their NDCG@20 on validation.
        before: that of the settings that held when the search began.
        trials: how many were measured, all runs of the search together.
        complete: whether that is as many as were asked for; if not, time was up.
    """

    settings: Mapping[str, float]
    figure: float
    before: float
    trials: int
    complete: bool

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "settings": dict(self.settings),
            "ndcg@20": self.figure,
            "ndcg@20_before": self.before,
            "trials": self.trials,
            "complete": self.complete,
        }


def tuned_file(workspace: Workspace) -> Path:
    """Where the best settings lie; without it the defaults hold."""
    return workspace.path / "tuned.json"


def tuned_settings(workspace: Workspace, config: TrainConfig) -> FitSettings:
    """The settings of the next fit: what `clew.toml` gives, else what a search found, else the defaults.

    Raises:
        StateError: the file of the search is damaged.
    """
    path = tuned_file(workspace)
    if not path.is_file():
        return config.settings
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["settings"]
        given = {name: getattr(config.settings, name) for name in config.settings.model_fields_set}
        return FitSettings(**{**found, **given})
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(f"{path} is damaged.", "Delete it, or look again: clew train --tune N.") from error


def keep(workspace: Workspace, tuned: Tuned) -> None:
    """Write what a search found; the file appears whole or not at all."""
    path = tuned_file(workspace)
    write_whole(path, json.dumps(tuned.to_dict(), indent=1) + "\n")


def names_of(config: TrainConfig) -> tuple[str, ...]:
    """The settings that a search looks for: those that `clew.toml` leaves open, of parts that are not left out."""
    given = config.settings.model_fields_set
    return tuple(name for name in SPACE if name not in given and _OF_PART.get(name) not in config.without)


def search(
    rehearse: Rehearse,
    config: TrainConfig,
    folder: Path,
    about: str,
    trials: int,
    minutes: float | None = None,
    progress: Progress = SILENT,
    start: FitSettings | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Tuned:
    """Look for settings.

    Args:
        rehearse: the figure of some settings on validation, higher is better.
        config: what holds now; its seed makes the search repeatable.
        folder: where journals lie.
        about: digest of what is fitted; a search over something else is another one.
        trials: how many are wanted, those of earlier runs among them.
        minutes: no trial begins that would, as long as the longest so far, end later; None: no limit.
        progress: hears the stage "tuning" in trials.
        start: what a new search tries first: the settings that hold now, the ridge that a training would choose among them; the
            config's own when None.
        clock: seconds.

    Raises:
        StateError: nothing is left to look for, or no trial could be measured.
    """
    names = names_of(config)
    if not names:
        raise StateError("Every setting is given in clew.toml, so there is nothing to tune.", "Take some out of [train.settings].")
    # A ridge that nobody gave, and that there was nothing to choose on, begins at the usual one.
    now = {name: float(getattr(start or config.settings, name) or RIDGE) for name in names}
    study = _study(folder, digest_json([about, config.model_dump(mode="json", exclude={"device"}), SPACE]).removeprefix("sha256:")[:16])
    if not study.trials:
        study.enqueue_trial(now)
    began, longest, refused = clock(), 0.0, ""
    with progress.stage("tuning", trials) as advance:
        advance(min(_done(study), trials))
        while _done(study) < trials:
            if minutes is not None and clock() - began + longest > 60 * minutes:
                break
            started = clock()
            refused = _trial(study, names, rehearse, config) or refused
            longest = max(longest, clock() - started)
            advance(1)
    measured = _ended(study, "COMPLETE")
    if not measured:
        raise StateError("No settings could be measured on validation.", refused or "Give it more minutes.")
    best = max(measured, key=lambda trial: (trial.value, -trial.number))
    return Tuned(best.params, float(best.value), float(measured[0].value), len(measured), _done(study) >= trials)


def _study(folder: Path, name: str) -> optuna.Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(folder / f"{name}.journal")))
    study = optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)
    for trial in study.get_trials(states=(TrialState.RUNNING,)):  # of a run that was killed: it begins anew
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return study


def _trial(study: optuna.Study, names: tuple[str, ...], rehearse: Rehearse, config: TrainConfig) -> str:
    """One trial; returns why it could not be measured."""
    import optuna
    from optuna.trial import TrialState

    # Seeded by how many are done, so that a search that was stopped draws what it would have drawn.
    seed = derive(config.seed, f"trial {_done(study)}") % 2**32
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_RANDOM_TRIALS)
    trial = study.ask()
    values = {name: trial.suggest_float(name, SPACE[name][0], SPACE[name][1], log=SPACE[name][2]) for name in names}
    try:
        figure = rehearse(config.settings.model_copy(update=values))
    except ClewError as error:
        trial.set_user_attr(_REFUSED, str(error))
        study.tell(trial, state=TrialState.FAIL)
        return str(error)
    study.tell(trial, figure)
    return ""


def _ended(study: optuna.Study, state: str) -> list[Any]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == state]


def _done(study: optuna.Study) -> int:
    """Trials that were measured, or that could not be; one that was killed is neither."""
    return len(_ended(study, "COMPLETE")) + sum(_REFUSED in trial.user_attrs for trial in _ended(study, "FAIL"))
