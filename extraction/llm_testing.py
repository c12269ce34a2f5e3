"""For tests of whoever asks a language model: an endpoint on loopback that answers badly on purpose, and a tiny local model.

The endpoint is a real HTTP server, so that nothing of the client has to be replaced; the model is a real one of transformers, its weights
random.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

Reply = Callable[["Handler"], None]
"""Writes one response."""


def answer(content: Any, finish: str = "stop", usage: Any = None, **message: Any) -> Reply:
    """A chat completion; `content` is text, or a value that is written as JSON."""
    text = content if isinstance(content, str) or content is None else json.dumps(content, ensure_ascii=False)
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    body = {"id": "x", "object": "chat.completion", "choices": [choice], **({"usage": usage} if usage is not None else {})}
    return raw(200, json.dumps(body).encode())


def raw(status: int, body: bytes, headers: dict[str, str] | None = None) -> Reply:
    """Any status, body and headers."""

    def reply(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return reply


def error(status: int, message: str, headers: dict[str, str] | None = None, code: str | None = None) -> Reply:
    """An error as endpoints write them."""
    return raw(status, json.dumps({"error": {"message": message, "type": "x", "code": code}}).encode(), headers)


def silence(seconds: float) -> Reply:
    """Nothing for a while, then the connection ends."""
    return lambda handler: time.sleep(seconds)


def half(body: bytes, promised: int = 100_000) -> Reply:
    """The beginning of a body whose rest never comes."""
    return raw(200, body, {"Content-Length": str(promised)})


def drip(seconds: float, every: float = 0.05) -> Reply:
    """A byte now and then: never silent for long, never done."""

    def reply(handler: Handler) -> None:
        raw(200, b"{", {"Content-Length": "100000"})(handler)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(every)

    return reply


def hang_up(handler: Handler) -> None:
    """No answer at all."""
    handler.connection.close()


class Handler(BaseHTTPRequestHandler):
    """Plays the server's replies in turn; the last one again and again."""

    def do_POST(self) -> None:
        """Take the request and let the next reply answer it."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = cast(Server, self.server).take(body, {name.lower(): value for name, value in self.headers.items()})
        self.close_connection = True
        # The client may have gone, as it should from a reply that is too slow.
        with suppress(BrokenPipeError, ConnectionResetError, ValueError):
            reply(self)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Replies in turn, and what was asked.

    Args:
        replies: played one after the other.
    """

    daemon_threads = True

    def __init__(self, *replies: Reply) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies = list(replies)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.by_request: Callable[[dict[str, Any]], Reply] | None = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The address for `CLEW_LLM_BASE_URL`."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def take(self, body: dict[str, Any], headers: dict[str, str]) -> Reply:
        """Note a request; the reply to it (of `by_request`, where that is set)."""
        with self._lock:
            self.requests.append(body)
            self.headers.append(headers)
            if self.by_request is not None:
                return self.by_request(body)
            return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def serving(*replies: Reply) -> Iterator[Server]:
    """A running server."""
    server = Server(*replies)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def tiny_model(folder: Path, seed: int = 0, template: bool = True) -> Path:
    """Save a random two-layer model of Llama's kind with a byte-level tokenizer of 400 tokens; about 60 kB.

    Args:
        folder: written to.
        seed: of the weights.
        template: give it a chat template with turn tokens.
    """
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    letters = Tokenizer(models.BPE())
    letters.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|end|>", "<|turn|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    letters.train_from_iterator(['{"brand": ["Nike"], "material": []}', "Nike running shoe for men"] * 5, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=letters, eos_token="<|end|>", additional_special_tokens=["<|turn|>"])
    if template:
        tokenizer.chat_template = (
            "{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'] }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
        )
    tokenizer.save_pretrained(folder)
    transformers.set_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=4096,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder
