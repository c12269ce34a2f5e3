"""`python -m benchmarks [NAME …]`: run benchmarks by name; each prints its table and writes results/NAME.json."""

from __future__ import annotations

import argparse
import importlib
import sys

NAMES = ("cli", "extraction", "ranking", "graph", "growth")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="which ones; all of them when none is named")
    parser.add_argument("--quick", action="store_true", help="the smallest size that still means something")
    args = parser.parse_args()
    for name in args.names or NAMES:
        importlib.import_module(f"benchmarks.{name}").main(quick=args.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
