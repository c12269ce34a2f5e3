"""The demo's parts: the cut in time, the tasks, the table. The whole demo is a long test."""

from __future__ import annotations

import json
import os
import re
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kg.workspace import Workspace
from recommend.cli.demo import differences, figures, marked
from recommend.cli.show import rendered
from recommend.demo import CUT, NEWCOMER, READ, SIMPLE, TASKS, Demo, Span, Table, cut_in_time, evaluate, log_of, tasks_of

LATER = pa.table(
    {
        "user_id": ["u1", "u1", "u2", "v0", "stranger", "v1"],
        "item_id": ["p03", "p06", "p07", "p01", "p01", "nothing"],
        "date": [date(2022, 9, day) for day in range(1, 7)],
    }
)


def test_the_day_of_the_cut_belongs_to_the_graph() -> None:
    days = pa.table({"date": [date(2022, 8, 21), CUT, date(2022, 8, 23)], "item_id": ["a", "b", "c"]})
    early, late = cut_in_time(days)
    assert early.column("item_id").to_pylist() == ["a", "b"]
    assert late.column("item_id").to_pylist() == ["c"]


def test_the_shop_is_laid_out_as_files_with_a_configuration_that_reads_them(tmp_path: Path) -> None:
    from kg.config import Config

    demo = Demo(Workspace(tmp_path / "demo"))
    assert demo.lay_out() == (33_395, 8_332)
    config = Config.load(demo.workspace.config_file)
    assert Path(config.catalogue.files[0].path).is_file()
    assert pq.read_table(demo.shop / "products.parquet").num_rows == 18_119
    keys = set(pq.read_table(demo.shop / "products.parquet").column("item_id").to_pylist())
    assert {*NEWCOMER, *READ} <= keys
    assert config.extraction.extractor == "trained"
    assert demo.new_product().key not in keys
    assert demo.new_product().price is not None
    assert demo.ready() is None


def test_later_purchases_become_tasks_without_what_people_had(toy) -> None:
    recommender = toy.recommender()
    graph = recommender.snapshot
    cold, warm, whole = tasks_of(recommender, log_of(LATER, recommender))
    wanted = {
        task.name: {
            (task.keys[place], graph.items.key(row))
            for place in range(task.n_users)
            for row in task.targets.indices[task.targets.indptr[place] : task.targets.indptr[place + 1]]
        }
        for task in (cold, warm, whole)
    }
    assert wanted["cold"] == {("u1", "p03")}
    assert wanted["warm"] == {("u2", "p07"), ("v0", "p01")}
    assert wanted["all"] == wanted["cold"] | wanted["warm"]


def test_the_table_has_every_ranker_and_survives_a_file(toy) -> None:
    recommender = toy.recommender()
    table = evaluate(recommender, log_of(LATER, recommender))
    assert {(row.ranker, row.task) for row in table.rows} == {(name, task) for name in (*SIMPLE, "clew") for task in TASKS}
    assert all(0 <= row.recall <= 1 and row.ci95[0] <= row.ndcg <= row.ci95[1] for row in table.rows)
    assert next(row.ndcg for row in table.rows if (row.ranker, row.task) == ("popularity", "cold")) <= 1
    assert Table.of(json.loads(json.dumps(table.to_dict()))) == table
    for one in table.differences:
        assert one.against in SIMPLE
        assert one.low <= one.ndcg <= one.high
    assert max(map(len, rendered(figures(table), width=60).splitlines())) <= 60
    assert len(differences(table)) == 3


@pytest.mark.long
def test_the_whole_demo_in_a_pipe_and_a_second_time(clew, tmp_path: Path) -> None:
    place = str(tmp_path / "demo")
    plain = {**os.environ, "NO_COLOR": "1", "COLUMNS": "60"}
    first = clew("demo", "-w", place, env=plain).stdout
    assert "\x1b" not in first
    # Commands are not folded: they are to be copied.
    assert max(len(line) for line in first.splitlines() if not line.startswith("clew ")) <= 60
    assert "never bought so far" in first
    for command in re.findall(r"^clew \S.*$", first, re.MULTILINE)[-3:]:
        assert command.startswith(("clew explain", "clew recommend", "clew cypher"))
    second = clew("demo", "-w", place, "--json", env=plain).stdout
    document = json.loads(second)
    assert document["reused"]
    assert document["evaluation"]["reused"]
    assert any(item["cold"] for item in document["shopper"]["items"])
    assert document["new_product"]["users"]
    assert document["newcomer"]["branch"] == "session"


def test_a_title_is_shown_with_what_was_read_out_of_it() -> None:
    spans = [Span("brand", "zibb", 0, 4, 0.94), Span("material", "steel", 5, 10, 0.8)]
    title, told = marked("Zibb Steel Mug", spans)
    assert [(span.start, span.end) for span in title.spans] == [(0, 4), (5, 10)]
    assert told.plain.strip() == "brand zibb ('Zibb', 94% sure) · material steel ('Steel', 80% sure)"
