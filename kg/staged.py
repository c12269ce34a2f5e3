"""Extraction results kept on disk batch by batch, so that a killed ingest goes on where it was and a second one is quick."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.compute as pc

from kg.digest import digest_json
from kg.model import Entity, Fact, Product
from kg.ontology import Relation
from kg.progress import SILENT, Progress
from kg.tables import EVIDENCE_SCHEMA, evidence_tables, tree_tables
from kg.whole_files import whole_file

BATCH = 512
_STAGED_SCHEMA = EVIDENCE_SCHEMA.append(pa.field("relation", pa.string()))
# A quantity is a property of the product, not a fact; it is staged as a row of this name.
_QUANTITY = "quantity"
_CONTENT = b"products"  # metadata of a staged batch: product's key → digest of what was read


@runtime_checkable
class FactSource(Protocol):
    """What reads facts out of products. It may also offer `tree()` and `facts_and_quantities(products)` (see below)."""

    @property
    def name(self) -> str:
        """Name in the registry of extractors."""
        ...

    @property
    def digest(self) -> str:
        """Digest of everything that decides what it finds."""
        ...

    def facts(self, products: Sequence[Product]) -> Iterator[list[Fact]]:
        """One list of facts per product, in their order."""
        ...


@runtime_checkable
class TreeSource(Protocol):
    """A fact source that also knows what is a kind of what."""

    def tree(self) -> Sequence[tuple[Entity, Relation, Entity]]:
        """(child, relation, parent) triples, whatever the catalogue holds."""
        ...


@runtime_checkable
class QuantitySource(Protocol):
    """A fact source that also reads the quantity of a product ("12 ct"), which becomes a property."""

    def facts_and_quantities(self, products: Sequence[Product]) -> Iterator[tuple[list[Fact], str | None]]:
        """Facts and quantity of each product, in their order."""
        ...


@runtime_checkable
class FactSourceFactory(Protocol):
    """Makes a fact source from a whole catalogue, which it may learn from."""

    @property
    def name(self) -> str:
        """Name in the registry of extractors."""
        ...

    @property
    def digest(self) -> str:
        """Digest of everything that decides what it makes, apart from the products: code, vocabularies, models, corrections."""
        ...

    def __call__(self, products: Sequence[Product]) -> FactSource:
        """The fact source that these products teach; the same products always teach the same."""
        ...


class LearnedSource:
    """A fact source that is only made when something has not been staged yet: learning can take longer than reading.

    Args:
        factory: makes it.
        products: the whole catalogue, which it learns from.
        digest: of the factory and the products together.
    """

    def __init__(self, factory: FactSourceFactory, products: Sequence[Product], digest: str, progress: Progress) -> None:
        self.name = factory.name
        self.digest = digest
        self._factory = factory
        self._products = products
        self._progress = progress

    @cached_property
    def _made(self) -> FactSource:
        with self._progress.stage("learning from the catalogue"):
            return self._factory(self._products)

    def facts(self, products: Sequence[Product]) -> Iterator[list[Fact]]:
        """See `FactSource`."""
        return self._made.facts(products)

    def facts_and_quantities(self, products: Sequence[Product]) -> Iterator[tuple[list[Fact], str | None]]:
        """See `QuantitySource`; no quantities where the source reads none."""
        if isinstance(self._made, QuantitySource):
            return self._made.facts_and_quantities(products)
        return ((listed, None) for listed in self._made.facts(products))

    def tree(self) -> Sequence[tuple[Entity, Relation, Entity]]:
        """See `TreeSource`; empty where the source knows none."""
        return self._made.tree() if isinstance(self._made, TreeSource) else ()


class Staging:
    """A folder of extraction results.

    Args:
        folder: where they lie; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._used: set[str] = set()

    def extract(
        self, products: Sequence[Product], source: FactSource, origin: str, progress: Progress = SILENT
    ) -> tuple[dict[str, pa.Table], dict[str, str]]:
        """Evidence of all products by relation, and the quantity of those that state one.

        Args:
            products: what to read.
            source: what reads it; asked only for batches that are not staged yet.
            origin: what the evidence is marked with.
        """
        found = []
        batches = list(_batches(products))
        with progress.stage("reading attributes", len(products)) as advance:
            for place, batch in enumerate(batches):
                if batch:
                    found.append(self._batch(batch, f"{place}-{len(batches)}", source, origin))
                    advance(len(batch))
        tables = _by_relation(pa.concat_tables([_STAGED_SCHEMA.empty_table(), *found]))
        stated = tables.pop(_QUANTITY, EVIDENCE_SCHEMA.empty_table())
        return tables, dict(zip(stated.column("source_key").to_pylist(), stated.column("text").to_pylist(), strict=True))

    def _batch(self, batch: Sequence[Product], place: str, source: FactSource, origin: str) -> pa.Table:
        """Evidence of a batch: as it is staged, else that of its unchanged products as it is staged and the others read."""
        content = {p.key: digest_json([p.key, p.title, dict(p.fields)]).removeprefix("sha256:")[:32] for p in batch}
        prefix = digest_json([source.digest, origin]).removeprefix("sha256:")[:16]
        name = f"{prefix}-{place}-{digest_json(content).removeprefix('sha256:')[:16]}.arrow"
        self._used.add(name)
        kept = self._read(name)
        if kept is not None:
            return kept
        known, tables = self._known(prefix, place, content)
        unread = [product for product in batch if product.key not in known]
        if unread:
            facts, quantities = _read(unread, source)
            rows = [{"source_key": key, "text": text} for key, text in quantities.items()]
            tables.append(_joined({**evidence_tables(facts, origin), _QUANTITY: pa.Table.from_pylist(rows, EVIDENCE_SCHEMA)}))
        table = pa.concat_tables([_STAGED_SCHEMA.empty_table(), *tables]).combine_chunks()
        self._write(name, table.replace_schema_metadata({_CONTENT: json.dumps(content)}))
        return table

    def _known(self, prefix: str, place: str, content: Mapping[str, str]) -> tuple[set[str], list[pa.Table]]:
        """Products of a batch that an earlier state of it holds unchanged, and their evidence."""
        known: set[str] = set()
        tables = []
        for path in sorted(self.folder.glob(f"{prefix}-{place}-*.arrow")) if self.folder is not None else ():
            table = self._read(path.name)
            if table is None:
                continue
            staged = json.loads((table.schema.metadata or {}).get(_CONTENT, b"{}"))
            same = {key for key, digest in content.items() if staged.get(key) == digest} - known
            if same:
                keys = pa.array(sorted(same), pa.string())
                tables.append(table.filter(pc.is_in(table.column("source_key"), value_set=keys)).replace_schema_metadata(None))
                known |= same
        return known, tables

    def tree(self, source: FactSource, origin: str) -> dict[str, pa.Table]:
        """Evidence of the trees that a source knows, by relation."""
        if not isinstance(source, TreeSource):
            return {}
        name = digest_json([source.digest, origin]).removeprefix("sha256:")[:32] + ".arrow"
        self._used.add(name)
        table = self._read(name)
        if table is None:
            table = _joined(tree_tables(source.tree(), origin, source.name))
            self._write(name, table)
        return _by_relation(table)

    def _read(self, name: str) -> pa.Table | None:
        if self.folder is None:
            return None
        try:
            with pa.OSFile(str(self.folder / name)) as file:
                table = pa.ipc.open_file(file).read_all()
        except (FileNotFoundError, NotADirectoryError, pa.ArrowInvalid):
            return None  # never staged, or cut off by a power loss: it is read again
        return table if table.schema.equals(_STAGED_SCHEMA) else None

    def _write(self, name: str, table: pa.Table) -> None:
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (
            whole_file(self.folder / name) as temporary,
            pa.OSFile(str(temporary), "wb") as file,
            pa.ipc.new_file(file, table.schema) as writer,
        ):
            writer.write_table(table)

    def sweep(self) -> None:
        """Forget what other sources read, and earlier states of the batches that this run used; the rest of the catalogue stays."""
        if self.folder is None or not self.folder.is_dir():
            return
        sources = {name.partition("-")[0] for name in self._used}
        places = {name.rpartition("-")[0] for name in self._used}
        for path in self.folder.iterdir():
            other = path.name.partition("-")[0] not in sources or path.name.rpartition("-")[0] in places
            if path.name not in self._used and other:
                path.unlink(missing_ok=True)


def _joined(tables: Mapping[str, pa.Table]) -> pa.Table:
    """Tables by relation as one table with a column for the relation."""
    named = [table.append_column("relation", pa.array([name] * table.num_rows, pa.string())) for name, table in tables.items()]
    return pa.concat_tables([_STAGED_SCHEMA.empty_table(), *named]).combine_chunks()


def _by_relation(table: pa.Table) -> dict[str, pa.Table]:
    names = table.column("relation")
    return {name: table.filter(pc.equal(names, name)).drop_columns("relation") for name in sorted(pc.unique(names).to_pylist())}


def _read(batch: Sequence[Product], source: FactSource) -> tuple[list[Fact], dict[str, str]]:
    facts: list[Fact] = []
    quantities: dict[str, str] = {}
    if isinstance(source, QuantitySource):
        for product, (listed, quantity) in zip(batch, source.facts_and_quantities(batch), strict=True):
            facts.extend(listed)
            if quantity:
                quantities[product.key] = quantity
    else:
        for listed in source.facts(batch):
            facts.extend(listed)
    return facts, quantities


def _batches(products: Sequence[Product]) -> list[list[Product]]:
    """Products in batches by hash of the key (some may be empty), so that a new or changed row touches one batch only."""
    count = 1
    while len(products) > count * BATCH:
        count *= 2
    batches: list[list[Product]] = [[] for _ in range(count)]
    for product in sorted(products, key=lambda p: p.key.encode()):
        batches[zlib.crc32(product.key.encode()) % count].append(product)
    return batches
