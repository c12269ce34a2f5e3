from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from extraction.base import Mention
from extraction.evaluate import attribute_of, check_attributes, misses, read_gold, score
from kg.errors import InputError, UnknownKeyError
from kg.model import Product


class Fixed:
    """Says what it was told to, title by title."""

    name = "fixed"
    digest = "sha256:0"
    names: Mapping[str, str] = {}

    def __init__(self, said: dict[str, list[tuple[str, str, float]]]) -> None:
        self.said = said

    def extract(self, products: Iterable[Product]) -> Iterator[list[Mention]]:
        for p in products:
            yield [
                Mention(a, raw, raw, None, "title", p.title.index(raw), p.title.index(raw) + len(raw), c, "fixed")
                for a, raw, c in self.said[p.title]
            ]


ROWS = [
    {"input": "Acme Cup red", "category": "Cup", "target_scores": {"Brand": {"Acme": 1}, "Color": {"red": 1, "dark red": 1}}},
    {"input": "Cup of tin", "category": "Cup", "target_scores": {"Brand": {"n/a": 1}}},
    {"input": "Zeta Pot", "category": "Pot", "target_scores": {"Brand": {"Zeta": 1}}},
    {"input": "Mona Pan", "category": "Pan", "target_scores": {"Brand": {"Mona": 1}}},
]


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    path = tmp_path / "gold.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)) + "\n", "utf-8")
    return path


SAID = {
    "Acme Cup red": [("brand", "Acme", 0.9), ("brand", "Acme Cup", 0.5), ("color", "red", 0.9)],
    "Cup of tin": [("brand", "Cup", 0.9)],
    "Zeta Pot": [("brand", "Zeta Pot", 0.9), ("color", "Pot", 0.9)],
    "Mona Pan": [],
}


def test_the_published_protocol_by_hand(gold: Path) -> None:
    brand = score(Fixed(SAID), read_gold(gold))[0]["published"]["attributes"]["Brand"]
    # VC 1 (Acme), VW 1 (Zeta Pot), VN 1 (Mona), NV 1 (Cup)
    assert (brand["precision"], brand["recall"], brand["n"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3), 3)
    assert brand["f1"] == pytest.approx(1 / 3)
    low, high = brand["ci95"]
    assert 0 <= low <= brand["f1"] <= high <= 1


def test_the_strict_protocol_counts_every_mention_and_unlabelled_slots(gold: Path) -> None:
    strict = score(Fixed(SAID), read_gold(gold))[0]["strict"]["attributes"]
    assert (strict["Brand"]["precision"], strict["Brand"]["recall"]) == (pytest.approx(1 / 4), pytest.approx(1 / 3))
    assert (strict["Color"]["precision"], strict["Color"]["recall"]) == (0.5, 1.0)


def test_perfect_and_empty_readers(gold: Path) -> None:
    rows = read_gold(gold)
    perfect = {r["input"]: [(attribute_of(a), next(iter(v)), 1.0) for a, v in r["target_scores"].items() if "n/a" not in v] for r in ROWS}  # type: ignore[attr-defined,index]
    assert score(Fixed(perfect), rows)[0]["published"]["all"]["f1"] == 1.0  # type: ignore[arg-type]
    nothing = score(Fixed({r["input"]: [] for r in ROWS}), rows)[0]["published"]["all"]  # type: ignore[misc]
    assert (nothing["f1"], nothing["ci95"]) == (0.0, [0.0, 0.0])


def test_the_same_seed_gives_the_same_interval(gold: Path) -> None:
    rows = read_gold(gold)
    assert score(Fixed(SAID), rows, seed=3)[0]["published"] == score(Fixed(SAID), rows, seed=3)[0]["published"]


def test_errors_are_named_for_people(gold: Path) -> None:
    rows = read_gold(gold)
    found = list(Fixed(SAID).extract([row.product for row in rows]))
    assert [(m.said, m.kind) for m in misses(rows, found, "Brand")] == [("Cup", "invented"), ("Zeta Pot", "too long"), (None, "missed")]
    assert misses(rows, found, "Brand")[0].to_dict() == {"title": "Cup of tin", "said": "Cup", "gold": [], "kind": "invented"}


def test_an_attribute_that_nobody_labelled_is_told(gold: Path) -> None:
    with pytest.raises(UnknownKeyError, match="'brand'") as error:
        check_attributes(read_gold(gold), ["brand"])
    assert "Brand" in error.value.hint


@pytest.mark.parametrize("line", ["{", '{"input": "x"}', '{"input": "", "target_scores": {}}', '{"input": "x", "target_scores": []}'])
def test_a_line_that_is_no_gold_row_is_told_with_its_place(tmp_path: Path, line: str) -> None:
    path = tmp_path / "gold.jsonl"
    path.write_text(line + "\n", "utf-8")
    with pytest.raises(InputError):
        read_gold(path)


def test_a_missing_and_an_empty_gold_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no gold file"):
        read_gold(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n", "utf-8")
    with pytest.raises(InputError, match="is empty"):
        read_gold(tmp_path / "empty.jsonl")
