"""Fixtures that several rooms share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
SMALL_SHOP = ROOT / "tests" / "data" / "small-shop"
CLEW = str(Path(sys.executable).parent / "clew")

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Machines are shared and noisy: how long an example takes says nothing. What lands is judged by the same examples every time.
settings.register_profile("clew", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("clew")


def run_clew(*args: str, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the installed command as a person would; with `check`, a failure shows what it said."""
    done = subprocess.run([CLEW, *args], capture_output=True, text=True, timeout=1400, **options)  # type: ignore[call-overload]
    if check and done.returncode:
        raise AssertionError(f"clew {' '.join(args)} exited {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done


@pytest.fixture(scope="session")
def clew():
    """`clew(*args)` runs the installed command."""
    return run_clew


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data beside the repository; tests that read it are skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip("the data folder ../shared/data is not here")
    return SHARED


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the small real shop, ingested and trained; made once a run, never to be written to."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    base = tmp_path_factory.getbasetemp().parent / f"clew-small-shop-{run}"
    with FileLock(f"{base}.lock"):
        if not (base / "ready").exists():
            files = ("--catalogue", str(SMALL_SHOP / "products.csv"), "--events", str(SMALL_SHOP / "orders.jsonl"))
            run_clew("init", str(base), *files)
            run_clew("graph", "ingest", *files, "--mapping", str(base / "clew.toml"), "-w", str(base))
            run_clew("train", "-w", str(base), "--seed", "1")
            (base / "ready").touch()
    return base
