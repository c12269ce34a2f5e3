"""Messages over a pipe: a JSON head and, where there is one, an Arrow table behind it."""

from __future__ import annotations

import json
import struct
from typing import IO, Any

import pyarrow as pa

_LENGTHS = struct.Struct("<QQ")


def send(pipe: IO[bytes], head: dict[str, Any], table: pa.Table | None = None) -> None:
    """Write one message and flush it."""
    text = json.dumps(head, ensure_ascii=False).encode("utf-8", "surrogatepass")
    body = b"" if table is None else _packed(table)
    pipe.write(_LENGTHS.pack(len(text), len(body)))
    pipe.write(text)
    pipe.write(body)
    pipe.flush()


def receive(pipe: IO[bytes]) -> tuple[dict[str, Any], pa.Table | None] | None:
    """Read one message; None when the other side is gone."""
    lengths = pipe.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    n_text, n_body = _LENGTHS.unpack(lengths)
    text, body = pipe.read(n_text), pipe.read(n_body)
    if len(text) < n_text or len(body) < n_body:
        return None
    head = json.loads(text.decode("utf-8", "surrogatepass"))
    return head, pa.ipc.open_stream(body).read_all() if body else None


def _packed(table: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return memoryview(sink.getvalue())
