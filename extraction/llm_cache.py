"""Answers on disk, by digest of prompt and model: a second run asks nothing, and one that was cut off goes on where it stopped."""

from __future__ import annotations

import contextlib
import fcntl
import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from extraction.llm_model import Completion, LanguageModel, Message, Schema, Usage, WrappedModel
from kg.digest import digest_json
from kg.errors import StateError


def prompt_digest(model_digest: str, messages: Sequence[Message], schema: Schema | None) -> str:
    """Digest of everything that decides an answer."""
    return digest_json([model_digest, [[m.role, m.content] for m in messages], schema])


class AnswerCache:
    """A folder of JSON lines, one answer a line, in 256 files by digest; only places are held in memory.

    Several threads and processes may write: a line is appended whole under a lock. A line torn by a kill is passed over.

    Args:
        folder: made when the first answer is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._places: dict[str, dict[str, int]] = {}

    def get(self, digest: str) -> Completion | None:
        """The answer of that digest, or None."""
        with self._lock:
            path, places = self._shard(digest)
            if digest not in places:
                return None
            with path.open("rb") as file:
                file.seek(places[digest])
                return _completion(json.loads(file.readline()))

    def put(self, digest: str, answer: Completion) -> None:
        """Keep an answer.

        Raises:
            StateError: the folder cannot be written to.
        """
        usage = [answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.estimated]
        line = json.dumps({"digest": digest, "text": answer.text, "usage": usage, "finish": answer.finish}, ensure_ascii=False)
        with self._lock:
            path, places = self._shard(digest)
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with path.open("ab") as file:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    at = file.seek(0, 2)
                    # A line that a kill has torn is closed, so that this one stands alone.
                    torn = at > 0 and not _ends_line(path, at)
                    file.write((b"\n" if torn else b"") + line.encode("utf-8", "surrogatepass") + b"\n")
            except OSError as error:
                raise StateError(
                    f"Answers cannot be kept in {self.folder}: {error.strerror}.", "Name a folder that can be written to."
                ) from None
            places[digest] = at + torn

    def _shard(self, digest: str) -> tuple[Path, dict[str, int]]:
        name = digest.rpartition(":")[2][:2]
        path = self.folder / f"{name}.jsonl"
        if name not in self._places:
            self._places[name] = _index(path)
        return path, self._places[name]


def _ends_line(path: Path, size: int) -> bool:
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) == b"\n"


def _index(path: Path) -> dict[str, int]:
    places: dict[str, int] = {}
    if not path.exists():
        return places
    with path.open("rb") as file:
        at = 0
        for line in file:
            # Torn, or not ours: as if it were not there; the answer is asked for again.
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                _completion(entry)
                places[str(entry["digest"])] = at
            at += len(line)
    return places


def _completion(entry: Any) -> Completion:
    read, written, estimated = entry["usage"]
    return Completion(str(entry["text"]), Usage(int(read), int(written), bool(estimated)), entry["finish"], cached=True)


class MemoryCache:
    """Answers of this process alone, the oldest forgotten first: what is read twice (facts, then quantities) is asked once.

    Args:
        size: answers that are held.
    """

    def __init__(self, size: int = 50_000) -> None:
        self.size = size
        self._answers: dict[str, Completion] = {}
        self._lock = threading.Lock()

    def get(self, digest: str) -> Completion | None:
        """The answer of that digest, or None."""
        with self._lock:
            return self._answers.get(digest)

    def put(self, digest: str, answer: Completion) -> None:
        """Hold an answer."""
        with self._lock:
            self._answers[digest] = replace(answer, cached=True)
            if len(self._answers) > self.size:
                del self._answers[next(iter(self._answers))]


class CachedModel(WrappedModel):
    """A model that is only asked what it was not asked before.

    Args:
        model: the model.
        cache: where its answers are kept.
    """

    def __init__(self, model: LanguageModel, cache: AnswerCache | MemoryCache) -> None:
        super().__init__(model)
        self.cache = cache

    def complete(self, messages: Sequence[Message], schema: Schema | None = None) -> Completion:
        """The kept answer, or a new one, which is kept when the model was done."""
        digest = prompt_digest(self.digest, messages, schema)
        kept = self.cache.get(digest)
        if kept is not None:
            return kept
        answer = self.model.complete(messages, schema)
        if answer.finish == "stop":
            self.cache.put(digest, replace(answer, cached=False))
        return answer
