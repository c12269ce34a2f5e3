"""Ingest end to end: files in, the truth out, whatever happens on the way."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from kg.config import CatalogueSource, EventsSource, TriplesSource
from kg.errors import InputError, StateError
from kg.ingest import IngestOptions, IngestReport, ingest
from kg.model import Fact, Product
from kg.ontology import Rel
from kg.staged import FactSource, FactSourceFactory, LearnedSource
from kg.testing import ColumnFacts
from kg.truth import Truth
from kg.truth_parts import files_of
from kg.workspace import Workspace

PRODUCTS = """item,title,brand,category,price,currency
p1,LEGO City tractor,LEGO,Toys > Bricks,20,USD
p2,LEGO ship,LEGO,Toys > Bricks,50,USD
p3,Wooden train,Brio,Toys > Trains,30,USD
"""
EVENTS = "user,item,time\nu1,p1,2022-01-01\nu1,p1,2022-01-01\nu1,p3,2022-01-02\nu2,p2,2022-01-03\n"
TRIPLES = "item,relation,entity\np1,MADE_BY,Ole\np1,ALSO_BOUGHT,p3\np2,ALSO_BOUGHT,p9\n"


class Counting(ColumnFacts):
    """Column facts that count how many products they were asked about."""

    def __init__(self, digest: str = "sha256:counting") -> None:
        self.digest = digest
        self.asked = 0

    def facts(self, products: Sequence[Product]) -> Iterator[list[Fact]]:
        self.asked += len(products)
        return super().facts(products)


class Shop:
    """A folder with files and a workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace(folder / "shop")
        self.write("products.csv", PRODUCTS)
        self.write("events.csv", EVENTS)
        self.write("triples.csv", TRIPLES)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def ingest(
        self, *names: str, source: FactSource | FactSourceFactory | None = None, options: IngestOptions | None = None
    ) -> IngestReport:
        files = {name: str(self.folder / f"{name}.csv") for name in names or ("products", "events", "triples")}
        return ingest(
            self.workspace,
            catalogue=CatalogueSource(files=(files["products"],)) if "products" in files else None,
            events=EventsSource(files=(files["events"],)) if "events" in files else None,
            triples=(TriplesSource(files=(files["triples"],)),) if "triples" in files else (),
            fact_source=source or ColumnFacts(),
            options=options,
        )


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_files_become_a_graph(shop: Shop) -> None:
    report = shop.ingest()
    assert report.nodes == {"Product": 3, "User": 2, "Brand": 2, "Category": 3, "Entity": 2, "PriceBand": 4}
    assert report.edges == {
        "ALSO_BOUGHT": 1, "ALSO_BOUGHT_MENTIONED": 1, "BOUGHT": 3, "HAS_BRAND": 3, "IN_CATEGORY": 3, "IN_PRICE_BAND": 3, "MADE_BY": 1,
        "PART_OF": 2,
    }  # fmt: skip
    assert report.changes.to_dict() == {"new": 33, "changed": 0, "unchanged": 0, "removed": 0}
    assert set(report.to_dict()) == {"schema_version", "digest", "nodes", "edges", "rejected", "engine", "changes", "seconds"}
    record = Truth(shop.workspace.graph).runs[0]
    assert [(file["role"], Path(file["path"]).name) for file in record["files"]] == [
        ("catalogue", "products.csv"), ("events", "events.csv"), ("triples", "triples.csv"),
    ]  # fmt: skip
    assert all(file["digest"].startswith("sha256:") for file in record["files"])
    assert record["extractor"]["name"] == "columns"


def test_the_same_again_changes_nothing_and_writes_nothing(shop: Shop) -> None:
    source = Counting()
    first = shop.ingest(source=source)
    manifest = (shop.workspace.graph / "manifest.json").stat().st_mtime_ns
    second = shop.ingest(source=source)
    assert second.digest == first.digest
    assert second.parts_written == 0
    assert second.changes.to_dict() == {"new": 0, "changed": 0, "unchanged": 33, "removed": 0}
    assert (shop.workspace.graph / "manifest.json").stat().st_mtime_ns == manifest
    assert source.asked == 3  # what was read once is not read again
    shop.ingest(source=Counting("sha256:another"))
    assert len(list((shop.workspace.cache / "extracted").iterdir())) == 1  # what nobody uses is swept


def test_a_catalogue_is_learned_from_only_when_something_is_not_staged(shop: Shop) -> None:
    class Factory:
        name = "columns"
        digest = "sha256:factory"
        made = 0

        def __call__(self, products: Sequence[Product]) -> FactSource:
            self.made += 1
            assert len(products) == 3
            return ColumnFacts()

    factory = Factory()
    assert isinstance(factory, FactSourceFactory)
    first = shop.ingest(source=factory)
    assert shop.ingest(source=factory).digest == first.digest
    assert factory.made == 1
    assert isinstance(LearnedSource(factory, [], "sha256:x", None), FactSource)  # type: ignore[arg-type]


def test_a_dry_run_counts_and_writes_nothing(shop: Shop) -> None:
    planned = shop.ingest(options=IngestOptions(dry_run=True))
    assert not shop.workspace.path.exists()
    done = shop.ingest()
    assert (planned.digest, planned.changes) == (done.digest, done.changes)
    shop.write("products.csv", PRODUCTS.replace("Wooden", "Painted"))
    planned = shop.ingest("products", options=IngestOptions(dry_run=True))
    assert planned.changes.changed == 1
    assert Truth(shop.workspace.graph).digest == done.digest


def test_a_small_change_is_a_small_change(shop: Shop) -> None:
    shop.ingest()
    shop.write("products.csv", PRODUCTS + "p4,Cotton socks,Socks,Clothes,5,USD\n")
    changed = shop.ingest("products").changes
    assert (changed.new, changed.changed, changed.removed) == (6, 0, 0)  # product, brand, category, and an edge to each and to a band
    shop.write("products.csv", "\n".join(PRODUCTS.splitlines()[:3]) + "\n")
    assert shop.ingest("products").changes.removed == 0
    pruned = shop.ingest("products", options=IngestOptions(prune=True)).changes
    assert pruned.removed > 5
    assert Truth(shop.workspace.graph).counts("nodes")["Product"] == 2


def test_rejected_rows_are_kept_and_the_rest_is_taken(shop: Shop) -> None:
    shop.write("events.csv", EVENTS + "u9,nope,2022-01-01\n")
    shop.write("triples.csv", TRIPLES + "nope,MADE_BY,Ole\n")
    report = shop.ingest()
    assert report.rejected == 2
    rows = [json.loads(line) for line in shop.workspace.rejects_file.read_text().splitlines()]
    assert {Path(row["file"]).name for row in rows} == {"events.csv", "triples.csv"}
    assert report.nodes["User"] == 2


def test_too_many_rejects_publish_nothing(shop: Shop) -> None:
    before = shop.ingest().digest
    shop.write("events.csv", EVENTS + "u9,p2,2022-01-01\nu9,nope,2022-01-01\nu9,neither,2022-01-01\n")
    with pytest.raises(InputError, match="More than 1 rows were rejected, so nothing was published"):
        shop.ingest(options=IngestOptions(max_rejects=1))
    assert Truth(shop.workspace.graph).digest == before


def test_files_come_one_at_a_time_or_all_at_once(shop: Shop, tmp_path: Path) -> None:
    whole = shop.ingest()
    (tmp_path / "other").mkdir()
    steps = Shop(tmp_path / "other")
    for name in ("products", "events", "triples"):
        last = steps.ingest(name)
    assert (last.nodes, last.edges) == (whole.nodes, whole.edges)


def test_a_damaged_truth_stops_an_ingest(shop: Shop) -> None:
    shop.ingest()
    next((shop.workspace.graph / "nodes" / "Product").iterdir()).unlink()
    with pytest.raises(StateError, match="is missing, which the manifest names"):
        shop.ingest()


def test_a_workspace_of_a_newer_version_stops_an_ingest(shop: Shop) -> None:
    shop.ingest()
    path = shop.workspace.graph / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))
    with pytest.raises(StateError, match="written by a newer clew"):
        shop.ingest()


def test_event_files_with_times_and_with_orders_do_not_mix(shop: Shop) -> None:
    shop.write("later.csv", "user,item,order\nu1,p1,1\n")
    files = tuple(str(shop.folder / name) for name in ("events.csv", "later.csv"))
    with pytest.raises(InputError, match="Some event files have times and some only an order"):
        ingest(shop.workspace, catalogue=CatalogueSource(files=(str(shop.folder / "products.csv"),)), events=EventsSource(files=files))


def test_provenance_leads_from_evidence_to_its_run(shop: Shop) -> None:
    shop.ingest()
    truth = Truth(shop.workspace.graph)
    assert set(truth.tables().evidence[Rel.HAS_BRAND].column("run").to_pylist()) == {truth.runs[0]["run"]}


SLOW = """
import sys, time
from kg.cli.graph import make_graph_group
from kg.testing import ColumnFacts

class Slow(ColumnFacts):
    def facts(self, products):
        time.sleep(0.04)
        return super().facts(products)

make_graph_group(lambda workspace, name: (Slow(), None))(prog_name="graph")
"""


def catalogue(folder: Path, rows: int, brand: str) -> Path:
    path = folder / f"{brand}.csv"
    lines = [f"p{n},Title {n},{brand} {n % 50},Toys > {n % 7},{n % 90 + 1},USD" for n in range(rows)]
    path.write_text("\n".join(["item,title,brand,category,price,currency", *lines]) + "\n", encoding="utf-8")
    return path


def run(*args: object) -> list[str]:
    return [sys.executable, "-c", SLOW, *map(str, args)]


def kill_and_resume(folder: Path, kills: int, seed: int, rows: tuple[int, int] = (1_500, 3_000)) -> None:
    """An ingest over an older graph is killed again and again, resumed each time, and ends where an undisturbed one ends.

    Args:
        rows: of the older graph's catalogue and of the one that comes.
    """
    old, new = catalogue(folder, rows[0], "Old"), catalogue(folder, rows[1], "New")
    subprocess.run(run("ingest", "--catalogue", old, "-w", folder / "whole"), check=True, capture_output=True)
    shutil.copytree(folder / "whole", folder / "killed")
    started = time.perf_counter()
    subprocess.run(run("ingest", "--catalogue", new, "-w", folder / "whole"), check=True, capture_output=True)
    duration = time.perf_counter() - started
    states = {Truth(folder / "whole" / "graph").digest, Truth(folder / "killed" / "graph").digest}
    rng = random.Random(seed)
    killed = 0
    for _ in range(kills):
        pending = (folder / "killed" / "cache" / "ingest.json").exists()
        args = ["--resume"] if pending else ["--resume", "--catalogue", new]
        process = subprocess.Popen(run("ingest", *args, "-w", folder / "killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.2, 1.0) * duration)
        process.kill()
        if process.wait() == -signal.SIGKILL:
            killed += 1
        else:
            duration /= 2  # the undisturbed one fell on a busy moment
        truth = Truth(folder / "killed" / "graph")
        truth.check_files()
        assert truth.digest in states
    subprocess.run(run("ingest", "--resume", "--catalogue", new, "-w", folder / "killed"), check=True, capture_output=True)
    assert killed > 0
    whole = Truth(folder / "whole" / "graph")
    ended = Truth(folder / "killed" / "graph")
    ended.check_files()
    assert ended.digest == whole.digest
    named = {part["file"] for table in ended.manifest["tables"].values() for part in files_of(table)} | {"manifest.json"}
    assert {path.name for path in ended.folder.rglob("*") if path.is_file()} == named
    assert not (folder / "killed" / "cache" / "ingest.json").exists()


def test_five_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, 5, seed=11)


def test_three_kills_of_a_small_ingest_lose_nothing(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, 3, seed=12, rows=(3_000, 60))


@pytest.mark.long
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("rows", [(1_500, 3_000), (3_000, 60)])
def test_fifty_kills_at_random_moments_lose_nothing(tmp_path: Path, rows: tuple[int, int]) -> None:
    for block in range(5):
        folder = tmp_path / str(block)
        folder.mkdir()
        kill_and_resume(folder, 10, block, rows)


def test_nothing_to_resume_is_told(tmp_path: Path) -> None:
    done = subprocess.run(run("ingest", "--resume", "-w", tmp_path), capture_output=True, text=True)
    assert done.returncode == 1
    assert "There is no interrupted ingest in" in done.stderr
    assert "Traceback" not in done.stderr


def test_of_two_ingests_at_once_one_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    path = catalogue(tmp_path, 1_500, "New")
    both = [
        subprocess.Popen(run("ingest", "--catalogue", path, "-w", tmp_path / "shop"), stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    ends = [(process.wait(timeout=120), process.stderr.read() if process.stderr else "") for process in both]
    for process in both:
        assert process.stderr is not None
        process.stderr.close()
    assert sorted(code for code, _ in ends) in ([0, 1], [0, 0])  # both may win if one was done before the other began
    for code, said in ends:
        if code:
            assert any(f"Process {process.pid} is writing to" in said for process in both)
    Truth(tmp_path / "shop" / "graph").check_files()


def _hears_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_ingest_says_so_and_can_be_resumed(tmp_path: Path) -> None:
    path = catalogue(tmp_path, 40_000, "New")
    command = run("ingest", "--catalogue", path, "-w", tmp_path / "shop")
    # A shell that runs the tests in the background has them ignore ctrl-C, and what they start would inherit that.
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=_hears_ctrl_c)
    marker = tmp_path / "shop" / "cache" / "ingest.json"
    for _ in range(600):
        if marker.exists():
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted; work so far is kept." in said
    done = subprocess.run(run("ingest", "--resume", "-w", tmp_path / "shop", "--json"), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["nodes"]["Product"] == 40_000


SMALL_DISK = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
"""


def test_a_full_disk_is_told_and_nothing_is_published(tmp_path: Path) -> None:
    path = catalogue(tmp_path, 3_000, "New")
    command = [sys.executable, "-c", SMALL_DISK + SLOW, "ingest", "--catalogue", str(path), "-w", str(tmp_path / "shop")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "The disk is full" in done.stderr and "nothing was published" in done.stderr
    assert "Traceback" not in done.stderr
    assert not Truth(tmp_path / "shop" / "graph").exists
    subprocess.run(run("ingest", "--resume", "-w", tmp_path / "shop"), check=True, capture_output=True)
    Truth(tmp_path / "shop" / "graph").check_files()
