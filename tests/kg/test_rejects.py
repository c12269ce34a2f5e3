"""Rows set aside: written whole or not at all, counted, limited."""

from __future__ import annotations

import datetime
import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.errors import InputError, StateError
from kg.rejects import MAX_KEPT, Rejects

ROOT = Path(__file__).parents[2]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def test_the_file_holds_the_last_run_only(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    with Rejects(path) as rejects:
        rejects.add("a.csv", 3, "blank title: the product '1'", {"key": 1, "price": float("nan")})
    assert lines(path) == [{"file": "a.csv", "line": 3, "reason": "blank title: the product '1'", "row": {"key": 1, "price": "nan"}}]
    with Rejects(path):
        pass
    assert lines(path) == []
    assert [p.name for p in tmp_path.iterdir()] == ["rejects.jsonl"]


def test_another_error_leaves_the_last_runs_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    path.write_text("old\n")
    for error in (StateError("the disk is full"), KeyboardInterrupt()):
        with pytest.raises(type(error)), Rejects(path) as rejects:
            rejects.add("a.csv", 1, "why", "row")
            raise error
        assert path.read_text() == "old\n"
        assert [p.name for p in tmp_path.iterdir()] == ["rejects.jsonl"]


def test_input_at_fault_leaves_the_rejects_to_read(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    with pytest.raises(InputError, match="no product"), Rejects(path) as rejects:
        rejects.add("a.csv", 1, "why", "row")
        raise InputError("The catalogue has no product.")
    assert len(lines(path)) == 1


def test_more_than_the_limit_raises_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    with pytest.raises(InputError) as caught, Rejects(path, limit=2) as rejects:
        rejects.add("a.csv", 2, "negative price: -1", "x")
        rejects.add("a.csv", 3, "blank title: the product '1'", "x")
        rejects.add("a.csv", 4, "blank title: the product '2'", "x")
    told = caught.value
    assert told.message == "More than 2 rows were rejected, so nothing was published; most often (2): blank title (first: a.csv:2)."
    assert told.hint == f"Read {path}, mend the rows or the mapping, or raise --max-rejects."
    assert len(lines(path)) == 3


def test_no_limit_and_no_file_only_count(tmp_path: Path) -> None:
    rejects = Rejects()
    rejects.rows = 60
    rejects.repeats = 5
    for number in range(50):
        rejects.add(Path("a.csv"), number, f"unknown product: {number}", {})
    assert (rejects.count, rejects.taken, rejects.reasons, len(rejects.first)) == (50, 5, {"unknown product": 50}, 20)
    with Rejects(None, limit=50) as none:
        none.add("a.csv", 1, "why", "row")


def test_a_row_is_kept_as_strict_json(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    row = {
        "long": "x" * 10_000,
        "half": "\ud83d",
        "day": datetime.date(2024, 1, 2),
        "bytes": b"caf\xe9",
        "list": [1, None, True, float("inf")],
        7: {"inner": (1.5,)},
    }
    with Rejects(path) as rejects:
        rejects.add("a.csv", 1, "why", row)  # type: ignore[arg-type]
    kept = lines(path)[0]["row"]
    assert kept == {
        "long": "x" * MAX_KEPT + "… (10,000 characters)",
        "half": "\\ud83d",
        "day": "2024-01-02",
        "bytes": "caf\\xe9",
        "list": [1, None, True, "inf"],
        "7": {"inner": [1.5]},
    }


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.binary(max_size=9), st.lists, max_leaves=9))
def test_any_row_can_be_written(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.mktemp("any") / "rejects.jsonl"
    with Rejects(path) as rejects:
        rejects.add("a.csv", 1, "why", {"value": value})
    assert len(lines(path)) == 1


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), Rejects(tmp_path / "nowhere" / "rejects.jsonl"):
        pass


def test_a_full_disk_leaves_the_last_runs_file_and_nothing_else(tmp_path: Path) -> None:
    """Run apart: the limit on the size of files holds for a whole process."""
    path = tmp_path / "rejects.jsonl"
    path.write_text("old\n")
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from kg.rejects import Rejects\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    with Rejects(Path(sys.argv[1])) as rejects:\n"
        "        for line in range(int(sys.argv[2])):\n"
        "            rejects.add('a.csv', line, 'why', 'x' * 500)\n"
        "except OSError as error:\n"
        "    print(error.errno)\n"
    )
    for rows in ("3", "900"):  # found out at the end, and on the way
        done = subprocess.run([sys.executable, "-c", code, str(path), rows], check=True, capture_output=True, text=True, cwd=ROOT)
        assert int(done.stdout) == errno.EFBIG
        assert path.read_text() == "old\n"
        assert [p.name for p in tmp_path.iterdir()] == ["rejects.jsonl"]
