"""A causal language model of transformers on this machine, held to the schema while it writes.

torch itself stays behind its door in `gnn`: the tensors are transformers' own, made by the tokenizer and taken by `generate`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from extraction.llm_grammar import SchemaMachine, State
from extraction.llm_model import Completion, Message, Schema, Usage
from kg.digest import digest_bytes, digest_json
from kg.errors import EngineError, InputError

_KEPT_STATES = 20_000  # token lists of grammar states that are kept


class LocalModel:
    """A model by its folder (config, tokenizer, safetensors); loaded when it is first asked. Greedy, so the same prompt has the same
    answer.

    Args:
        path: the folder, as `save_pretrained` writes it. Nothing is unpickled and no code of the folder is run.
        max_tokens: tokens that one answer may have; under a schema the answer is always complete within them.
        device: "cpu", or one that torch knows ("cuda").

    Raises:
        InputError: the folder holds no such model (when it is loaded).
    """

    parallel = 1

    def __init__(self, path: Path, max_tokens: int = 400, device: str = "cpu") -> None:
        self.path = path
        self.max_tokens = max_tokens
        self.device = device
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The folder's name."""
        return f"{self.path.name} (local)"

    @cached_property
    def digest(self) -> str:
        """Digest of the folder's files, weights included."""
        files = sorted(p for p in self.path.iterdir() if p.suffix in (".json", ".safetensors", ".model", ".txt", ".jinja"))
        return digest_json(["local", self.max_tokens, [[p.name, digest_bytes(p.read_bytes())] for p in files]])

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def complete(self, messages: Sequence[Message], schema: Schema | None = None) -> Completion:
        """Answer; see `complete_batch`."""
        return self.complete_batch([(messages, schema)])[0]

    def complete_batch(self, requests: Sequence[tuple[Sequence[Message], Schema | None]]) -> list[Completion]:
        """Answer several conversations in one pass.

        Raises:
            EngineError: a prompt is too long for the model, or the tokenizer cannot spell the schema.
        """
        tokenizer, model = self._tokenizer, self._model
        prompts = [self._prompt(messages) for messages, _ in requests]
        # One at a time: generation keeps state in the model, and the cores are busy anyway.
        with self._lock:
            inputs = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=not tokenizer.chat_template).to(self.device)
            width = int(inputs["input_ids"].shape[1])
            self._check_length(width)
            guides = [self._guide(schema) for _, schema in requests]
            chooser = _chooser(guides, width, len(tokenizer))
            generated = model.generate(
                **inputs, generation_config=self._generation, prefix_allowed_tokens_fn=chooser if any(guides) else None
            )
        read = inputs["attention_mask"].sum(dim=1).tolist()
        return [self._completion(ids[width:], int(n), guide) for ids, n, guide in zip(generated.tolist(), read, guides, strict=True)]

    def _guide(self, schema: Schema | None) -> _Guide | None:
        return None if schema is None else _Guide(self._spelling, SchemaMachine(schema), self.max_tokens, self._end)

    def _completion(self, ids: list[int], read: int, guide: _Guide | None) -> Completion:
        ended = self._end in ids
        ids = ids[: ids.index(self._end)] if ended else ids
        text = self._spelling.text(ids) if guide else self._tokenizer.decode(ids, skip_special_tokens=True)
        return Completion(text, Usage(read, len(ids)), "stop" if ended else "length")

    def _prompt(self, messages: Sequence[Message]) -> str:
        """The conversation in the model's own form; a special token inside a message is broken up, so that no text can play a turn."""
        turns = []
        for message in messages:
            content = message.content
            for token in self._special:
                content = content.replace(token, f"{token[0]} {token[1:]}")
            turns.append({"role": message.role, "content": content})
        if self._tokenizer.chat_template:
            text: str = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            return text
        return "".join(f"{turn['role']}: {turn['content']}\n" for turn in turns) + "assistant: "

    def _check_length(self, width: int) -> None:
        room = getattr(self._model.config, "max_position_embeddings", None)
        if room is not None and width + self.max_tokens > room:
            raise EngineError(
                f"A prompt of {width} tokens and an answer of {self.max_tokens} do not fit {self.name}, which holds {room}.",
                "Give fewer examples (CLEW_LLM_SHOTS) or a shorter answer (CLEW_LLM_MAX_TOKENS).",
            )

    @cached_property
    def _tokenizer(self) -> Any:
        import transformers

        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                self.path, local_files_only=True, trust_remote_code=False, padding_side="left"
            )
        except (OSError, ValueError, KeyError) as error:
            raise self._no_model(error) from None
        if tokenizer.eos_token_id is None:
            raise InputError(f"The tokenizer of {self.path} has no token that ends an answer.", "Use a model made for generation.")
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    @cached_property
    def _model(self) -> Any:
        import transformers

        try:
            model = transformers.AutoModelForCausalLM.from_pretrained(
                self.path, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype="auto"
            )
        except (OSError, ValueError, KeyError) as error:
            raise self._no_model(error) from None
        return model.to(self.device).eval()

    def _no_model(self, error: Exception) -> InputError:
        reason = str(error).strip().split("\n")[0][:200]
        return InputError(
            f"{self.path} holds no causal model of transformers: {reason}", "It needs config.json, a tokenizer and *.safetensors."
        )

    @property
    def _end(self) -> int:
        return int(self._tokenizer.eos_token_id)

    @cached_property
    def _special(self) -> list[str]:
        known = {*self._tokenizer.all_special_tokens, *(str(token) for token in self._tokenizer.added_tokens_decoder.values())}
        return sorted((token for token in known if len(token) > 1), key=len, reverse=True)

    @cached_property
    def _generation(self) -> Any:
        import transformers

        return transformers.GenerationConfig(
            do_sample=False, max_new_tokens=self.max_tokens, pad_token_id=self._tokenizer.pad_token_id, eos_token_id=self._end
        )

    @cached_property
    def _spelling(self) -> Spelling:
        return Spelling.of(self._tokenizer, self.name)


class Spelling:
    """The bytes of every token of a tokenizer, as a tree by first byte, second byte, …

    Args:
        tokens: token → its bytes; special tokens have none.
    """

    def __init__(self, tokens: Mapping[int, bytes]) -> None:
        self._bytes = dict(tokens)
        self._tree: dict[int, Any] = {}
        for token, data in tokens.items():
            node = self._tree
            for byte in data:
                node = node.setdefault(byte, {})
            node.setdefault(-1, []).append(token)

    @classmethod
    def of(cls, tokenizer: Any, name: str) -> Spelling:
        """Of a byte-level tokenizer (GPT, Llama 3, Qwen) or of SentencePiece's kind (Llama 2, Gemma).

        Raises:
            EngineError: it is of another kind.
        """
        backend = getattr(tokenizer, "backend_tokenizer", None)
        decoder = json.dumps(json.loads(backend.to_str()).get("decoder"), ensure_ascii=False) if backend is not None else ""
        if "ByteLevel" in decoder:
            spell = _byte_level()
        elif "Metaspace" in decoder or "\u2581" in decoder:
            spell = _sentence_piece
        else:
            raise EngineError(
                f"The tokenizer of {name} is of a kind that clew cannot hold to a schema.", "Use a byte-level or SentencePiece model."
            )
        special = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
        return cls({i: data for piece, i in tokenizer.get_vocab().items() if i not in special and (data := spell(piece))})

    def text(self, tokens: Sequence[int]) -> str:
        """The text that tokens spell."""
        return b"".join(self._bytes.get(token, b"") for token in tokens).decode()

    def bytes_of(self, token: int) -> bytes:
        """The bytes of a token."""
        return self._bytes[token]

    def allowed(self, machine: SchemaMachine, state: State) -> list[tuple[int, int]]:
        """Tokens that may come next, each with the fewest bytes that complete the answer after it."""
        found: list[tuple[int, int]] = []
        todo = [(self._tree, state)]
        while todo:
            node, at = todo.pop()
            if -1 in node:
                left = machine.left(at)
                found.extend((token, left) for token in node[-1])
            # The shorter side leads: near the root the grammar, inside a string the tree.
            for byte in set(machine.following(at)).intersection(node):
                following = machine.step(at, byte)
                if following:
                    todo.append((node[byte], following))
        return found


class _Guide:
    """Follows one answer and names the tokens that may come next, so that it is complete within its tokens.

    A token takes at least one byte off the shortest completion when it must, and each byte is a token of its own at worst; so a token is
    allowed while the bytes still needed after it, and the end, fit the tokens that remain.
    """

    def __init__(self, spelling: Spelling, machine: SchemaMachine, max_tokens: int, end: int) -> None:
        self._spelling = spelling
        self._machine = machine
        self._state = machine.start
        self._left = max_tokens
        self._end = end
        self._kept: dict[State, list[tuple[int, int]]] = {}
        self._over = False
        if machine.left(machine.start) + 1 > max_tokens:
            needed = machine.left(machine.start) + 1
            raise EngineError(
                f"An answer of this form needs up to {needed} tokens, and {max_tokens} are allowed.", "Raise CLEW_LLM_MAX_TOKENS."
            )

    def take(self, token: int) -> None:
        """One more token was written."""
        self._left -= 1
        if token == self._end:
            self._over = True
        elif not self._over:
            self._state = self._machine.read(self._state, self._spelling.bytes_of(token))

    def next(self) -> list[int]:
        """Tokens that may follow.

        Raises:
            EngineError: the tokenizer has no token for any of them.
        """
        if self._over:
            return [self._end]
        if self._state not in self._kept:
            if len(self._kept) >= _KEPT_STATES:
                self._kept.clear()
            self._kept[self._state] = self._spelling.allowed(self._machine, self._state)
        tokens = [token for token, left in self._kept[self._state] if left + 1 < self._left]
        if self._machine.accepts(self._state):
            tokens.append(self._end)
        if not tokens:
            byte = min(self._machine.following(self._state))
            raise EngineError(
                f"The tokenizer has no token for {chr(byte)!r}, which the answer's form needs here.", "Use a byte-level model."
            )
        return tokens


def _chooser(guides: Sequence[_Guide | None], width: int, vocabulary: int) -> Callable[[int, Any], list[int]]:
    """`prefix_allowed_tokens_fn` of `generate`: rows are told apart by number, their new tokens begin after the prompt."""
    seen = [0] * len(guides)
    everything = list(range(vocabulary))

    def choose(row: int, ids: Any) -> list[int]:
        guide = guides[row]
        if guide is None:
            return everything
        written = ids.tolist()[width:]
        for token in written[seen[row] :]:
            guide.take(token)
        seen[row] = len(written)
        return guide.next()

    return choose


def _byte_level() -> Callable[[str], bytes]:
    """GPT-2's table: a printable byte is itself, the others are letters from U+0100 on (Radford et al. 2019, `bytes_to_unicode`)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in set(printable)]
    table = {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(others)}

    def spell(piece: str) -> bytes:
        return bytes(table[c] for c in piece) if all(c in table for c in piece) else b""

    return spell


def _sentence_piece(piece: str) -> bytes:
    """SentencePiece's marks: U+2581 is a space, `<0x0A>` a byte."""
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace("\u2581", " ").encode()
