"""The main job on the bundled shop: files in, graph, model, answers, and how good they are. Prints nothing.

Everything is computed here and now; what an earlier run left is used again when it was made from the same files by the same version.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kg.digest import digest_json
from kg.errors import ClewError
from kg.events import EventLog
from kg.model import Product
from kg.progress import SILENT, Progress
from kg.whole_files import write_whole
from kg.workspace import Workspace
from recommend.bundle import load
from recommend.service import Recommender
from recommend.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa

    from recommend.tasks import Task

CUT = date(2022, 8, 22)
SEED = 0
K = 20
SHOPPER = "u0049"
NEWCOMER = ("B00DT2WL26", "B00BAGTNAQ")  # a cat toy and a pet hair remover
NEW_PRODUCT = '{"title": "Petstages Wooden Cat Treat Puzzle, Interactive Slow Feeder, Green", "product_type": "PET_TOY", "price": 17.99}'
RANKERS = ("popularity", "item-knn", "text-knn", "attributes", "gnn", "clew")
SIMPLE = RANKERS[:4]
TASKS = ("cold", "warm", "all")

CONFIG = """\
# Written by `clew demo`. The same mapping serves `clew graph ingest --mapping clew.toml`.
[catalogue]
files = "shop/products.parquet"
columns = { item = "item_id", title = "title", product_type = "product_type", price = "median_price" }
currency = "USD"

[events]
files = "shop/purchases.parquet"
columns = { user = "user_id", item = "item_id", time = "date", value = "qty" }

[extraction]
extractor = "trained"
"""


READ = ("B00IR77HFE", "B071225BBS")  # a travel mug and storage cubes: their titles are shown with what was read out of them


@dataclass(frozen=True, slots=True)
class Span:
    """What was read out of a title: an attribute, its value, and the characters that say so."""

    attribute: str
    value: str
    start: int
    end: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Row:
    """One ranker on one kind of products.

    Args:
        ranker, task: names.
        users: people ranked for.
        recall, ndcg: at 20, fractions.
        ci95: bootstrap interval of `ndcg` over people.
    """

    ranker: str
    task: str
    users: int
    recall: float
    ndcg: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Difference:
    """clew against the best simple ranker of a task, in pairs: NDCG@20 and its 95 % bootstrap interval."""

    task: str
    against: str
    ndcg: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Table:
    """The evaluation of the demo: later purchases, which neither graph nor model has seen."""

    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {"k": K, "rows": [asdict(row) for row in self.rows], "differences": [asdict(one) for one in self.differences]}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Table:
        """What `to_dict` gave."""
        rows = tuple(Row(**{**row, "ci95": tuple(row["ci95"])}) for row in values["rows"])
        return cls(rows, tuple(Difference(**one) for one in values["differences"]))


class Demo:
    """One run of the demo in one workspace.

    Args:
        workspace: made if it does not exist.
        progress: who listens.
    """

    def __init__(self, workspace: Workspace, progress: Progress = SILENT) -> None:
        self.workspace = workspace
        self.progress = progress
        self.shop = workspace.path / "shop"

    @property
    def _record_file(self) -> Path:
        return self.workspace.path / "demo.json"

    def _record(self) -> dict[str, Any]:
        try:
            found = json.loads(self._record_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and found.get("made_from") == made_from() else {}

    def _note(self, **entries: Any) -> None:
        record = {**self._record(), "made_from": made_from(), **entries}
        write_whole(self._record_file, json.dumps(record, indent=1))

    def ready(self) -> Recommender | None:
        """What an earlier run left, if it is whole and was made from the same files by the same version."""
        record = self._record()
        try:
            recommender = Recommender.open(self.workspace)
        except ClewError:
            return None
        same = record.get("graph") == recommender.snapshot.digest and record.get("model") == recommender.scorer.digest
        return recommender if same else None

    def lay_out(self) -> tuple[int, int]:
        """Write the shop's files into the workspace, cut in time; how many purchases go in and how many are kept for the test."""
        import pyarrow.parquet as pq

        self.workspace.open(create=True)
        self.shop.mkdir(exist_ok=True)
        with as_file(files("recommend") / "data" / "open-ecommerce") as folder:
            products, purchases = (pq.read_table(folder / name) for name in ("products.parquet", "purchases.parquet"))
        early, late = cut_in_time(purchases)
        for name, table in (("products", products), ("purchases", early), ("later", late)):
            pq.write_table(table, self.shop / f"{name}.parquet", compression="zstd")
        if not self.workspace.config_file.exists():
            self.workspace.config_file.write_text(CONFIG, encoding="utf-8")
        return early.num_rows, late.num_rows

    def ingest(self) -> Any:
        """Files → facts with evidence → graph; the report of `clew graph ingest`."""
        from extraction import parse_price
        from kg.config import Config
        from kg.ingest import ingest
        from recommend.extractor import fact_source

        config = Config.load(self.workspace.config_file)
        return ingest(
            self.workspace,
            catalogue=config.catalogue,
            events=config.events,
            fact_source=fact_source(self.workspace, config.extraction.extractor),
            progress=self.progress,
            price_parser=parse_price,
        )

    def read_titles(self) -> list[tuple[str, list[Span]]]:
        """The titles of `READ`, each with what was read out of it and became a fact, from left to right."""
        import pyarrow as pa
        import pyarrow.compute as pc

        from kg.ontology import ATTRIBUTE_RELATIONS
        from kg.tables import EVIDENCE_SCHEMA
        from kg.truth import Truth

        tables = Truth(self.workspace.graph).tables()
        titles = dict(zip(tables.products.column("key").to_pylist(), tables.products.column("title").to_pylist(), strict=True))
        found: dict[str, list[Span]] = {key: [] for key in READ}
        for attribute, name in ATTRIBUTE_RELATIONS.items():
            stated = tables.evidence.get(name, EVIDENCE_SCHEMA.empty_table())
            for row in stated.filter(pc.is_in(stated.column("source_key"), value_set=pa.array(READ))).to_pylist():
                if row["field"] == "title":
                    span = Span(attribute, row["target_key"].partition(":")[2], row["span_start"], row["span_end"], row["confidence"])
                    found[row["source_key"]].append(span)
        return [(titles[key], sorted(spans, key=lambda span: (span.start, span.attribute))) for key, spans in found.items()]

    def train(self) -> Recommender:
        """Graph → model, as `clew train` does it."""
        from kg.config import TrainConfig
        from recommend.train import train

        train(self.workspace, TrainConfig(seed=SEED), self.progress)
        recommender = Recommender(load(self.workspace), self.workspace)
        self._note(graph=recommender.snapshot.digest, model=recommender.scorer.digest)
        return recommender

    def table(self, recommender: Recommender) -> tuple[Table, bool]:
        """The evaluation, and whether it is an earlier run's."""
        record = self._record()
        if "table" in record and record.get("model") == recommender.scorer.digest:
            return Table.of(record["table"]), True
        table = evaluate(recommender, self._later(recommender), self.progress)
        self._note(table=table.to_dict())
        return table, False

    def _later(self, recommender: Recommender) -> EventLog:
        import pyarrow.parquet as pq

        return log_of(pq.read_table(self.shop / "later.parquet"), recommender)

    def new_product(self) -> Product:
        """The brand-new product, read as `clew recommend --new-product` reads it."""
        from kg.config import Config
        from recommend.new_item import read_new_products

        file = self.shop / "new-product.jsonl"
        file.write_text(NEW_PRODUCT + "\n", encoding="utf-8")
        return read_new_products(str(file), Config.load(self.workspace.config_file))[0]

    def cold_example(self, recommender: Recommender) -> str:
        """The shopper of the demo: `SHOPPER`, or the first person who has a product among their ten that nobody has bought."""
        for key in (SHOPPER, *recommender.snapshot.users):
            if key in recommender.snapshot.users and any(item.cold for item in recommender.recommend(user=key, explain=0).items):
                return str(key)
        return next(iter(recommender.snapshot.users))


def made_from() -> str:
    """Digest of what decides the demo's results: version, cut, seed and the shop's files."""
    import hashlib

    with as_file(files("recommend") / "data" / "open-ecommerce") as folder:
        data = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("products.parquet", "purchases.parquet")]
    return digest_json([__version__, CUT.isoformat(), SEED, CONFIG, *data])


def cut_in_time(purchases: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The purchases up to and including the cut, and the later ones."""
    import pyarrow as pa
    import pyarrow.compute as pc

    early = pc.less_equal(pc.cast(purchases.column("date"), pa.date32()), pa.scalar(CUT, pa.date32()))
    return purchases.filter(early), purchases.filter(pc.invert(early))


def log_of(table: pa.Table, recommender: Recommender) -> EventLog:
    """A table of purchases as events of the graph's people and products; others' are left out."""
    graph = recommender.snapshot
    users, items = graph.users.rows(table.column("user_id").to_pylist()), graph.items.rows(table.column("item_id").to_pylist())
    days = [day if isinstance(day, date) else date.fromisoformat(str(day)[:10]) for day in table.column("date").to_pylist()]
    times = np.array([int(datetime.combine(day, time(), UTC).timestamp()) for day in days], np.int64)
    log = EventLog(users, items, times, np.ones(len(users), np.float32), np.zeros(len(users), np.uint8), graph.events.kind_names, True)
    known = log.take((users >= 0) & (items >= 0))
    return known.take(np.lexsort((known.item_rows, known.times, known.user_rows)).astype(np.int64))


def evaluate(recommender: Recommender, later: EventLog, progress: Progress = SILENT) -> Table:
    """Protocol J over the demo's own graph: every ranker on products never bought, on known ones, and on all.

    Args:
        recommender: fitted on what was before.
        later: what came after.
    """
    from recommend.metrics import bootstrap, paired
    from recommend.ranking import run_task

    results = {}
    with progress.stage("evaluation", len(RANKERS) * len(TASKS)) as advance:
        scorings = _scorings(recommender)
        for asked in tasks_of(recommender, later):
            for name, scoring in scorings.items():
                results[name, asked.name] = run_task(asked, scoring, recommender.snapshot, (K,))
                advance(1)
    ndcg, recall = f"ndcg@{K}", f"recall@{K}"
    rows, differences = [], []
    for (name, task), result in results.items():
        figures = result.per_user
        rows.append(
            Row(name, task, result.users, float(figures[recall].mean()), float(figures[ndcg].mean()), bootstrap(figures[ndcg], SEED))
        )
    for task in TASKS:
        best = max(SIMPLE, key=lambda name: float(results[name, task].per_user[ndcg].mean()))
        found = paired({ndcg: results["clew", task].per_user[ndcg]}, {ndcg: results[best, task].per_user[ndcg]}, SEED)
        differences.append(Difference(task, best, *found[ndcg]))
    return Table(tuple(rows), tuple(differences))


def tasks_of(recommender: Recommender, later: EventLog) -> Sequence[Task]:
    """Later purchases as tasks: those of products never bought before, of known products, and all."""
    from dataclasses import replace

    from recommend.slices import task_of

    whole = task_of(recommender.snapshot, later, "all")
    seen = recommender.scorer.seen
    made = []
    for name, candidates in (("cold", ~seen), ("warm", seen)):
        targets = sp.csr_array(whole.targets @ sp.diags_array(candidates.astype(np.float32)))
        targets.eliminate_zeros()
        targets.sort_indices()
        task = replace(whole, name=name, candidates=candidates, targets=targets)
        made.append(task.some(np.flatnonzero(np.diff(targets.indptr)).astype(np.int64)))
    return (*made, whole)


def _scorings(recommender: Recommender) -> dict[str, Callable[[EventLog, int], NDArray[np.float32]]]:
    """Every ranker's scores: the simple ones fitted here, the GNN and the whole as the trained model holds them."""
    from recommend.profiles import profiles_of
    from recommend.rankers import ranker
    from recommend.rankers.learned import scores_of
    from recommend.texts import snapshot_texts
    from recommend.training import Training

    graph, scorer = recommender.snapshot, recommender.scorer
    training = Training(graph, snapshot_texts(graph))
    made: dict[str, Callable[[EventLog, int], NDArray[np.float32]]] = {}
    for name in SIMPLE:
        simple = ranker(name)
        simple.fit(training)
        made[name] = simple.scores
    if "gnn" in scorer.views:
        made["gnn"] = lambda history, n: scorer.views["gnn"].block(profiles_of(history, n, graph.n_items))
    made["clew"] = lambda history, n: scores_of(scorer, history, n)
    return made
