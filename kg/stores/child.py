"""A process of ours that is spoken to over a pipe (`kg.stores.frames`): how it is started, how it ends, how it serves."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1


def start(module: str) -> subprocess.Popen[bytes]:
    """Run a module as a child with a pipe to and from it. One that does not start closes them.

    Args:
        module: its full name; run as a program, it calls `serve_alone`.
    """
    # -I: neither the working folder nor PYTHONPATH may slip a module in. Nothing of the environment goes along.
    return subprocess.Popen(
        [sys.executable, "-I", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
        cwd="/",
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a child, if it still lives, and close the pipes."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # the child is gone and what was left to tell it does not matter


def bound_memory(megabytes: int) -> None:
    """Let this process take so much more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    limit = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def serve_alone(serve: Callable[[IO[bytes], IO[bytes]], None]) -> None:
    """Serve on standard input and output, no longer than the parent lives; whatever else prints, prints on standard error.

    Args:
        serve: reads requests from the first and writes answers to the second, until the other side closes the pipe.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, answers)
    except BrokenPipeError:
        os._exit(0)
