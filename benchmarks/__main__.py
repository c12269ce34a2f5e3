"""`python -m benchmarks [NAME …]`: run benchmarks by name; each prints its table and writes results/NAME.json."""

from __future__ import annotations

import argparse
import importlib
import sys

NAMES = ("cli", "extraction", "ranking", "ablation", "reasons", "graph", "growth")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="which ones; all of them when none is named")
    parser.add_argument("--quick", action="store_true", help="the smallest size that still means something")
    parser.add_argument("--neo4j", action="store_true", help="graph: start a Neo4j and measure it in the same run")
    parser.add_argument("--scale", default="", help="graph: sizes, such as 0.1,1,3,10")
    parser.add_argument("--only", default="", help="graph: stages, such as first,delta; the others keep their figures")
    parser.add_argument("--folder", default="", help="graph: where to keep the shops that it makes")
    parser.add_argument("--seeds", type=int, default=3, help="extraction: seeds of the accurate tier, which takes minutes each")
    args = parser.parse_args()
    for name in args.names or NAMES:
        own = {"neo4j": args.neo4j, "scale": args.scale, "only": args.only, "folder": args.folder}
        more = own if name == "graph" else {"seeds": args.seeds} if name == "extraction" else {}
        importlib.import_module(f"benchmarks.{name}").main(quick=args.quick, **more)
    return 0


if __name__ == "__main__":
    sys.exit(main())
