"""Extraction: published figures on AE-110K, OA-Mine and dsner-ec, the demo's labelled titles, and quality against questions asked.

Choices were made on the train files; the test files are read here alone. What is learned is repeated with three seeds, with one under
--quick; models are kept under build/ by what made them (`benchmarks/extraction_models.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.common import save
from benchmarks.extraction_models import CORE, DATA, ROOT, SEEDS, TIERS, kept
from benchmarks.extraction_transfer import transfer
from extraction.base import build_extractor
from extraction.calibrate import calibration_error, fit_calibration
from extraction.combine import Policy
from extraction.evaluate import GoldRow, read_gold, score, seen_and_unseen
from extraction.hybrid import build_hybrid
from extraction.llm_config import LlmConfig
from extraction.rules import build_rules
from extraction.tag_pipeline import TaggerExtractor, build_tagger
from extraction.tag_training import Lesson, Slot, is_right, prepared_rows, train_tagger
from kg.model import Product
from kg.seeds import generator

WORST = "ten worst errors on train rows in folds"
BUDGETS = ("10%", "20%", "30%", "40%", "100%")
CHINESE_THRESHOLD = 0.3  # chosen on the dev sentences
# What the figures do not say of themselves; kept with them.
NOTES = (
    "titles_per_cpu_second is of one reading; what is loaded when first needed counts in it, most of all in the rows of the rules",
    "hybrid, and transfer with asked titles: answers are recorded ones of gpt-4-0613 (gpt-4-0613-answers.jsonl), none is asked for",
    "calibration error: 'by chance' is what a model that is right exactly as often as it says would show on as many slots",
    "mean of seeds: [mean, lowest, highest]; what is random is said in benchmarks/extraction_models.py",
)


def row_of(answer: dict[str, Any]) -> dict[str, Any]:
    """F1 of each attribute in % with its interval and n."""
    parts = {**answer["published"]["attributes"], "all": answer["published"]["all"]}
    return {name: [round(100 * f["f1"], 1), [round(100 * x, 1) for x in f["ci95"]], f["n"]] for name, f in parts.items()}


def shop(name: str, seeds: Mapping[str, int], quick: bool) -> dict[str, Any]:
    """Rules, tagger, accurate tier (with so many seeds each) and hybrid on one set of titles."""
    train, test = (read_gold(DATA / name / f"{part}.jsonl") for part in ("train", "test"))
    products = [row.product for row in (*train, *test)]
    rows: dict[str, Any] = {}
    answer, _ = score(build_extractor("rules", products), test, 0, CORE[name])
    rows["rules"] = {**row_of(answer), "titles_per_cpu_second": round(answer["titles_per_cpu_second"])}
    for tier in TIERS:
        f1s: dict[str, list[float]] = {}
        for seed in range(seeds[tier]):
            folder, slots = kept(name, tier, seed)
            local = build_tagger(products, folder)
            answer, found = score(local, test, 0, CORE[name])
            size = sum(file.stat().st_size for file in folder.iterdir())
            speed, row = round(answer["titles_per_cpu_second"]), row_of(answer)
            for attribute, figures in row.items():
                f1s.setdefault(attribute, []).append(figures[0])
            rows[f"{tier}, seed {seed}"] = {**row, "titles_per_cpu_second": speed, "bytes": size}
            if not seed:
                known = {one.name: one.known for one in local.component.model.learned.values()}
                rows[f"{tier}: recall of seen and unseen values"] = seen_and_unseen(test, found, known)
                rows[f"{tier}: calibration error, test"] = calibration_of(local, test)
                rows[f"{tier}: calibration error, train rows in folds"] = calibration_of_folds(slots, train)
                rows[f"{tier}: {WORST}"] = worst(slots, train)
        rows[f"{tier}: mean of seeds"] = {a: [round(float(np.mean(all_)), 1), min(all_), max(all_)] for a, all_ in f1s.items()}
    config = LlmConfig.from_environment({"replay": [str(DATA / name / "gpt-4-0613-answers.jsonl")]}, {})
    for budget in ("20%", "40%") if quick else BUDGETS:
        hybrid = build_hybrid(products, kept(name, "accurate", 0)[0], config, budget, Policy(review=0.0))
        answer, _ = score(hybrid, test, 0, CORE[name])
        rows[f"hybrid, {budget}"] = {**row_of(answer), "asked": round(hybrid.llm.report.asked / len(test), 3)}
    return rows


def worst(slots: Mapping[str, Sequence[Slot]], rows: Sequence[GoldRow], most: int = 10) -> list[list[Any]]:
    """The surest wrong values: (probability, attribute, said, right, why, title)."""
    wrong = []
    for attribute, listed in slots.items():
        labels = Counter(value for slot in listed for value in slot.gold)
        for s in listed:
            if s.spans and not is_right(s, rows):
                start, end, p = s.spans[0]
                title, gold = rows[s.row].product.title, sorted(s.gold)
                wrong.append([round(p, 3), attribute, title[start:end], gold, _why(title[start:end], gold, labels), title])
    return sorted(wrong, key=lambda one: (-one[0], one[-1]))[:most]


def _why(said: str, gold: Sequence[str], labels: Mapping[str, int]) -> str:
    """What kind of error it is, and whether the labels of other rows say what was said: then they disagree among themselves."""
    kind = (
        "invented" if not gold else "too short" if any(said in g for g in gold) else "too long" if any(g in said for g in gold) else "wrong"
    )
    others = labels.get(said, 0)
    return f"{kind}; {others} other rows are labelled {said!r}" if others else kind


def calibration_of_folds(slots: Mapping[str, Sequence[Slot]], rows: Sequence[GoldRow]) -> dict[str, float]:
    """Expected calibration error of best spans in the folds, the calibration of each fifth fitted on the other four."""
    every: list[tuple[float, bool]] = []
    found: dict[str, float] = {}
    for attribute, listed in slots.items():
        said = [(s.spans[0][2], is_right(s, rows)) for s in listed if s.spans]
        scores, right = np.array([p for p, _ in said]), np.array([r for _, r in said])
        part = generator(0, f"calibration {attribute}").permutation(len(said)) % 5
        sure = np.zeros(len(said))
        for k in range(5):
            sure[part == k] = fit_calibration(scores[part != k], right[part != k])(scores[part == k])
        found[attribute] = round(calibration_error(sure, right), 4)
        every += zip(sure.tolist(), right.tolist(), strict=True)
    return {**found, **_errors(every)}


def calibration_of(tagger: TaggerExtractor, rows: Sequence[GoldRow]) -> dict[str, float]:
    """Expected calibration error of what is held about every labelled slot (a value, or that there is none)."""
    read = list(tagger.read([row.product for row in rows]))
    told = [
        (slot.confidence, slot.mentions[0].raw in gold if slot.mentions else not gold)
        for row, (_, slots) in zip(rows, read, strict=True)
        for attribute, one in tagger.component.model.learned.items()
        if (gold := row.values.get(one.name)) is not None and (slot := slots.get(attribute)) is not None
    ]
    return _errors(told)


def _errors(told: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """Expected calibration error of all, what a perfectly calibrated model would show (mean and 97.5 % quantile), and n."""
    p, right = np.array([p for p, _ in told]), np.array([r for _, r in told])
    draw = generator(0, "calibration by chance")
    chance = [calibration_error(p, draw.random(len(p)) < p) for _ in range(500)]
    shown = {"all": calibration_error(p, right), "by chance": np.mean(chance), "by chance, most": np.quantile(chance, 0.975)}
    return {name: round(float(value), 4) for name, value in shown.items()} | {"n": len(told)}


def chinese() -> dict[str, Any]:
    """Exact spans of shopping requests (dsner-ec): F1 of all and of brand, with bootstrap intervals."""
    parts: dict[str, list[Any]] = {}
    names = ("product", "brand", "material", "model", "spec")
    for part in ("train", "test"):
        lines = [json.loads(line) for line in (DATA / "dsner-ec" / f"{part}.jsonl").read_text("utf-8").splitlines()]
        parts[part] = [row for row in lines if row["text"].strip()]
    rows = {
        part: [
            GoldRow(Product(str(i), row["text"]), {n: frozenset(s["text"] for s in row["spans"] if s["attribute"] == n) for n in names})
            for i, row in enumerate(listed)
        ]
        for part, listed in parts.items()
    }
    # What the rules count, they count in the texts of both parts, as they do in a shop; labels are those of train alone.
    titles = [row.product for row in rows["test"]]
    model, _ = train_tagger(rows["train"], Lesson(names, "dsner-ec", gazetteer=True, titles=titles))
    prepared = prepared_rows(rows["test"], build_rules([*(row.product for row in rows["train"]), *titles]))
    read = model.read(prepared.tokens, prepared.hints)
    counts: dict[str, list[tuple[int, int, int]]] = {"all": [], "brand": []}
    for row, own, found in zip(parts["test"], prepared.tokens, read, strict=True):
        gold = {(s["attribute"], s["start"], s["end"]) for s in row["spans"]}
        said: set[tuple[str, int, int]] = set()
        spans = sorted(((s, a) for a, listed in found.items() for s in listed), key=lambda pair: -pair[0].probability)
        for span, attribute in spans:
            start, end = own.starts[span.first], own.ends[span.last - 1]
            if span.probability >= CHINESE_THRESHOLD and all(end <= s or start >= e for _, s, e in said):
                said.add((attribute, start, end))
        for name, tally in counts.items():
            g, s = ({x for x in one if name in ("all", x[0])} for one in (gold, said))
            tally.append((len(g & s), len(s), len(g)))
    return {name: _interval(np.array(tally)) for name, tally in counts.items()}


def _interval(counts: Any) -> list[Any]:
    draws = generator(0, "sentences").multinomial(len(counts), np.full(len(counts), 1 / len(counts)), 1000) @ counts
    f1 = 200 * draws[:, 0] / np.maximum(draws[:, 1] + draws[:, 2], 1)
    right, said, wanted = counts.sum(axis=0)
    low, high = np.quantile(f1, [0.025, 0.975])
    return [round(float(200 * right / (said + wanted)), 1), [round(float(low), 1), round(float(high), 1)], int(wanted)]


def demo(held_out: bool) -> dict[str, Any]:
    """The demo shop's labelled titles, no label of it learned from: the rules, and the brand tagger that its titles teach (`trained`)."""
    from extraction.reading import read_products
    from kg.rejects import Rejects

    catalogue = DATA.parent / "open-ecommerce"
    files = sorted(catalogue.glob("products.*"))
    golden = ROOT / "tests" / "golden"
    named = {"dev": "extraction_demo_dev.jsonl", **({"held out": "extraction_demo_heldout.jsonl"} if held_out else {})}
    rows: dict[str, Any] = {}
    for part, file in named.items():
        gold = read_gold(golden / file)
        taught = [*read_products(files[0], Rejects())] if files else [row.product for row in gold]
        for name in ("rules", "trained") if files else ("rules",):
            answer, _ = score(build_extractor(name, taught), gold)
            rows[f"{part}, {name}"] = row_of(answer)
    return rows


def main(quick: bool = False, seeds: int = SEEDS) -> None:
    """Print and save the tables, each when it is made; the demo's held-out titles are read by a full run alone.

    Args:
        quick: one seed, two budgets, no held-out titles.
        seeds: of the accurate tier, which takes minutes each; the tagger has SEEDS.
    """
    if not DATA.is_dir():
        print(f"no {DATA}: the labelled titles are not part of the repository")
        return
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "dsner-ec": chinese,
        "demo": lambda: demo(held_out=not quick),
        "transfer": lambda: transfer(held_out=not quick),
        **{
            name: lambda name=name: shop(name, {"tagger": 1 if quick else SEEDS, "accurate": 1 if quick else seeds}, quick) for name in CORE
        },
    }
    table: dict[str, Any] = {}
    for name, make in parts.items():
        table[name] = make()
        print(name)
        for method, figures in table[name].items():
            print(f"  {method:20} {figures}", flush=True)
        save("extraction", {"notes": NOTES, "rows": published(table)})
    curve(table)
    print("\n".join(NOTES))


def published(table: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The table without the titles of errors: they are not part of the repository, and only printed."""
    return {name: {method: row for method, row in rows.items() if WORST not in method} for name, rows in table.items()}


def curve(table: Mapping[str, Mapping[str, Any]]) -> None:
    """Print quality against cost: F1 of the core attributes, titles a CPU-second, megabytes, share of titles that were asked about."""
    print(f"{'':28}{'F1':>8}{'titles/CPU-s':>14}{'MB':>8}{'asked':>8}")
    for name in CORE:
        for method, row in table[name].items():
            if "all" in row and isinstance(row["all"], list):
                speed, size, asked = row.get("titles_per_cpu_second", ""), row.get("bytes", 0) / 1e6, row.get("asked", 0)
                print(f"{name + ' ' + method:28}{row['all'][0]:>8}{speed:>14}{size:>8.1f}{asked:>8.0%}")
