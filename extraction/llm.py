"""The extractor that asks a language model, and believes of its answer what stands in the text."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from extraction.asking import DEFAULT_RELIABILITY
from extraction.base import Mention, entity_of
from extraction.canonical import canonical
from extraction.evaluate import attribute_of
from extraction.llm_align import Aligned, Fit, Refusal, TextIndex
from extraction.llm_answer import Values, list_parts
from extraction.llm_ask import Answer, Asker, Question
from extraction.llm_budget import NO_LIMIT, Budget, Ledger, Prices
from extraction.llm_cache import AnswerCache, MemoryCache
from extraction.llm_choice import language_model
from extraction.llm_config import LlmConfig
from extraction.llm_examples import ExampleIndex, shipped_examples
from extraction.llm_model import NOTHING, LanguageModel, Usage
from extraction.llm_prompt import Example, Reading, prompt_version
from extraction.ounces import size_of
from kg.digest import digest_json
from kg.model import Product
from kg.progress import SILENT, Progress

DEFAULT_ATTRIBUTES = ("brand", "material", "color", "size", "quantity")
VERSION = 1
WINDOW = 512  # products that are read, chosen from and asked about together
KEPT_REFUSALS = 50
# A value that was only found in another form is a little less sure, and so is a part of a list.
_TRUST = {Fit.WRITTEN: 1.0, Fit.FOLDED: 0.98, Fit.JOINED: 0.95, Fit.SINGULAR: 0.9}
_NAMES = frozenset({"brand", "model_name", "model_number"})  # attributes whose values have no plural
_LISTED_TRUST = 0.95


@dataclass(frozen=True, slots=True)
class RefusedValue:
    """A value that the model gave and that became no mention."""

    product_key: str
    attribute: str
    value: str
    reason: Refusal


@dataclass
class LlmReport:
    """What a run asked, spent, took and refused.

    Args:
        products: read in all.
        asked, kept, left_out, unreadable: products asked about; answered before; not asked for lack of budget; without readable text.
        expected, spent: usage before and after.
        mentions: taken.
        refused: reason → values (or whole answers) refused for it.
        examples: the first refused values.
    """

    products: int = 0
    asked: int = 0
    kept: int = 0
    left_out: int = 0
    unreadable: int = 0
    expected: Usage = NOTHING
    spent: Usage = NOTHING
    mentions: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: list[RefusedValue] = field(default_factory=list)

    def refuse(self, product_key: str, attribute: str, value: str, reason: Refusal) -> None:
        """Count a refusal and keep it while there is room."""
        self.refused[str(reason)] += 1
        if len(self.examples) < KEPT_REFUSALS:
            self.examples.append(RefusedValue(product_key, attribute, value, reason))

    def to_dict(self) -> dict[str, Any]:
        """The form of `--json`."""
        return {
            "products": self.products,
            "asked": self.asked,
            "answered_before": self.kept,
            "left_out": self.left_out,
            "unreadable": self.unreadable,
            "tokens": {"expected": self.expected.tokens, "prompt": self.spent.prompt_tokens, "completion": self.spent.completion_tokens},
            "mentions": self.mentions,
            "refused": dict(self.refused),
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What asking about products would take, before anything is asked.

    Args:
        products: how many there are.
        kept: of them answered before.
        asked: of them to be asked within the budget, by what is expected.
        expected: what these are expected to cost.
        sentence: all of it for people.
    """

    products: int
    kept: int
    asked: int
    expected: Usage
    sentence: str


Gain = Callable[[Sequence[Product]], Sequence[float]]


class LlmExtractor:
    """Asks a language model about each product (implements `extraction.base.Extractor`).

    Args:
        model: answers.
        attributes: what is asked for, for all products or by kind of product ("" for the others); gold files' names are understood.
        examples: products with known values to choose examples from; the shipped ones when not given.
        shots: examples in a prompt.
        budget, prices: what may be spent by this extractor, all its runs together.
        cache: folder of kept answers; without it they are kept while the process lives.
        gain: expected gain of asking, per product (`extraction.asking`); within a window the greatest go first, and those that gain
            nothing are not asked. Without it products are asked in their order.
        reliability: probability that a value which stands in the text as the model wrote it is right.
        progress: hears what is expected and what was spent.
    """

    name = "llm"

    def __init__(
        self,
        model: LanguageModel,
        attributes: Sequence[str] | Mapping[str, Sequence[str]] = DEFAULT_ATTRIBUTES,
        examples: Sequence[Example] | None = None,
        shots: int = 6,
        budget: Budget = NO_LIMIT,
        prices: Prices | None = None,
        cache: Path | None = None,
        gain: Gain | None = None,
        reliability: float = DEFAULT_RELIABILITY,
        progress: Progress = SILENT,
    ) -> None:
        self.model = model
        by_kind = attributes if isinstance(attributes, Mapping) else {"": attributes}
        self.attributes = {kind: tuple(names) for kind, names in by_kind.items()}
        self.shots = shots
        self.budget = budget
        self.reliability = reliability
        self.report = LlmReport()
        self._examples = ExampleIndex(shipped_examples() if examples is None else examples)
        self._asker = Asker(model, Ledger(budget, prices), AnswerCache(cache) if cache else MemoryCache())
        self.gain = gain
        self._seen = self._used = 0  # products seen, and of them chosen to be asked about
        self._progress = progress

    @property
    def names(self) -> Mapping[str, str]:
        """None: a model teaches no spelling of a name."""
        return MappingProxyType({})

    @cached_property
    def digest(self) -> str:
        """Digest of model, prompt, attributes and examples; the budget and what was asked within it are no part of it."""
        attributes = {kind: list(names) for kind, names in self.attributes.items()}
        parts = ["llm", VERSION, prompt_version(), self.model.digest, attributes, self.shots, self._examples.digest, self.reliability]
        return digest_json(parts)

    def plan(self, products: Sequence[Product]) -> Plan:
        """What asking about these products would take; asks nothing."""
        kept = asked = 0
        expected = Usage(estimated=True)
        ledger = Ledger(self.budget, self._asker.ledger.prices)
        ledger.spent = self._asker.ledger.spent
        seen, used = self._seen, self._used
        for window in _windows(products):
            questions, answers, rows = self._open(window)
            kept += len(answers)
            seen += len(window)
            rows = rows[: self._quota(seen, used)]
            used += len(rows)
            for question in (q for row in rows if (q := questions[row]) is not None):
                usage = question.expected(self.model)
                if ledger.set_aside(usage):
                    ledger.book(usage, usage)
                    asked += 1
                    expected = expected + usage
        left_out = f" {len(products) - kept - asked:,} are left out (budget {self.budget})." if self.budget != NO_LIMIT else ""
        asks = f"{self.model.name}: asks about {asked:,} of {len(products):,} products, {ledger.shown(expected)}"
        sentence = f"{asks}; {kept:,} were answered before.{left_out}"
        return Plan(len(products), kept, asked, expected, sentence)

    def extract(self, products: Iterable[Product]) -> Iterator[list[Mention]]:
        """One list of mentions per product; none for a product that was not asked about. Raises as `answers`."""
        return (mentions or [] for mentions in self.answers(products))

    def answers(self, products: Iterable[Product]) -> Iterator[list[Mention] | None]:
        """Per product what the model said of it, None where it was not asked or its whole answer was refused.

        Asks about a window of products at a time. `report` counts along.

        Raises:
            EngineError: the model is not there, refuses, or keeps failing. What was answered is kept.
        """
        total = len(products) if isinstance(products, Sequence) else None
        if isinstance(products, Sequence) and self._progress is not SILENT:
            self._progress.note(self.plan(products).sentence)
        try:
            with self._progress.stage("asking the language model", total) as advance:
                for window in _windows(products):
                    yield from self._extract_window(window, advance)
        finally:
            self._progress.note(self.spent_sentence())

    def spent_sentence(self) -> str:
        """What was asked and spent so far, for people."""
        report, shown = self.report, self._asker.ledger.shown
        refused = f" Refused: {', '.join(f'{n} {reason}' for reason, n in sorted(report.refused.items()))}." if report.refused else ""
        return (
            f"{self.model.name}: asked about {report.asked:,} products, {shown(report.spent)} (expected {report.expected.tokens:,}); "
            f"{report.kept:,} were answered before, {report.left_out:,} left out. {report.mentions:,} values taken.{refused}"
        )

    def _extract_window(self, window: Sequence[Product], advance: Callable[[int], None]) -> Iterator[list[Mention] | None]:
        questions, answers, open_rows = self._open(window)
        self._seen += len(window)
        open_rows = open_rows[: self._quota(self._seen, self._used)]
        self._used += len(open_rows)
        asked = [question for i in open_rows if (question := questions[i]) is not None]
        advance(len(window) - len(asked))
        answers.update(zip(open_rows, self._asker.ask(asked, advance), strict=True))
        report = self.report
        report.products += len(window)
        for i, product in enumerate(window):
            question, answer = questions[i], answers.get(i, Answer(None))
            report.unreadable += question is None
            report.kept += answer.cached
            report.left_out += question is not None and answer.values is None
            if question is not None and answer.values is not None and not answer.cached:
                report.asked += 1
                report.expected = report.expected + question.expected(self.model)
                report.spent = report.spent + answer.usage
            mentions = self._mentions(self._reading(product), answer)
            yield mentions if isinstance(answer.values, Values) else None

    def _open(self, window: Sequence[Product]) -> tuple[list[Question | None], dict[int, Answer], list[int]]:
        """Questions of a window, the answers that are kept (by row), and the rows that are open, in the order of asking."""
        questions = self._questions([self._reading(product) for product in window])
        answers = {i: kept for i, q in enumerate(questions) if q is not None and (kept := self._asker.kept(q)) is not None}
        return questions, answers, [i for i in self._order(window) if questions[i] is not None and i not in answers]

    def _order(self, window: Sequence[Product]) -> list[int]:
        if self.gain is None:
            return list(range(len(window)))
        gains = self.gain(window)
        return [i for i in sorted(range(len(window)), key=lambda i: (-gains[i], i)) if gains[i] > 0]

    def _quota(self, seen: int, used: int) -> int:
        """How many more may be asked when a share of the products seen so far may be: small windows add up."""
        return seen if self.budget.share is None else max(0, int(self.budget.share * seen + 1e-9) - used)

    def _reading(self, product: Product) -> Reading:
        kind = product.text("category") or product.text("product_type")
        return Reading(product, self.attributes.get(kind, self.attributes.get("", ())))

    def _questions(self, readings: Sequence[Reading]) -> list[Question | None]:
        """A question per product; None where there is nothing to read or to ask."""
        titles = [reading.shown.get("title", "") for reading in readings]
        chosen = self._examples.nearest(titles, [reading.kind for reading in readings], self.shots)
        return [
            None
            if reading.is_empty or not reading.attributes
            else Question(reading.messages(examples), reading.schema(), reading.attributes)
            for reading, examples in zip(readings, chosen, strict=True)
        ]

    def _mentions(self, reading: Reading, answer: Answer) -> list[Mention]:
        key = reading.product.key
        if isinstance(answer.values, Refusal):
            self.report.refuse(key, "", "", answer.values)
        if not isinstance(answer.values, Values):
            return []
        for name, value, reason in answer.values.refused:
            self.report.refuse(key, name, value, reason)
        indexes = {name: TextIndex(part.text, part.spans, part.order) for name, part in reading.fields.items()}
        first_sentence = reading.fields["title"].first_sentence
        found: dict[tuple[str, str, int, int], Mention] = {}
        for name, value in answer.values.values:
            for mention in self._stated(reading, indexes, name, value, first_sentence):
                found.setdefault((mention.attribute, mention.field, mention.start, mention.end), mention)
        self.report.mentions += len(found)
        return list(found.values())

    def _stated(self, reading: Reading, indexes: Mapping[str, TextIndex], name: str, value: str, first_sentence: int) -> Iterator[Mention]:
        """The mention of a value; of a value that lists several, the mentions of those parts that stand in the text."""
        key = reading.product.key
        is_name = attribute_of(name) in _NAMES
        placed = _place(indexes, value, is_name)
        if isinstance(placed, tuple) and attribute_of(name) == "brand" and placed[0] == "title" and placed[1].start >= first_sentence:
            placed = Refusal.NOT_READ
        if isinstance(placed, Refusal):
            parts = [(part, _place(indexes, part, is_name)) for part in list_parts(value)]
            if not any(isinstance(place, tuple) for _, place in parts):
                self.report.refuse(key, name, value, placed)
                return
        else:
            parts = [(value, placed)]
        trust = self.reliability * (_LISTED_TRUST if len(parts) > 1 else 1.0)
        for part, place in parts:
            if isinstance(place, Refusal):
                self.report.refuse(key, name, part, place)
            else:
                yield _mention(name, *place, trust, indexes[place[0]].text, reading.kind)


def _windows(products: Iterable[Product]) -> Iterator[list[Product]]:
    iterator = iter(products)
    while window := list(itertools.islice(iterator, WINDOW)):
        yield window


def _place(indexes: Mapping[str, TextIndex], value: str, is_name: bool) -> tuple[str, Aligned] | Refusal:
    """The first field that states a value, and where."""
    reasons = set()
    for name, index in indexes.items():
        verdict = index.align(value, is_name)
        if isinstance(verdict, Aligned):
            return name, verdict
        reasons.add(verdict)
    return next((r for r in (Refusal.NOT_READ, Refusal.PART_OF_WORD) if r in reasons), Refusal.NOT_IN_TEXT)


def _mention(name: str, field_name: str, place: Aligned, trust: float, text: str, kind: str) -> Mention:
    attribute = attribute_of(name)
    value = size_of(place.raw, text, place.start, kind)[0] if attribute == "size" else canonical(attribute, place.value)
    confidence = trust * _TRUST[place.fit]
    return Mention(
        attribute, place.raw, value, entity_of(attribute, value), field_name, place.start, place.end, confidence, LlmExtractor.name
    )


def build_llm(
    products: Sequence[Product] = (),
    config: LlmConfig | None = None,
    cache: Path | None = None,
    budget: str | None = None,
    gain: Gain | None = None,
    progress: Progress = SILENT,
    attributes: Sequence[str] = DEFAULT_ATTRIBUTES,
) -> LlmExtractor:
    """The extractor of the registry: the model of `CLEW_LLM_*` (or of a configuration), answers kept in the workspace.

    Args:
        products: not learned from.
        config: the environment's when not given.
        cache: folder of answers; when not given `CLEW_LLM_CACHE`, else that of the workspace `CLEW_WORKSPACE` (default ./clew-data) if
            there is one.
        budget: of `--llm-budget`; the configuration's when not given.
        gain, progress, attributes: as of `LlmExtractor`.

    Raises:
        EngineError: no model is configured.
        InputError: the configuration is wrong.
    """
    config = LlmConfig.from_environment() if config is None else config
    prices = None
    if config.price_prompt is not None and config.price_completion is not None:
        prices = Prices(config.price_prompt, config.price_completion, config.currency)
    workspace = Path(os.environ.get("CLEW_WORKSPACE") or "clew-data")
    if cache is None:
        cache = Path(config.cache) if config.cache else workspace / "cache" / "llm" if workspace.is_dir() else None
    return LlmExtractor(
        language_model(config, progress.note),
        attributes,
        shots=config.shots,
        budget=Budget.parse(limit) if (limit := budget or config.budget) else NO_LIMIT,
        prices=prices,
        cache=cache,
        gain=gain,
        progress=progress,
    )
