"""Fixtures of the kg tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

# Root may write anywhere because of one capability; a process without it meets the rights of a folder as anyone does.
_WITHOUT_OVERRIDE = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
head, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert libc.capget(head, data) == 0
for word in (0, 1):
    data[word] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
assert libc.capset(head, data) == 0
"""


@pytest.fixture(scope="session")
def as_anyone() -> Callable[..., str]:
    """`as_anyone(code, *args)` runs Python as a user whom the rights of files bind, and returns what it printed."""

    def run(code: str, *args: object) -> str:
        whole = _WITHOUT_OVERRIDE + code
        done = subprocess.run([sys.executable, "-c", whole, *map(str, args)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
