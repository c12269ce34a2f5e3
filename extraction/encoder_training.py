"""Trains the encoder: all attributes with enough values at once, each slot only where it is labelled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from extraction.crf import TAGS
from extraction.encoder import Encoder
from extraction.encoder_inputs import inputs_of
from extraction.tag_features import Hints, Tokens
from kg.errors import InputError
from kg.progress import SILENT, Progress
from kg.seeds import derive, generator

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast. Chosen on a fourth of OA-Mine's train titles.

    Args:
        epochs: passes over the rows.
        batch: titles in a step.
        body_rate, head_rate: learning rates of MiniLM's layers and of what is new (AdamW, a tenth of the steps rising, then linear to 0).
        without_rules: share of the titles in a step that do not hear what the rules found.
        decay: weight decay of all parameters (AdamW).
    """

    epochs: int = 5
    batch: int = 16
    body_rate: float = 1e-4
    head_rate: float = 2e-3
    without_rules: float = 0.3
    decay: float = 0.01


SCHEDULE = Schedule()


@dataclass(frozen=True, slots=True)
class Labelled:
    """Rows to learn from.

    Args:
        titles, hints: of each row.
        tags: attribute → row → tags ("O", "B", "I") of the tokens; a row that is not there is unknown.
    """

    titles: Sequence[Tokens]
    hints: Sequence[Hints]
    tags: dict[str, dict[int, list[str]]]


def train_encoder(
    labelled: Labelled,
    rows: Sequence[int],
    wanted: Sequence[str],
    seed: int = 0,
    schedule: Schedule = SCHEDULE,
    progress: Progress = SILENT,
) -> Encoder:
    """Fit the network to some of the rows.

    Args:
        labelled: all rows; every attribute in it is learned, which helps the others.
        rows: those to learn from.
        wanted: attributes whose heads are kept.
        seed: of the first weights, the order and the dropout.
        schedule: how long and how fast.
        progress: hears each step.

    Raises:
        InputError: no label of these rows stands on whole words.
        EngineError: the weights that the encoder starts from are not installed.
    """
    import torch

    from extraction.encoder_net import Net, mixed_precision, negative_log_likelihood

    names = list(labelled.tags)
    usable = [i for i in rows if len(labelled.titles[i]) and any(i in own for own in labelled.tags.values())]
    if not usable:
        raise InputError("No labelled value stands on whole words of its title, so the encoder has nothing to learn.", "Label whole words.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "encoder"))
        net = Net(len(names)).train()
        optimizer = torch.optim.AdamW(net.groups(schedule.body_rate, schedule.head_rate), weight_decay=schedule.decay)
        batches = list(_batches(labelled, usable, schedule, seed))
        rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _pace(step, len(batches)))
        with progress.stage("training the encoder", len(batches)) as advance:
            for picked, dropped in batches:
                hints = [labelled.hints[i].without_rules() if out else labelled.hints[i] for i, out in zip(picked, dropped, strict=True)]
                inputs = inputs_of([labelled.titles[i] for i in picked], hints)
                tags, known = _targets(labelled, picked, names, inputs.hints.shape[1])
                with mixed_precision():
                    emitted = net(inputs)
                loss = negative_log_likelihood(
                    emitted, net.transitions, torch.from_numpy(tags), torch.from_numpy(inputs.lengths), torch.from_numpy(known)
                )
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
                rate.step()
                advance(1)
        return Encoder(tuple(wanted), net.kept([names.index(name) for name in wanted]))


def _pace(step: int, total: int) -> float:
    return min(1.0, (step + 1) / (0.1 * total)) * max(0.0, 1.0 - step / total)


def _batches(labelled: Labelled, rows: Sequence[int], schedule: Schedule, seed: int) -> Iterator[tuple[list[int], list[bool]]]:
    """Rows of each step, of like length, and which of them do not hear the rules."""
    draw = generator(seed, "encoder batches")
    lengths = np.array([len(tokens) for tokens in labelled.titles])
    for _ in range(schedule.epochs):
        order = draw.permutation(np.array(rows))
        steps = []
        for start in range(0, len(order), schedule.batch * 16):
            chunk = order[start : start + schedule.batch * 16]
            chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
            steps += [chunk[i : i + schedule.batch] for i in range(0, len(chunk), schedule.batch)]
        for step in draw.permutation(len(steps)).tolist():
            yield steps[step].tolist(), (draw.random(len(steps[step])) < schedule.without_rules).tolist()


def _targets(labelled: Labelled, picked: Sequence[int], names: Sequence[str], longest: int) -> tuple[Ints, NDArray[np.float32]]:
    """Tags int64 [titles, tokens, attributes] and which slots are labelled, float32 [titles, attributes]."""
    tags = np.zeros((len(picked), longest, len(names)), np.int64)
    known = np.zeros((len(picked), len(names)), np.float32)
    for column, name in enumerate(names):
        for k, i in enumerate(picked):
            own = labelled.tags[name].get(i)
            if own is not None:
                known[k, column] = 1.0
                tags[k, : len(own), column] = [TAGS.index(tag) for tag in own]
    return tags, known
