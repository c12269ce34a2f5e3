"""Asking a model about many prompts at once, within a budget, with a cache, and knowing when to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from extraction.llm_align import Refusal
from extraction.llm_answer import Values, read_answer
from extraction.llm_budget import Ledger
from extraction.llm_cache import AnswerCache, MemoryCache, prompt_digest
from extraction.llm_model import NOTHING, Completion, LanguageModel, Message, NoAnswerError, Schema, Usage

TRIES = 2  # an answer that cannot be read is asked for once more, with the reason
FAILURES_IN_A_ROW = 3
_BATCH = 8
_FRAME_TOKENS = 4  # what a chat format adds to a message


@dataclass(frozen=True)
class Question:
    """One prompt and how its answer is read.

    Args:
        messages, schema: the prompt.
        attributes: what is asked for.
    """

    messages: Sequence[Message]
    schema: Schema
    attributes: tuple[str, ...]

    def expected(self, model: LanguageModel) -> Usage:
        """What asking will cost, about: the prompt's tokens, and per attribute the name and a short value."""
        read = sum(model.count(m.content) + _FRAME_TOKENS for m in self.messages)
        return Usage(read, sum(model.count(name) + 8 for name in self.attributes) + 2, estimated=True)

    def again(self, why: Refusal) -> Question:
        """The same question with a word on why the last answer could not be taken; the product stays the last message."""
        first = self.messages[0]
        told = Message("system", f"{first.content}\n\nYour last answer to this could not be used: {why}. Write the JSON object alone.")
        return replace(self, messages=[told, *self.messages[1:]])


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question.

    Args:
        values: what was said, or why nothing could be read; None when it was not asked (budget).
        usage: what it cost now.
        cached: it was answered before.
    """

    values: Values | Refusal | None
    usage: Usage = NOTHING
    cached: bool = False


class Asker:
    """Asks questions in threads (or, of a local model, in batches). Answers that can be read are kept at once, so a run that is cut off
    loses none.

    Args:
        model: answers.
        ledger: keeps the budget.
        cache: where answers are kept.
    """

    def __init__(self, model: LanguageModel, ledger: Ledger, cache: AnswerCache | MemoryCache) -> None:
        self.model = model
        self.ledger = ledger
        self.cache = cache
        self._failures = 0
        self._stopped = threading.Event()
        self._lock = threading.Lock()

    def kept(self, question: Question) -> Answer | None:
        """The answer that is kept, or None."""
        found = self.cache.get(self._digest(question))
        if found is None:
            return None
        values = read_answer(found.text, question.attributes)
        return None if isinstance(values, Refusal) else Answer(values, cached=True)

    def ask(self, questions: Sequence[Question], done: Callable[[int], None]) -> list[Answer]:
        """Answers in the order of the questions; those that the budget has no room for are not asked, the first ones have precedence.

        Raises:
            EngineError: the model is not there, refuses, or failed `FAILURES_IN_A_ROW` times in a row.
        """
        self._stopped.clear()
        batch = getattr(self.model, "complete_batch", None)
        if batch is not None:
            return [answer for chunk in _chunks(questions, _BATCH) for answer in self._ask_batch(batch, chunk, done)]
        with ThreadPoolExecutor(max_workers=max(1, self.model.parallel), thread_name_prefix="clew-llm") as pool:
            futures: list[Future[Answer]] = [pool.submit(self._ask_one, question, done) for question in questions]
            try:
                return [future.result() for future in futures]
            except BaseException:
                # What is not under way yet is not begun: no more is spent than is wanted.
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _ask_batch(
        self, batch: Callable[..., list[Completion]], questions: Sequence[Question], done: Callable[[int], None]
    ) -> list[Answer]:
        expected = [question.expected(self.model) for question in questions]
        allowed = [self.ledger.set_aside(usage) for usage in expected]
        asked = [i for i, fits in enumerate(allowed) if fits]
        completions = dict(zip(asked, batch([(questions[i].messages, questions[i].schema) for i in asked]), strict=True)) if asked else {}
        answers = []
        for i, question in enumerate(questions):
            if i in completions:
                self.ledger.book(expected[i], completions[i].usage)
                answers.append(self._judged(question, completions[i]))
            else:
                answers.append(Answer(None))
        done(len(questions))
        return answers

    def _ask_one(self, question: Question, done: Callable[[int], None]) -> Answer:
        spent = Usage()
        answer = Answer(None)
        asked = question
        for _ in range(TRIES):
            if self._stopped.is_set():
                break
            expected = asked.expected(self.model)
            if not self.ledger.set_aside(expected):
                break
            completion = self._complete(asked, expected)
            if completion is None:
                answer = Answer(Refusal.NO_ANSWER, spent)
                break
            spent = spent + completion.usage
            answer = replace(self._judged(question, completion), usage=spent)
            if not isinstance(answer.values, Refusal) or answer.values is Refusal.DECLINED:
                break
            asked = question.again(answer.values)
        done(1)
        return answer

    def _complete(self, question: Question, expected: Usage) -> Completion | None:
        """One completion; None when this request failed but others may not."""
        try:
            completion = self.model.complete(question.messages, question.schema)
        except NoAnswerError:
            self.ledger.book(expected, Usage())
            with self._lock:
                self._failures += 1
                if self._failures >= FAILURES_IN_A_ROW:
                    self._stopped.set()
                    raise
            return None
        except BaseException:
            self._stopped.set()
            self.ledger.book(expected, Usage())
            raise
        self.ledger.book(expected, completion.usage)
        with self._lock:
            self._failures = 0
        return completion

    def _judged(self, question: Question, completion: Completion) -> Answer:
        if completion.finish == "declined":
            return Answer(Refusal.DECLINED, completion.usage)
        values = read_answer(completion.text, question.attributes)
        if isinstance(values, Refusal):
            return Answer(Refusal.CUT_OFF if completion.finish == "length" else values, completion.usage)
        if not completion.cached:
            self.cache.put(self._digest(question), completion)
        return Answer(values, completion.usage)

    def _digest(self, question: Question) -> str:
        return prompt_digest(self.model.digest, question.messages, question.schema)


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
