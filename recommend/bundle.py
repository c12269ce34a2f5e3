"""Trained models on disk: one folder each, named by its digest; which one answers is one file that is replaced whole.

models/<first 16 hex digits of the digest>/
  manifest.json       format, digests of model, graph and text encoder, weights, report
  views.safetensors   all views, popularity, text vectors
  words.safetensors   the words of the catalogue
  graph.safetensors   fingerprints of the graph's facts: to say later what has changed
  gnn/                the embedding table (if there is a GNN)
  text/               the text encoder
models/current.json   {"current": …, "before": […]}
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gnn.arrays import map_arrays, save_arrays
from kg.digest import digest_arrays, digest_json
from kg.errors import StateError, UnknownKeyError
from kg.whole_files import write_whole
from recommend.arrays import Arrays
from recommend.news import fingerprint, news
from recommend.scorer import Scorer, TextVectors
from recommend.texts import texts_vector
from recommend.views.build import kind_of, views_of_arrays, views_to_arrays
from recommend.weights import Weights
from recommend.words import CatalogueWords

if TYPE_CHECKING:
    from gnn.embeddings import EmbeddingTable
    from kg.snapshot import GraphSnapshot
    from kg.workspace import Workspace
    from recommend.training import Fitted

FORMAT = 2
_KEPT_BEFORE = 10


@dataclass(frozen=True, slots=True)
class Bundle:
    """One trained model on disk.

    Args:
        name: name of its folder.
        digest: of everything that a score depends on.
        snapshot_digest: of the graph that it belongs to.
        text_digest: of the text encoder.
        current: whether it answers.
        bytes: size on disk.
        trained: seconds since 1970, when its folder was made.
        report: what was chosen on validation.
    """

    name: str
    digest: str
    snapshot_digest: str
    text_digest: str
    current: bool
    bytes: int
    trained: float
    report: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The form of `clew models list --json`."""
        return {
            "name": self.name,
            "digest": self.digest,
            "graph": self.snapshot_digest,
            "text": self.text_digest,
            "current": self.current,
            "bytes": self.bytes,
            "report": dict(self.report),
        }


def save(models: Path, fitted: Fitted, config: Mapping[str, Any], use_it: bool = True) -> Bundle:
    """Write a model; its folder appears whole or not at all, and an equal model that is there already is kept.

    Args:
        models: the folder of all models.
        fitted: what `recommend.fit.fit` gave.
        config: settings of the fit, for the manifest.
        use_it: make it the one that answers.
    """
    from gnn.text import save_encoder

    scorer = fitted.scorer
    arrays: Arrays = {**views_to_arrays(scorer.views), "popularity": scorer.popularity}
    if scorer.text is not None:
        arrays["text"] = scorer.text.vectors
    words = scorer.words.arrays()
    # Neither seconds nor the device's name make a model another one; equal fits give equal bytes.
    table = None if fitted.table is None else _timeless(fitted.table)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "snapshot_digest": scorer.snapshot.digest,
        "text_digest": fitted.encoder.digest,
        "gnn_digest": "" if table is None else table.digest,
        "views": [[name, kind_of(view)] for name, view in scorer.views.items()],
        "weights": scorer.weights.to_dict(),
        "config": {name: value for name, value in config.items() if name != "device"},
        "report": fitted.report,
        "arrays": digest_arrays(array for _, array in sorted({**arrays, **words}.items())),
    }
    manifest["digest"] = digest_json(manifest)
    name = manifest["digest"].removeprefix("sha256:")[:16]
    folder = models / name
    if not (folder / "manifest.json").exists():
        building = models / f"{name}.{os.getpid()}.tmp"
        shutil.rmtree(building, ignore_errors=True)
        try:
            building.mkdir(parents=True)
            save_arrays(arrays, building / "views.safetensors")
            save_arrays(words, building / "words.safetensors")
            save_arrays(fingerprint(scorer.snapshot), building / "graph.safetensors")
            if table is not None:
                table.save(building / "gnn")
            (building / "text").mkdir()
            save_encoder(fitted.encoder, building / "text")
            (building / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            building.rename(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    if use_it:
        use(models, name)
    return next(bundle for bundle in bundles(models) if bundle.name == name)


def load(workspace: Workspace, name: str | None = None) -> Scorer:
    """The model in use (or another by name) as a scorer over the workspace's graph; arrays are memory-mapped.

    Raises:
        StateError: there is no model, it belongs to another graph, it is damaged, or a newer version wrote it.
    """
    chosen = name or _state(workspace.models)["current"]
    if not chosen:
        raise StateError(f"There is no model in {workspace.path}.", "Train one: clew train.")
    folder = workspace.models / chosen
    manifest = _manifest(folder)
    snapshot = workspace.snapshot()
    if manifest["snapshot_digest"] != snapshot.digest:
        raise _of_another_graph(folder, str(manifest["snapshot_digest"]), snapshot)
    table = None
    if manifest["gnn_digest"]:
        from gnn.embeddings import EmbeddingTable

        table = EmbeddingTable.load(folder / "gnn")
        table.require(snapshot.digest)
    arrays = map_arrays(folder / "views.safetensors")
    words = CatalogueWords.of_arrays(map_arrays(folder / "words.safetensors"))
    seen = snapshot.item_event_counts > 0
    views = views_of_arrays(dict(manifest["views"]), arrays, words, table, seen)
    text = None if "text" not in arrays else TextVectors(np.asarray(arrays["text"], np.float32), _Encode(folder / "text"))
    weights = Weights.of(manifest["weights"])
    return Scorer(snapshot, views, np.asarray(arrays["popularity"], np.float64), weights, words, text, str(manifest["digest"]))


def _of_another_graph(folder: Path, trained_on: str, snapshot: GraphSnapshot) -> StateError:
    """Says what has changed since a model was trained."""
    told = f"The model was trained on the graph {trained_on[:19]}, but the workspace holds {snapshot.digest[:19]}."
    file = folder / "graph.safetensors"
    changes = [str(one) for one in news(map_arrays(file), snapshot)] if file.is_file() else []
    if changes:
        told += " Since then, " + "; ".join(changes) + "."
    return StateError(told, "Train again: clew train.")


def _timeless(table: EmbeddingTable) -> EmbeddingTable:
    settings = {name: value for name, value in table.settings.items() if name != "seconds"}
    config = settings.get("config")
    return replace(table, settings=settings | ({"config": {**config, "device": "auto"}} if isinstance(config, dict) else {}))


class _Encode:
    """Opens the text encoder when the first text is asked about."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._encoder: Any = None

    def __call__(self, text: str) -> np.ndarray:
        from gnn.text import open_encoder

        if self._encoder is None:
            self._encoder = open_encoder(self.folder)
        return texts_vector(self._encoder, text)


def bundles(models: Path) -> list[Bundle]:
    """All models, the newest first."""
    current = _state(models)["current"]
    found = []
    for manifest_file in sorted(models.glob("*/manifest.json")):
        folder = manifest_file.parent
        if folder.suffix == ".tmp":
            continue
        manifest = _manifest(folder)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        found.append(
            Bundle(
                folder.name,
                str(manifest["digest"]),
                str(manifest["snapshot_digest"]),
                str(manifest["text_digest"]),
                folder.name == current,
                size,
                manifest_file.stat().st_mtime,
                manifest["report"],
            )
        )
    return sorted(found, key=lambda bundle: (-bundle.trained, bundle.name))


def card(models: Path, name: str | None = None) -> dict[str, Any]:
    """All that a model says about itself: the JSON of `clew models show`.

    Args:
        models: the folder of all models.
        name: its name, or a beginning that only one has; None: the one in use.

    Raises:
        UnknownKeyError: no model is called so, or several are.
        StateError: there is no model, or it is damaged.
    """
    current = _state(models)["current"]
    if name is None and not current:
        raise StateError("No model answers yet.", "Train one: clew train.")
    chosen = current if name is None else _named(models, name)
    manifest = _manifest(models / chosen)
    config, alike = manifest["config"], manifest["report"].get("likeness", {"pairs": "all", "recall": 1.0})
    return {
        "schema_version": 1,
        "name": chosen,
        "digest": manifest["digest"],
        "graph": manifest["snapshot_digest"],
        "current": chosen == current,
        "preset": config.get("preset", "default"),
        "seed": config.get("seed", 0),
        "text_encoder": config.get("text_encoder", []),
        "without": config.get("without", []),
        "settings": config.get("settings", {}),
        "likeness": alike,
        "views": [view for view, _ in manifest["views"]],
        "weights": manifest["weights"],
        "report": manifest["report"],
    }


def _named(models: Path, name: str) -> str:
    names = [folder.parent.name for folder in models.glob("*/manifest.json") if folder.parent.suffix != ".tmp"]
    found = [one for one in names if one.startswith(name.removeprefix("sha256:")[:16])] if name else []
    if len(found) != 1:
        raise UnknownKeyError("model", name, names)
    return found[0]


def use(models: Path, name: str) -> str:
    """Make a model the one that answers.

    Args:
        models: the folder of all models.
        name: its name, or a beginning that only one has.

    Returns:
        Its whole name.

    Raises:
        UnknownKeyError: no model is called so, or several are.
    """
    found = _named(models, name)
    state = _state(models)
    if state["current"] != found:
        before = [*state["before"], state["current"]] if state["current"] else state["before"]
        _write_state(models, found, before[-_KEPT_BEFORE:])
    return found


def undo(models: Path) -> str:
    """Go back to the model that answered before; returns its name.

    Raises:
        StateError: there was none, or it is gone.
    """
    state = _state(models)
    there = [name for name in state["before"] if (models / name / "manifest.json").exists()]
    if not there:
        raise StateError("No model answered before this one.", "See them all with clew models list.")
    _write_state(models, there[-1], there[:-1])
    return str(there[-1])


def prune(models: Path, keep: int = 1) -> list[str]:
    """Delete all models but the one in use and the `keep` that answered before it; returns the names of those deleted."""
    state = _state(models)
    kept = {state["current"], *(state["before"][-keep:] if keep else [])}
    gone = [bundle.name for bundle in bundles(models) if bundle.name not in kept]
    for name in gone:
        shutil.rmtree(models / name)
    for leftover in models.glob("*.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    if state["current"]:
        _write_state(models, state["current"], [name for name in state["before"] if name in kept])
    return gone


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        made = int(manifest["format"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"The model {folder.name} is missing or damaged.", "Train again: clew train.") from error
    if made != FORMAT:
        which, hint = ("a newer", "Update clew, or train again.") if made > FORMAT else ("an older", "Train again: clew train.")
        raise StateError(f"The model {folder.name} was made by {which} version of clew.", hint)
    return manifest


def _state(models: Path) -> dict[str, Any]:
    try:
        found = json.loads((models / "current.json").read_text(encoding="utf-8"))
        return {"current": str(found["current"]), "before": [str(name) for name in found["before"]]}
    except FileNotFoundError:
        return {"current": "", "before": []}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(f"{models / 'current.json'} is damaged.", "Choose a model again: clew models use NAME.") from error


def _write_state(models: Path, current: str, before: list[str]) -> None:
    write_whole(models / "current.json", json.dumps({"current": current, "before": before}) + "\n")
