"""Extraction results kept on disk batch by batch, so that a killed ingest goes on where it was and a second one is quick."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.compute as pc

from kg.digest import digest_json
from kg.model import Entity, Fact, Product
from kg.ontology import Relation
from kg.progress import SILENT, Progress
from kg.tables import EVIDENCE_SCHEMA, evidence_tables

BATCH = 512
_STAGED_SCHEMA = EVIDENCE_SCHEMA.append(pa.field("relation", pa.string()))
# A quantity is a property of the product, not a fact; it is staged as a row of this name.
_QUANTITY = "quantity"


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
        with progress.stage("reading attributes", len(products)) as advance:
            for batch in _batches(products):
                found.append(self._batch(batch, source, origin))
                advance(len(batch))
        whole = pa.concat_tables([_STAGED_SCHEMA.empty_table(), *found])
        relations = whole.column("relation")
        stated = whole.filter(pc.equal(relations, _QUANTITY))
        quantities = dict(zip(stated.column("source_key").to_pylist(), stated.column("text").to_pylist(), strict=True))
        names = sorted(set(pc.unique(relations).to_pylist()) - {_QUANTITY})
        return {name: whole.filter(pc.equal(relations, name)).drop_columns("relation") for name in names}, quantities

    def _batch(self, batch: Sequence[Product], source: FactSource, origin: str) -> pa.Table:
        content = [[p.key, p.title, dict(p.fields)] for p in batch]
        name = digest_json([source.digest, origin, content]).removeprefix("sha256:")[:32] + ".arrow"
        self._used.add(name)
        kept = self._read(name)
        if kept is not None:
            return kept
        facts, quantities = _read(batch, source)
        tables = [t.append_column("relation", pa.array([r] * t.num_rows, pa.string())) for r, t in evidence_tables(facts, origin).items()]
        rows = [{"source_key": key, "text": text, "relation": _QUANTITY} for key, text in quantities.items()]
        table = pa.concat_tables([pa.Table.from_pylist(rows, _STAGED_SCHEMA), *tables]).combine_chunks()
        self._write(name, table)
        return table

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
        temporary = self.folder / f".{name}.{os.getpid()}.tmp"
        try:
            with pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
            temporary.replace(self.folder / name)
        finally:
            temporary.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Forget every batch that this run did not use."""
        if self.folder is None or not self.folder.is_dir():
            return
        for path in self.folder.iterdir():
            if path.name not in self._used:
                path.unlink(missing_ok=True)


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


def _batches(products: Sequence[Product]) -> Iterator[list[Product]]:
    """Products in batches by hash of the key, so that a new or changed row touches one batch only."""
    count = 1
    while len(products) > count * BATCH:
        count *= 2
    batches: list[list[Product]] = [[] for _ in range(count)]
    for product in sorted(products, key=lambda p: p.key.encode()):
        batches[zlib.crc32(product.key.encode()) % count].append(product)
    return (batch for batch in batches if batch)
