"""How well an extractor reads: the published protocol and a strict one, with bootstrap intervals, and the errors for people to read.

Gold files are JSONL: `input` (the title), `category`, `target_scores` {attribute: {value: 1, …}}; `n/a` = asked and absent. A slot (row,
attribute) with several gold values is right with any one of them.

Published protocol (Brinkmann et al., ExtractGPT, 2024): only slots that the row carries a label for, one prediction each (the surest
mention). With V/N in front for "gold has a value" / "gold is n/a", and C, W, V, N behind for correct, wrong, some value, none:
P = VC / (NV + VC + VW), R = VC / (VN + VC + VW).

Strict protocol: every accepted mention counts, not the surest alone (a value said twice counts once), and a slot that the row does not
label is taken as absent; recall is over slots with a value, precision over values said.

F1 is 2PR / (P + R), from 0 to 1, higher is better.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extraction.base import Extractor, Mention
from kg.errors import InputError, UnknownKeyError
from kg.model import Product
from kg.seeds import generator

ABSENT = "n/a"
# Names of attributes in gold files that are ours under another name.
_ALIASES = {"brand name": "brand", "colour": "color", "pack size": "quantity", "product type": "product_type"}
_SHAPE = 'A gold file has one object a line: {"input": TITLE, "category": …, "target_scores": {ATTRIBUTE: {VALUE: 1}}}.'
DRAWS = 1000


@dataclass(frozen=True, slots=True)
class GoldRow:
    """One labelled title.

    Args:
        product: the title as a product, its category as column.
        values: attribute as the file names it → gold values, none when asked and absent.
    """

    product: Product
    values: Mapping[str, frozenset[str]]


def attribute_of(name: str) -> str:
    """Our name of a gold file's attribute ("Brand Name" → "brand"); one that is not ours keeps its own, casefolded."""
    folded = name.casefold().strip()
    return _ALIASES.get(folded, folded.replace(" ", "_"))


def read_gold(path: Path) -> list[GoldRow]:
    """The rows of a gold file.

    Raises:
        InputError: the file is not there, is empty or has a line that is no gold row.
    """
    if not path.is_file():
        raise InputError(f"There is no gold file {path}.", "Give a file with --gold.")
    rows = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.strip():
            rows.append(_gold_row(line, f"{path}:{number}", number))
    if not rows:
        raise InputError(f"The gold file {path} is empty.", _SHAPE)
    return rows


def _gold_row(line: str, where: str, number: int) -> GoldRow:
    try:
        row = json.loads(line)
        scores: dict[str, dict[str, int]] = row["target_scores"]
        values = {name: frozenset(v for v in found if v != ABSENT) for name, found in scores.items()}
        fields = {"category": row["category"]} if row.get("category") else {}
        return GoldRow(Product(str(row.get("key", number)), row["input"], fields, source=where), values)
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{where} is no gold row ({error!r}).", _SHAPE) from None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Counts of one attribute, a row of the gold file each (int64): VC, VW, VN, NV, and under the strict protocol said and right values."""

    correct: NDArray[np.int64]
    wrong: NDArray[np.int64]
    missed: NDArray[np.int64]
    invented: NDArray[np.int64]

    def counts(self) -> NDArray[np.int64]:
        """[rows, 3]: right, said, wanted. P = right / said, R = right / wanted."""
        said = self.correct + self.wrong + self.invented
        return np.stack([self.correct, said, self.correct + self.wrong + self.missed], axis=1)


def best(mentions: Iterable[Mention], attribute: str) -> Mention | None:
    """The surest accepted mention of an attribute; of equals, the first in the title."""
    own = [m for m in mentions if m.accepted and m.attribute == attribute]
    return min(own, key=lambda m: (-m.confidence, m.start), default=None)


def published_outcome(rows: Sequence[GoldRow], found: Sequence[Sequence[Mention]], name: str) -> NDArray[np.int64]:
    """[rows, 3] right, said, wanted of one attribute under the published protocol."""
    counts = np.zeros((len(rows), 4), np.int64)
    for i, (row, mentions) in enumerate(zip(rows, found, strict=True)):
        if name not in row.values:
            continue
        gold, said = row.values[name], best(mentions, attribute_of(name))
        if gold:
            counts[i, 2 if said is None else 0 if said.raw in gold else 1] = 1
        else:
            counts[i, 3] = said is not None
    return Outcome(*counts.T).counts()


def strict_outcome(rows: Sequence[GoldRow], found: Sequence[Sequence[Mention]], name: str) -> NDArray[np.int64]:
    """[rows, 3] right, said, wanted of one attribute under the strict protocol.

    A slot with several right values said counts once as right and once as said, so that alternatives of one value are no gain.
    """
    counts = np.zeros((len(rows), 3), np.int64)
    for i, (row, mentions) in enumerate(zip(rows, found, strict=True)):
        gold = row.values.get(name, frozenset())
        said = {m.raw for m in mentions if m.accepted and m.attribute == attribute_of(name)}
        right = bool(said & gold)
        counts[i] = right, right + len(said - gold), bool(gold)
    return counts


def figures(counts: NDArray[np.int64], weights: NDArray[np.int64]) -> dict[str, Any]:
    """Precision, recall, F1, n (slots with a value) and the 95 % bootstrap interval of F1, as fractions.

    Args:
        counts: int64 [rows, 3], right, said, wanted.
        weights: int64 [draws, rows], how often each row is drawn.
    """
    f1s = _f1(weights @ counts)
    right, said, wanted = (int(x) for x in counts.sum(axis=0))
    low, high = np.quantile(f1s, [0.025, 0.975])
    return {
        "precision": right / said if said else 0.0,
        "recall": right / wanted if wanted else 0.0,
        "f1": float(_f1(counts.sum(axis=0)[None])[0]),
        "n": wanted,
        "ci95": [float(low), float(high)],
    }


def _f1(sums: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 = 2 · right / (said + wanted), which is 2PR / (P + R); 0 when nothing is said or wanted."""
    total = sums[:, 1] + sums[:, 2]
    f1: NDArray[np.float64] = np.where(total > 0, 2.0 * sums[:, 0] / np.maximum(total, 1), 0.0)
    return f1


def score(
    extractor: Extractor, rows: Sequence[GoldRow], seed: int = 0, attributes: Iterable[str] | None = None
) -> tuple[dict[str, Any], list[list[Mention]]]:
    """The figures of `clew extract score --json`, and what was read.

    Args:
        extractor: reads the titles.
        rows: the gold file.
        seed: of the bootstrap.
        attributes: names as the file writes them; None: all that it labels.
    """
    started = time.process_time()
    found = list(extractor.extract([row.product for row in rows]))
    seconds = time.process_time() - started
    wanted = set(attributes) if attributes is not None else None
    labelled = Counter(name for row in rows for name in row.values)
    names = [name for name in labelled if wanted is None or name in wanted]
    weights = generator(seed, "extraction bootstrap").multinomial(len(rows), np.full(len(rows), 1 / len(rows)), DRAWS)
    answer: dict[str, Any] = {}
    for protocol, outcome in (("published", published_outcome), ("strict", strict_outcome)):
        counts = {name: outcome(rows, found, name) for name in names}
        answer[protocol] = {
            "attributes": {name: figures(counts[name], weights) for name in names},
            "all": figures(np.sum([*counts.values()], axis=0, dtype=np.int64).reshape(len(rows), 3), weights),
        }
    return {"schema_version": 1, "extractor": extractor.name, **answer, "titles_per_cpu_second": len(rows) / max(seconds, 1e-9)}, found


@dataclass(frozen=True, slots=True)
class Miss:
    """One slot that was read wrong.

    Args:
        attribute: as the gold file names it.
        title, said, gold: what was read, what was said (None: nothing) and what is right (empty: nothing).
        kind: "missed", "invented", "too short", "too long" or "wrong".
    """

    attribute: str
    title: str
    said: str | None
    gold: tuple[str, ...]
    kind: str

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {"title": self.title, "said": self.said, "gold": list(self.gold), "kind": self.kind}


def check_attributes(rows: Sequence[GoldRow], names: Iterable[str]) -> None:
    """Refuse an attribute that no row labels.

    Raises:
        UnknownKeyError: one; the nearest is suggested.
    """
    labelled = {name for row in rows for name in row.values}
    for name in names:
        if name not in labelled:
            raise UnknownKeyError("attribute", name, sorted(labelled))


def misses(rows: Sequence[GoldRow], found: Sequence[Sequence[Mention]], name: str) -> list[Miss]:
    """Every slot of an attribute that the published protocol counts as wrong, in the order of the rows."""
    listed = []
    for row, mentions in zip(rows, found, strict=True):
        if name not in row.values:
            continue
        gold, surest = row.values[name], best(mentions, attribute_of(name))
        said = surest.raw if surest else None
        if said not in gold and (said is not None or gold):
            listed.append(Miss(name, row.product.title, said, tuple(sorted(gold)), _kind(said, gold)))
    return listed


def _kind(said: str | None, gold: frozenset[str]) -> str:
    if said is None:
        return "missed"
    if not gold:
        return "invented"
    if any(said in value for value in gold):
        return "too short"
    return "too long" if any(value in said for value in gold) else "wrong"


def confusion(missed: Sequence[Miss], most: int = 5) -> dict[str, Any]:
    """How an attribute's wrong slots are wrong: how many of each kind, and the pairs (said, right) that occur more than once."""
    pairs = Counter((miss.said or "", miss.gold[0] if miss.gold else "") for miss in missed)
    listed = [{"said": said, "gold": gold, "times": n} for (said, gold), n in pairs.most_common(most) if n > 1]
    return {"kinds": dict(Counter(miss.kind for miss in missed).most_common()), "pairs": listed}


def seen_and_unseen(
    rows: Sequence[GoldRow], found: Sequence[Sequence[Mention]], known: Mapping[str, frozenset[str]]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Recall of the published protocol on slots whose value was in the training rows, and on the others.

    Args:
        rows: the gold file.
        found: mentions of each row.
        known: attribute as the file names it → values that were learned from, casefolded.
    """
    answer: dict[str, dict[str, dict[str, Any]]] = {}
    for name, values in known.items():
        tally = {"seen": [0, 0], "unseen": [0, 0]}
        for row, mentions in zip(rows, found, strict=True):
            gold = row.values.get(name)
            if gold:
                said = best(mentions, attribute_of(name))
                part = tally["seen" if any(value.casefold() in values for value in gold) else "unseen"]
                part[0] += said is not None and said.raw in gold
                part[1] += 1
        answer[name] = {part: {"recall": right / n if n else 0.0, "n": n} for part, (right, n) in tally.items()}
    return answer
