"""How long the command takes to answer: `clew --help`, `recommend --user`, `explain`, against a bare Python start."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from benchmarks.common import child_cpu_seconds, save

CLEW = str(Path(sys.executable).parent / "clew")


def measure(command: list[str], times: int) -> dict[str, float]:
    cpu, wall = [], []
    for _ in range(times):
        started = time.perf_counter()
        seconds, done = child_cpu_seconds(command)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stderr}")
        wall.append(time.perf_counter() - started)
        cpu.append(seconds)
    return {"cpu_seconds": round(statistics.median(cpu), 3), "wall_seconds": round(statistics.median(wall), 3)}


def main(quick: bool = False, workspace: str = "clew-demo") -> None:
    """Print and save the table; the questions to a model need the demo's workspace (`make demo`)."""
    times = 3 if quick else 9
    commands = {"python -c pass": [sys.executable, "-c", "pass"], "clew --help": [CLEW, "--help"]}
    if Path(workspace).is_dir():
        ask = [CLEW, "recommend", "--user", "u0049", "--json", "-w", workspace]
        _, done = child_cpu_seconds(ask)
        best = json.loads(done.stdout)["items"][0]["item_key"]
        commands["clew recommend --user"] = ask
        commands["clew explain"] = [CLEW, "explain", "u0049", best, "--json", "-w", workspace]
    else:
        print(f"no workspace {workspace}: run `make demo` to time questions to a model")
    rows = {name: measure(command, times) for name, command in commands.items()}
    for name, row in rows.items():
        print(f"{name:24} {row['cpu_seconds']:7.3f} CPU-s {row['wall_seconds']:7.3f} s")
    save("cli", {"rows": rows})
