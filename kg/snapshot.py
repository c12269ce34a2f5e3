"""A graph that has left its store: frozen arrays with one digest.

Rows of users, products and entities are places in three sorted vocabularies. Strings stay in Arrow arrays, so a
snapshot opens memory-mapped in milliseconds. Facts, links and trees are `Edges`, events an `EventLog`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.digest import digest_bytes
from kg.errors import StateError
from kg.events import EventLog, last_word_is_no
from kg.model import Evidence, Price
from kg.ontology import Family, Label, Relation
from kg.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """All edges of one relation, sorted by source row, then target row, one edge a pair.

    Args:
        relation: name, ends, family.
        source_rows: int32 [m]; products (facts, links) or entities (trees).
        target_rows: int32 [m]; entities (facts, trees) or products (links).
        confidence: float32 [m], of the strongest evidence.
        evidence: Arrow table [m] with the strongest evidence: field, span_start, span_end, text, extractor, run, evidence_count.
    """

    relation: Relation
    source_rows: NDArray[np.int32]
    target_rows: NDArray[np.int32]
    confidence: NDArray[np.float32]
    evidence: pa.Table

    def __len__(self) -> int:
        return len(self.source_rows)

    def matrix(self, shape: tuple[int, int]) -> sp.csr_array:
        """The edges as a CSR matrix [sources, targets] of ones (float32)."""
        starts = np.searchsorted(self.source_rows, np.arange(shape[0] + 1)).astype(np.int32)
        return sp.csr_array((np.ones(len(self), np.float32), self.target_rows, starts), shape=shape)

    def find(self, source_row: int, target_row: int) -> int | None:
        """Place of one edge, or None."""
        low, high = self._range(source_row)
        place = low + int(np.searchsorted(self.target_rows[low:high], target_row))
        return place if place < high and self.target_rows[place] == target_row else None

    def targets_of(self, source_row: int) -> NDArray[np.int32]:
        """Target rows of one source, ascending."""
        low, high = self._range(source_row)
        return self.target_rows[low:high]

    def _range(self, source_row: int) -> tuple[int, int]:
        # In the column's own type: NumPy would copy the whole column into another one.
        low, high = np.searchsorted(self.source_rows, np.array([source_row, source_row + 1], self.source_rows.dtype))
        return int(low), int(high)

    def evidence_at(self, place: int) -> Evidence:
        """The strongest evidence of the edge at a place."""
        # Column by column: a slice of the table made into rows takes six times as long.
        names = ("field", "span_start", "span_end", "text", "extractor", "run")
        field, start, end, text, extractor, run = [self.evidence.column(name)[place].as_py() for name in names]
        return Evidence(field, start, end, text, extractor, float(self.confidence[place]), run)

    def take(self, which: NDArray[np.bool_]) -> Edges:
        """The edges of a mask."""
        return replace(
            self,
            source_rows=self.source_rows[which],
            target_rows=self.target_rows[which],
            confidence=self.confidence[which],
            evidence=self.evidence.filter(pa.array(which)),
        )


@dataclass(frozen=True, eq=False)
class GraphSnapshot:
    """The graph at one moment.

    Args:
        digest: of the truth it was made from (and of the cut, if it was cut).
        users: keys of people.
        items: keys of products (catalogue rows only).
        products: Arrow table aligned with `items`: title (string), price_low, price_high (float64, null), currency (string,
            null), quantity (string, null), available (bool); then the properties that an ontology file types.
        entities: keys of all other nodes.
        entity_table: Arrow table aligned with `entities`: label (string), name (string), kind (string).
        edges: facts, links and trees by relation name.
        events: the event log.
    """

    digest: str
    users: Vocabulary
    items: Vocabulary
    products: pa.Table
    entities: Vocabulary
    entity_table: pa.Table
    edges: Mapping[str, Edges]
    events: EventLog

    def __post_init__(self) -> None:
        if self.products.num_rows != len(self.items) or self.entity_table.num_rows != len(self.entities):
            raise StateError("A snapshot's tables do not fit its vocabularies.")
        object.__setattr__(self, "edges", MappingProxyType(dict(sorted(self.edges.items()))))

    @property
    def n_users(self) -> int:
        """How many people."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """How many products."""
        return len(self.items)

    @property
    def n_entities(self) -> int:
        """How many brands, materials, categories and other entities."""
        return len(self.entities)

    def title(self, item_row: int) -> str:
        """Title of a product."""
        return str(self.products.column("title")[int(item_row)].as_py())

    def titles(self) -> list[str]:
        """All titles, by item row."""
        return [str(title) for title in self.products.column("title").to_pylist()]

    def price(self, item_row: int) -> Price | None:
        """Price of a product, if the catalogue has one."""
        low, high, currency = [self.products.column(name)[int(item_row)].as_py() for name in ("price_low", "price_high", "currency")]
        return None if low is None and high is None else Price(low, high, currency)

    def entity_name(self, entity_row: int) -> str:
        """Name of an entity."""
        return str(self.entity_table.column("name")[int(entity_row)].as_py())

    def entity_label(self, entity_row: int) -> Label:
        """Label of an entity."""
        return Label(self.entity_table.column("label")[int(entity_row)].as_py())

    def facts(self) -> dict[str, Edges]:
        """Product → entity relations that have an edge, by name."""
        return {name: edges for name, edges in self.edges.items() if edges.relation.family is Family.FACT and len(edges)}

    def links(self) -> dict[str, Edges]:
        """Product → product relations that a source stated, by name."""
        return {name: edges for name, edges in self.edges.items() if edges.relation.family is Family.LINK and len(edges)}

    def fact_matrix(self, relation_name: str) -> sp.csr_array:
        """Products × entities of one relation as CSR of ones (float32 [n_items, n_entities])."""
        return self.edges[relation_name].matrix((self.n_items, self.n_entities))

    @cached_property
    def item_event_counts(self) -> NDArray[np.int64]:
        """Events per product (int64 [n_items]); 0 means cold."""
        return np.bincount(self.events.item_rows, minlength=self.n_items).astype(np.int64)

    @cached_property
    def rating_border(self) -> float | None:
        """The rating below which one says no to a product; None where ratings say nothing of the kind."""
        return self.events.rating_border()

    @cached_property
    def interactions(self) -> sp.csr_array:
        """Users × products, 1 where a person did something with a product and did not take it back.

        Float32 CSR [n_users, n_items], sorted, no repeats. Taken back: the last that was said of it is no (`kg.events`).
        """
        codes = self.events.user_rows.astype(np.int64) * max(self.n_items, 1) + self.events.item_rows
        against = self.events.against(self.rating_border)
        if against.any():
            pairs, places = np.unique(codes, return_inverse=True)
            pairs = pairs[~last_word_is_no(against, self.events.times, places, len(pairs))]
        else:
            pairs = np.unique(codes)
        users, items = np.divmod(pairs, max(self.n_items, 1))
        ones = np.ones(len(pairs), np.float32)
        return sp.csr_array((ones, (users, items)), shape=(self.n_users, self.n_items))

    def with_events(self, events: EventLog, tag: str) -> GraphSnapshot:
        """The same graph with other events; the digest says so by `tag`."""
        return replace(self, events=events, digest=digest_bytes(self.digest.encode(), tag.encode()))

    def upto(self, time: int) -> GraphSnapshot:
        """The graph with only the events at or before a moment (seconds since 1970 UTC)."""
        return self.with_events(self.events.upto(time), f"upto {time}")
