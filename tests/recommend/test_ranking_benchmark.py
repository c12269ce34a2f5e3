"""`make bench-ranking`: what runs, in which order, and that it goes on where it was stopped."""

import json
from pathlib import Path

import pytest

from benchmarks import ranking
from benchmarks.ranking import SKIPPED, C, Job, jobs
from recommend.rankers import RANKERS


def document(job: Job, ndcg: float = 0.1) -> dict:
    model, _, preset = job.ranker.partition(":")
    test = {"users": 5, "recall@20": 0.2, "ndcg@20": ndcg, "ci95": {"ndcg@20": [0.05, 0.15]}}
    costs = {"fit_cpu_seconds": 1.0, "cpu_seconds": 40.0, "peak_mb": 100.0}
    without = ["gnn"] if preset == "fast" else []
    return {"model": model, "preset": preset or "default", "without": without, "seed": job.seed, "tests": {"warm": test}, **costs}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Runs that were made; results go to a folder of their own, and a run costs 40 CPU-seconds."""
    found: list[Job] = []
    monkeypatch.setattr(ranking, "HERE", tmp_path)
    monkeypatch.setattr("benchmarks.common.HERE", tmp_path)
    monkeypatch.setattr(ranking, "environment", lambda: {"commit": "abc"})
    monkeypatch.setattr("benchmarks.common.environment", lambda: {"commit": "abc"})
    monkeypatch.setattr(ranking, "run", lambda job, without: (found.append(job), document(job, 0.1 + job.seed / 100))[1])
    (tmp_path / "results").mkdir()
    return found


def test_every_protocol_has_ours_and_every_ranker_or_a_reason_why_not():
    listed = jobs()
    assert len(listed) == len(set(listed)) and {job.ranker.partition(":")[0] for job in listed} == set(RANKERS)
    for protocol in ranking.PROTOCOLS:
        assert (Path(ranking.__file__).parent / "protocols" / f"{protocol}.toml").is_file()
        there = {job.ranker for job in listed if job.protocol == protocol}
        assert "clew" in there or SKIPPED[protocol, "clew"]
        assert set(RANKERS) - {"clew"} <= there
    assert listed[0] == Job(ranking.A, "clew", 0)


def test_what_is_kept_from_this_commit_is_not_made_again(made, tmp_path, capsys):
    wanted = [Job(C, "clew", 0), Job(C, "clew:fast", 0), Job(C, "clew", 1), Job(ranking.E, "text-knn", 0)]
    ranking.measure(wanted, minutes=1)
    assert made == wanted[:2]
    said = capsys.readouterr().out
    assert "not begun: beauty-warm clew, seed 1" in said and "left out: amazon-book text-knn: its products have" in said
    ranking.measure(wanted)
    assert made == wanted[:3]
    kept = json.loads((tmp_path / "results" / "ranking.json").read_text())["runs"]
    assert [(run["protocol"], run["preset"], run["seed"]) for run in kept] == [(C, "default", 0), (C, "default", 1), (C, "fast", 0)]
    assert ranking.estimate([Job(C, "clew", 2), Job(C, "clew", 0)]) == 40
    rows = capsys.readouterr().out.splitlines()[-2:]
    assert "clew  " in rows[0] and "10.50" in rows[0] and "0.71     2" in rows[0]
    assert "clew fast" in rows[1]


def test_runs_of_another_commit_and_failed_ones_are_made_again(made, tmp_path, monkeypatch):
    wanted = [Job(C, "clew", 0)]
    ranking.measure(wanted)
    monkeypatch.setattr(ranking, "environment", lambda: {"commit": "def"})
    ranking.measure(wanted)
    failed = {"model": "clew", "preset": "default", "seed": 1, "error": "no memory", "tests": {}}
    monkeypatch.setattr(ranking, "run", lambda job, without: (made.append(job), failed)[1])
    ranking.measure([Job(C, "clew", 1)])
    ranking.measure([Job(C, "clew", 1), *wanted])
    assert made == [*wanted, *wanted, Job(C, "clew", 1), Job(C, "clew", 1)]
