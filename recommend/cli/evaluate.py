"""`clew evaluate`: full ranking by a protocol file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click

from kg.cli.common import Session, command_options
from kg.errors import UsageError


@click.command()
@command_options
@click.argument("protocol", type=click.Path(path_type=Path))
@click.option("--ranker", "names", default="clew", show_default=True, help="One or more names, joined by commas.")
@click.option("--data", type=click.Path(path_type=Path), default=None, help="Folder that the file's paths start at; its own by default.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of every random number.")
@click.option("--device", help="What networks are fitted on: auto, cpu, cuda, cuda:1 or mps; auto if nothing says otherwise.")
@click.option("--preset", type=click.Choice(["fast", "default", "best"]), help="Of clew: fast goes without the GNN, best fits four.")
@click.option("--without", default="", help="Parts of clew to leave out, such as gnn or ease,gnn: cheaper fits.")
@click.option(
    "--explanations", type=click.IntRange(1), metavar="N", help="Put clew's reasons to the test for N people of each test instead."
)
@click.option("--refit-seed", type=int, help="With --explanations: fit again with this seed, and see which reasons stay.")
def evaluate(
    session: Session,
    protocol: Path,
    names: str,
    data: Path | None,
    seed: int,
    device: str | None,
    preset: str | None,
    without: str,
    explanations: int | None,
    refit_seed: int | None,
) -> None:
    """Fit a ranker on a protocol's train alone and rank the whole catalogue for its test.

    Nothing of the workspace is used. With several rankers each one's difference to the last is given with its paired interval.
    """
    from kg.config import checked_device
    from recommend.evaluate import compare
    from recommend.protocol import Protocol
    from recommend.rankers import ranker
    from recommend.tasks import load_benchmark
    from recommend.train import check_without
    from recommend.training import Training

    if refit_seed is not None and explanations is None:
        raise UsageError("--refit-seed goes with --explanations.", "Such as: clew evaluate PROTOCOL --explanations 300 --refit-seed 1")
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    for name in chosen:
        ranker(name)
    found = Protocol.load(protocol, data)
    progress = session.progress()
    benchmark = load_benchmark(found, progress)
    less = tuple(name.strip() for name in without.split(",") if name.strip())
    check_without(less, benchmark.snapshot)
    changes: dict[str, Any] = {"seed": seed, "without": tuple(dict.fromkeys((*found.train.without, *less)))}
    changes |= {} if preset is None else {"preset": preset}
    changes |= {} if device is None else {"device": checked_device(device)}
    config = found.train.model_copy(update=changes).spelled_out()
    with tempfile.TemporaryDirectory() as folder:
        training = Training(benchmark.snapshot, benchmark.texts, benchmark.valid, config, Path(folder), progress)
        if explanations is not None:
            from recommend.faithfulness import put_to_test

            document = put_to_test(benchmark, training, explanations, refit_seed)
            session.emit(document, lambda: reasons_table(document))
            return
        documents = compare(benchmark, chosen, training, seed, progress)
    document = documents[0] if len(documents) == 1 else {"name": benchmark.name, "rankers": documents}
    session.emit({"schema_version": 1, **document}, lambda: table(documents))


def reasons_table(document: dict[str, Any]) -> str:
    """What was measured of reasons, one line a figure: its value, its 95 % interval and how many it is of."""
    lines = []
    for test, figures in document["explanations"].items():
        lines.append(f"{document['name']}, {test}: {figures['people']} people, the first {document['k']} products of each")
        for name, found in figures.items():
            if isinstance(found, dict) and "n" in found:
                lines.append(_reason_line(name.replace("_", " "), found))
        for what, trials in figures["deletion"].items():
            lines += [_reason_line(f"without a {what}: {name.replace('_', ' ')}", found) for name, found in trials.items()]
        lines.append("")
    return "\n".join(lines).rstrip()


def _reason_line(name: str, found: dict[str, Any]) -> str:
    statistic = next(key for key in ("median", "mean", "max", "dropped", "value") if key in found)
    value = "–" if found[statistic] is None else f"{found[statistic]:.3g}"
    ends = ["–" if end is None else f"{end:.3g}" for end in found.get("ci95", ())]
    return f"  {name:<44} {statistic:<8} {value:>9}  {' to '.join(ends):<20} n {found['n']}"


def table(documents: list[dict[str, Any]]) -> str:
    """Recall@k and NDCG@k in %, one line a ranker and test, NDCG with its interval."""
    lines = [f"{'ranker':<12} {'test':<14} {'users':>6} {'recall':>7} {'ndcg':>6}  95 %"]
    for document in documents:
        for test, figures in document["tests"].items():
            last = max(int(name.split("@")[1]) for name in figures if name.startswith("ndcg@"))
            low, high = figures["ci95"][f"ndcg@{last}"]
            row = f"{document['model']:<12} {test:<14} {figures['users']:>6} {100 * figures[f'recall@{last}']:>7.2f}"
            lines.append(f"{row} {100 * figures[f'ndcg@{last}']:>6.2f}  {100 * low:.2f} to {100 * high:.2f}")
    last_document = documents[-1]
    for document in documents[:-1]:
        for test, found in document.get("against", {}).items():
            low, high = 100 * found["low"], 100 * found["high"]
            lines.append(
                f"{last_document['model']} − {document['model']}, {test}: {100 * found['difference']:+.2f} [{low:.2f}, {high:.2f}]"
            )
    return "\n".join(lines)
