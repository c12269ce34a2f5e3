"""Products that the graph does not have: read from a row, understood by the extractor, offered to people."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kg.config import CatalogueColumns, CatalogueSource, Config
from kg.errors import InputError
from kg.model import Fact, Product
from kg.ontology import Label, Rel
from kg.workspace import Workspace
from recommend.coldstart import person
from recommend.explain import Explainer
from recommend.filters import best_first
from recommend.people import SHORTLIST, scales
from recommend.request import Request
from recommend.result import Buyer
from recommend.scorer import Scored, Scorer

if TYPE_CHECKING:
    from extraction.base import Mention
    from extraction.resolve import FactExtractor

NEW_KEY = "new"  # key of a product whose row has none
_KEYS = ("item", "key", "item_key", "item_id", "product_id", "id", "sku", "asin")
_TITLES = ("title", "name")
_ROLES = (*CatalogueColumns.TEXT, "price", "currency", "available")


def read_new_products(path: str, config: Config) -> list[Product]:
    """Products of a file in any of the catalogue's formats (`-`: JSON lines on standard input).

    Columns go by the names that `clew.toml` maps, or by those of the roles themselves (key, title, brand, price, …). A row
    without a key gets one.

    Raises:
        InputError: no such file, no row, or a row that is no product; names file, line and reason.
    """
    from kg.catalogue import read_catalogue
    from kg.readers import read_rows
    from kg.rejects import Rejects

    rejects = Rejects(None)
    rows = [_by_role(row, number, config.catalogue.columns) for number, (_, row) in enumerate(read_rows(path, rejects), start=1)]
    _refuse(path, rejects)
    if not rows:
        raise InputError(
            f"There is no product in {path}.", 'Give one JSON object a line, such as {"title": "LEGO City Tractor", "price": 20}.'
        )
    for number, row in enumerate(rows, start=1):
        if not str(row.get("title") or "").strip():
            raise InputError(f"The product in line {number} of {path} has no title.", 'Give it a "title".')
    given = {name for row in rows for name in row}
    columns = CatalogueColumns(
        item="item", title="title", other=tuple(sorted(given - {"item", "title", *_ROLES})), **{r: r for r in _ROLES if r in given}
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "new.jsonl"
        file.write_text("\n".join(json.dumps({name: row.get(name) for name in given}, default=str) for row in rows), encoding="utf-8")
        mapping = CatalogueSource(columns=columns, currency=config.catalogue.currency, max_price=config.catalogue.max_price)
        try:
            products = list(read_catalogue([file], mapping, rejects, price_parser=_price_parser()))
        except InputError:
            _refuse(path, rejects)  # names the row and the file that the user gave
            raise
    _refuse(path, rejects)
    return products


def _refuse(path: str, rejects: Any) -> None:
    if rejects.count:
        first = rejects.first[0]
        raise InputError(f"Line {first['line']} of {path} is no product: {first['reason']}.", "Mend the row and ask again.")


def _price_parser() -> Any:
    from extraction import parse_price

    return parse_price


def _by_role(row: Mapping[str, Any], number: int, columns: CatalogueColumns | None) -> dict[str, Any]:
    """A row under the names of the roles."""
    left = dict(row)
    made: dict[str, Any] = {}
    roles = {"item": _KEYS, "title": _TITLES, **{role: (role,) for role in _ROLES}}
    for role, names in roles.items():
        mapped = getattr(columns, role, None) if columns is not None else None
        name = next((n for n in (mapped, *names) if n is not None and left.get(n) not in (None, "")), None)
        if name is not None:
            made[role] = left.pop(name)
    made.setdefault("item", NEW_KEY if number == 1 else f"{NEW_KEY}-{number}")
    return made | {name: str(value) for name, value in left.items() if isinstance(value, str | int | float) and value != ""}


class ProductReader:
    """Reads facts out of products the way the workspace's last ingest did.

    Args:
        workspace: its catalogue, corrections and `clew.toml`.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @cached_property
    def config(self) -> Config:
        """The workspace's `clew.toml`, or the defaults."""
        return Config.load(self._workspace.config_file) if self._workspace.config_file.is_file() else Config()

    @cached_property
    def _extractor(self) -> FactExtractor:
        from recommend.extractor import last_source

        return last_source(self._workspace, self.config.extraction.extractor)

    @cached_property
    def _tables(self) -> Any:
        from kg.truth import Truth

        return Truth(self._workspace.graph).tables()

    def read(self, product: Product) -> tuple[list[Mention], list[Fact]]:
        """What a product's text mentions, and the facts that it states, its price band among them."""
        from extraction import to_facts

        source = self._extractor
        mentions = next(iter(source.extractor.extract([product])))
        facts = to_facts(product, mentions, source.corrections, source.extractor.names)
        return mentions, [*facts, *self._price_band(product, facts)]

    def _price_band(self, product: Product, facts: Sequence[Fact]) -> list[Fact]:
        """The band that the product's price falls into, by the stored borders of its category."""
        from kg.model import Entity, Evidence
        from kg.ontology import relation
        from kg.price_bands import band_evidence
        from kg.tables import evidence_tables, products_table

        if product.price is None:
            return []
        stated = evidence_tables(facts, "new")
        tree = {str(Rel.PART_OF): self._tables.evidence[Rel.PART_OF]} if Rel.PART_OF in self._tables.evidence else {}
        found = band_evidence(products_table([product]), {**stated, **tree}, self._tables.bands).to_pylist()
        return [
            Fact(
                product.key,
                relation(Rel.IN_PRICE_BAND),
                Entity(Label.PRICE_BAND, row["target_name"], key=row["target_key"]),
                (Evidence("price", row["span_start"], row["span_end"], row["text"], row["extractor"], row["confidence"]),),
            )
            for row in found
        ]


def buyers(scorer: Scorer, request: Request, explainer: Explainer, scored: Scored) -> tuple[Buyer, ...]:
    """Who would want a new product: people by what it is for them beside other products; see `recommend.people`."""
    graph = scorer.snapshot
    people = np.zeros(graph.n_users, bool)
    people[np.unique(graph.events.user_rows)] = True
    shortlist = np.array(list(islice(best_first(scored.scores, people, SHORTLIST), SHORTLIST)), np.int64)
    found = zip(shortlist.tolist(), scales(scorer, shortlist), strict=True)
    ranked = [(scale.of(float(scored.scores[row])), row, scale) for row, scale in found]
    ranked.sort(key=lambda one: (-one[0], one[1]))
    made: list[Buyer] = []
    for rank, (_, row, scale) in enumerate(ranked[: request.k], start=1):
        asker, shown = person("they", graph, row), (request.explain, request.all_paths, request.lang)
        made.append(Buyer(rank, graph.users.key(row), explainer.explain(scale.parts(scored.parts(row)), asker, *shown)))
    return tuple(made)
