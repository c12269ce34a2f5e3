"""A language model behind an OpenAI-compatible endpoint: hosted, vLLM, Ollama, llama.cpp."""

from __future__ import annotations

import email.utils
import json
import threading
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal
from urllib.parse import urlsplit

from extraction.llm_config import LlmConfig
from extraction.llm_model import Completion, Message, NoAnswerError, Schema, Usage, estimated_tokens, plain_schema
from kg.digest import digest_json
from kg.errors import EngineError, InputError
from kg.seeds import derive

MAX_BODY_BYTES = 4_000_000
FIRST_WAIT = 0.5  # seconds; doubled with each attempt

Form = Literal["schema", "object", "none"]
_ABOUT_FORM = ("response_format", "json_schema", "json_object", "json mode", "structured output", "guided")
_FORMS: tuple[Form, ...] = ("schema", "object", "none")


class _AttemptError(Exception):
    """An attempt failed in a way that may pass: what happened, and how long the endpoint asks to wait."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.wait = wait


class EndpointModel:
    """Asks an endpoint; safe to use from several threads.

    Args:
        config: address, model, key and limits.
        sleep: waits; another one in tests of what is waited.
        note: told once when the endpoint does not take a JSON schema and is asked in a looser form.
    """

    def __init__(
        self, config: LlmConfig, sleep: Callable[[float], None] = time.sleep, note: Callable[[str], None] = lambda message: None
    ) -> None:
        if not config.base_url or not config.model:
            raise InputError("An endpoint needs an address and a model.", "Set CLEW_LLM_BASE_URL and CLEW_LLM_MODEL.")
        parts = urlsplit(config.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                f"{config.base_url!r} is no address of an endpoint.",
                "It reads like https://api.openai.com/v1 or http://localhost:11434/v1.",
            )
        self.config = config
        self._model: str = config.model
        self._host = parts.netloc.rpartition("@")[2]
        self._sleep = sleep
        self._note = note
        self._form: Form = "schema" if config.structured == "auto" else config.structured
        self._refused: set[str] = set()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Model and host."""
        return f"{self._model} at {self._host}"

    @property
    def digest(self) -> str:
        """Digest of address, model and what decides its answers; the key is no part of it."""
        config = self.config
        path = urlsplit(config.base_url or "").path.rstrip("/")
        return digest_json(["endpoint", self._host, path, config.model, config.temperature, config.max_tokens, config.structured])

    @property
    def parallel(self) -> int:
        """Requests under way at a time."""
        return self.config.parallel

    def count(self, text: str) -> int:
        """About how many tokens a text takes."""
        return estimated_tokens(text)

    @cached_property
    def _client(self) -> Any:
        import openai

        config = self.config
        # The client would send these of the environment to whatever address it is given.
        unsent: dict[str, Any] = {"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
        return openai.OpenAI(
            base_url=config.base_url,
            # Servers of one's own take any key, but the client insists on one; without ours it would send OPENAI_API_KEY to a stranger.
            api_key=config.api_key.get_secret_value() if config.api_key else "none",
            default_headers=unsent,
            timeout=config.timeout,
            max_retries=0,
        )

    def complete(self, messages: Sequence[Message], schema: Schema | None = None) -> Completion:
        """Ask, and ask again what may pass: connection lost, silence, 408, 409, 429, 5xx, a body that is no answer.

        Between attempts it waits `FIRST_WAIT · 2^n` seconds, up to a quarter more so that clients do not march in step, or what
        `Retry-After` says, at most `max_wait`.

        Raises:
            EngineError: the key or the model is refused, the endpoint asks for a longer wait than is allowed, or every attempt failed.
        """
        for attempt in range(self.config.attempts):
            try:
                return self._ask(messages, schema)
            except _AttemptError as failure:
                last = failure
            if last.wait is not None and last.wait > self.config.max_wait:
                raise EngineError(
                    f"{self.name} asks to wait {last.wait:.0f} s ({last.what}).",
                    f"Run again later (what is answered is kept), or raise CLEW_LLM_MAX_WAIT (it is {self.config.max_wait:g} s).",
                )
            if attempt + 1 < self.config.attempts:
                self._sleep(last.wait if last.wait is not None else self._backoff(attempt, messages))
        tries = "1 attempt" if self.config.attempts == 1 else f"{self.config.attempts} attempts"
        raise NoAnswerError(
            f"{self.name} gave no answer in {tries}: {last.what}.", "Check that it runs; run again later (what is answered is kept)."
        )

    def _backoff(self, attempt: int, messages: Sequence[Message]) -> float:
        spread = derive(attempt, messages[-1].content if messages else "") % 1000 / 4000
        return min(FIRST_WAIT * 2.0**attempt * (1 + spread), self.config.max_wait)

    def _ask(self, messages: Sequence[Message], schema: Schema | None) -> Completion:
        import openai

        form = self._form if schema is not None else "none"
        deadline = time.monotonic() + self.config.timeout
        try:
            with self._client.chat.completions.with_streaming_response.create(**self._request(messages, schema, form)) as response:
                body = self._read(response, deadline)
        except openai.APITimeoutError:
            raise _AttemptError(f"no answer within {self.config.timeout:g} s") from None
        except openai.APIStatusError as error:
            if error.status_code in (400, 422) and self._adapt(error, form):
                return self._ask(messages, schema)
            raise self._judged(error) from None
        except openai.APIConnectionError as error:
            raise _AttemptError(f"no connection ({error.__cause__ or error})") from None
        except _transport_errors() as error:
            raise _AttemptError(f"the connection broke ({type(error).__name__})") from None
        return _completion(body, messages)

    def _request(self, messages: Sequence[Message], schema: Schema | None, form: Form) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self._model, "messages": [message.to_dict() for message in messages]}
        if "temperature" not in self._refused:
            request["temperature"] = self.config.temperature
        request["max_completion_tokens" if "max_tokens" in self._refused else "max_tokens"] = self.config.max_tokens
        if schema is not None and form == "schema":
            request["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": plain_schema(schema)},
            }
        elif form == "object":
            request["response_format"] = {"type": "json_object"}
        return request

    def _read(self, response: Any, deadline: float) -> bytes:
        """The body, of bounded size and within the deadline: a byte now and then never trips the client's own timeout."""
        chunks, size = [], 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise _AttemptError(f"an answer of more than {MAX_BODY_BYTES} bytes")
            if time.monotonic() > deadline:
                raise _AttemptError(f"no whole answer within {self.config.timeout:g} s")
            chunks.append(chunk)
        return b"".join(chunks)

    def _adapt(self, error: Any, form: Form) -> bool:
        """Whether an endpoint that refused a request can be asked in another form, which is kept for all requests after it.

        Reasoning models take `max_completion_tokens` for `max_tokens` and no temperature; older servers know no JSON schema.
        """
        text = str(error).lower()
        with self._lock:
            for option in ("max_tokens", "temperature"):
                if option in text and "unsupported" in text and option not in self._refused:
                    self._refused.add(option)
                    return True
            if form == "none" or self.config.structured != "auto" or not any(word in text for word in _ABOUT_FORM):
                return False
            if self._form == form:
                self._form = _FORMS[_FORMS.index(form) + 1]
                what = "a JSON schema" if form == "schema" else "JSON mode"
                self._note(f"{self.name} does not know {what}; it is asked without, and its answers are checked as always.")
            return True

    def _judged(self, error: Any) -> EngineError | _AttemptError:
        """What a status means: a mistake of ours, or something that may pass."""
        status = error.status_code
        says = _said(error)
        if status in (401, 403):
            return EngineError(
                f"{self._host} refuses the key (HTTP {status}{says}).", "Set CLEW_LLM_API_KEY to a key that may use this model."
            )
        if status == 404:
            return EngineError(
                f"{self._host} has no model {self._model!r} (HTTP 404{says}).", "Check CLEW_LLM_MODEL and CLEW_LLM_BASE_URL."
            )
        if status == 429 and error.code == "insufficient_quota":
            return EngineError(f"The account at {self._host} has no credit left (HTTP 429{says}).", "Top it up, or use another endpoint.")
        if status in (408, 409, 429) or status >= 500:
            return _AttemptError(f"HTTP {status}{says}", _retry_after(error.response.headers))
        return EngineError(
            f"{self.name} refuses the request (HTTP {status}{says}).", "Check what CLEW_LLM_MODEL can take (length, options)."
        )


def _transport_errors() -> tuple[type[Exception], ...]:
    """Errors of the HTTP library that the openai client stands on; it does not wrap those that come while a body is read."""
    return tuple(import_module(name).HTTPError for name in ("httpx", "httpx2") if find_spec(name))


def _said(error: Any) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return f": {' '.join(str(message).split())[:200]}" if message else ""


def _retry_after(headers: Any) -> float | None:
    """Seconds to wait by `Retry-After` (seconds or a date, RFC 9110 10.2.3) or `retry-after-ms`; None when it says neither."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        if "retry-after" in headers:
            return max(0.0, float(headers["retry-after"]))
    except ValueError:
        try:
            return max(0.0, email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
        except (ValueError, KeyError):
            return None
    return None


def _completion(body: bytes, messages: Sequence[Message]) -> Completion:
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        message = choice["message"]
        text, declined = message.get("content"), message.get("refusal")
        finish = choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise _AttemptError(f"a body that is no chat completion ({body[:60]!r})") from None
    if not isinstance(text, str):
        text = ""
        if not declined and finish not in ("content_filter", "length"):
            raise _AttemptError("an answer without text")
    usage = _usage(data.get("usage"), messages, text)
    if declined or finish == "content_filter":
        return Completion(text, usage, "declined")
    return Completion(text, usage, "length" if finish == "length" else "stop")


def _usage(said: Any, messages: Sequence[Message], text: str) -> Usage:
    counts = [said.get(name) if isinstance(said, dict) else None for name in ("prompt_tokens", "completion_tokens")]
    read, written = counts
    if isinstance(read, int) and isinstance(written, int) and read >= 0 and written >= 0:
        return Usage(read, written)
    return Usage(sum(estimated_tokens(m.content) + 4 for m in messages), estimated_tokens(text), estimated=True)
