"""`clew extract train` and `clew extract score`."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kg.cli.common import Session, command_options

if TYPE_CHECKING:
    from extraction.base import Extractor
    from kg.model import Product
    from kg.progress import Progress


def reader_of(
    name: str | None,
    taught: list[Product],
    model: Path | None,
    progress: Progress,
    session: Session,
    budget: str | None = None,
    bootstrap: int | None = None,
) -> Extractor:
    """The extractor of `--extractor`, `--model`, `--llm-budget` and `--bootstrap`; with a model it is the tagger unless another is named.

    Raises:
        UsageError: a model, a budget or answers for an extractor that takes none.
    """
    from extraction.base import WITH_MODEL, build_extractor
    from kg.errors import UsageError

    name = name or ("tagger" if model else "rules")
    if model and name not in WITH_MODEL:
        said = f"--model is of the extractors {', '.join(sorted(WITH_MODEL))}, not of {name}."
        raise UsageError(said, "Leave out --model or name one of these.")
    if budget and name not in ("llm", "hybrid"):
        raise UsageError(f"--llm-budget is of the extractors llm and hybrid, not of {name}.", "Add --extractor hybrid.")
    if bootstrap:
        if name != "trained":
            raise UsageError(f"--bootstrap is of the extractor trained, not of {name}.", "Add --extractor trained.")
        return _bootstrapped(taught, bootstrap, progress, session)
    if model and name != "hybrid":
        name = f"{name}:{model}"
    if name in ("llm", "hybrid"):
        from extraction.hybrid import build_hybrid
        from extraction.llm import build_llm

        config = _llm_config(session)
        if name == "hybrid":
            return build_hybrid(taught, model, config, budget, progress=progress)
        return build_llm(taught, config, budget=budget, progress=progress)
    return build_extractor(name, taught)


def _bootstrapped(products: list[Product], count: int, progress: Progress, session: Session) -> Extractor:
    """The extractor `trained`, taught by what a language model says about some titles."""
    from extraction.bootstrap import asked_rows
    from extraction.evaluate import GoldRow, attribute_of
    from extraction.llm import DEFAULT_ATTRIBUTES, build_llm
    from extraction.trained import taught_by_labels

    brand = [name for name in DEFAULT_ATTRIBUTES if attribute_of(name) == "brand"]
    llm = build_llm(products, _llm_config(session), progress=progress, attributes=brand)
    asked = asked_rows([GoldRow(product, {}) for product in products], llm, count)
    labelled = [GoldRow(row.product, {attribute_of(name): said for name, said in row.values.items()}) for row in asked if row.values]
    return taught_by_labels(products, labelled, progress=progress)


def _llm_config(session: Session) -> Any:
    from extraction.llm_config import LlmConfig
    from kg.config import Config
    from kg.workspace import Workspace

    file = Workspace(session.workspace).config_file
    return LlmConfig.from_environment(Config.load(file).extraction.llm if file.is_file() else None)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option("--model", required=True, type=click.Path(path_type=Path), help="Folder that the model goes to.")
@click.option(
    "--tier",
    type=click.Choice(["tagger", "accurate"]),
    default="tagger",
    show_default=True,
    help="CRFs alone (seconds), or with an encoder beside them (minutes).",
)
@click.option("--attribute", "attributes", multiple=True, help="Learn this attribute only, as the files name it.")
@click.option(
    "--unlabelled",
    type=click.Choice(["unknown", "absent"]),
    default="unknown",
    show_default=True,
    help="What a slot without a label says: nothing, or that the title states no value.",
)
@click.option("--gazetteer", is_flag=True, help="Look known values up too; for short texts without blanks (Chinese).")
@click.option("--corrections", is_flag=True, help="Learn from the workspace's corrections too.")
@click.option(
    "--bootstrap",
    type=click.IntRange(min=1),
    metavar="N",
    help="Ask the configured language model about N titles and learn from its answers.",
)
@click.option("--about", default="", help="Where the titles come from, kept in the model [default: names of the files].")
@click.option("--seed", default=0, show_default=True, help="Of the folds and of the choice of titles.")
@command_options
def train(
    session: Session,
    files: tuple[Path, ...],
    model: Path,
    tier: str,
    attributes: tuple[str, ...],
    unlabelled: str,
    gazetteer: bool,
    corrections: bool,
    bootstrap: int | None,
    about: str,
    seed: int,
) -> None:
    """Train a tagger from gold files or from a catalogue's own filled columns.

    A gold file has `input` and `target_scores`; any other file is a catalogue, whose brand, material, color, size and quantity columns
    teach where they are filled.
    """
    from extraction.accurate import train_accurate
    from extraction.bootstrap import asked_rows, corrected_rows, training_rows
    from extraction.tag_training import Lesson, train_tagger

    progress = session.progress()
    rows, products = training_rows(files, progress)
    if corrections:
        from extraction.corrections import read_corrections
        from kg.workspace import Workspace

        rows = corrected_rows(rows, read_corrections(Workspace(session.workspace).open().corrections_file))
    if bootstrap:
        from extraction.llm import DEFAULT_ATTRIBUTES, build_llm

        llm = build_llm(products, _llm_config(session), progress=progress, attributes=attributes or DEFAULT_ATTRIBUTES)
        rows = asked_rows(rows, llm, bootstrap, seed)
    about = about or ", ".join(file.name for file in files)
    fit = train_accurate if tier == "accurate" else train_tagger
    made, _ = fit(rows, Lesson(attributes or None, about, seed, unlabelled == "absent", products, gazetteer), progress)
    made.save(model)
    size = sum(file.stat().st_size for file in model.iterdir())
    learned = {a: {"rows": one.rows, "values": one.values, "threshold": one.threshold} for a, one in made.learned.items()}
    done = {"schema_version": 1, "model": str(model), "digest": made.digest, "bytes": size, "attributes": learned}
    session.emit(done, lambda: _learned(done))


def _learned(done: dict[str, Any]) -> str:
    lines = [f"{name:<28}{one['values']:>7} values in {one['rows']} rows" for name, one in done["attributes"].items()]
    return "\n".join([*lines, f"{done['model']}: {done['bytes'] / 1e6:.1f} MB"])


@click.command()
@click.option("--gold", required=True, type=click.Path(path_type=Path), help="Labelled titles: input, category, target_scores.")
@click.option("--extractor", help="What reads [default: tagger with --model, else rules].")
@click.option("--model", type=click.Path(path_type=Path), help="Folder of a trained tagger.")
@click.option("--llm-budget", metavar="LIMIT", help='What a language model may be asked: "20%", "50k tokens", "2.50 USD".')
@click.option("--learn", multiple=True, metavar="FILE", help="Catalogue to learn brands from [default: the gold file's titles].")
@click.option("--attribute", "attributes", multiple=True, help="Score this attribute only, as the gold file names it.")
@click.option("--errors", default=0, metavar="N", type=click.IntRange(min=0), help="Also list N slots of each attribute that are wrong.")
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
@command_options
def score(
    session: Session,
    gold: Path,
    extractor: str | None,
    model: Path | None,
    llm_budget: str | None,
    learn: tuple[str, ...],
    attributes: tuple[str, ...],
    errors: int,
    seed: int,
) -> None:
    """Precision, recall and F1 on labelled titles: the published protocol and the strict one."""
    from extraction.evaluate import check_attributes, confusion, misses, read_gold, seen_and_unseen
    from extraction.evaluate import score as scored
    from extraction.reading import products_to_learn

    rows = read_gold(gold)
    check_attributes(rows, attributes)
    taught = [p for name in learn for p in products_to_learn(name, session.progress())] or [row.product for row in rows]
    reader = reader_of(extractor, taught, model, session.progress(), session, llm_budget)
    answer, found = scored(reader, rows, seed, attributes or None)
    names = answer["published"]["attributes"]
    if model:
        answer["values"] = seen_and_unseen(rows, found, _known(model, names))
    answer["confusion"] = {name: confusion(misses(rows, found, name)) for name in names}
    if errors:
        answer["errors"] = {name: [m.to_dict() for m in itertools.islice(misses(rows, found, name), errors)] for name in names}
    session.emit(answer, lambda: _table(answer))


def _known(model: Path, names: Any) -> dict[str, frozenset[str]]:
    from extraction.evaluate import attribute_of
    from extraction.tagger import MANIFEST

    entries = json.loads((model / MANIFEST).read_text("utf-8"))["attributes"]
    return {name: frozenset(entries[attribute_of(name)]["known"]) for name in names if attribute_of(name) in entries}


def _table(answer: dict[str, Any]) -> str:
    lines = []
    for protocol in ("published", "strict"):
        lines.append(f"{protocol:<28}{'n':>6}{'P':>8}{'R':>8}{'F1':>8}  95 % interval")
        rows = [*answer[protocol]["attributes"].items(), ("all", answer[protocol]["all"])]
        for name, f in rows:
            low, high = f["ci95"]
            lines.append(f"{name:<28}{f['n']:>6}{f['precision']:>8.3f}{f['recall']:>8.3f}{f['f1']:>8.3f}  [{low:.3f}, {high:.3f}]")
        lines.append("")
    for name, parts in answer.get("values", {}).items():
        told = ", ".join(f"{part} in training {v['recall']:.3f} (n = {v['n']})" for part, v in parts.items())
        lines.append(f"{name}: recall of values {told}")
    for name, listed in answer["confusion"].items():
        if listed["kinds"]:
            lines.append(f"{name}: " + ", ".join(f"{n} {kind}" for kind, n in listed["kinds"].items()))
            lines += [f"  {pair['times']} × said {pair['said']!r}, right is {pair['gold']!r}" for pair in listed["pairs"]]
    for name, listed in answer.get("errors", {}).items():
        lines.append(f"{name}: what was read wrong")
        lines += [
            f"  {e['kind']}: said {e['said']!r}, right is {' or '.join(map(repr, e['gold'])) or 'nothing'}: {e['title']}" for e in listed
        ]
        lines.append("")
    lines.append(f"{answer['titles_per_cpu_second']:.0f} titles a CPU-second")
    return "\n".join(lines)
