"""`clew train`: a model of the workspace's graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from kg.cli.common import Session, command_options

if TYPE_CHECKING:
    from kg.config import TrainConfig
    from kg.workspace import Workspace
    from recommend.bundle import Bundle
    from recommend.tuning import Tuned


@click.command()
@command_options
@click.option(
    "--preset", type=click.Choice(["fast", "default", "best"]), help="fast goes without the GNN, best fits four; clew.toml has the same."
)
@click.option("--without", default="", help="Parts to leave out, such as gnn or similar,brand.")
@click.option("--text-encoder", default="", help="Text encoders, joined by a plus sign: words+static.")
@click.option("--seed", type=int, default=None, help="Seed of every random number.")
@click.option("--device", help="What networks are fitted on: auto, cpu, cuda, cuda:1 or mps; auto if nothing says otherwise.")
@click.option("--tune", "trials", type=click.IntRange(1), default=None, help="First look for better settings, trying so many.")
@click.option("--tune-minutes", "minutes", type=click.FloatRange(0, min_open=True), default=None, help="For so long at most.")
@click.option("--estimate", "only_estimate", is_flag=True, help="Say what it would cost, and stop.")
def train(
    session: Session,
    preset: str | None,
    without: str,
    text_encoder: str,
    seed: int | None,
    device: str | None,
    trials: int | None,
    minutes: float | None,
    only_estimate: bool,
) -> None:
    """Fit views, GNN and weights into a model, and let it answer.

    On one machine's CPU the same graph, settings, seed and number of threads give the same model. Settings that --tune finds hold for
    later trainings too (tuned.json in the workspace); a search that was stopped goes on with the same command.
    """
    from kg.errors import UsageError
    from kg.workspace import Workspace
    from recommend.train import describe, estimate, tune
    from recommend.train import train as fit

    if minutes is not None and trials is None:
        raise UsageError("--tune-minutes bounds --tune, which is not given.", "Say how many settings to try: --tune 20.")

    workspace = Workspace(session.workspace).open()
    config = _settings(workspace, preset, without, text_encoder, seed, device)
    expected = estimate(workspace.snapshot(), config)
    progress = session.progress()
    progress.note(f"Training takes about {expected.seconds:.0f} s and {expected.mb:.0f} MB.")
    if only_estimate:
        session.emit({"schema_version": 1, "estimate": expected.to_dict()}, lambda: "")
        return
    tuned = None if trials is None else tune(workspace, config, trials, minutes, progress)
    made = fit(workspace, config, progress)
    document = {"schema_version": 1, **describe(made), "estimate": expected.to_dict()}
    session.emit(document if tuned is None else {**document, "tuned": tuned.to_dict()}, lambda: _tuned(tuned) + _text(made))


def _settings(
    workspace: Workspace, preset: str | None, without: str, text_encoder: str, seed: int | None, device: str | None
) -> TrainConfig:
    from kg.config import Config, checked_device
    from recommend.train import check_without

    config = Config.load(workspace.config_file) if workspace.config_file.is_file() else Config()
    changes: dict[str, Any] = {} if preset is None else {"preset": preset}
    if without:
        changes["without"] = tuple(name.strip() for name in without.split(",") if name.strip())
    if text_encoder:
        changes["text_encoder"] = tuple(name.strip() for name in text_encoder.split("+") if name.strip())
    if seed is not None:
        changes["seed"] = seed
    if device is not None:
        changes["device"] = checked_device(device)
    found = config.train.model_copy(update=changes).spelled_out()
    check_without(found.without, workspace.snapshot())
    return found


def _tuned(found: Tuned | None) -> str:
    if found is None:
        return ""
    chosen = ", ".join(f"{name} {value:.3g}" for name, value in found.settings.items())
    end = "" if found.complete else "; time was up, the same command goes on"
    return f"tuned: NDCG@20 on validation {found.before:.4f} → {found.figure:.4f} in {found.trials} trials{end} ({chosen}).\n"


def _text(made: Bundle) -> str:
    lines = [f"model {made.name}, {made.bytes / 2**20:.0f} MB; it answers from now on."]
    branches = made.report.get("branches", {})
    for branch, found in branches.items():
        figures = found["ndcg@20"]
        lines.append(f"  {branch}: NDCG@20 on validation {figures['all']:.4f} (new {figures['unseen']:.4f}, known {figures['seen']:.4f})")
    return "\n".join(lines)
