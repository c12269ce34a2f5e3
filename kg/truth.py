"""The truth: a folder of Parquet parts, a manifest, and one digest over what they say.

    nodes/<Label>/  edges/<TYPE>/  evidence/<TYPE>/  events/     parts, named by the digest of their content
    manifest.json                                                which parts make up the graph

Writing is safe at every moment: parts whose content is new are written beside the old ones and synced, then the manifest
is renamed into place (that rename is the commit), then parts that nobody names any more are swept away. A process that
dies in between leaves the last complete state, and some files that the next writer sweeps.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kg.digest import digest_json
from kg.errors import StateError
from kg.ontology import Label
from kg.tables import (
    BAND_SCHEMA,
    EVENT_ORDER,
    EVENT_SCHEMA,
    EVIDENCE_IDENTITY,
    EVIDENCE_SCHEMA,
    PRODUCT_SCHEMA,
    GraphTables,
    content_digest,
    sort_order,
)

FORMAT_VERSION = 1
_ROWS_PER_PART = 16_384
_MAX_PARTS = 256
_MAX_RUNS = 1_000
_PRODUCTS, _USERS, _BANDS = (f"nodes/{label}" for label in (Label.PRODUCT, Label.USER, Label.PRICE_BAND))
_RESTORE = "Restore the folder from a copy, or move it away and ingest the files again."


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did: the digest it committed and how many parts it had to write."""

    digest: str
    parts_written: int


class Truth:
    """The graph folder of a workspace.

    Args:
        folder: `graph/`; it need not exist for `write`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def exists(self) -> bool:
        """Whether anything was ever committed here."""
        return (self.folder / "manifest.json").is_file()

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest, checked: version, form and that its digests add up.

        Raises:
            StateError: there is none, it is damaged, it lies, or a newer clew wrote it.
        """
        path = self.folder / "manifest.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise StateError(f"There is no graph in {self.folder} yet.", "Make one with `clew graph ingest --catalogue FILE`.") from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise StateError(f"{path} is damaged: it is no JSON.", _RESTORE) from None
        version = found.get("version") if isinstance(found, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise StateError(
                f"{self.folder} was written by a newer clew (format {version}; this one reads up to {FORMAT_VERSION}).", "Upgrade clew."
            )
        try:
            adds_up = version == FORMAT_VERSION and found["digest"] == _digest(found["tables"], found["timed"])
        except (KeyError, TypeError, AttributeError):
            adds_up = False
        if not adds_up:
            raise StateError(f"{path} is damaged: its digest is not that of the parts it names.", _RESTORE)
        return dict(found)

    @property
    def digest(self) -> str:
        """Digest of the whole graph's content."""
        return str(self.manifest["digest"])

    @property
    def runs(self) -> list[dict[str, Any]]:
        """Records of the ingests that changed something, oldest first."""
        return list(self.manifest["runs"])

    def counts(self, group: str) -> dict[str, int]:
        """Rows of the tables of a group ("nodes", "edges", "evidence") by label or relation, from the manifest."""
        prefix = f"{group}/"
        return {name.removeprefix(prefix): t["rows"] for name, t in self.manifest["tables"].items() if name.startswith(prefix)}

    def table(self, name: str, schema: pa.Schema) -> pa.Table:
        """All rows of one table ("nodes/Brand", "events"), each part checked against its digest; empty when there is none.

        Raises:
            StateError: a part is missing, truncated, foreign or not what the manifest says.
        """
        stored = self.manifest["tables"].get(name, {"parts": []})
        parts = [self._part(name, part, schema) for part in stored["parts"]]
        return pa.concat_tables([schema.empty_table(), *parts]).combine_chunks()

    def _part(self, name: str, part: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
        path = self.folder / name / part["file"]
        try:
            found = pq.read_table(path, partitioning=None, memory_map=False)
        except FileNotFoundError:
            raise StateError(f"{path} is missing, which the manifest names.", _RESTORE) from None
        except (pa.ArrowInvalid, OSError) as error:
            raise StateError(f"{path} is damaged and cannot be read ({str(error).splitlines()[0]}).", _RESTORE) from None
        if not found.schema.equals(schema):
            raise StateError(f"{path} is not a table of this graph: its columns are others.", _RESTORE)
        if content_digest(found) != part["digest"]:
            raise StateError(f"{path} does not hold what the manifest says.", _RESTORE)
        return found

    def tables(self) -> GraphTables:
        """The whole graph, every part checked. A writer that commits meanwhile is followed: the graph is then the new one.

        Raises:
            StateError: the truth is not there or damaged.
        """
        while True:
            digest = self.digest
            try:
                return self._tables()
            except StateError:
                self.__dict__.pop("manifest", None)
                if self.digest == digest:
                    raise

    def _tables(self) -> GraphTables:
        def stored(name: str, schema: pa.Schema, *order: str) -> pa.Table:
            table = self.table(name, schema)
            return table.take(sort_order(table, *order)).combine_chunks()

        names = self.counts("evidence")
        return GraphTables(
            products=stored(_PRODUCTS, PRODUCT_SCHEMA, "key"),
            evidence={name: stored(f"evidence/{name}", EVIDENCE_SCHEMA, *EVIDENCE_IDENTITY) for name in names},
            events=stored("events", EVENT_SCHEMA, *EVENT_ORDER),
            timed=bool(self.manifest["timed"]),
            bands=stored(_BANDS, BAND_SCHEMA, "key"),
        )

    def check_files(self) -> None:
        """Read every table, derived ones too, against the manifest (`clew graph validate`).

        Raises:
            StateError: one is damaged, or a derived table is not what the evidence says.
        """
        tables = self.tables()
        for name, (table, key) in sorted(stored_tables(tables).items()):
            rows = self.manifest["tables"].get(name)
            parts = [digest for _, _, digest in _parts(table, key)]
            if rows is None or [part["digest"] for part in rows["parts"]] != parts:
                raise StateError(f"{self.folder / name} is not what the evidence says.", _RESTORE)
            self.table(name, table.schema)

    @staticmethod
    def digest_of(tables: GraphTables) -> str:
        """The digest that a graph would have as the truth."""
        described = {
            name: {"parts": [{"digest": digest} for _, _, digest in _parts(table, key)]}
            for name, (table, key) in sorted(stored_tables(tables).items())
        }
        return _digest(described, tables.timed)

    def write(self, tables: GraphTables, run: Mapping[str, Any] | None = None) -> Written:
        """Make `tables` the truth. Only parts whose content changed are written; nothing at all when none did.

        Args:
            tables: the whole new graph.
            run: what to remember about where it came from.

        Raises:
            OSError: the disk is full or may not be written to; the truth is what it was.
        """
        described: dict[str, Any] = {}
        written: list[Path] = []
        try:
            for name, (table, key) in sorted(stored_tables(tables).items()):
                listed = []
                for file, part, digest in _parts(table, key):
                    path = self.folder / name / file
                    listed.append({"file": file, "rows": part.num_rows, "digest": digest})
                    if not path.exists():
                        _write_part(part, path)
                        written.append(path)
                described[name] = {"rows": table.num_rows, "parts": listed}
        except OSError:
            for path in written:
                path.unlink(missing_ok=True)
            raise
        digest = _digest(described, tables.timed)
        if self.exists and self.digest == digest:
            self._sweep()  # what a writer left that died after its commit
            return Written(digest, 0)
        for folder in {path.parent for path in written} | {self.folder}:
            _sync(folder)
        runs = (self.runs if self.exists else []) + ([dict(run)] if run else [])
        self._commit({"version": FORMAT_VERSION, "digest": digest, "timed": tables.timed, "tables": described, "runs": runs[-_MAX_RUNS:]})
        self._sweep()
        return Written(digest, len(written))

    def _commit(self, manifest: dict[str, Any]) -> None:
        path = self.folder / "manifest.json"
        temporary = self.folder / f".manifest.{os.getpid()}.tmp"
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(manifest, file, ensure_ascii=False, indent=1)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(self.folder)
        self.__dict__.pop("manifest", None)

    def _sweep(self) -> None:
        named = {self.folder / name / part["file"] for name, table in self.manifest["tables"].items() for part in table["parts"]}
        named.add(self.folder / "manifest.json")
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in named:
                path.unlink()


def stored_tables(tables: GraphTables) -> dict[str, tuple[pa.Table, str]]:
    """What is stored of a graph: name of the table → table and the column whose hash chooses the part."""
    found = {_PRODUCTS: (tables.products, "key"), _USERS: (tables.users, "key"), "events": (tables.events, "user")}
    found |= {f"nodes/{label}": (table, "key") for label, table in tables.entities.items()}
    if tables.bands.num_rows:
        found[_BANDS] = (tables.bands, "key")
    found |= {f"edges/{name}": (table, "source_key") for name, table in tables.edges.items()}
    found |= {f"evidence/{name}": (table, "source_key") for name, table in tables.evidence.items()}
    return {name: (table, key) for name, (table, key) in found.items() if table.num_rows}


def _digest(tables: Mapping[str, Any], timed: bool) -> str:
    return digest_json({"timed": timed, "tables": {name: [part["digest"] for part in t["parts"]] for name, t in tables.items()}})


def _parts(table: pa.Table, key: str) -> Iterator[tuple[str, pa.Table, str]]:
    """The table cut by hash of a column: file name, rows, content digest. How many parts depends on the rows alone."""
    count = 1
    while count < _MAX_PARTS and table.num_rows > count * _ROWS_PER_PART:
        count *= 2
    which = key_hashes(table.column(key)) % count
    for number in range(count):
        part = table.filter(pa.array(which == number)) if count > 1 else table
        if part.num_rows:
            digest = content_digest(part)
            yield f"{number:03d}-{digest.removeprefix('sha256:')[:24]}.parquet", part, digest


def key_hashes(column: pa.ChunkedArray) -> NDArray[np.uint32]:
    """CRC-32 of each key's UTF-8 bytes (uint32 [n])."""
    encoded = column.combine_chunks().dictionary_encode()
    hashes = np.array([zlib.crc32(key.encode()) for key in encoded.dictionary.to_pylist()], np.uint32)
    return hashes[encoded.indices.to_numpy()] if len(hashes) else hashes


def _write_part(part: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        pq.write_table(part, temporary, compression="zstd")
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
