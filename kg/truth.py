"""The truth: a folder of Parquet parts, a manifest, and one digest over what they say.

    nodes/<Label>/  edges/<TYPE>/  evidence/<TYPE>/  events/     parts and layers, named by the digest of their content
    manifest.json                                                which of them make up the graph

Writing is safe at every moment: files whose content is new are written beside the old ones and synced, then the manifest
is renamed into place (that rename is the commit), then files that nobody names any more are swept away. A process that
dies in between leaves the last complete state, and some files that the next writer sweeps.

The digest is made of products, evidence, events and bands, row by row (`kg.row_digests`), so it does not depend on the order
in which they came, nor on how they lie in files; nodes and edges follow from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from kg.digest import digest_json
from kg.errors import StateError
from kg.ontology import Label, Ontology, relation
from kg.ordering import sort_order
from kg.own_ontology import FILE_NAME, adopt_beside
from kg.picked import Picked
from kg.row_digests import difference, moved_sum, row_sum
from kg.tables import (
    BAND_SCHEMA,
    EVENT_ORDER,
    EVENT_SCHEMA,
    EVIDENCE_IDENTITY,
    EVIDENCE_SCHEMA,
    PRODUCT_SCHEMA,
    GraphTables,
)
from kg.truth_parts import LAYERS, RESTORE, PartWriter, cut, files_of, layer, overgrown, read_table
from kg.whole_files import sync, write_whole

FORMAT_VERSION = 2
_READABLE = (1, FORMAT_VERSION)
_MAX_RUNS = 1_000
PRODUCTS, USERS, BANDS = (f"nodes/{label}" for label in (Label.PRODUCT, Label.USER, Label.PRICE_BAND))
_EVIDENCE = "evidence/"
EVENTS = "events"


@dataclass(frozen=True, slots=True)
class TableChange:
    """What a small change does to one table of the truth: rows it adds, rows it removes (of the table's schema)."""

    added: pa.Table
    removed: pa.Table

    @property
    def rows(self) -> int:
        """By how many rows the table grows."""
        return int(self.added.num_rows - self.removed.num_rows)


@dataclass(frozen=True, slots=True)
class Written:
    """What a write did: the digest it committed and how many parts it had to write."""

    digest: str
    parts_written: int


class Truth:
    """The graph folder of a workspace.

    Args:
        folder: `graph/`; it need not exist for `write`. An `ontology.toml` beside it is adopted with it.
        ontology_may_change: whether the graph may be of an earlier state of that file (for an ingest, which writes it anew).
    """

    def __init__(self, folder: Path, ontology_may_change: bool = False) -> None:
        self.folder = folder
        self._may_change = ontology_may_change

    @cached_property
    def ontology(self) -> Ontology:
        """The ontology of the file beside the graph, adopted; the core where there is none."""
        return adopt_beside(self.folder.absolute().parent)

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
            raise StateError(
                f"There is no graph in {self.folder} yet.",
                "Make one with `clew graph ingest --catalogue FILE`; one that was interrupted goes on with --resume.",
            ) from None
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise StateError(f"{path} is damaged: it is no JSON.", RESTORE) from None
        version = found.get("version") if isinstance(found, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise StateError(
                f"{self.folder} was written by a newer clew (format {version}; this one reads up to {FORMAT_VERSION}).", "Upgrade clew."
            )
        try:
            adds_up = version in _READABLE and found["digest"] == _digest(found["tables"], found["timed"], found.get("ontology", {}))
            adds_up &= version == 1 or found["check"] == _check(found)
        except (KeyError, TypeError, AttributeError):
            adds_up = False
        if not adds_up:
            raise StateError(f"{path} is damaged: its digest is not that of the parts it names.", RESTORE)
        self._check_ontology(found)
        return dict(found)

    def _check_ontology(self, found: Mapping[str, Any]) -> None:
        """Refuse to read a graph as something that it was not made as."""
        structure, now = found.get("ontology", {}), self.ontology.structure()
        if structure == now:
            return
        path = self.folder.absolute().parent / FILE_NAME
        if not self._may_change:
            what = "has changed since the graph was made" if now else "is missing, with which the graph was made"
            raise StateError(f"{path} {what}.", "Put back the file as it was, or run `clew graph ingest` with the new one.")
        custom = [Label.PRODUCT, Label.ENTITY]  # the ends of a relation that no ontology names
        for name in (key.removeprefix("evidence/") for key in found["tables"] if key.startswith("evidence/")):
            ends = relation(name)
            was = structure.get("relations", {}).get(name) or (custom if name in now.get("relations", {}) else [ends.source, ends.target])
            if list(was[:2]) != [ends.source, ends.target]:
                raise StateError(
                    f"{name} leads to {was[1]} in the graph that is there, and to {ends.target} by {path}.",
                    "Take that back, or move the graph folder away and ingest everything again.",
                )

    @property
    def ontology_is_the_same(self) -> bool:
        """Whether the graph was made with the ontology that there is now."""
        return bool(self.manifest.get("ontology", {}) == self.ontology.structure())

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

    @property
    def graph_counts(self) -> tuple[dict[str, int], dict[str, int]] | None:
        """Nodes by label and edges by relation, events as the edges that they make; None where an older clew wrote the graph."""
        found = self.manifest.get("counts")
        return None if found is None else (dict(found["nodes"]), dict(found["edges"]))

    def table(self, name: str, schema: pa.Schema) -> pa.Table:
        """All rows of one table ("nodes/Brand", "events"), each file checked against its digest; empty when there is none.

        Raises:
            StateError: a file is missing, truncated, foreign or not what the manifest says.
        """
        return read_table(self.folder / name, self.manifest["tables"].get(name, {}), schema, _key(name)).combine_chunks()

    def glance(self, name: str, schema: pa.Schema, where: Picked | None = None, coded: Sequence[str] = ()) -> pa.Table:
        """The rows of one table in no order, checked only by the checksums that Parquet keeps.

        Args:
            schema: of the table, or of those of its columns that are wanted, the key among them.
            where: which rows; None for all.
            coded: text columns that come as dictionaries; not together with `where`.

        Raises:
            StateError: a file is missing, truncated or foreign.
        """
        stored = self.manifest["tables"].get(name, {})
        return read_table(self.folder / name, stored, schema, _key(name), check=False, where=where, coded=coded)

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
        def stored(name: str, schema: pa.Schema) -> pa.Table:
            return _ordered(name, self.table(name, schema))

        return GraphTables(
            products=stored(PRODUCTS, PRODUCT_SCHEMA),
            evidence={name: stored(f"{_EVIDENCE}{name}", EVIDENCE_SCHEMA) for name in self.counts("evidence")},
            events=stored(EVENTS, EVENT_SCHEMA),
            timed=bool(self.manifest["timed"]),
            bands=stored(BANDS, BAND_SCHEMA),
        )

    def check_presence(self) -> None:
        """See that every file that the manifest names is there, without reading any.

        Raises:
            StateError: one is missing.
        """
        for name, stored in self.manifest["tables"].items():
            for part in files_of(stored):
                if not (self.folder / name / part["file"]).is_file():
                    raise StateError(f"{self.folder / name / part['file']} is missing, which the manifest names.", RESTORE)

    def check_files(self) -> None:
        """Read every table, derived ones too, against the manifest (`clew graph validate`).

        Raises:
            StateError: one is damaged, or a derived table is not what the evidence says.
        """
        tables = self.tables()
        for name, table in sorted(stored_tables(tables).items()):
            stored = self.table(name, table.schema)
            if any(rows.num_rows for rows in difference(stored, table)):
                raise StateError(f"{self.folder / name} is not what the evidence says.", RESTORE)

    def digest_of(self, tables: GraphTables) -> str:
        """The digest that a graph would have as the truth here."""
        sums = {name: {"sum": _sum(name, table)} for name, table in stored_tables(tables).items()}
        return _digest(sums, tables.timed, self.ontology.structure())

    def write(self, tables: GraphTables, run: Mapping[str, Any] | None = None) -> Written:
        """Make `tables` the truth. Only parts whose content changed are written; nothing at all when none did.

        Args:
            tables: the whole new graph.
            run: what to remember about where it came from.

        Raises:
            OSError: the disk is full or may not be written to; the truth is what it was.
        """
        with PartWriter() as writer:
            described = {
                name: {"rows": table.num_rows, "sum": _sum(name, table), "parts": writer.add(self.folder / name, cut(table, _key(name)))}
                for name, table in sorted(stored_tables(tables).items())
            }
        digest = _digest(described, tables.timed, self.ontology.structure())
        if self.exists and self.digest == digest and self.manifest["tables"] == described:
            self._sweep()  # what a writer left that died after its commit
            return Written(digest, 0)
        nodes, edges = tables.counts()
        return self._publish(described, tables.timed, nodes, edges, run, len(writer.written))

    def patch(
        self, changes: Mapping[str, TableChange], nodes: Mapping[str, int], edges: Mapping[str, int], run: Mapping[str, Any]
    ) -> Written:
        """Make a small change of the truth: rows added and removed are written as layers, no part is touched.

        Events are only ever added: what a person did and is to be forgotten must not stay in a part.

        Args:
            changes: by name of the table.
            nodes, edges: what the graph then holds (see `graph_counts`).
            run: what to remember about where the change came from.

        Raises:
            OSError: the disk is full or may not be written to; the truth is what it was.
        """
        with PartWriter() as writer:
            described = dict(self.manifest["tables"])
            for name, change in changes.items():
                described[name] = self._layered(name, described.get(name), change, writer)
            described = {name: stored for name, stored in sorted(described.items()) if stored["rows"]}
        return self._publish(described, bool(self.manifest["timed"]), nodes, edges, run, len(writer.written))

    def digest_after(self, changes: Mapping[str, TableChange]) -> str:
        """The digest that the truth would have after a small change."""
        tables = self.manifest["tables"]
        moved = {name: {"sum": _moved(name, tables.get(name), change)} for name, change in changes.items()}
        rows = {name: tables.get(name, _NEW)["rows"] + change.rows for name, change in changes.items()}
        kept = {name: stored for name, stored in {**tables, **moved}.items() if rows.get(name, 1)}
        return _digest(kept, bool(self.manifest["timed"]), self.ontology.structure())

    def _layered(self, name: str, stored: Mapping[str, Any] | None, change: TableChange, writer: PartWriter) -> dict[str, Any]:
        before = stored or _NEW
        found = {**before, "rows": before["rows"] + change.rows, "sum": _moved(name, stored, change)}
        folder = self.folder / name
        for what, rows in zip(LAYERS, (change.added, change.removed), strict=True):
            found[what] = [*before.get(what, ()), *writer.add(folder, layer(rows, what))]
        if overgrown(found):
            whole = read_table(folder, found, change.added.schema, _key(name))
            found = {"rows": found["rows"], "sum": found["sum"], "parts": writer.add(folder, cut(_ordered(name, whole), _key(name)))}
        return found

    def _publish(
        self,
        tables: Mapping[str, Any],
        timed: bool,
        nodes: Mapping[str, int],
        edges: Mapping[str, int],
        run: Mapping[str, Any] | None,
        parts_written: int,
    ) -> Written:
        structure = self.ontology.structure()
        runs = (self.runs if self.exists else []) + ([dict(run)] if run else [])
        manifest: dict[str, Any] = {
            "version": FORMAT_VERSION,
            "digest": _digest(tables, timed, structure),
            "timed": timed,
            "counts": {"nodes": dict(nodes), "edges": dict(edges)},
            "tables": dict(tables),
            "runs": runs[-_MAX_RUNS:],
        } | ({"ontology": structure} if structure else {})
        sync(self.folder)
        self._commit(manifest | {"check": _check(manifest)})
        self._sweep()
        return Written(manifest["digest"], parts_written)

    def _commit(self, manifest: dict[str, Any]) -> None:
        write_whole(self.folder / "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1))
        sync(self.folder)
        self.__dict__.pop("manifest", None)

    def _sweep(self) -> None:
        named = {self.folder / name / part["file"] for name, stored in self.manifest["tables"].items() for part in files_of(stored)}
        named.add(self.folder / "manifest.json")
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in named:
                path.unlink()


_NEW: Mapping[str, Any] = {"rows": 0, "parts": []}


def stored_tables(tables: GraphTables) -> dict[str, pa.Table]:
    """What is stored of a graph, by name of the table."""
    found = {PRODUCTS: tables.products, USERS: tables.users, EVENTS: tables.events}
    found |= {f"nodes/{label}": table for label, table in tables.entities.items()}
    if tables.bands.num_rows:
        found[BANDS] = tables.bands
    found |= {f"edges/{name}": table for name, table in tables.edges.items()}
    found |= {f"{_EVIDENCE}{name}": table for name, table in tables.evidence.items()}
    return {name: table for name, table in found.items() if table.num_rows}


def _key(name: str) -> str:
    """The column whose hash chooses the part."""
    return "user" if name == EVENTS else "key" if name.startswith("nodes/") else "source_key"


def _ordered(name: str, table: pa.Table) -> pa.Table:
    """A table in the order in which it is stored whole."""
    if name == EVENTS:
        order: tuple[str, ...] = EVENT_ORDER
    elif name.startswith(_EVIDENCE):
        order = EVIDENCE_IDENTITY
    else:
        order = ("key",) if name.startswith("nodes/") else ("source_key", "target_key")
    return table.take(sort_order(table, *order)).combine_chunks()


def _is_primary(name: str) -> bool:
    """Whether the digest is made of a table; the others follow from those."""
    return name in (PRODUCTS, BANDS, EVENTS) or name.startswith(_EVIDENCE)


def _sum(name: str, table: pa.Table) -> str:
    return row_sum(table) if _is_primary(name) else ""


def _moved(name: str, stored: Mapping[str, Any] | None, change: TableChange) -> str:
    before = stored["sum"] if stored is not None else row_sum(change.added.slice(0, 0))
    return moved_sum(before, change.added, change.removed) if _is_primary(name) else ""


def _digest(tables: Mapping[str, Any], timed: bool, structure: Mapping[str, Any]) -> str:
    # A graph of version 1 has the digests of its parts in the place of the sums.
    said = {name: t["sum"] if "sum" in t else [part["digest"] for part in t["parts"]] for name, t in tables.items()}
    whole = {"timed": timed, "tables": {name: one for name, one in said.items() if one}}
    return digest_json(whole | ({"ontology": structure} if structure else {}))


def _check(manifest: Mapping[str, Any]) -> str:
    """Digest of what the manifest says, so that one that lies is found out before a part is read."""
    return digest_json({name: value for name, value in manifest.items() if name != "check"})
