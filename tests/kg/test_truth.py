"""The truth: what is written, when, and what happens to it when things go wrong."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kg.errors import StateError
from kg.model import Product
from kg.ontology import Rel
from kg.tables import GraphTables, products_table
from kg.testing import example_tables
from kg.truth import Truth
from kg.truth_parts import cut


def files(folder: Path) -> dict[str, int]:
    """Every file and when it was written."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    Truth(tmp_path).write(example_tables(), {"run": "sha256:example"})
    return tmp_path


def test_what_was_written_is_read(graph: Path) -> None:
    tables, found = example_tables(), Truth(graph).tables()
    assert found.products.equals(tables.products)
    assert found.events.equals(tables.events)
    assert found.bands.equals(tables.bands)
    assert set(found.evidence) == set(tables.evidence)
    assert all(found.evidence[name].equals(table) for name, table in tables.evidence.items())
    Truth(graph).check_files()
    assert Truth(graph).runs == [{"run": "sha256:example"}]
    assert Truth(graph).counts("nodes")["Product"] == 7
    assert Truth(graph).digest == Truth(graph).digest_of(tables)


def test_the_layout_is_the_published_one(graph: Path) -> None:
    top = {path.split("/")[0] for path in files(graph)}
    assert top == {"nodes", "edges", "evidence", "events", "manifest.json"}
    assert {path.name for path in (graph / "nodes").iterdir()} >= {"Product", "User", "Brand", "PriceBand"}
    assert pq.read_table(next((graph / "edges" / "HAS_BRAND").iterdir())).column_names[:3] == ["source_key", "target_key", "confidence"]


def test_the_same_again_writes_nothing(graph: Path) -> None:
    before = files(graph)
    assert Truth(graph).write(example_tables(), {"run": "another"}).parts_written == 0
    assert files(graph) == before


def test_only_parts_that_changed_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kg.truth_parts._ROWS_PER_PART", 16_384)
    rows = [Product(f"p{n:06d}", f"Title {n}") for n in range(40_000)]
    truth = Truth(tmp_path)
    assert truth.write(GraphTables(products_table(rows), {}, example_tables().events.slice(0, 0))).parts_written == 4
    before = files(tmp_path)
    rows[7] = Product("p000007", "Another title")
    assert truth.write(GraphTables(products_table(rows), {}, example_tables().events.slice(0, 0))).parts_written == 1
    after = files(tmp_path)
    assert len(set(after.items()) - set(before.items())) == 2  # the part and the manifest
    assert len(after) == len(before)  # the old part is gone


def test_the_digest_does_not_depend_on_how_it_came_about(tmp_path: Path, graph: Path) -> None:
    tables = example_tables()
    step = Truth(tmp_path / "other")
    step.write(GraphTables(tables.products.slice(0, 3), {}, tables.events.slice(0, 0)))
    assert step.write(tables).digest == Truth(graph).digest


def test_parts_are_cut_by_the_hash_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kg.truth_parts._ROWS_PER_PART", 16_384)
    table = pa.table({"key": [f"k{n}" for n in range(20_000)]})
    parts = list(cut(table, "key"))
    assert len(parts) == 2
    assert sum(entry["rows"] for entry, _ in parts) == sum(part.num_rows for _, part in parts) == 20_000
    assert all(abs(part.num_rows - 10_000) < 600 for _, part in parts)


def refused(folder: Path, says: str) -> StateError:
    with pytest.raises(StateError) as told:
        Truth(folder).tables()
    assert says in told.value.message
    assert told.value.hint
    return told.value


def edit(graph: Path, change: Callable[[dict[str, object]], None]) -> None:
    manifest = json.loads((graph / "manifest.json").read_text())
    change(manifest)
    (graph / "manifest.json").write_text(json.dumps(manifest))


def part(graph: Path, table: str) -> Path:
    return next((graph / table).iterdir())


def test_no_graph_is_told(tmp_path: Path) -> None:
    told = refused(tmp_path, "There is no graph in")
    assert told.hint == "Make one with `clew graph ingest --catalogue FILE`; one that was interrupted goes on with --resume."
    assert not Truth(tmp_path).exists


def test_a_manifest_that_is_no_json_is_told(graph: Path) -> None:
    (graph / "manifest.json").write_text("{")
    refused(graph, "is damaged: it is no JSON")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(digest="sha256:0"),
        lambda m: m["tables"]["nodes/Product"]["parts"][0].update(digest="sha256:0"),
        lambda m: m["tables"].pop("events"),
        lambda m: m.pop("tables"),
        lambda m: m.update(tables=7),
        lambda m: m.update(timed=False),
        lambda m: m.update(version="one"),
    ],
)
def test_a_manifest_that_lies_is_told(graph: Path, change: Callable[[dict[str, object]], None]) -> None:
    edit(graph, change)
    refused(graph, "its digest is not that of the parts it names")


def test_a_newer_version_is_told(graph: Path) -> None:
    edit(graph, lambda m: m.update(version=3))
    told = refused(graph, "was written by a newer clew (format 3; this one reads up to 2)")
    assert told.hint == "Upgrade clew."


def test_a_missing_part_is_told(graph: Path) -> None:
    path = part(graph, "nodes/Product")
    path.unlink()
    refused(graph, f"{path} is missing")


def test_a_truncated_part_is_told(graph: Path) -> None:
    path = part(graph, "evidence/HAS_BRAND")
    path.write_bytes(path.read_bytes()[:-20])
    refused(graph, f"{path} is damaged and cannot be read")


def test_a_foreign_part_is_told(graph: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), part(graph, "events"))
    refused(graph, "is not a table of this graph")


def test_a_part_with_another_content_is_told(graph: Path) -> None:
    path = part(graph, "nodes/Product")
    table = pq.read_table(path)
    pq.write_table(table.set_column(1, "title", pa.array(["x"] * table.num_rows)), path)
    refused(graph, "does not hold what the manifest says")


def test_a_derived_table_that_lies_is_told(graph: Path) -> None:
    path = part(graph, "edges/HAS_BRAND")
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(StateError, match="does not hold what the manifest says"):
        Truth(graph).check_files()


def test_what_a_dead_writer_left_is_swept(graph: Path) -> None:
    (graph / "nodes" / "Product" / ".000-x.parquet.77.tmp").write_text("half")
    (graph / "nodes" / "Gone").mkdir()
    (graph / "nodes" / "Gone" / "000-x.parquet").write_text("x")
    tables = example_tables()
    Truth(graph).write(GraphTables(tables.products, {}, tables.events))
    named = {p["file"] for t in Truth(graph).manifest["tables"].values() for p in t["parts"]}
    assert {path.split("/")[-1] for path in files(graph)} == named | {"manifest.json"}
    assert not (graph / "nodes" / "Gone").exists()


def test_a_reader_follows_a_writer_that_commits_meanwhile(graph: Path) -> None:
    reader = Truth(graph)
    assert reader.counts("nodes")["Product"] == 7  # the reader has read the old manifest
    tables = example_tables()
    Truth(graph).write(GraphTables(tables.products.slice(1), {}, tables.events.slice(0, 0)))
    assert reader.tables().products.num_rows == 6
    assert reader.digest == Truth(graph).digest


def test_what_a_writer_left_that_died_after_its_commit_is_swept(graph: Path) -> None:
    (graph / "events" / "000-old.parquet").write_text("x")
    assert Truth(graph).write(example_tables()).parts_written == 0
    assert not (graph / "events" / "000-old.parquet").exists()


def test_a_full_disk_leaves_the_truth_as_it_was(graph: Path) -> None:
    """RLIMIT_FSIZE makes every write beyond some bytes fail, as a full disk does."""
    before, digest = set(files(graph)), Truth(graph).digest
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from kg.tables import *\nfrom kg.truth import Truth\nfrom kg.model import Product\n"
        "rows = [Product(f'p{n}', f'Title {n * 7919}') for n in range(30_000)]\n"
        "tables = GraphTables(products_table(rows), {}, EVENT_SCHEMA.empty_table())\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))\n"
        "try:\n    Truth(Path(sys.argv[1])).write(tables)\n"
        "except OSError as error:\n    print(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(graph)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "27", done.stderr
    assert set(files(graph)) == before
    assert Truth(graph).digest == digest
    assert Truth(graph).tables().products.num_rows == 7
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_read_only_folder_can_be_read(graph: Path, as_anyone: Callable[..., str]) -> None:
    code = """
import sys
from pathlib import Path
from kg.tables import GraphTables
from kg.truth import Truth
truth = Truth(Path(sys.argv[1]))
print(truth.tables().products.num_rows)
try:
    truth.write(GraphTables.empty())
except PermissionError as error:
    print("refused")
"""
    graph.chmod(0o555)
    try:
        assert as_anyone(code, graph).split() == ["7", "refused"]
    finally:
        graph.chmod(0o755)


def test_relations_are_read_by_name(graph: Path) -> None:
    assert Truth(graph).counts("edges")[Rel.HAS_BRAND] == 7
