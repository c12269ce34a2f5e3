"""Reading on several cores: the same answers in the same order, in bounded memory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from extraction import parallel
from extraction.cli import extract
from extraction.columns import build_columns
from extraction.rules import build_rules
from kg.errors import StateError, UsageError
from kg.model import Product

SHOP = [Product(str(i), f"Zibb{i % 7} Steel Mug {i}, Red, {i % 20} oz", {"category": "MUG"}) for i in range(40)]


def test_two_processes_read_what_one_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "BATCH", 7)
    rules = build_rules(SHOP)
    one = list(parallel.read_on_cores(rules, SHOP, 1))
    assert [product for product, _ in one] == SHOP and any(mentions for _, mentions in one)
    assert list(parallel.read_on_cores(rules, SHOP, 2)) == one


def test_no_more_is_read_ahead_than_the_workers_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "BATCH", 3)
    read = 0

    def products() -> Iterator[Product]:
        nonlocal read
        for product in SHOP:
            read += 1
            yield product

    answers = parallel.read_on_cores(build_rules(SHOP), products(), 2)
    next(answers)
    assert read <= 3 * 2 * parallel.AHEAD
    assert sum(1 for _ in answers) == len(SHOP) - 1


def test_an_extractor_that_cannot_be_kept_reads_in_one_process() -> None:
    with pytest.raises(UsageError, match="The extractor columns reads in one process"):
        list(parallel.read_on_cores(build_columns([]), SHOP, 2))


def test_a_process_that_is_ended_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_load", _load_fatal)  # workers find it by its name
    with pytest.raises(StateError, match="ended from outside"):
        list(parallel.read_on_cores(build_rules(SHOP), [Product("a", "end")], 2))


def _load_fatal(name: str, place: str) -> None:
    os._exit(1)


def test_the_command_reads_with_several_processes(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text("\n".join(json.dumps({"key": p.key, "title": p.title}) for p in SHOP) + "\n", "utf-8")
    out = [tmp_path / f"{n}.jsonl" for n in (1, 2)]
    for n, path in enumerate(out, 1):
        done = CliRunner().invoke(extract, ["run", str(file), "--out", str(path), "--processes", str(n), "-q"])
        assert done.exit_code == 0, done.output
    assert out[0].read_bytes() == out[1].read_bytes()
    refused = CliRunner().invoke(extract, ["run", str(file), "--out", "-", "--extractor", "columns", "--processes", "2"])
    assert refused.exit_code == 2 and "Leave out --processes" in refused.output
