"""What a protocol file becomes: a graph of train alone, and tasks (who asks, with which history, what is looked for where)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.config import SourceFile
from kg.errors import InputError
from kg.events import NO_TIME, EventLog
from kg.model import Fact, Product
from kg.progress import SILENT, Progress
from kg.rejects import Rejects
from kg.snapshot import GraphSnapshot
from recommend.protocol import KINDS_OF_CANDIDATES, Part, Protocol
from recommend.texts import product_text


@dataclass(frozen=True, eq=False)
class Task:
    """People to rank for, and what they should find.

    Args:
        name: of the part.
        keys: their keys.
        history: their events; `user_rows` count in `keys`.
        targets: CSR of ones [people, n_items]; every row has one or more.
        candidates: bool [n_items].
        masked: CSR [people, n_items], not 0 where a product is no candidate for the person.
        metrics: further figures.
        skipped: people with a target that were left out, having no history.
    """

    name: str
    keys: tuple[str, ...]
    history: EventLog
    targets: sp.csr_array
    candidates: NDArray[np.bool_]
    masked: sp.csr_array
    metrics: tuple[str, ...] = ()
    skipped: int = 0

    @property
    def n_users(self) -> int:
        """How many people."""
        return len(self.keys)

    def some(self, people: NDArray[np.int64]) -> Task:
        """The task for some of its people (ascending places)."""
        which = np.isin(self.history.user_rows, people)
        part = self.history.take(which)
        renumbered = np.searchsorted(people, part.user_rows).astype(np.int32)
        history = replace(part, user_rows=renumbered)
        return Task(
            self.name,
            tuple(self.keys[int(place)] for place in people),
            history,
            sp.csr_array(self.targets[people]),
            self.candidates,
            sp.csr_array(self.masked[people]),
            self.metrics,
            self.skipped,
        )


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Everything that one protocol needs.

    Args:
        name: of the protocol.
        snapshot: the graph with train's events only.
        texts: one text a product, by item row.
        valid, test: tasks.
        k: cutoffs.
    """

    name: str
    snapshot: GraphSnapshot
    texts: Sequence[str]
    valid: tuple[Task, ...]
    test: tuple[Task, ...]
    k: tuple[int, ...] = (10, 20)
    facts: int = field(default=0)


def load_benchmark(protocol: Protocol, progress: Progress = SILENT) -> Benchmark:
    """Read all files of a protocol and check that nothing leaks.

    Raises:
        InputError: a file is missing or wrong; an event of valid or test is in train; train goes beyond the cut.
    """
    products, facts = _catalogue(protocol, progress) if protocol.catalogue.files else (_products_of_events(protocol), [])
    known = {product.key for product in products}
    reader = _Reader(protocol, known)
    train, later = _parts_of_time(protocol, reader)
    from kg.snapshot_io import build_snapshot

    with progress.stage("graph"):
        snapshot = build_snapshot(products, facts, train, derived=True)
    by_key = {product.key: product for product in products}
    texts = [product_text(by_key[key], protocol.text) for key in snapshot.items]
    maker = _TaskMaker(snapshot, reader, later)
    valid = tuple(maker.task(part, None) for part in protocol.valid)
    further = tuple(part.model_copy(update={"metrics": tuple(dict.fromkeys((*part.metrics, *protocol.metrics)))}) for part in protocol.test)
    test = tuple(maker.task(part, later) for part in further)
    return Benchmark(protocol.name, snapshot, texts, valid, test, protocol.k, len(facts))


def _catalogue(protocol: Protocol, progress: Progress) -> tuple[list[Product], list[Fact]]:
    from extraction import FactExtractor, build_extractor, parse_price
    from kg.catalogue import read_catalogue
    from kg.triples import read_triples

    rejects = _Untitled(protocol)
    read = read_catalogue(protocol.catalogue.files, protocol.catalogue, rejects, progress, price_parser=parse_price)
    products = [*read, *rejects.products]
    facts: list[Fact] = []
    source = FactExtractor(build_extractor(protocol.extractor, products))
    with progress.stage("facts", len(products)) as advance:
        for found in source.facts(products):
            facts += found
            advance(1)
    stated = Rejects()
    for triples in protocol.triples:
        facts += read_triples(triples.files, triples, stated)
    if stated.count:
        first = stated.first[0]
        progress.note(f"{stated.count} triples were left out, such as {first['file']}, line {first['line']}: {first['reason']}.")
    return products, facts


def _products_of_events(protocol: Protocol) -> list[Product]:
    """Every product that an event of the protocol names, called by its key."""
    reader = _Reader(protocol, None)
    files = [protocol.events.train or protocol.events.files, *(part.events for part in (*protocol.valid, *protocol.test))]
    keys: set[str] = set()
    for some in files:
        keys.update(reader.table(some).column("item").unique().to_pylist())
    return [Product(key, key) for key in sorted(keys)]


def _refuse(rejects: Rejects, what: str) -> None:
    if rejects.count:
        first = rejects.first[0]
        raise InputError(
            f"{rejects.count} {what} of a protocol file cannot be taken; {first['file']}, line {first['line']}: {first['reason']}.",
            "A benchmark that leaves rows out measures something else; mend the file.",
        )


class _Untitled(Rejects):
    """A benchmark counts products without a title too; they go by their key."""

    def __init__(self, protocol: Protocol) -> None:
        super().__init__()
        self._columns = protocol.catalogue.columns
        self.products: list[Product] = []

    def add(self, file: str | Path, line: int, reason: str, row: Mapping[str, Any] | str) -> None:
        """Keep a row whose only fault is its title."""
        columns = self._columns
        if columns is None or isinstance(row, str) or str(row.get(columns.title) or "").strip():
            super().add(file, line, reason, row)
            return
        key = str(row[columns.item])
        named = {role: getattr(columns, role) for role in ("brand", "category", "product_type")}
        fields = {role: str(row[name]) for role, name in named.items() if name and row.get(name)}
        self.products.append(Product(key, key, fields, source=f"{Path(file).name}:{line}"))


class _Reader:
    """Event files of a protocol as tables of user, item and time, products outside the catalogue refused."""

    def __init__(self, protocol: Protocol, known: set[str] | None) -> None:
        self._mapping = protocol.events
        self._known = known

    def table(self, files: Iterable[SourceFile]) -> pa.Table:
        from kg.event_files import read_events

        rejects = Rejects()
        table = read_events(list(files), self._mapping, rejects, self._known)
        _refuse(rejects, "events")
        return table


def _parts_of_time(protocol: Protocol, reader: _Reader) -> tuple[pa.Table, pa.Table | None]:
    """Train, and what comes after the cut."""
    files = protocol.events.train or protocol.events.files
    train = reader.table(files)
    if protocol.split is None:
        return train, None
    if protocol.events.columns is None or protocol.events.columns.time is None:
        raise InputError("A split in time needs a time column.", "Name it: [events] columns = { …, time = … }.")
    cut = protocol.split.time
    last = cut if isinstance(cut, int) else int(datetime.combine(cut, time(23, 59, 59), UTC).timestamp())
    times = train.column("time")
    if times.null_count:
        raise InputError(f"{times.null_count} events have no time, so the cut cannot place them.", "Give each a time.")
    early = pc.less_equal(times, last)
    if protocol.events.train and any(part.events for part in protocol.test) and not pc.all(early).as_py():
        late = train.filter(pc.invert(early)).slice(0, 1).to_pylist()[0]
        raise InputError(
            f"Train holds an event after the cut {cut}: {late['user']} and {late['item']}.", "Take it out of train, or move the cut."
        )
    return train.filter(early), train.filter(pc.invert(early))


class _TaskMaker:
    def __init__(self, snapshot: GraphSnapshot, reader: _Reader, later: pa.Table | None) -> None:
        self._snapshot = snapshot
        self._reader = reader
        self._seen = snapshot.item_event_counts > 0
        self._split = later is not None

    def task(self, part: Part, later: pa.Table | None) -> Task:
        """One part of the protocol as a task."""
        files = [self._reader.table([file]) for file in part.events] or [later]
        candidates = self._candidates(part)
        per_file = [self._targets(table, candidates, part) for table in files if table is not None]
        wanted: dict[str, set[int]] = {}
        for found in per_file:
            for key, rows in found.items():
                wanted.setdefault(key, set()).update(rows)
        if part.users == "in_every_file":
            wanted = {key: rows for key, rows in wanted.items() if all(key in found for found in per_file)}
        return self._task(part, wanted, candidates)

    def _candidates(self, part: Part) -> NDArray[np.bool_]:
        if part.candidates in KINDS_OF_CANDIDATES:
            kinds = {"unseen": ~self._seen, "seen": self._seen, "all": np.ones(len(self._seen), bool)}
            return kinds[part.candidates]
        return _candidates_of_file(Path(part.candidates), self._snapshot)

    def _targets(self, table: pa.Table, candidates: NDArray[np.bool_], part: Part) -> dict[str, set[int]]:
        users, items = table.column("user").to_pylist(), self._snapshot.items.rows(table.column("item").to_pylist())
        train = self._snapshot.interactions
        rows = self._snapshot.users.rows(users)
        found: dict[str, set[int]] = {}
        for user, user_row, item_row in zip(users, rows.tolist(), items.tolist(), strict=True):
            if user_row >= 0 and item_row in train.indices[train.indptr[user_row] : train.indptr[user_row + 1]]:
                if not self._split:
                    raise InputError(
                        f"{part.name}: the event of {user} and {self._snapshot.items.key(item_row)} is also in train.",
                        "A benchmark with a leak measures nothing; take it out of one of the two.",
                    )
                continue
            if candidates[item_row]:
                found.setdefault(user, set()).add(item_row)
        return found

    def _task(self, part: Part, wanted: dict[str, set[int]], candidates: NDArray[np.bool_]) -> Task:
        keys = sorted(wanted, key=str.encode)
        own = self._histories(keys)
        hidden: list[tuple[int, int]] = []
        if part.gap:
            own, hidden = _before_gap(own, np.array([len(wanted[key]) for key in keys], np.int64))
        logs = [own]
        if part.reveal is not None:
            shown, left = self._revealed(part, keys)
            logs.append(shown)
            hidden += left
        if part.profile:
            logs.append(self._log(self._reader.table(part.profile), keys))
        if part.exclude:
            log = self._log(self._reader.table(part.exclude), keys)
            hidden += list(zip(log.user_rows.tolist(), log.item_rows.tolist(), strict=True))
        history = _joined(logs)
        there = np.unique(history.user_rows)
        size = (len(keys), self._snapshot.n_items)
        pairs = [(place, row) for place, key in enumerate(keys) for row in wanted[key]]
        masked = _ones([*zip(history.user_rows.tolist(), history.item_rows.tolist(), strict=True), *hidden], size)
        targets = _ones(pairs, size)
        overlap = targets.multiply(masked).nnz
        if overlap and part.reveal is not None:
            raise InputError(f"{part.name}: {overlap} targets are among the revealed events.", "Give the two parts apart with `where`.")
        task = Task(part.name, tuple(keys), history, targets, candidates, masked, part.metrics, len(keys) - len(there))
        return task.some(there.astype(np.int64))

    def _histories(self, keys: Sequence[str]) -> EventLog:
        log = self._snapshot.events
        place = np.full(self._snapshot.n_users, -1, np.int32)
        rows = self._snapshot.users.rows(keys)
        place[rows[rows >= 0]] = np.flatnonzero(rows >= 0)
        found = log.take(place[log.user_rows] >= 0)
        return _sorted(replace(found, user_rows=place[found.user_rows]))

    def _log(self, table: pa.Table, keys: Sequence[str]) -> EventLog:
        places = {key: place for place, key in enumerate(keys)}
        users = np.fromiter((places.get(key, -1) for key in table.column("user").to_pylist()), np.int32, table.num_rows)
        items = self._snapshot.items.rows(table.column("item").to_pylist())
        times = pc.fill_null(table.column("time"), int(NO_TIME)).to_numpy()
        values = table.column("value").to_numpy().astype(np.float32)
        log = self._snapshot.events
        whole = EventLog(users, items, times, values, np.zeros(len(users), np.uint8), log.kind_names, log.timed)
        return _sorted(whole.take(users >= 0))

    def _revealed(self, part: Part, keys: Sequence[str]) -> tuple[EventLog, list[tuple[int, int]]]:
        assert part.reveal is not None
        log = self._log(self._reader.table([part.reveal.source()]), keys)
        ends = np.searchsorted(log.user_rows, log.user_rows, side="right")
        shown = np.ones(len(log), bool) if part.reveal.last is None else np.arange(len(log)) >= ends - part.reveal.last
        rest = log.take(~shown)
        return log.take(shown), list(zip(rest.user_rows.tolist(), rest.item_rows.tolist(), strict=True))


def _candidates_of_file(path: Path, snapshot: GraphSnapshot) -> NDArray[np.bool_]:
    from kg.readers import read_chunks

    found = np.zeros(snapshot.n_items, bool)
    for chunk in read_chunks(str(path), Rejects()):
        name = next((name for name in ("item", "item_id", "item_key") if name in chunk.names()), None)
        if name is None:
            raise InputError(f"{path} has no column item.", "A file of candidates has one column of product keys, called item.")
        rows = snapshot.items.rows(str(value) for value in chunk.column(name))
        if (rows < 0).any():
            raise InputError(f"{path} names a product that the catalogue does not have.", "Add it to the catalogue or take it out.")
        found[rows] = True
    return found


def _before_gap(log: EventLog, sizes: NDArray[np.int64]) -> tuple[EventLog, list[tuple[int, int]]]:
    """Histories without each person's last events, as many as `sizes` says (int64 [people]) but for one; and the pairs left out."""
    people = np.arange(len(sizes))
    starts, ends = (np.searchsorted(log.user_rows, people, side=side) for side in ("left", "right"))
    last = np.minimum(ends, np.maximum(starts + 1, ends - sizes))
    kept = np.arange(len(log)) < last[log.user_rows]
    rest = log.take(~kept)
    return log.take(kept), list(zip(rest.user_rows.tolist(), rest.item_rows.tolist(), strict=True))


def _ones(pairs: Sequence[tuple[int, int]], size: tuple[int, int]) -> sp.csr_array:
    unique = np.unique(np.array(pairs, np.int64).reshape(-1, 2), axis=0)
    matrix = sp.csr_array((np.ones(len(unique), np.float32), (unique[:, 0], unique[:, 1])), shape=size)
    matrix.sort_indices()
    return matrix


def _sorted(log: EventLog) -> EventLog:
    return log.take(np.lexsort((log.item_rows, log.times, log.user_rows)))


def _joined(logs: Sequence[EventLog]) -> EventLog:
    def all_of(column: Callable[[EventLog], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([column(log) for log in logs])

    first = logs[0]
    return _sorted(
        EventLog(
            all_of(lambda log: log.user_rows),
            all_of(lambda log: log.item_rows),
            all_of(lambda log: log.times),
            all_of(lambda log: log.values),
            all_of(lambda log: log.kinds),
            first.kind_names,
            first.timed,
        )
    )
