"""The only door to CRFsuite: linear-chain conditional random fields (Lafferty et al., 2001) are trained through it, and their weights read.

The score of tags y of tokens x is Σ_i (s(x_i, y_i) + t(y_{i−1}, y_i)); p(y | x) is its softmax over all tag sequences.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kg.errors import StateError

# Tags of a token: outside a value, first token of one, later token of one.
TAGS = ("O", "B", "I")
OUTSIDE, BEGIN, INSIDE = range(3)


@dataclass(frozen=True, slots=True)
class CrfWeights:
    """Weights of one CRF.

    Args:
        states: feature → float64 [3], what it adds to the score of each tag (in the order of TAGS).
        transitions: float64 [3, 3], from the tag before to the tag.
    """

    states: dict[str, NDArray[np.float64]]
    transitions: NDArray[np.float64]


def train_crf(
    sequences: Iterable[tuple[Sequence[Sequence[str]], Sequence[str]]],
    path: Path,
    l1: float = 0.05,
    l2: float = 0.01,
    iterations: int = 80,
) -> None:
    """Fit a CRF by L-BFGS (OWL-QN when `l1` > 0) and write it in CRFsuite's own format.

    Args:
        sequences: (features of each token, tag of each token); at least one tag of each kind should occur.
        path: file to write.
        l1, l2: regularisation.
        iterations: at most so many.

    Raises:
        StateError: CRFsuite could not write a model.
    """
    import pycrfsuite

    trainer = pycrfsuite.Trainer(verbose=False)
    for features, tags in sequences:
        trainer.append(pycrfsuite.ItemSequence([list(names) for names in features]), list(tags))
    trainer.set_params({"c1": l1, "c2": l2, "max_iterations": iterations, "feature.possible_transitions": True})
    trainer.train(str(path))
    if not path.is_file() or not path.stat().st_size:
        raise StateError(f"CRFsuite wrote no model to {path}.", "Give it rows with a value and rows without.")


def read_crf(path: Path) -> CrfWeights:
    """The weights of a file that `train_crf` wrote.

    Raises:
        StateError: the file holds no CRF.
    """
    info = _opened(path).info()
    states: dict[str, NDArray[np.float64]] = {}
    for (name, tag), weight in info.state_features.items():
        if tag in TAGS:
            states.setdefault(name, np.zeros(len(TAGS)))[TAGS.index(tag)] = weight
    transitions = np.zeros((len(TAGS), len(TAGS)))
    for (before, after), weight in info.transitions.items():
        if before in TAGS and after in TAGS:
            transitions[TAGS.index(before), TAGS.index(after)] = weight
    return CrfWeights(states, transitions)


def reference_tags(path: Path, features: Sequence[Sequence[str]]) -> tuple[list[str], float]:
    """CRFsuite's own answer: the best tags of a sequence and their probability. Slower than `tag_decode`, which is checked against it."""
    tagger = _opened(path)
    tags: list[str] = tagger.tag([list(names) for names in features])
    return tags, float(tagger.probability(tags))


def _opened(path: Path) -> Any:
    import pycrfsuite

    tagger = pycrfsuite.Tagger()
    try:
        tagger.open(str(path))
    except (ValueError, OSError) as error:
        raise StateError(f"{path} holds no CRF ({error}).", "Train the model again.") from None
    return tagger
