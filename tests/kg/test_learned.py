"""What an extractor learned from is kept, so that a small change costs little; it learns again when enough has changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kg.cli.graph import make_graph_group
from kg.config import CatalogueSource, Config
from kg.errors import InputError
from kg.ingest import IngestOptions, IngestReport, ingest
from kg.learned import Relearn, share_changed, source_of_last, teaching
from kg.model import Fact, Product
from kg.staged import FactSource
from kg.tables import products_table
from kg.testing import ColumnFacts
from kg.truth import Truth
from kg.workspace import Workspace

N = 2_000


class Reads(ColumnFacts):
    """Column facts that count what they were asked and know how many products taught them."""

    def __init__(self, taught: int, asked: list[str]) -> None:
        self.taught, self.asked = taught, asked

    def facts(self, products: Sequence[Product]) -> Iterator[list[Fact]]:
        self.asked += [product.key for product in products]
        return super().facts(products)


class Factory:
    """A factory that counts, and (unless told otherwise) keeps what was learned: the number of products."""

    name = "columns"

    def __init__(self, digest: str = "sha256:factory") -> None:
        self.digest = digest
        self.made: list[int] = []
        self.recalled = 0
        self.asked: list[str] = []

    def __call__(self, products: Sequence[Product]) -> FactSource:
        self.made.append(len(products))
        return Reads(len(products), self.asked)


class Keeping(Factory):
    @property
    def learned_digest(self) -> str:
        return self.digest

    def keep(self, source: FactSource, folder: Path) -> bool:
        assert isinstance(source, Reads)
        folder.mkdir()
        (folder / "state.json").write_text(json.dumps(source.taught))
        return True

    def recall(self, folder: Path) -> FactSource:
        self.recalled += 1
        return Reads(json.loads((folder / "state.json").read_text()), self.asked)


def catalogue(folder: Path, changed: int = 0, rows: range = range(N)) -> CatalogueSource:
    """A file of products, the first `changed` of which say something new."""
    lines = ["item,title,brand"]
    lines += [f"p{row:05d},Thing {row}{' anew' if row < changed else ''},Brand {row % 50}" for row in rows]
    path = folder / "products.csv"
    path.write_text("\n".join(lines) + "\n")
    return CatalogueSource(files=(str(path),))


def take(folder: Path, source: CatalogueSource, factory: Factory, **options: Any) -> IngestReport:
    factory.asked.clear()
    return ingest(Workspace(folder / "shop"), catalogue=source, fact_source=factory, options=IngestOptions(**options))


@pytest.mark.parametrize("kind", [Factory, Keeping])
def test_a_small_change_reads_only_what_changed(tmp_path: Path, kind: type[Factory]) -> None:
    factory = kind()
    take(tmp_path, catalogue(tmp_path), factory)
    assert (factory.made, len(factory.asked)) == ([N], N)
    done = take(tmp_path, catalogue(tmp_path, changed=20), factory)
    assert len(factory.asked) == 20
    assert done.changes.changed == 20
    assert factory.made == ([N] if kind is Keeping else [N, N]), "what is kept is not learned again"
    again = take(tmp_path, catalogue(tmp_path, changed=20), factory)
    assert (again.digest, factory.asked) == (done.digest, [])


def test_it_learns_again_when_enough_changed(tmp_path: Path) -> None:
    factory = Keeping()
    take(tmp_path, catalogue(tmp_path), factory)
    take(tmp_path, catalogue(tmp_path, changed=N // 10), factory)
    assert factory.made == [N]
    take(tmp_path, catalogue(tmp_path, changed=N // 10 + 1), factory)
    assert factory.made == [N, N]
    assert len(factory.asked) == N, "what it learned holds for every product"
    assert len([path for path in (tmp_path / "shop" / "cache" / "learned").iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize(("relearn", "made"), [("always", [N, N]), ("never", [N]), ("auto", [N])])
def test_it_learns_as_it_is_told(tmp_path: Path, relearn: Relearn, made: list[int]) -> None:
    factory = Keeping()
    take(tmp_path, catalogue(tmp_path), factory, relearn=relearn)
    take(tmp_path, catalogue(tmp_path, changed=20), factory, relearn=relearn)
    assert factory.made == made
    if relearn == "never":
        take(tmp_path, catalogue(tmp_path, changed=N), factory, relearn=relearn)
        assert factory.made == made
    take(tmp_path, catalogue(tmp_path, changed=30), factory, relearn_after=0.0)
    assert len(factory.made) == len(made) + 1


def test_other_code_is_taught_by_the_same_products(tmp_path: Path) -> None:
    take(tmp_path, catalogue(tmp_path), Keeping())
    other = Keeping("sha256:corrected")
    take(tmp_path, catalogue(tmp_path, changed=20), other)
    assert (other.made, other.recalled, len(other.asked)) == ([N], 0, N)


def test_a_part_of_the_catalogue_leaves_what_was_read_of_the_rest(tmp_path: Path) -> None:
    factory = Keeping()
    take(tmp_path, catalogue(tmp_path), factory)
    take(tmp_path, catalogue(tmp_path, changed=5, rows=range(5)), factory)
    assert (factory.made, len(factory.asked)) == ([N], 5)
    take(tmp_path, catalogue(tmp_path, changed=5), factory)
    assert len(factory.asked) == 5


def test_the_graph_is_the_same_whether_what_was_read_is_kept_or_not(tmp_path: Path) -> None:
    factory = Factory()
    take(tmp_path, catalogue(tmp_path), factory)
    done = take(tmp_path, catalogue(tmp_path, changed=20), factory)
    for path in [*(tmp_path / "shop" / "cache").rglob("*.arrow"), tmp_path / "shop" / "cache" / "ingested.json"]:
        path.unlink()
    assert take(tmp_path, catalogue(tmp_path, changed=20), factory).digest == done.digest
    assert len(factory.asked) == N


def test_a_dry_run_learns_the_same_and_keeps_nothing(tmp_path: Path) -> None:
    factory = Keeping()
    take(tmp_path, catalogue(tmp_path), factory)
    before = {path: path.read_bytes() for path in (tmp_path / "shop" / "cache" / "learned").rglob("*") if path.is_file()}
    planned = take(tmp_path, catalogue(tmp_path, changed=N), factory, dry_run=True)
    assert {path: path.read_bytes() for path in (tmp_path / "shop" / "cache" / "learned").rglob("*") if path.is_file()} == before
    assert take(tmp_path, catalogue(tmp_path, changed=N), factory).changes == planned.changes


def test_damage_means_learning_again(tmp_path: Path) -> None:
    factory = Factory()
    take(tmp_path, catalogue(tmp_path), factory)
    kept = tmp_path / "shop" / "cache" / "learned" / "products.parquet"
    for damage in (b"", b"PAR1 and then nothing"):
        kept.write_bytes(damage)
        assert teaching(kept.parent, products_table([Product("p", "t")]), "auto", 0.1).fresh


def test_what_comes_after_an_ingest_is_read_by_what_it_learned(tmp_path: Path) -> None:
    factory, folder = Keeping(), Workspace(tmp_path / "shop").cache / "learned"
    take(tmp_path, catalogue(tmp_path), factory)

    def never() -> Any:
        raise AssertionError("the catalogue that taught is kept")

    source = source_of_last(factory, folder, never)
    assert isinstance(source, Reads) and source.taught == N
    assert (factory.made, factory.recalled) == ([N], 1)
    shutil.rmtree(folder)
    again = source_of_last(factory, folder, lambda: products_table([Product("a", "Mug")]))
    assert isinstance(again, Reads) and again.taught == 1
    assert isinstance(source_of_last(factory, folder, never), Reads)
    assert (factory.made, factory.recalled) == ([N, 1], 2)


def test_the_share_of_changed_products() -> None:
    old = products_table([Product("a", "1"), Product("b", "2"), Product("c", "3"), Product("d", "4")])
    new = products_table([Product("a", "1"), Product("b", "two"), Product("e", "5"), Product("d", "4")])
    assert share_changed(old, new) == 3 / 4  # b changed, e is new, c is gone
    assert share_changed(old, old) == 0
    assert share_changed(old.slice(0, 0), new) == 4


def test_it_is_said_and_can_be_asked_for(tmp_path: Path) -> None:
    factory = Keeping()
    group = make_graph_group(lambda workspace, name: (factory, None))

    def call(*options: str) -> str:
        args = ["ingest", "--catalogue", str(tmp_path / "products.csv"), "-w", str(tmp_path / "shop"), *options]
        return CliRunner().invoke(group, args, catch_exceptions=False).stderr

    catalogue(tmp_path)
    call()
    catalogue(tmp_path, changed=20)
    assert "goes on with what it learned earlier; 1.0% of the catalogue changed since (learn again: --relearn)." in call()
    assert "goes on" not in call("--relearn")
    assert factory.made == [N, N]
    (tmp_path / "shop" / "clew.toml").write_text('[extraction]\nrelearn = "always"\n')
    catalogue(tmp_path, changed=30)
    call()
    assert factory.made == [N, N, N]
    (tmp_path / "bad.toml").write_text('[extraction]\nrelearn = "sometimes"\n')
    with pytest.raises(InputError, match="relearn"):
        Config.load(tmp_path / "bad.toml")
    assert Truth(tmp_path / "shop" / "graph").exists
