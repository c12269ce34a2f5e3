"""The fit, from a snapshot to an embedding table, read from top to bottom."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import cast

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from gnn.batches import Batch, Batches
from gnn.checkpoint import Best, Checkpoint
from gnn.config import GnnConfig
from gnn.device import choose_device, logits_dtype, repeatable
from gnn.embeddings import COMPONENTS, EmbeddingTable, ItemEdges, TowerSide, check_finite, lengths
from gnn.encoder import TEXT_SCALE, Inputs, Side, Tower
from gnn.features import TextFeatures
from gnn.layers import Operator
from gnn.losses import history_softmax
from gnn.tensors import entity_idf, item_edges
from gnn.validation import Part, Validation
from kg.digest import digest_arrays, digest_bytes
from kg.errors import StateError
from kg.progress import SILENT, Progress
from kg.seeds import derive
from kg.snapshot import GraphSnapshot


def fit(
    snapshot: GraphSnapshot,
    text_features: TextFeatures | NDArray[np.float32],
    config: GnnConfig | None = None,
    progress: Progress = SILENT,
    valid: Validation | None = None,
    checkpoint: Path | None = None,
) -> EmbeddingTable:
    """Train the tower and embed every product.

    A snapshot without events, or in which nobody has two products, is embedded untrained (text through an orthogonal map).

    Args:
        snapshot: the graph; its events are all that is learnt from.
        text_features: of all products in the order of their rows; an array (float32 [n_items, d]) means dense vectors only.
        config: settings; the defaults when None.
        progress: hears a stage "gnn" in steps.
        valid: a held-out part; the fit stops when it gains nothing any more and keeps the best step.
        checkpoint: folder for the state of an unfinished fit; a fit of the same things resumes there.

    Returns:
        The table, without any tensor in it.

    Raises:
        StateError: features of another number of products, or a fit that diverged.
        InputError: a feature that is not finite.
        EngineError: the device is not there.
    """
    config = config or GnnConfig()
    features = text_features if isinstance(text_features, TextFeatures) else TextFeatures.of_vectors(text_features)
    if len(features) != snapshot.n_items:
        raise StateError(f"There are text features of {len(features)} products, but {snapshot.n_items} products.")
    check_finite([("text features", features.dense), ("word weights", features.words.data), ("word vectors", features.word_basis)])

    device = choose_device(config.device)
    relations = tuple(name for name, edges in snapshot.facts().items() if len(edges) <= config.crowd * snapshot.n_items)
    idf = entity_idf(snapshot, relations)  # [n_relations, n_entities]
    edges = item_edges(snapshot, relations, idf)
    known_rows = np.flatnonzero(snapshot.item_event_counts > 0)  # [n_known]
    histories = _histories(snapshot, known_rows)  # [n_people, n_known], two products or more each

    trained = Inputs.of(features, edges, len(relations), snapshot.n_entities, known_rows, device)
    everything = Inputs.of(features, edges, len(relations), snapshot.n_entities, np.arange(snapshot.n_items), device)
    random = torch.Generator().manual_seed(derive(config.seed, "gnn start"))
    tower = Tower(trained, snapshot.n_entities, config, random).to(device)

    report: dict[str, object] = {"people": int(histories.shape[0]), "known_products": len(known_rows)}
    if histories.shape[0] and len(known_rows) > 1:
        asked = b"" if valid is None else digest_arrays([valid.user_rows, valid.item_rows]).encode()
        key = digest_bytes(snapshot.digest.encode(), features.digest.encode(), config.digest.encode(), asked)
        kept = Checkpoint(checkpoint, key) if checkpoint is not None else None
        parts = valid.parts(snapshot) if valid is not None else {}
        with repeatable(device):
            report |= _train(tower, trained, everything, histories, known_rows, config, progress, parts, kept)
    else:
        progress.note("Nobody has two products, so the GNN is not trained; products are alike as far as their texts are.")
        tower.text_only()
        report |= {"steps": 0}
    return _table(tower, everything, snapshot, features, relations, idf, edges, known_rows, {"config": config.to_dict(), **report})


def _train(
    tower: Tower,
    inputs: Inputs,
    everything: Inputs,
    histories: sp.csr_array,
    known_rows: NDArray[np.int64],
    config: GnnConfig,
    progress: Progress,
    valid: dict[str, Part],
    checkpoint: Checkpoint | None,
) -> dict[str, object]:
    """Adam over the planned steps; leaves the best parameters in the tower and says how it went."""
    steps = config.planned_steps(histories.shape[0])
    slow = [side.word_rest for side in (tower.source, tower.target)]
    fast = [p for p in tower.parameters() if all(p is not word_rest for word_rest in slow)]
    groups = [{"params": fast, "lr": config.learning_rate}, {"params": slow, "lr": config.word_learning_rate}]
    optimiser = torch.optim.Adam(groups, weight_decay=config.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / (config.warmup + 1)) * max(0.0, 1 - step / steps)
    )
    final = min(steps, config.stop_at or steps)
    batches, started, loss_value, last = Batches(histories, config), time.monotonic(), math.nan, 0
    best = Best()
    first = checkpoint.restore(tower, optimiser, schedule, best) if checkpoint else 0
    with progress.stage("gnn", final) as advance:
        advance(first)
        for last in range(first + 1, final + 1):
            random = torch.Generator().manual_seed(derive(config.seed, f"gnn dropout {last}"))
            loss = _loss(tower, inputs, batches.draw(last), config, random)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            loss_value = float(loss.detach())
            if not math.isfinite(loss_value):
                raise StateError(f"The GNN's fit diverged at step {last}.", "Lower learning_rate, or check the text features.")
            advance(1)
            if last % config.check_every == 0 or last == final:
                if valid:
                    best.offer(_validate(tower, everything, known_rows, valid), last, tower)
                if checkpoint:
                    checkpoint.keep(last, tower, optimiser, best)
                if valid and last - best.step >= config.patience * config.check_every:
                    break
    best.put_into(tower)
    if checkpoint:
        checkpoint.drop()
    report: dict[str, object] = {"steps": max(first, last), "loss": loss_value, "seconds": time.monotonic() - started}
    return report | ({"valid": best.score, "best_step": best.step} if valid else {})


def _loss(tower: Tower, inputs: Inputs, batch: Batch, config: GnnConfig, random: torch.Generator) -> Tensor:
    """One step's loss: people from the shown part of their histories, the hidden part to be found among all candidates.

    Where the candidates are a sample, so are the products that are embedded: they and what the histories show, with their entities.
    """
    device, precision = inputs.dense.device, logits_dtype(config.logits, inputs.dense.device)
    sampled = len(batch.columns) < inputs.n_items
    shown = np.unique(batch.inputs.indices).astype(np.int64) if sampled else np.arange(inputs.n_items)
    q = tower.source(inputs.some(shown), random)  # [s, d], unit rows
    candidates = tower.target(inputs.some(batch.columns), random)  # [c, d], unit rows
    histories = batch.inputs[:, shown] if sampled else batch.inputs
    people = torch.nn.functional.normalize(Operator(histories, device) @ q, dim=1)  # [b, d]
    scaled = people / config.temperature
    logits = scaled.to(precision) @ candidates.to(precision).T  # [b, c]
    target_people = torch.from_numpy(batch.target_people).to(device)  # [t]
    target_columns = torch.from_numpy(batch.target_columns).to(device)  # [t]
    wanted = (scaled[target_people] * candidates[target_columns]).sum(1)  # [t]
    return history_softmax(logits, wanted, target_people, torch.from_numpy(batch.seen).to(device))


def _validate(tower: Tower, inputs: Inputs, known_rows: NDArray[np.int64], parts: dict[str, Part]) -> float:
    """Mean NDCG@20 over the parts."""
    with torch.no_grad():
        source, target = (_sum(_components(side, inputs, known_rows)[0]) for side in (tower.source, tower.target))
    return float(np.mean([part.ndcg(source, target) for part in parts.values()]))


def _sum(components: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    return cast(NDArray[np.float32], sum(components.values()))


def _components(side: Side, inputs: Inputs, known_rows: NDArray[np.int64]) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
    """Components divided by the norm (float32 [n_items, d] each) and the norms (float32 [n_items])."""
    text, entity = (part.detach().cpu().double().numpy() for part in side.components(inputs))
    identity = np.zeros_like(text)
    identity[known_rows] = _array(side.identity)
    norms = lengths(text + entity + identity)
    parts = zip(COMPONENTS, (text, entity, identity), strict=True)
    return {name: (part / norms[:, None].astype(np.float64)).astype(np.float32) for name, part in parts}, norms


def _table(
    tower: Tower,
    inputs: Inputs,
    snapshot: GraphSnapshot,
    features: TextFeatures,
    relations: tuple[str, ...],
    idf: NDArray[np.float32],
    edges: ItemEdges,
    known_rows: NDArray[np.int64],
    settings: dict[str, object],
) -> EmbeddingTable:
    components, sides = {}, {}
    with torch.no_grad():
        for name, side in (("source", tower.source), ("target", tower.target)):
            components[name], norms = _components(side, inputs, known_rows)
            sides[name] = TowerSide(
                _array(side.text_map * TEXT_SCALE),
                _array(side.word_vectors(inputs) * TEXT_SCALE),
                _array(side.entity_vectors),
                _array(side.relation_weights),
                norms,
            )
    known = np.zeros(snapshot.n_items, np.bool_)
    known[known_rows] = True
    return EmbeddingTable(
        snapshot.digest,
        features.digest,
        components["source"],
        components["target"],
        sides["source"],
        sides["target"],
        relations,
        idf,
        edges,
        known,
        settings,
    )


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), np.float32)


def _histories(snapshot: GraphSnapshot, known_rows: NDArray[np.int64]) -> sp.csr_array:
    """Histories over known products of the people who have two or more (CSR [n_people, n_known])."""
    seen = sp.csr_array(snapshot.interactions[:, known_rows])
    return sp.csr_array(seen[np.flatnonzero(np.diff(seen.indptr) >= 2)])
