"""The event log: who did what with which product, when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kg.errors import StateError
from kg.ontology import AGAINST, RATING

NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True, eq=False)
class EventLog:
    """Events in columns, sorted by user, then time, then item.

    Args:
        user_rows: int32 [m], row in the users' vocabulary.
        item_rows: int32 [m], row in the products' vocabulary.
        times: int64 [m], seconds since 1970 UTC when `timed`, else the order within a user; `NO_TIME` where unknown.
        values: float32 [m], rating or quantity; 1 where the log has none.
        kinds: uint8 [m], place in `kind_names`.
        kind_names: kinds of events, such as ("purchase", "view").
        timed: whether `times` are moments (and a cut in time has a meaning).

    Raises:
        StateError: columns of different length, or a kind out of range.
    """

    user_rows: NDArray[np.int32]
    item_rows: NDArray[np.int32]
    times: NDArray[np.int64]
    values: NDArray[np.float32]
    kinds: NDArray[np.uint8]
    kind_names: tuple[str, ...]
    timed: bool

    def __post_init__(self) -> None:
        lengths = {len(self.user_rows), len(self.item_rows), len(self.times), len(self.values), len(self.kinds)}
        if len(lengths) != 1:
            raise StateError(f"The columns of an event log have different lengths: {sorted(lengths)}.")
        if len(self.kinds) and int(self.kinds.max()) >= len(self.kind_names):
            raise StateError("An event has a kind that the log does not name.")

    def __len__(self) -> int:
        return len(self.user_rows)

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> EventLog:
        """The events of a mask or of positions, in their order."""
        return replace(
            self,
            user_rows=self.user_rows[which],
            item_rows=self.item_rows[which],
            times=self.times[which],
            values=self.values[which],
            kinds=self.kinds[which],
        )

    def upto(self, time: int) -> EventLog:
        """Events at or before a moment (seconds); events without a time are left out: it may be later.

        Raises:
            StateError: the log has no moments.
        """
        if not self.timed:
            raise StateError("The event log has no times, so it cannot be cut at one.", "Map a time column in clew.toml.")
        return self.take((self.times != NO_TIME) & (self.times <= time))

    def after(self, time: int) -> EventLog:
        """Events later than a moment (seconds)."""
        if not self.timed:
            raise StateError("The event log has no times, so it cannot be cut at one.", "Map a time column in clew.toml.")
        return self.take(self.times > time)

    def of_user(self, user_row: int) -> EventLog:
        """Events of one user, oldest first."""
        # In the column's own type: NumPy would copy the whole column into another one.
        low, high = np.searchsorted(self.user_rows, np.array([user_row, user_row + 1], self.user_rows.dtype))
        return self.take(np.arange(low, high))

    def rating_border(self) -> float | None:
        """Half way between the least and the greatest rating of the log; None where all are alike, or none is there."""
        ratings = self.values[self._of_kinds((RATING,))]
        if not len(ratings) or ratings.min() == ratings.max():
            return None
        return (float(ratings.min()) + float(ratings.max())) / 2

    def against(self, rating_border: float | None = None) -> NDArray[np.bool_]:
        """Which events say no to their product (bool [m]): returned, disliked, or rated below a border."""
        found = self._of_kinds(AGAINST)
        if rating_border is not None:
            found |= self._of_kinds((RATING,)) & (self.values < rating_border)
        return found

    def _of_kinds(self, names: Collection[str]) -> NDArray[np.bool_]:
        places = [place for place, name in enumerate(self.kind_names) if name in names]
        return np.isin(self.kinds, places) if places else np.zeros(len(self), bool)


def last_word_is_no(against: NDArray[np.bool_], times: NDArray[np.int64], places: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """Whether the last that a person said of a product is no.

    Args:
        against: bool [m], which events say no.
        times: int64 [m]; a no of an unknown time is the last word, and so is one of the same moment as a yes.
        places: int64 [m], which pair of person and product an event is of.
        size: how many pairs.

    Returns:
        bool [size].
    """
    if not against.any():
        return np.zeros(size, bool)
    said_yes = np.bincount(places[~against], minlength=size) > 0
    said_no = np.bincount(places[against], minlength=size) > 0
    last_yes, last_no = np.full(size, NO_TIME), np.full(size, NO_TIME)
    np.maximum.at(last_yes, places[~against], times[~against])
    known = np.where(times == NO_TIME, np.iinfo(np.int64).max, times)
    np.maximum.at(last_no, places[against], known[against])
    return said_no & (~said_yes | (last_no >= last_yes))
