"""Event files → one table of who did what, when; every row checked, whole columns at a time."""

from __future__ import annotations

import datetime
import time as clock
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kg.chunks import Chunk
from kg.config import EventColumns, EventsSource, SourceFile
from kg.dates import Dates, is_open_to_reading, order_of_days
from kg.errors import InputError
from kg.mapping import event_columns
from kg.ontology import EVENT_RELATIONS
from kg.progress import SILENT, Progress
from kg.readers import read_chunks
from kg.rejects import Rejects
from kg.sources import Unseen, source_chunks
from kg.values import key_array, text_array, text_list

SCHEMA = pa.schema(
    [
        pa.field("user", pa.string(), nullable=False),
        pa.field("item", pa.string(), nullable=False),
        pa.field("time", pa.int64()),
        pa.field("value", pa.float32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
    ]
)
TIMED = b"clew.timed"  # key in the schema's metadata: b"true" when `time` holds moments, b"false" when it holds an order

# Shops' words for the kinds of `kg.ontology.EVENT_RELATIONS`; `kinds` in the configuration goes first.
_SYNONYMS = {
    "purchase": "purchase purchased buy bought order ordered transaction sale checkout kauf achat compra acquisto 购买 购入 下单 購入 구매",
    "view": "view viewed pv click clicked detail pageview page_view product_view impression browse visit ansicht vue vista 浏览 点击 閲覧",
    "cart": "cart add_to_cart addtocart basket add_to_basket warenkorb panier carrito carrello 加购 购物车 カート",
    "rating": "rating rated rate review reviewed bewertung note valoración valutazione 评分 评价 評価",
    "return": "return returned refund refunded sent_back retoure rücksendung retour devolución reso 退货 退款 返品 반품",
    "dislike": "dislike disliked downvote thumbs_down not_interested hide 不喜欢 踩 点踩",
}
_PURCHASE, *_ = EVENT_RELATIONS  # the kind whose value is a quantity
_DAY = 86_400


def read_events(
    paths: Sequence[str | Path | SourceFile],
    mapping: EventsSource,
    rejects: Rejects,
    known_items: Collection[str] | None = None,
    progress: Progress = SILENT,
    *,
    now: int | None = None,
) -> pa.Table:
    """The events of all files, in their order; repeats are kept (buying twice is two events).

    Args:
        paths: files; `-` is standard input. None at all gives an empty table.
        mapping: columns (guessed when it has none), joins, kinds, time zone.
        rejects: takes the rows that are wrong: no person, a product that the catalogue does not have, a date that cannot be
            read or lies in the future, a quantity of a purchase that is not above 0, a kind that nobody mapped.
        known_items: keys of the catalogue; None takes any.
        now: the present in seconds since 1970 UTC; a date more than a day later is the future.

    Returns:
        Table of `SCHEMA`: user, item (string), time (int64: seconds since 1970 UTC, or the order; null where unknown),
        value (float32, 1 where the row has none), kind (string); see `is_timed`.

    Raises:
        InputError: a file or column is missing, files with times are mixed with files that have an order, or there are too
            many rejects.
    """
    reader = _Reader(mapping, rejects, known_items, int(clock.time()) if now is None else now)
    with progress.stage("reading events") as advance:
        tables = [reader.table(chunk) for chunk in source_chunks(paths, mapping.join, rejects, advance)]
    reader.unseen.refuse()
    whole = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
    timed = reader.clock == "time" or not whole.num_rows
    return whole.replace_schema_metadata({TIMED: b"true" if timed else b"false"})


def first_events(path: str | Path | SourceFile, mapping: EventsSource, n: int = 5) -> tuple[EventColumns, pa.Table]:
    """The first events of a file and the mapping they were read with, for a person to look at; wrong rows are passed over.

    Raises:
        InputError: the file or a column is missing.
    """
    reader = _Reader(mapping, Rejects(), None, int(clock.time()))
    columns: EventColumns | None = None
    tables = [SCHEMA.empty_table()]
    for chunk in source_chunks([path], mapping.join, Rejects()):
        tables.append(reader.table(chunk))
        columns = reader.columns
        if sum(map(len, tables)) >= n:
            break
    if columns is None:
        raise InputError(f"{path} has no row.", "Give a file with at least one event.")
    return columns, pa.concat_tables(tables).slice(0, n)


def is_timed(events: pa.Table) -> bool:
    """Whether the `time` of an event table holds moments; if not, it holds an order within a user, or nothing."""
    return bool((events.schema.metadata or {}).get(TIMED, b"true") == b"true")


class _Wrong:
    """The first reason of each row of a chunk that is wrong."""

    def __init__(self, n: int) -> None:
        self.reasons: dict[int, str] = {}
        self.fine = np.ones(n, bool)

    def add(self, places: NDArray[np.int64] | Sequence[int], reason: str) -> None:
        for place in places:
            self.reasons.setdefault(int(place), reason)
        self.fine[places] = False


class _Reader:
    def __init__(self, mapping: EventsSource, rejects: Rejects, known: Collection[str] | None, now: int) -> None:
        self._mapping = mapping
        self._rejects = rejects
        self._known = known if known is None or isinstance(known, set | frozenset | dict) else frozenset(known)
        self._now = now
        self._file = ""
        self.columns: EventColumns | None = None
        self._dates = Dates(mapping.timezone, mapping.day_first)
        self._kinds = {word: kind for kind, words in _SYNONYMS.items() for word in words.split()}
        self._kinds.update({kind: kind for kind in EVENT_RELATIONS})
        self._kinds.update({word.strip().casefold(): kind for word, kind in mapping.kinds.items()})
        self.unseen = Unseen()
        self.clock = ""

    def table(self, chunk: Chunk) -> pa.Table:
        """The rows of a chunk that are fine; the others are rejected."""
        columns = self._start(chunk)
        self.unseen.see(chunk)
        wrong = _Wrong(len(chunk))
        user, item = key_array(chunk, columns.user), key_array(chunk, columns.item)
        for keys, name, what in ((user, columns.user, "person"), (item, columns.item, "product")):
            if keys.null_count:
                wrong.add(np.flatnonzero(keys.is_null()), f"no key: the {what} ({name}) is blank or no text")
        if self._known is not None:
            self._check_known(item, wrong)
        kind = self._kind(chunk, columns, wrong)
        value = self._value(chunk, columns, kind, wrong)
        time = self._time(chunk, columns, wrong)
        for place in sorted(wrong.reasons):
            self._rejects.add(chunk.file, chunk.lines[place], wrong.reasons[place], chunk.row(place))
        table = pa.table([user, item, time, value, kind], schema=SCHEMA)
        return table if wrong.fine.all() else table.filter(pa.array(wrong.fine))

    def _start(self, chunk: Chunk) -> EventColumns:
        if self.columns is not None and self._file == chunk.file:
            return self.columns
        self.unseen.refuse()
        columns = event_columns(self._mapping.columns, chunk)
        if len(chunk):
            self.unseen.start(chunk, columns)
        self.columns, self._file = columns, chunk.file
        kept = "time" if columns.time else "order" if columns.order else ""
        if self.clock and kept and kept != self.clock:
            raise InputError(
                f"{chunk.file} has {'times' if kept == 'time' else 'an order'}, the event files before it have the other.",
                "Map the same for all of them under [events].",
            )
        self.clock = self.clock or kept
        self._dates.day_first = self._mapping.day_first
        if columns.time and self._mapping.day_first is None and _is_text(chunk, columns.time):
            self._dates.day_first = self._order_of_days(chunk, columns.time)
        return columns

    def _order_of_days(self, chunk: Chunk, name: str) -> bool | None:
        """How 03/04/2024 is read: as the other dates of the file say, which is read through once more for it."""
        values = text_list(chunk.column(name))
        decided = order_of_days(values)
        if decided is not None or not is_open_to_reading(values) or chunk.file == "standard input":
            return decided
        later = (text_list(part.column(name)) for part in read_chunks(chunk.file, Rejects()))
        return order_of_days(text for part in later for text in part)

    def _check_known(self, item: pa.Array, wrong: _Wrong) -> None:
        assert self._known is not None
        coded = item.dictionary_encode()
        names = coded.dictionary.to_pylist()
        strange = np.array([name not in self._known for name in names] + [False])
        if not strange.any():
            return
        codes = np.asarray(pc.fill_null(coded.indices, len(names))).astype(np.int64)
        for place in np.flatnonzero(strange[codes]).tolist():
            wrong.add([place], f"unknown product: the catalogue has no {names[codes[place]]!r}")

    def _kind(self, chunk: Chunk, columns: EventColumns, wrong: _Wrong) -> pa.Array:
        if not columns.kind:
            return pa.array([self._mapping.kind], pa.string()).take(pa.array(np.zeros(len(chunk), np.int64)))
        coded = pc.utf8_trim_whitespace(text_array(chunk, columns.kind)).dictionary_encode()
        words = coded.dictionary.to_pylist()
        kinds = [self._kinds.get(word.casefold()) if word else self._mapping.kind for word in words]
        codes = np.asarray(pc.fill_null(coded.indices, len(words))).astype(np.int64)
        for code, (word, kind) in enumerate(zip(words, kinds, strict=True)):
            if kind is None:
                reason = f"unknown kind of event: {word[:40]!r} is none of {', '.join(EVENT_RELATIONS)}; say what it is under events.kinds"
                wrong.add(np.flatnonzero(codes == code), reason)
        filled = [kind or self._mapping.kind for kind in kinds] + [self._mapping.kind]
        return pa.array(filled, pa.string()).take(pa.array(codes))

    def _value(self, chunk: Chunk, columns: EventColumns, kind: pa.Array, wrong: _Wrong) -> pa.Array:
        if not columns.value:
            return pa.array(np.ones(len(chunk), np.float32))
        array = chunk.arrow(columns.value)
        if array is None or not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
            array = self._numbers(text_array(chunk, columns.value), columns.value, wrong)
        numbers = np.asarray(pc.fill_null(array.cast(pa.float64()), 1.0))
        numbers = np.where(np.isnan(numbers), 1.0, numbers)
        wrong.add(np.flatnonzero(np.abs(numbers) > np.finfo(np.float32).max), f"absurd value: {columns.value} is beyond float32")
        numbers[~wrong.fine] = 1.0
        refused = np.flatnonzero((numbers <= 0) & np.asarray(pc.equal(kind, _PURCHASE)))
        for place in refused.tolist():
            wrong.add([place], f"no purchase: the {columns.value} is {numbers[place]:g}; give it the kind return if it was one")
        return pa.array(numbers.astype(np.float32))

    def _numbers(self, text: pa.Array, name: str, wrong: _Wrong) -> pa.Array:
        text = pc.utf8_trim_whitespace(text)
        text = pc.if_else(pc.equal(text, ""), None, text)
        try:
            return text.cast(pa.float64())
        except pa.ArrowInvalid:
            found: list[float | None] = []
            for place, value in enumerate(text.to_pylist()):
                try:
                    found.append(None if value is None else float(value))
                except ValueError:
                    found.append(None)
                    wrong.add([place], f"unreadable number: the {name} is {value[:40]!r}")
            return pa.array(found, pa.float64())

    def _time(self, chunk: Chunk, columns: EventColumns, wrong: _Wrong) -> pa.Array:
        if columns.order:
            return self._order(chunk, columns.order, wrong)
        if not columns.time:
            return pa.nulls(len(chunk), pa.int64())
        array = chunk.arrow(columns.time)
        seconds, valid, bad = self._dates.seconds(text_array(chunk, columns.time) if array is None else array)
        for place, reason in bad.items():
            wrong.add([place], reason)
        if not self._mapping.allow_future:
            late = np.flatnonzero(valid & (seconds > self._now + _DAY))
            for place in late.tolist():
                day = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=min(int(seconds[place]), 250_000_000_000))
                wrong.add([place], f"date in the future: {day:%Y-%m-%d} (allow_future under [events] takes it)")
        return pa.array(seconds, pa.int64(), mask=~valid)

    def _order(self, chunk: Chunk, name: str, wrong: _Wrong) -> pa.Array:
        array = chunk.arrow(name)
        if array is None or not pa.types.is_integer(array.type):
            array = self._numbers(text_array(chunk, name), name, wrong)
            whole = np.asarray(pc.fill_null(array, 0))
            wrong.add(np.flatnonzero(~(np.abs(whole) < 2**53) | (whole != np.floor(whole))), f"no rank: {name} is no whole number")
            array = pa.array(np.where(wrong.fine, whole, 0).astype(np.int64), mask=np.asarray(array.is_null()))
        return array.cast(pa.int64())


def _is_text(chunk: Chunk, name: str) -> bool:
    array = chunk.arrow(name)
    return array is None or pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
