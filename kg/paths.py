"""Path search on arrays: what joins a history to a product, by what they are made of and by who bought both.

One question touches a few slices of compressed rows, so its cost does not grow with the graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.snapshot import GraphSnapshot


@dataclass(frozen=True, slots=True, eq=False)
class AttributePaths:
    """Paths history product → entity ← product, one a place in the arrays, by relation, history product and entity.

    Args:
        relations: names of relations that `relation_places` count in.
        relation_places: int32 [n].
        history_rows: int32 [n], item rows.
        entity_rows: int32 [n].
    """

    relations: tuple[str, ...]
    relation_places: NDArray[np.int32]
    history_rows: NDArray[np.int32]
    entity_rows: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.history_rows)


@dataclass(frozen=True, slots=True, eq=False)
class SharedBuyers:
    """Paths history product ← other person → product, counted.

    Args:
        history_rows: int32 [n], item rows, ascending.
        people: int64 [n], how many people other than the one who asks have an event with both.
    """

    history_rows: NDArray[np.int32]
    people: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.history_rows)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Compressed rows: the values of row i are `values[starts[i]:starts[i + 1]]`, ascending."""

    starts: NDArray[np.int64]
    values: NDArray[np.int64]

    @classmethod
    def of(cls, matrix: sp.csr_array) -> _Rows:
        matrix.sort_indices()
        return cls(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64))

    def row(self, row: int) -> NDArray[np.int64]:
        return self.values[self.starts[row] : self.starts[row + 1]]

    def rows(self, rows: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Values of many rows, one after the other, and for each the place of its row in `rows`."""
        first = self.starts[rows]
        sizes = self.starts[rows + 1] - first
        owners = np.repeat(np.arange(len(rows)), sizes)
        ends = np.cumsum(sizes)
        places = np.arange(ends[-1] if len(ends) else 0) + (first - ends + sizes)[owners]
        return self.values[places], owners


class PathIndex:
    """Answers path questions about one snapshot; made once, then microseconds a question.

    Args:
        snapshot: the graph. Only facts and events are walked, each pair once.
    """

    def __init__(self, snapshot: GraphSnapshot) -> None:
        self._snapshot = snapshot
        self.relations = tuple(snapshot.facts())

    @cached_property
    def _codes(self) -> _Rows:
        """Item → codes of its facts; a code is relation place · n_entities + entity row."""
        width = max(self._snapshot.n_entities, 1)
        matrices = [self._snapshot.fact_matrix(name) for name in self.relations]
        whole = sp.hstack(matrices, format="csr") if matrices else sp.csr_array((self._snapshot.n_items, width), dtype=np.float32)
        return _Rows.of(sp.csr_array(whole))

    @cached_property
    def _items_of(self) -> _Rows:
        return _Rows.of(self._snapshot.interactions)

    @cached_property
    def _users_of(self) -> _Rows:
        return _Rows.of(sp.csr_array(self._snapshot.interactions.T))

    def history(self, user_row: int) -> NDArray[np.int32]:
        """Item rows that a person has an event with (int32, ascending)."""
        return self._items_of.row(user_row).astype(np.int32)

    def attribute_paths(self, history_rows: NDArray[np.int32], item_row: int) -> AttributePaths:
        """Entities that a product shares with products of a history; the product itself is no history of its own.

        Args:
            history_rows: int32 [h], item rows.
            item_row: the product that is asked about.
        """
        wanted = self._codes.row(item_row)
        codes, owners = self._codes.rows(history_rows)
        if not len(wanted) or not len(codes):
            nothing = np.empty(0, np.int32)
            return AttributePaths(self.relations, nothing, nothing, nothing)
        places = np.minimum(np.searchsorted(wanted, codes), len(wanted) - 1)
        hits = np.flatnonzero((wanted[places] == codes) & (history_rows[owners] != item_row))
        found, sources = codes[hits], history_rows[owners[hits]]
        relation_places, entity_rows = np.divmod(found, max(self._snapshot.n_entities, 1))
        order = np.lexsort((entity_rows, sources, relation_places))
        return AttributePaths(self.relations, relation_places[order].astype(np.int32), sources[order], entity_rows[order].astype(np.int32))

    def shared_buyers(self, history_rows: NDArray[np.int32], item_row: int, user_row: int | None = None) -> SharedBuyers:
        """How many people have an event with the product and with each product of a history.

        Args:
            history_rows: int32 [h], item rows, ascending.
            item_row: the product that is asked about.
            user_row: a person who does not count (the one who asks).
        """
        buyers = self._users_of.row(item_row)
        if user_row is not None:
            buyers = buyers[buyers != user_row]
        if not len(buyers) or not len(history_rows):
            return SharedBuyers(np.empty(0, np.int32), np.empty(0, np.int64))
        # Walk from the side that has less to look at: the buyers' histories, or the history's buyers.
        from_buyers = int((self._items_of.starts[buyers + 1] - self._items_of.starts[buyers]).sum())
        from_history = int((self._users_of.starts[history_rows + 1] - self._users_of.starts[history_rows]).sum())
        if from_buyers <= from_history:
            items, _ = self._items_of.rows(buyers.astype(np.int32))
            places = np.minimum(np.searchsorted(history_rows, items), len(history_rows) - 1)
            hits = places[history_rows[places] == items]
        else:
            users, owners = self._users_of.rows(history_rows)
            places = np.minimum(np.searchsorted(buyers, users), len(buyers) - 1)
            hits = owners[buyers[places] == users]
        people = np.bincount(hits, minlength=len(history_rows))
        kept = np.flatnonzero((people > 0) & (history_rows != item_row))
        return SharedBuyers(history_rows[kept], people[kept])
