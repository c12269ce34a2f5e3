"""What a fit leaves behind: NumPy arrays in which every vector is already a sum of named components. Free of torch.

A product j speaks with its source vector q_j and is spoken to with its target vector v_j. Each is
`(text + entity + identity) / norm`; the norms are numbers that are fixed when the fit ends, so that

    ⟨q_j, v_i⟩ = Σ over pairs (a, b) of components ⟨source[a]_j, target[b]_i⟩      exactly.

A person is the weighted sum of the q of the history. Several towers of one graph stand side by side (`joined`): their vectors are
concatenated, and the norms of each are √towers as long, so that ⟨q_j, v_i⟩ is the mean of their cosines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gnn.arrays import Arrays, map_arrays, save_arrays
from kg.digest import digest_arrays, digest_bytes, digest_json
from kg.errors import InputError, StateError
from kg.whole_files import write_whole

FORMAT = 1
COMPONENTS = ("text", "entity", "identity")
_ARRAYS, _MANIFEST = "embeddings.safetensors", "embeddings.json"

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class TowerSide:
    """The parameters of one side (source or target): what turns a product's facts and text into its vector.

    Args:
        text_map: float32 [d_text, d], P of the dense text features.
        word_vectors: float32 [n_words, d], a vector per term of the word index; [0, d] without one.
        entity_vectors: float32 [n_entities, d], by entity row of the snapshot.
        relation_weights: float32 [n_relations], in the order of `EmbeddingTable.relations`; [n_relations, towers] of several towers.
        norms: float32 [n_items], length of the sum of the components; 1 where the sum is zero. Of several towers [n_items, towers],
            each tower's length times √towers.
    """

    text_map: Float32
    word_vectors: Float32
    entity_vectors: Float32
    relation_weights: Float32
    norms: Float32

    @property
    def towers(self) -> int:
        """How many towers stand side by side."""
        return 1 if self.norms.ndim == 1 else int(self.norms.shape[1])

    def across(self, values: NDArray[np.floating]) -> Float64:
        """Numbers of rows, one each or one for each tower, as factors of vectors (float64 [n, 1], or [n, d] of several towers)."""
        if self.towers == 1:
            return values.astype(np.float64).reshape(-1, 1)
        return np.repeat(values.astype(np.float64), self.entity_vectors.shape[1] // self.towers, axis=1)

    def norms_of(self, vectors: NDArray[np.floating]) -> Float32:
        """Norms of sums of components (float [n, d]), in the form of `norms`."""
        if self.towers == 1:
            return lengths(vectors)
        blocks = np.split(vectors, self.towers, axis=1)
        return np.stack([lengths(block) for block in blocks], axis=1) * np.float32(np.sqrt(self.towers))

    def entity_terms(self, entity_rows: Int32, relation_places: Int32, weights: Float32) -> Float64:
        """Â_e w_r x_e of some edges, before any norm (float64 [m, d])."""
        scale = self.across(self.relation_weights[relation_places]) * weights.astype(np.float64)[:, None]
        return np.asarray(scale * self.entity_vectors[entity_rows].astype(np.float64))

    def arrays(self) -> dict[str, Float32]:
        """All arrays by name."""
        return {
            "text_map": self.text_map,
            "word_vectors": self.word_vectors,
            "entity_vectors": self.entity_vectors,
            "relation_weights": self.relation_weights,
            "norms": self.norms,
        }


@dataclass(frozen=True, eq=False)
class ItemEdges:
    """Product → entity edges of all relations with their weights Â, as CSR over products.

    Args:
        starts: int32 [n_items + 1].
        entity_rows: int32 [m].
        relation_places: int32 [m], place in `EmbeddingTable.relations`.
        weights: float32 [m], idf of the entity divided by the length of the product's row of that relation.
    """

    starts: Int32
    entity_rows: Int32
    relation_places: Int32
    weights: Float32

    def of_item(self, item_row: int) -> tuple[Int32, Int32, Float32]:
        """Entity rows, relation places and weights of one product."""
        part = slice(int(self.starts[item_row]), int(self.starts[item_row + 1]))
        return self.entity_rows[part], self.relation_places[part], self.weights[part]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All arrays by name."""
        return {
            "starts": self.starts,
            "entity_rows": self.entity_rows,
            "relation_places": self.relation_places,
            "weights": self.weights,
        }


@dataclass(frozen=True, eq=False)
class EmbeddingTable:
    """All products' vectors as sums of components, with the parameters that make vectors of new ones.

    Args:
        snapshot_digest: digest of the snapshot that it was fitted on.
        text_digest: digest of the text encoder whose features it was fitted on.
        source: components of q by name ("text", "entity", "identity"), float32 [n_items, d] each, divided by the norm.
        target: components of v, likewise.
        source_side, target_side: parameters of the two sides.
        relations: names of the fact relations, in the order of the relation weights.
        entity_idf: float32 [n_relations, n_entities], ln((1 + n_items) / (1 + df)).
        edges: product → entity edges with their weights.
        known: bool [n_items], products with an event in the fit; only these have an identity.
        settings: the configuration of the fit and what it reports (steps, seconds, validation), as JSON values.

    Raises:
        StateError: arrays that do not fit together, or a value that is not finite.
    """

    snapshot_digest: str
    text_digest: str
    source: Mapping[str, Float32]
    target: Mapping[str, Float32]
    source_side: TowerSide
    target_side: TowerSide
    relations: tuple[str, ...]
    entity_idf: Float32
    edges: ItemEdges
    known: NDArray[np.bool_]
    settings: Mapping[str, object]

    def __post_init__(self) -> None:
        for name in ("source", "target"):
            components = getattr(self, name)
            if tuple(components) != COMPONENTS or len({part.shape for part in components.values()}) != 1:
                raise StateError(f"An embedding table needs the components {', '.join(COMPONENTS)} of one shape for {name}.")
            object.__setattr__(self, name, MappingProxyType(dict(components)))
        if self.source["text"].shape != self.target["text"].shape or len(self.known) != self.n_items:
            raise StateError("An embedding table's two sides do not fit together.")

    @property
    def n_items(self) -> int:
        """How many products."""
        return int(self.source["text"].shape[0])

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.source["text"].shape[1])

    @property
    def best_steps(self) -> tuple[int, ...]:
        """Of each tower the step that was best on validation; 0 where there was none."""
        towers = self.settings.get("towers")
        return tuple(int(str(one.get("best_step", 0))) for one in (towers if isinstance(towers, list) else [self.settings]))

    @cached_property
    def digest(self) -> str:
        """Digest of everything that a score depends on."""
        body = digest_arrays(array for _, array in sorted(self._arrays().items()))
        return digest_bytes(digest_json([FORMAT, self.snapshot_digest, self.text_digest, list(self.relations)]).encode(), body.encode())

    def source_vectors(self) -> NDArray[np.float64]:
        """q of all products, the sum of the components (float64 [n_items, d])."""
        return _total(self.source)

    def target_vectors(self) -> NDArray[np.float64]:
        """v of all products, the sum of the components (float64 [n_items, d])."""
        return _total(self.target)

    def require(self, snapshot_digest: str) -> None:
        """Refuse another graph than the one of the fit.

        Raises:
            StateError: the digests differ.
        """
        if snapshot_digest != self.snapshot_digest:
            raise StateError(
                f"The embeddings belong to the graph {self.snapshot_digest[:19]}, not to {snapshot_digest[:19]}.", "Run clew train."
            )

    def save(self, folder: Path) -> None:
        """Write safetensors and a manifest into a folder (made if missing); the manifest comes last, by rename."""
        folder.mkdir(parents=True, exist_ok=True)
        save_arrays(self._arrays(), folder / _ARRAYS)
        manifest = {
            "format": FORMAT,
            "digest": self.digest,
            "snapshot_digest": self.snapshot_digest,
            "text_digest": self.text_digest,
            "relations": list(self.relations),
            "settings": dict(self.settings),
        }
        write_whole(folder / _MANIFEST, json.dumps(manifest, indent=1, sort_keys=True) + "\n")

    @classmethod
    def load(cls, folder: Path) -> EmbeddingTable:
        """Open a table; arrays are memory-mapped.

        Raises:
            StateError: nothing is there, it is damaged, or a newer version wrote it.
        """
        try:
            manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise StateError(f"There are no embeddings in {folder}.", "Run clew train.") from error
        except ValueError as error:
            raise StateError(f"The embeddings in {folder} are damaged: {error}.", "Run clew train again.") from error
        if manifest.get("format", 0) > FORMAT:
            raise StateError(f"The embeddings in {folder} were written by a newer version.", "Update clew, or train again.")
        arrays = map_arrays(folder / _ARRAYS)
        table = cls(
            snapshot_digest=manifest["snapshot_digest"],
            text_digest=manifest["text_digest"],
            source={name: arrays[f"source.{name}"] for name in COMPONENTS},
            target={name: arrays[f"target.{name}"] for name in COMPONENTS},
            source_side=_side(arrays, "source_side."),
            target_side=_side(arrays, "target_side."),
            relations=tuple(manifest["relations"]),
            entity_idf=arrays["entity_idf"],
            edges=ItemEdges(**{name: arrays[f"edges.{name}"] for name in ("starts", "entity_rows", "relation_places", "weights")}),
            known=arrays["known"].view(np.bool_),
            settings=manifest["settings"],
        )
        table.__dict__["digest"] = manifest["digest"]  # hashing all arrays again would touch every page
        return table

    def _arrays(self) -> Arrays:
        found: Arrays = {"entity_idf": self.entity_idf, "known": self.known.view(np.uint8)}
        for side in ("source", "target"):
            found.update({f"{side}.{name}": part for name, part in getattr(self, side).items()})
            found.update({f"{side}_side.{name}": part for name, part in getattr(self, f"{side}_side").arrays().items()})
        found.update({f"edges.{name}": part for name, part in self.edges.arrays().items()})
        return found


def lengths(vectors: NDArray[np.floating]) -> Float32:
    """Length of each row (float32 [n]), 1 where it is zero."""
    found = np.linalg.norm(vectors, axis=1).astype(np.float32)
    return np.where(found < 1e-12, np.float32(1), found)


def joined(tables: Sequence[EmbeddingTable]) -> EmbeddingTable:
    """Several fits on one graph and its texts as one table: ⟨q_j, v_i⟩ is the mean of theirs. One alone stays as it is.

    Raises:
        StateError: no table, or tables of different graphs or texts.
    """
    if len({(table.snapshot_digest, table.text_digest, table.relations) for table in tables}) != 1:
        raise StateError("Towers stand side by side only when they were fitted on one graph and its texts.")
    first = tables[0]
    if len(tables) == 1:
        return first
    root = np.float32(np.sqrt(len(tables)))

    def beside(parts: Sequence[Float32]) -> Float32:
        return np.concatenate(parts, axis=1)

    def side(name: str) -> TowerSide:
        sides = [getattr(table, f"{name}_side") for table in tables]
        wide = {what: beside([getattr(one, what) for one in sides]) for what in ("text_map", "word_vectors", "entity_vectors")}
        weights, norms = (np.stack([getattr(one, what) for one in sides], axis=1) for what in ("relation_weights", "norms"))
        return TowerSide(**wide, relation_weights=weights, norms=norms * root)

    def components(name: str) -> dict[str, Float32]:
        return {part: beside([getattr(table, name)[part] / root for table in tables]) for part in COMPONENTS}

    return replace(
        first,
        source=components("source"),
        target=components("target"),
        source_side=side("source"),
        target_side=side("target"),
        settings={**first.settings, "towers": [{k: v for k, v in t.settings.items() if k not in ("config", "seconds")} for t in tables]},
    )


def check_finite(arrays: Iterable[tuple[str, NDArray[np.generic]]]) -> None:
    """Refuse arrays with NaN or infinite values.

    Raises:
        InputError: the first such array, named, with its first bad row.
    """
    for name, array in arrays:
        bad = ~np.isfinite(array)
        if bad.any():
            row = int(np.argwhere(bad)[0][0])
            raise InputError(f"The {name} hold a value that is not finite, first in row {row}.", "Check the text encoder's output.")


def _total(components: Mapping[str, Float32]) -> NDArray[np.float64]:
    return np.asarray(np.sum([part.astype(np.float64) for part in components.values()], axis=0))


def _side(arrays: Arrays, prefix: str) -> TowerSide:
    names = ("text_map", "word_vectors", "entity_vectors", "relation_weights", "norms")
    return TowerSide(**{name: arrays[prefix + name] for name in names})
