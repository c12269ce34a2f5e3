"""The graph, changed: what a scorer would say had an event not happened, a fact not held, or a path not been there.

Nothing is trained again: the weights of the fusion, EASE (`ease`, `next_ease`) and the parameters of the GNN stay. Everything else that
is counted from the graph is counted again: idf and row lengths of the relation, people in common, the share of a product in the norm of
a history, the vector and the norm of the product in the GNN. Subtracting a contribution instead would prove nothing: it would only
repeat the claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gnn.embeddings import EmbeddingTable, TowerSide
from kg.digest import digest_bytes
from kg.errors import InputError, StateError
from kg.model import Evidence
from kg.ontology import Rel
from kg.snapshot import Edges, GraphSnapshot
from recommend.arrays import at_rows, csr
from recommend.scorer import Scorer
from recommend.views.base import Values, View
from recommend.views.build import recounted
from recommend.views.co_bought import CoBoughtSimilarView, CoBoughtView, co_bought_rows
from recommend.views.facts import FactView
from recommend.views.gnn import GnnView
from recommend.views.links import LinkView
from recommend.views.popular import popularity
from recommend.views.similar import SimilarView
from recommend.views.transitions import NextBoughtView, transitions

HYPOTHESIS = Evidence("hypothesis", 0, 0, "", "what-if", 1.0)
Pair = tuple[str, int, int]  # an edge between two products: relation, from, to


def without_event(scorer: Scorer, user_row: int, item_row: int) -> Scorer:
    """The scorer of a graph in which a person never had a product.

    It answers for that person alone: of what others' purchases say, it has the rows of this person's products and no others.

    Raises:
        StateError: there is no such event.
    """
    log = scorer.snapshot.events
    gone = (log.user_rows == user_row) & (log.item_rows == item_row)
    if not gone.any():
        raise StateError("There is no such event to take out.")
    graph = scorer.snapshot.with_events(log.take(~gone), f"without {user_row} {item_row}")
    own = np.unique(graph.events.of_user(user_row).item_rows).astype(np.int32)
    met = _less(scorer.snapshot.interactions, user_row, item_row)
    views = recounted(
        scorer.views,
        lambda view: _bought_again(view, met, own, user_row, item_row),
        lambda view: NextBoughtView(*transitions(graph.events, graph.n_items, rows=own)),
        graph.item_event_counts > 0,
    )
    return Scorer(graph, views, popularity(met), scorer.weights, scorer.words, scorer.text, scorer.digest)


def _bought_again(view: CoBoughtView, met: sp.csr_array, rows: NDArray[np.int32], user_row: int, item_row: int) -> CoBoughtView:
    """U with the rows of some products alone, one purchase less."""
    buyers = _less(view.buyers, item_row, user_row)
    part = co_bought_rows(met, buyers, rows, shrink=view.shrink)
    return CoBoughtView(at_rows(part, rows, view.matrix.shape), buyers, view.shrink)


def _less(matrix: sp.csr_array, row: int, column: int) -> sp.csr_array:
    """A CSR matrix without one of its entries."""
    low, high = int(matrix.indptr[row]), int(matrix.indptr[row + 1])
    place = low + int(np.flatnonzero(matrix.indices[low:high] == column)[0])
    starts = matrix.indptr.copy()
    starts[row + 1 :] -= 1
    return csr(np.delete(matrix.data, place), np.delete(matrix.indices, place), starts, matrix.shape)


# Paths taken away --------------------------------------------------------------------------------------------------------


def without_pairs(scorer: Scorer, pairs: Iterable[Pair]) -> Scorer:
    """The scorer of a graph in which some edges between two products are not there, in any view.

    Stated links leave the graph and their view is counted anew; an edge that a model found (`CO_BOUGHT`, `NEXT_BOUGHT`, `SIMILAR_TEXT`)
    is 0 in each view that has it, in both directions, and the likenesses that a product has left share its weight (N's columns sum to
    1). Of the GNN, whose text term is no edge, see `text_of_pairs`.
    """
    gone: dict[str, list[tuple[int, int]]] = {}
    for relation_name, source, target in pairs:
        gone.setdefault(str(relation_name), []).extend([(source, target), (target, source)])
    made: dict[str, View] = {}
    for name, view in scorer.views.items():
        if isinstance(view, CoBoughtView) and Rel.CO_BOUGHT in gone:
            made[name] = CoBoughtView(_zeroed(view.matrix, gone[Rel.CO_BOUGHT]), view.buyers, view.shrink)
        elif isinstance(view, CoBoughtSimilarView):
            made[name] = _bridge_without(view, gone)
        elif isinstance(view, NextBoughtView) and Rel.NEXT_BOUGHT in gone:
            made[name] = NextBoughtView(_zeroed(view.matrix, gone[Rel.NEXT_BOUGHT]), view.counts)
        elif isinstance(view, SimilarView) and Rel.SIMILAR_TEXT in gone:
            whole = _zeroed(view.matrix, gone[Rel.SIMILAR_TEXT])
            made[name] = SimilarView(name, _columns_again(view.matrix, whole) if name == "similar" else whole, view.words)
        elif isinstance(view, LinkView) and view.relation in gone:
            made[name] = _links_without(scorer.snapshot, view, gone[str(view.relation)])
        else:
            made[name] = view
    return Scorer(scorer.snapshot, made.values(), scorer.popularity, scorer.weights, scorer.words, scorer.text, scorer.digest)


def text_of_pairs(scorer: Scorer, pairs: Iterable[Pair], rows: NDArray[np.int32], weights: Values) -> dict[tuple[int, int], float]:
    """What the GNN's text term gives each candidate from a likeness that is taken away: by history product and candidate.

    The pair then has what the mean candidate has.

    Args:
        scorer: the whole one.
        pairs: edges; only those of `SIMILAR_TEXT` that leave a product of the history count.
        rows, weights: the history, its weights those of fusion and history together.
    """
    view = scorer.views.get("gnn")
    if not isinstance(view, GnnView):
        return {}
    amounts = dict(zip(rows.tolist(), weights.tolist(), strict=True))
    found = {}
    for relation_name, source, target in pairs:
        if relation_name == Rel.SIMILAR_TEXT and source in amounts:
            found[source, target] = amounts[source] * view.text_term(source, target)
    return found


def _bridge_without(view: CoBoughtSimilarView, gone: Mapping[str, Sequence[tuple[int, int]]]) -> View:
    bought, near = view.bought, view.near
    if Rel.CO_BOUGHT in gone:
        bought = CoBoughtView(_zeroed(bought.matrix, gone[Rel.CO_BOUGHT]), bought.buyers, bought.shrink)
    if Rel.SIMILAR_TEXT in gone:
        near = _rows_again(near, _zeroed(near, gone[Rel.SIMILAR_TEXT]))
    return CoBoughtSimilarView(bought, near, view.words) if Rel.CO_BOUGHT in gone or Rel.SIMILAR_TEXT in gone else view


def _links_without(graph: GraphSnapshot, view: LinkView, gone: Sequence[tuple[int, int]]) -> View:
    stated = graph.edges[str(view.relation)].matrix((graph.n_items, graph.n_items))
    kept = _zeroed(stated, gone).copy()  # the structure is the graph's own and stays
    kept.eliminate_zeros()
    return LinkView.of_stated(str(view.relation), kept)


def _zeroed(matrix: sp.csr_array, pairs: Sequence[tuple[int, int]]) -> sp.csr_array:
    """A copy with some entries 0; its structure is shared."""
    data = np.array(matrix.data)
    for row, column in pairs:
        low, high = int(matrix.indptr[row]), int(matrix.indptr[row + 1])
        place = low + int(np.searchsorted(matrix.indices[low:high], column))
        if place < high and matrix.indices[place] == column:
            data[place] = 0
    changed = sp.csr_array(matrix.shape, dtype=data.dtype)
    changed.data, changed.indices, changed.indptr = data, matrix.indices, matrix.indptr
    return changed


def _rows_again(before: sp.csr_array, after: sp.csr_array) -> sp.csr_array:
    """Rows that lost something, scaled back to the sum that they had."""
    rows = np.repeat(np.arange(before.shape[0]), np.diff(before.indptr))
    old, new = (np.bincount(rows, one.data, before.shape[0]) for one in (before, after))
    factor = np.where(new > 0, old / np.where(new > 0, new, 1), 1.0)
    after.data = (after.data * factor[rows]).astype(before.data.dtype)
    return after


def _columns_again(before: sp.csr_array, after: sp.csr_array) -> sp.csr_array:
    """Columns that lost something, scaled back to the sum that they had."""
    old, new = (np.bincount(one.indices, one.data, before.shape[1]) for one in (before, after))
    factor = np.where(new > 0, old / np.where(new > 0, new, 1), 1.0)
    after.data = (after.data * factor[after.indices]).astype(before.data.dtype)
    return after


# Facts -------------------------------------------------------------------------------------------------------------------


def with_facts(scorer: Scorer, relation_name: str, item_row: int, entity_rows: Sequence[int]) -> Scorer:
    """The scorer of a graph in which a product has exactly these entities of one relation.

    Args:
        relation_name: of the facts.
        item_row: the product.
        entity_rows: where they point; the others of that relation are gone.
    """
    graph = _changed(scorer.snapshot, relation_name, item_row, entity_rows)
    made: dict[str, View] = {}
    for name, view in scorer.views.items():
        if isinstance(view, FactView) and view.relation == relation_name:
            made[name] = FactView.build(graph, relation_name)
        elif isinstance(view, GnnView):
            made[name] = GnnView(changed_table(view.table, graph, item_row), view.seen, view.words)
        else:
            made[name] = view
    return Scorer(graph, made.values(), scorer.popularity, scorer.weights, scorer.words, scorer.text, scorer.digest)


def _changed(graph: GraphSnapshot, relation_name: str, item_row: int, entity_rows: Sequence[int]) -> GraphSnapshot:
    edges = graph.edges.get(relation_name)
    if edges is None:
        raise InputError(f"The graph has no facts of {relation_name}.", f"It has {', '.join(graph.facts())}.")
    kept = edges.take((edges.source_rows != item_row) | np.isin(edges.target_rows, np.asarray(entity_rows, np.int32)))
    new = sorted(set(entity_rows) - set(edges.targets_of(item_row).tolist()))
    changed = {**graph.edges, relation_name: _adding(kept, item_row, new)}
    tag = f"{relation_name} of {item_row}: {sorted(entity_rows)}"
    return replace(graph, edges=changed, digest=digest_bytes(graph.digest.encode(), tag.encode()))


def _adding(edges: Edges, item_row: int, entity_rows: Sequence[int]) -> Edges:
    """The edges with hypothetical ones."""
    if not entity_rows:
        return edges
    import pyarrow as pa

    sources = np.concatenate([edges.source_rows, np.full(len(entity_rows), item_row, np.int32)])
    targets = np.concatenate([edges.target_rows, np.asarray(entity_rows, np.int32)])
    row = {
        "field": HYPOTHESIS.field,
        "span_start": 0,
        "span_end": 0,
        "text": "",
        "extractor": HYPOTHESIS.extractor,
        "run": "",
        "evidence_count": 1,
    }
    schema = edges.evidence.schema
    more = pa.Table.from_pylist([{name: row.get(name) for name in schema.names}] * len(entity_rows), schema=schema)
    order = np.lexsort((targets, sources))
    return Edges(
        edges.relation,
        sources[order],
        targets[order],
        np.concatenate([edges.confidence, np.ones(len(entity_rows), np.float32)])[order],
        pa.concat_tables([edges.evidence, more]).take(pa.array(order)),
    )


def changed_table(table: EmbeddingTable, graph: GraphSnapshot, item_row: int) -> EmbeddingTable:
    """The embeddings with one product's entity component and norm made from the facts of another graph; all else stays.

    The text and identity components are those of the fit times their old norm, over the new one.
    """
    rows, places, weights = [], [], []
    for place, name in enumerate(table.relations):
        own = graph.edges[name].targets_of(item_row) if name in graph.edges else np.empty(0, np.int32)
        idf = table.entity_idf[place, own].astype(np.float64)
        length = float(np.sqrt((idf**2).sum()))
        rows.append(own)
        places.append(np.full(len(own), place, np.int32))
        weights.append(idf / length if length > 1e-12 else idf)
    entity_rows, relation_places = np.concatenate([*rows, []]).astype(np.int32), np.concatenate([*places, []]).astype(np.int32)
    amounts = np.concatenate([*weights, []]).astype(np.float32)
    edges = _spliced(table, item_row, entity_rows, relation_places, amounts)
    source, source_side = _row_again(table.source, table.source_side, item_row, (entity_rows, relation_places, amounts))
    target, target_side = _row_again(table.target, table.target_side, item_row, (entity_rows, relation_places, amounts))
    return replace(table, source=source, target=target, source_side=source_side, target_side=target_side, edges=edges)


Own = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]


def _spliced(table: EmbeddingTable, item_row: int, *own: NDArray[Any]) -> Any:
    """The product → entity edges with those of one product exchanged."""
    edges = table.edges
    low, high = int(edges.starts[item_row]), int(edges.starts[item_row + 1])
    starts = edges.starts.copy()
    starts[item_row + 1 :] += len(own[0]) - (high - low)
    old = (edges.entity_rows, edges.relation_places, edges.weights)
    whole = [np.concatenate([column[:low], new, column[high:]]) for column, new in zip(old, own, strict=True)]
    return type(edges)(starts, *whole)


def _row_again(parts: Mapping[str, NDArray[np.float32]], side: TowerSide, item_row: int, own: Own) -> tuple[Any, TowerSide]:
    entity_rows, relation_places, amounts = own
    norm = side.across(side.norms[[item_row]])[0]
    raw = {name: part[item_row].astype(np.float64) * norm for name, part in parts.items()}
    raw["entity"] = side.entity_terms(entity_rows, relation_places, amounts).sum(axis=0)
    length = side.norms_of(np.sum(list(raw.values()), axis=0)[None, :])
    changed = {}
    for name, part in parts.items():
        changed[name] = np.array(part)
        changed[name][item_row] = raw[name] / side.across(length)[0]
    norms = np.array(side.norms)
    norms[item_row] = length[0]
    return changed, replace(side, norms=norms)
