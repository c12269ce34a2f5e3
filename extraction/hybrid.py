"""The tagger, with a language model asked about the titles on which it is least sure, within a budget."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from extraction.asking import expected_gain
from extraction.base import Mention
from extraction.combine import Policy, Slot, Verdict, combined
from extraction.llm import WINDOW, LlmExtractor
from extraction.llm_config import LlmConfig
from extraction.parts import category_of
from extraction.tag_pipeline import TaggerExtractor, build_tagger
from kg.digest import digest_json
from kg.errors import InputError
from kg.model import Product
from kg.progress import SILENT, Progress


class HybridExtractor:
    """Local reading first, a model where its answer is expected to gain most (implements `extraction.base.Extractor`).

    `verdicts` counts what became of the slots. A value that is still unsure (`Policy.review`) is a mention that is not accepted, and waits
    in `clew extract review`.

    Args:
        local: reads every title.
        llm: is asked; its budget decides how often. It must be new: the hybrid sets its order of asking.
        policy: where verdicts change.
    """

    name = "hybrid"

    def __init__(self, local: TaggerExtractor, llm: LlmExtractor, policy: Policy = Policy()) -> None:  # noqa: B008 (frozen)
        self.local, self.llm, self.policy = local, llm, policy
        self.names: Mapping[str, str] = local.names
        self.verdicts: Counter[Verdict] = Counter()
        self._slots: list[dict[str, Slot]] = []
        llm.gain = self._gain

    @property
    def digest(self) -> str:
        """Digest of the tagger, the model and the policy."""
        return digest_json(["hybrid", self.local.digest, self.llm.digest, self.policy.reliability, self.policy.review])

    def extract(self, products: Iterable[Product]) -> Iterator[list[Mention]]:
        """One list of mentions per product; reads and asks about a window of products at a time.

        Raises:
            EngineError: the model is not there, refuses, or keeps failing.
        """
        stream = iter(products)
        while window := list(itertools.islice(stream, WINDOW)):
            read = list(self.local.read(window))
            self._slots = [slots for _, slots in read]
            for (mentions, slots), answer in zip(read, self.llm.answers(window), strict=True):
                yield self._decided(mentions, slots, answer)

    def _gain(self, window: Sequence[Product]) -> Sequence[float]:
        if len(window) != len(self._slots):
            raise InputError("A hybrid's language model was asked about other products than were read.", "Give each hybrid its own.")
        names = list(self.local.component.model.learned)
        held = {a: np.array([s[a].confidence if a in s else np.nan for s in self._slots]) for a in names}
        kinds = [category_of(product.fields) for product in window]
        # Where the training rows of a kind of product never label an attribute, nobody asks for it.
        worth = {a: np.array([one.kinds.get(kind, 1.0) for kind in kinds]) for a, one in self.local.component.model.learned.items()}
        return [float(gain) for gain in expected_gain(held, self.policy.reliability, worth)]

    def _decided(self, mentions: Sequence[Mention], slots: Mapping[str, Slot], answer: Sequence[Mention] | None) -> list[Mention]:
        kept = [m for m in mentions if m.extractor != TaggerExtractor.name]
        for attribute, slot in slots.items():
            held = slot
            if answer is not None:
                said = tuple(m for m in answer if m.attribute == attribute and m.field == "title")
                held = combined(slot, Slot(said, self.policy.reliability))
                self.verdicts[Verdict.ASK] += 1
            verdict = self.policy.verdict(held.confidence, may_ask=False)
            self.verdicts[verdict] += 1
            kept += [m if verdict is Verdict.ACCEPTED or m.confidence >= self.policy.review else _doubted(m) for m in held.mentions]
        return kept


def _doubted(mention: Mention) -> Mention:
    return replace(mention, accepted=False)


def build_hybrid(
    products: Sequence[Product],
    model: Path | None = None,
    config: LlmConfig | None = None,
    budget: str | None = None,
    policy: Policy = Policy(),  # noqa: B008 (frozen)
    progress: Progress = SILENT,
) -> HybridExtractor:
    """The tagger and the configured language model.

    Args:
        products: the catalogue, which teaches the statistics.
        model: folder of the tagger; when not given, the catalogue's columns teach one.
        config: the language model's; the environment's when not given.
        budget: of `--llm-budget`; the configuration's when not given, else 20 % of the titles.
        policy: where verdicts change.
        progress: hears what is asked and spent.

    Raises:
        EngineError: no language model is configured.
        StateError: the folder holds no tagger.
    """
    from extraction.llm import build_llm

    config = LlmConfig.from_environment() if config is None else config
    # First, so that a model that is not there is told before anything is learned.
    llm = build_llm(products, config, budget=budget or config.budget or "20%", progress=progress)
    local = build_tagger(products, model)
    llm.attributes = {"": tuple(one.name for one in local.component.model.learned.values())}
    return HybridExtractor(local, llm, policy)
