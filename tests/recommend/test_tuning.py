"""The search over settings: never worse than what held before, bounded in time, the same after it was stopped or killed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from kg.config import FitSettings, TrainConfig
from kg.errors import StateError
from kg.workspace import Workspace
from recommend.cli import cli
from recommend.schema import schema
from recommend.tuning import SPACE, names_of, search, tuned_file, tuned_settings

CONFIG = TrainConfig(seed=3)


def hill(settings: FitSettings) -> float:
    """Best at shrink 20, and a little better with less effort."""
    return 1 / (1 + abs(settings.shrink - 20)) - 0.01 * settings.gnn_effort


def test_it_is_never_worse_than_what_held_before(tmp_path):
    found = search(lambda settings: float(settings == FitSettings(ridge=20.0)), CONFIG, tmp_path, "graph", 8)
    assert found.figure == found.before == 1.0
    assert found.settings == {name: getattr(FitSettings(ridge=20.0), name) for name in SPACE}


def test_it_climbs(tmp_path):
    found = search(hill, CONFIG, tmp_path, "graph", 30)
    assert found.figure > found.before and abs(found.settings["shrink"] - 20) < 10
    assert found.trials == 30 and found.complete


def test_a_search_that_was_stopped_goes_on_and_ends_where_it_would_have(tmp_path):
    whole = search(hill, CONFIG, tmp_path / "whole", "graph", 12)
    first = search(hill, CONFIG, tmp_path / "parts", "graph", 5)
    asked = []
    second = search(lambda settings: asked.append(settings) or hill(settings), CONFIG, tmp_path / "parts", "graph", 12)
    assert first.trials == 5 and len(asked) == 7
    assert second == whole


KILLED = """
import os, signal, sys
from pathlib import Path
from kg.config import TrainConfig
from recommend.tuning import search
calls = []
def rehearse(settings):
    calls.append(settings)
    if len(calls) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1 / (1 + abs(settings.shrink - 20)) - 0.01 * settings.gnn_effort
search(rehearse, TrainConfig(seed=3), Path(sys.argv[1]), "graph", 12)
"""


def test_a_search_that_was_killed_goes_on_with_the_trial_it_was_in(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "killed")], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    asked = []
    found = search(lambda settings: asked.append(settings) or hill(settings), CONFIG, tmp_path / "killed", "graph", 12)
    assert len(asked) == 9  # three stand in the journal
    assert found == search(hill, CONFIG, tmp_path / "whole", "graph", 12)


def test_a_new_search_begins_with_what_an_earlier_one_found(tmp_path):
    asked = []
    found = search(lambda settings: asked.append(settings) or hill(settings), CONFIG, tmp_path, "graph", 2, start=FitSettings(shrink=20.0))
    assert asked[0].shrink == 20.0 and found.before == hill(asked[0])


def test_it_is_bounded_in_time(tmp_path):
    seconds = iter(range(0, 10_000, 40))
    found = search(hill, CONFIG, tmp_path, "graph", 50, minutes=5, clock=lambda: float(next(seconds)))
    assert 1 <= found.trials < 5 and not found.complete


def test_what_is_given_or_left_out_is_not_looked_for(tmp_path):
    given = TrainConfig(settings=FitSettings(shrink=1.0), without=("gnn",))
    assert names_of(given) == ("ridge",)
    found = search(lambda settings: settings.shrink, given, tmp_path, "graph", 3)
    assert found.figure == 1.0 and set(found.settings) == {"ridge"}
    everything = TrainConfig(settings=FitSettings(**{name: getattr(FitSettings(), name) for name in SPACE}))
    with pytest.raises(StateError, match="Every setting is given"):
        search(hill, everything, tmp_path, "graph", 3)


def test_trials_that_cannot_be_measured_are_passed_over(tmp_path):
    def fragile(settings: FitSettings) -> float:
        if settings.shrink > 3:
            raise StateError("The fit diverged.", "Lower it.")
        return settings.shrink

    assert search(fragile, CONFIG, tmp_path, "graph", 10).figure <= 3

    def hopeless(settings: FitSettings) -> float:
        raise StateError("The fit diverged.", "Lower it.")

    with pytest.raises(StateError, match="No settings could be measured on validation") as caught:
        search(hopeless, CONFIG, tmp_path, "another graph", 2)
    assert "The fit diverged" in caught.value.hint


def test_the_next_train_finds_them_and_clew_toml_goes_first(tmp_path):
    workspace = Workspace(tmp_path).open(create=True)
    assert tuned_settings(workspace, CONFIG) == FitSettings()
    tuned_file(workspace).write_text(json.dumps({"settings": {"shrink": 9.0, "ridge": 50.0}}))
    assert tuned_settings(workspace, CONFIG) == FitSettings(shrink=9.0, ridge=50.0)
    own = TrainConfig(settings=FitSettings(shrink=1.0))
    assert tuned_settings(workspace, own) == FitSettings(shrink=1.0, ridge=50.0)
    tuned_file(workspace).write_text('{"settings": {"shrink": -1}}')
    with pytest.raises(StateError, match="is damaged"):
        tuned_settings(workspace, CONFIG)


def clew(*arguments: str, code: int = 0):
    result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def own_shop(small_shop, tmp_path) -> Path:
    return shutil.copytree(small_shop, tmp_path / "own")


def test_tune_train_and_show(own_shop):
    """The small shop: two trials, kept, taken by the same training and the next, shown on the model's card."""
    words = ("--without", "gnn,ease", "--text-encoder", "words", "-w", str(own_shop), "-q")
    document = json.loads(clew("train", "--tune", "2", *words, "--json").stdout)
    Draft202012Validator(schema("train")).validate(document)
    tuned = document["tuned"]
    assert tuned["trials"] == 2 and tuned["complete"] and tuned["ndcg@20"] >= tuned["ndcg@20_before"]
    card = json.loads(clew("models", "show", "-w", str(own_shop), "--json").stdout)
    assert card["settings"]["shrink"] == tuned["settings"]["shrink"] and card["current"]
    shown = clew("models", "show", card["name"][:6], "-w", str(own_shop)).stdout
    assert f"shrink {tuned['settings']['shrink']:g}" in shown and "known products: " in shown
    again = json.loads(clew("train", *words, "--json").stdout)
    assert again["model"] == card["digest"]
    assert "--tune-minutes bounds --tune" in clew("train", "--tune-minutes", "3", *words, code=2).output
    assert "model" in clew("models", "show", "zzz", "-w", str(own_shop), code=1).output


def test_a_search_begins_with_the_ridge_that_a_training_would_choose(own_shop, monkeypatch):
    """The small shop's training chooses the usual one; where another is chosen, the search must not begin behind it."""
    monkeypatch.setattr("recommend.fit.ridge_of", lambda one, training: 7.0)
    words = ("--without", "gnn", "--text-encoder", "words", "-w", str(own_shop), "-q", "--json")
    first = json.loads(clew("train", "--tune", "1", *words).stdout)
    assert first["tuned"]["settings"]["ridge"] == 7.0
    assert first["tuned"]["ndcg@20"] == first["tuned"]["ndcg@20_before"]


def test_what_holds_without_a_search_is_what_the_views_say():
    """Defaults stand in `kg`, below the views that they belong to; both say the same."""
    from gnn.config import GnnConfig
    from recommend.views.co_bought import SHRINK
    from recommend.views.ease import RIDGE

    settings = FitSettings()
    assert (settings.shrink, settings.ridge or RIDGE, settings.gnn_effort) == (SHRINK, RIDGE, 1.0)
    assert (settings.gnn_temperature, settings.gnn_identity_dropout) == (GnnConfig().temperature, GnnConfig().identity_dropout)
    assert all(least < (getattr(settings, name) or RIDGE) < most for name, (least, most, _) in SPACE.items())


def test_the_settings_reach_the_fit():
    from recommend.fit import fit
    from recommend.testing import planted_material
    from recommend.texts import snapshot_texts
    from recommend.training import Training

    snapshot, _ = planted_material()
    chosen = FitSettings(gnn_effort=0.5, gnn_temperature=0.1, gnn_identity_dropout=0.3, gnn_towers=2, shrink=9.0, ridge=60.0)
    made = {}
    for settings in (FitSettings(), chosen):
        config = TrainConfig(text_encoder=("words",), settings=settings)
        made[settings.shrink] = fit(Training(snapshot, snapshot_texts(snapshot), config=config))
    plain, tuned = made[3.0], made[9.0]
    before, after = (one.table.settings["config"] for one in (plain, tuned))
    assert after["steps"] == round(before["steps"] / 2)
    assert (after["temperature"], after["identity_dropout"]) == (0.1, 0.3)
    assert (plain.table.dim, tuned.table.dim) == (128, 256) and len(tuned.table.best_steps) == 2
    for view in ("co_bought", "ease"):
        assert (plain.scorer.views[view].matrix != tuned.scorer.views[view].matrix).nnz
