"""The taggers that the benchmark measures, kept under build/ by a digest of what made them: settings, data files, sources, vocabularies.

A model of other sources or data is never used again. `python -m benchmarks.extraction_models` trains those that are missing.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from benchmarks.common import locked
from extraction.accurate import tagged, train_accurate
from extraction.encoder_training import SCHEDULE, train_encoder
from extraction.evaluate import GoldRow, read_gold
from extraction.tag_training import Lesson, Slot, rows_of_shop, train_tagger
from extraction.tagger import MANIFEST, TaggerModel
from kg.digest import digest_bytes, digest_json

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data" / "extraction"
MODELS = ROOT / "build" / "extraction-models"
CORE = {"ae-110k": ["Brand Name", "Material"], "oa-mine": ["Brand", "Color", "Size", "Material"]}
TIERS = ("tagger", "accurate")
SEEDS = 3
Slots = dict[str, list[Slot]]


@cache
def sources() -> dict[str, str]:
    """Digest of each source file of the room that training needs, and of each vocabulary."""
    room, found, waiting = ROOT / "extraction", dict[str, str](), ["accurate"]
    while waiting:
        name = waiting.pop()
        path = room / f"{name}.py"
        if name in found or not path.is_file():
            continue
        content = path.read_bytes()
        found[name] = digest_bytes(content)
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("extraction."):
                waiting.append(node.module.removeprefix("extraction."))
            elif isinstance(node, ast.ImportFrom) and node.module == "extraction":
                waiting += [alias.name for alias in node.names]
    return found | {path.name: digest_bytes(path.read_bytes()) for path in sorted((room / "data").glob("*.json"))}


def name_of(shop: str, tier: str, seed: int) -> str:
    """Name of a kept model: readable, then what made it."""
    made = [shop, tier, seed, CORE[shop], asdict(SCHEDULE), digest_bytes((DATA / shop / "train.jsonl").read_bytes()), sources()]
    return f"{shop}-{tier}-{seed}-{digest_json(made).removeprefix('sha256:')[:16]}"


def kept(shop: str, tier: str, seed: int) -> tuple[Path, Slots]:
    """Folder of a model, trained when it is not there yet, and its held-out slots (of seed 0).

    Seeds differ in what is random: the folds of the CRFs, which set thresholds and calibration (the CRFs have no chance in them); the
    encoder's first weights, order and dropout (its weight beside the CRFs, thresholds and calibration stay those of seed 0's folds).
    """
    folder = MODELS / name_of(shop, tier, seed)
    beside = folder.with_suffix(".slots.json")
    MODELS.mkdir(parents=True, exist_ok=True)
    with locked(MODELS / f".{folder.name}.lock"):  # another run may be training it
        if not (folder / MANIFEST).is_file():
            model, slots = _trained(shop, tier, seed)
            listed = {a: [[s.row, sorted(s.gold), s.spans] for s in own] for a, own in slots.items()}
            beside.write_text(json.dumps(listed), "utf-8")
            model.save(folder)
    found = json.loads(beside.read_text("utf-8"))
    return folder, {a: [Slot(row, frozenset(gold), tuple(map(tuple, spans))) for row, gold, spans in listed] for a, listed in found.items()}


def _trained(shop: str, tier: str, seed: int) -> tuple[TaggerModel, Slots]:
    rows = read_gold(DATA / shop / "train.jsonl")
    lesson = Lesson(CORE[shop], shop, seed)
    if tier == "tagger":
        return train_tagger(rows, lesson)
    if not seed:
        return train_accurate(rows, lesson)
    return _encoder_again(TaggerModel.load(kept(shop, tier, 0)[0]), rows, lesson), {}


def _encoder_again(model: TaggerModel, rows: Sequence[GoldRow], lesson: Lesson) -> TaggerModel:
    labelled = tagged(rows_of_shop(rows, lesson), lesson.absent)
    return replace(model, encoder=train_encoder(labelled, range(len(rows)), list(model.learned), lesson.seed))


def train_all(seeds: int = SEEDS) -> None:
    """Train what is missing, the first seed of every shop before the others."""
    for tier in TIERS:
        for seed in range(seeds):
            for shop in sorted(CORE):
                print(kept(shop, tier, seed)[0].name, flush=True)


if __name__ == "__main__":
    train_all()
