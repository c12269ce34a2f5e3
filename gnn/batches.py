"""Which people a step looks at, and which of their products it hides. Every step's draw depends on seed and step alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gnn.config import GnnConfig
from kg.seeds import generator


@dataclass(frozen=True, eq=False)
class Batch:
    """One step's people.

    Args:
        inputs: float32 CSR [people, n_known], 1 for each product of the history that is shown.
        target_people: int64 [t], person of each hidden product.
        target_columns: int64 [t], place of each hidden product in `columns`.
        columns: int64 [c], known products in the softmax, ascending.
        seen: int64 [2, s], person and place in `columns` of every product of the histories.
    """

    inputs: sp.csr_array
    target_people: NDArray[np.int64]
    target_columns: NDArray[np.int64]
    columns: NDArray[np.int64]
    seen: NDArray[np.int64]


class Batches:
    """Draws batches from histories.

    Args:
        histories: CSR [n_people, n_known] of ones; each row has two products or more.
        config: people, target_share, max_history, candidates, seed.
    """

    def __init__(self, histories: sp.csr_array, config: GnnConfig) -> None:
        self.histories = histories
        self.config = config

    def draw(self, step: int) -> Batch:
        """The batch of a step."""
        random = generator(self.config.seed, f"gnn batch {step}")
        people = self._people(step)
        rows = self.histories[people]
        lengths = np.diff(rows.indptr)
        person = np.repeat(np.arange(len(people)), lengths)
        order = np.lexsort((random.random(len(person)), person))  # a random order within each person
        person, product = person[order], rows.indices[order].astype(np.int64)
        rank = np.arange(len(person)) - np.repeat(rows.indptr[:-1], lengths)
        used = np.minimum(lengths, self.config.max_history)
        hidden = np.clip(np.rint(used * self.config.target_share), 1, used - 1).astype(np.int64)
        target = rank < hidden[person]
        shown = ~target & (rank < used[person])
        inputs = sp.csr_array(
            (np.ones(int(shown.sum()), np.float32), (person[shown], product[shown])), shape=(len(people), self.histories.shape[1])
        )
        columns = self._columns(random, product[target])
        places = np.full(self.histories.shape[1], -1, np.int64)
        places[columns] = np.arange(len(columns))
        among = places[product] >= 0
        return Batch(inputs, person[target], places[product[target]], columns, np.stack([person[among], places[product[among]]]))

    def _people(self, step: int) -> NDArray[np.int64]:
        """People in a new order each time all have had their turn."""
        n_people, size = self.histories.shape[0], min(self.config.people, self.histories.shape[0])
        first, last = step * size, (step + 1) * size
        turns = range(first // n_people, last // n_people + 1)
        orders = [generator(self.config.seed, f"gnn order {turn}").permutation(n_people) for turn in turns]
        offset = first - (first // n_people) * n_people
        return np.sort(np.concatenate(orders)[offset : offset + size])

    def _columns(self, random: np.random.Generator, targets: NDArray[np.int64]) -> NDArray[np.int64]:
        n_known = self.histories.shape[1]
        if n_known <= self.config.candidates:
            return np.arange(n_known)
        return np.union1d(targets, random.choice(n_known, self.config.candidates, replace=False))
