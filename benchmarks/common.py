"""What every benchmark shares: where results go, and what machine and commit they came from."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "shared" / "data"


def environment() -> dict[str, Any]:
    """Commit, Python, processor and cores of this run."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE).stdout.strip()
    return {"commit": commit, "python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}


def save(name: str, result: dict[str, Any]) -> Path:
    """Write results/NAME.json with the environment in it."""
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"environment": environment(), **result}, indent=1, ensure_ascii=False) + "\n")
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file while the block runs; another benchmark that wants it waits."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def child_cpu_seconds(command: list[str], **options: Any) -> tuple[float, subprocess.CompletedProcess[str]]:
    """CPU-seconds (user and system) that one command took, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime), done
