"""Recorded answers that stand in for a model, and the recorder that makes them."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from extraction.llm_cache import prompt_digest
from extraction.llm_guard import readable
from extraction.llm_model import Completion, LanguageModel, Message, NoAnswerError, Schema, Usage, WrappedModel, estimated_tokens
from extraction.llm_prompt import MAX_FIELD_CHARS, MAX_KIND_CHARS, shown_title
from kg.digest import digest_bytes, digest_json
from kg.errors import InputError

_FORM = 'A line reads {"input": TITLE, "category": KIND, "answer": TEXT}, or has the "digest" of a prompt instead of its title.'


class ReplayModel:
    """Answers from files: by the digest of the prompt where it was recorded, else by title and kind, else by title alone.

    Args:
        paths: JSON lines as `RecordingModel` writes them, or with `input`, `category`, `answer` alone.

    Raises:
        InputError: a file is missing, or a line is no recorded answer.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._by_digest: dict[str, str] = {}
        self._by_title: dict[tuple[str, str], str] = {}
        self._files = [path.name for path in paths]
        contents = []
        for path in paths:
            try:
                content = path.read_bytes()
            except OSError as error:
                raise InputError(f"The recorded answers {path} cannot be read: {error.strerror}.", "Check the path.") from None
            contents.append(content)
            for number, line in enumerate(content.decode("utf-8", "surrogatepass").split("\n"), 1):
                if line.strip():
                    self._take(line, f"{path}:{number}")
        self._digest = digest_json(["replay", digest_bytes(*contents)])

    def _take(self, line: str, where: str) -> None:
        try:
            row: Any = json.loads(line)
            answer, title, kind, digest = row["answer"], row.get("input", ""), row.get("category") or "", row.get("digest", "")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{where} is no recorded answer.", _FORM) from None
        if not isinstance(answer, str) or not (title or digest):
            raise InputError(f"{where} is no recorded answer.", _FORM)
        if digest:
            self._by_digest[digest] = answer
        if title:
            shown = readable(title[:MAX_FIELD_CHARS]).shown
            self._by_title[shown, readable(kind[:MAX_KIND_CHARS]).shown] = answer
            self._by_title.setdefault((shown, ""), answer)

    @property
    def name(self) -> str:
        """The files."""
        return f"recorded answers ({', '.join(self._files)})"

    @property
    def digest(self) -> str:
        """Digest of the files' content."""
        return self._digest

    @property
    def parallel(self) -> int:
        """One is enough."""
        return 1

    def count(self, text: str) -> int:
        """About how many tokens a text takes."""
        return estimated_tokens(text)

    def complete(self, messages: Sequence[Message], schema: Schema | None = None) -> Completion:
        """The recorded answer; its usage is estimated.

        Raises:
            NoAnswerError: none was recorded for this prompt.
        """
        title, kind = shown_title(messages)
        answer = self._by_digest.get(prompt_digest("", messages, schema))
        if answer is None:
            answer = self._by_title.get((title, kind), self._by_title.get((title, "")))
        if answer is None:
            raise NoAnswerError(f"No answer was recorded for {title[:80] or messages[-1].content[:80]!r}.", "Record it, or ask a model.")
        return Completion(answer, Usage(sum(self.count(m.content) + 4 for m in messages), self.count(answer), estimated=True))


class RecordingModel(WrappedModel):
    """Asks a model and writes each answer down, so that `ReplayModel` can give it again without the model.

    Args:
        model: the model.
        path: JSON lines; new answers are added at its end.
    """

    def __init__(self, model: LanguageModel, path: Path) -> None:
        super().__init__(model)
        self.path = path
        self._lock = threading.Lock()

    def complete(self, messages: Sequence[Message], schema: Schema | None = None) -> Completion:
        """The model's answer, written down."""
        answer = self.model.complete(messages, schema)
        title, kind = shown_title(messages)
        row = {"input": title, "category": kind, "digest": prompt_digest("", messages, schema), "answer": answer.text, "model": self.name}
        with self._lock, self.path.open("a", encoding="utf-8", errors="surrogatepass") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        return answer
