"""`clew.toml` and the column mappings that protocol files share with it: checked, and no misspelt key is passed over."""

from __future__ import annotations

import re
import tomllib
import typing
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kg.errors import InputError
from kg.ontology import EVENT_RELATIONS, Family, relation

# The families of relations that a file may state; the others clew makes from events and models.
STATED = (Family.FACT, Family.LINK, Family.TREE)

Scalar = str | int | float | bool


class Section(BaseModel):
    """Base of every table of a configuration file: frozen, unknown keys forbidden."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class SourceFile(Section):
    """One file to read; in TOML a bare path, or `{ path = "…", where = { part = "target" } }`.

    Args:
        path: the file; `-` is standard input (JSON lines).
        where: only rows whose columns have these values (compared as text); the others are no rows of this source.
    """

    path: str = Field(min_length=1)
    where: dict[str, Scalar] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        return {"path": str(data)} if isinstance(data, str | Path) else data


class Join(Section):
    """A left join with a small table, made before the columns are mapped: numbers become names, titles are fetched.

    Args:
        path: the table.
        on: column of the rows that are read.
        key: column of the table that equals it (both compared as text).
        take: new column → column of the table.
    """

    path: str = Field(min_length=1)
    on: str
    key: str
    take: dict[str, str] = Field(min_length=1)


class CatalogueColumns(Section):
    """Which column of a catalogue holds what; only `item` and `title` must be there.

    Args:
        other: further text columns that go into `Product.fields` under their own names.
    """

    item: str
    title: str
    description: str | None = None
    brand: str | None = None
    material: str | None = None
    category: str | None = None
    product_type: str | None = None
    color: str | None = None
    size: str | None = None
    quantity: str | None = None
    price: str | None = None
    currency: str | None = None
    available: str | None = None
    other: tuple[str, ...] = ()

    TEXT: ClassVar[tuple[str, ...]] = (
        "description", "brand", "material", "category", "product_type", "color", "size", "quantity",
    )  # fmt: skip


class EventColumns(Section):
    """Which column of an event file holds what; `order` (a rank within a user) stands in where there is no time."""

    user: str
    item: str
    time: str | None = None
    order: str | None = None
    value: str | None = None
    kind: str | None = None

    @model_validator(mode="after")
    def _one_clock(self) -> Self:
        if self.time and self.order:
            raise ValueError("give time or order, not both")
        return self


class TripleColumns(Section):
    """Which column of a triples file holds what.

    Args:
        item: key of the product.
        entity: name of the thing it has.
        relation: name of the relation; not needed when the source says `relation` once for all.
        kind: what kind of thing the entity is ("actor"), for relations that clew does not know.
        target: key of the other product, for relations between two products; `entity` when not given.
        confidence: 0 to 1; 1 when not given.
    """

    item: str
    entity: str
    relation: str | None = None
    kind: str | None = None
    target: str | None = None
    confidence: str | None = None


class _Files(Section):
    files: tuple[SourceFile, ...] = ()
    join: tuple[Join, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _one_or_many(cls, data: Any) -> Any:
        """`path = "a.csv"`, `files = "a.csv"` and `files = ["a.csv"]` say the same; so does one `join` table."""
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if "path" in data and "files" not in data:
            where = {"where": data.pop("where")} if "where" in data else {}
            data["files"] = [{"path": data.pop("path"), **where}]
        for name in ("files", "join"):
            if name in data and not isinstance(data[name], list | tuple):
                data[name] = [data[name]]
        return data

    def resolved(self, folder: Path) -> Self:
        """The same with every path made relative to `folder` (the one that the configuration file lies in)."""
        files = tuple(f.model_copy(update={"path": _under(folder, f.path)}) for f in self.files)
        join = tuple(j.model_copy(update={"path": _under(folder, j.path)}) for j in self.join)
        return self.model_copy(update={"files": files, "join": join})


def _under(folder: Path, path: str) -> str:
    return path if path == "-" else str(folder / path)


class CatalogueSource(_Files):
    """`[catalogue]`: files of products.

    Args:
        columns: the mapping; guessed from names and values when not given.
        currency: ISO 4217 code of prices that carry none.
        max_price: a higher price is taken for a mistake and its row set aside.
        untitled: what happens to a product with a blank title: `reject` it, or call it by its `key` (where every product counts).
    """

    columns: CatalogueColumns | None = None
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    max_price: float = Field(default=1e9, gt=0)
    untitled: Literal["reject", "key"] = "reject"


class EventsSource(_Files):
    """`[events]`: files of who did what.

    Args:
        columns: the mapping; guessed from names and values when not given.
        kind: kind of an event that carries none.
        kinds: the shop's words for kinds → purchase, view, cart, rating, return, dislike.
        allow_future: take events later than now.
        timezone: IANA name for times that carry none ("Europe/Berlin").
        day_first: how 03/04/2024 is read where a file leaves it open; not given, such a file's rows are set aside.
    """

    columns: EventColumns | None = None
    kind: str = "purchase"
    kinds: dict[str, str] = {}
    allow_future: bool = False
    timezone: str = "UTC"
    day_first: bool | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        for kind in (self.kind, *self.kinds.values()):
            if kind not in EVENT_RELATIONS:
                raise ValueError(f"{kind!r} is no kind of event; there are {', '.join(EVENT_RELATIONS)}")
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{self.timezone!r} is no time zone; give one such as Europe/Berlin") from None
        return self


class TriplesSource(_Files):
    """`[[triples]]`: facts from elsewhere, one a row.

    Args:
        columns: the mapping; columns called item, relation, entity (head, relation, tail) are found by themselves.
        relation: the relation of every row, when there is no such column.
        relations: the file's words → relations of the graph; when given, rows of other relations are left out on purpose.
        kinds: relation of the graph → kind of the entities it points to; its name in small letters when not given.
    """

    columns: TripleColumns | None = None
    relation: str | None = None
    relations: dict[str, str] = {}
    kinds: dict[str, str] = {}

    @model_validator(mode="after")
    def _usable(self) -> Self:
        for name in (*self.relations.values(), *([self.relation] if self.relation else ())):
            try:
                found = relation(name)
            except InputError as error:
                raise ValueError(f"{error.message} {error.hint}".rstrip(".")) from None
            if found.family not in STATED:
                raise ValueError(f"{name} is made by clew itself; a file cannot state it")
        return self


class ExtractionConfig(Section):
    """`[extraction]`: what reads attributes out of product text.

    Args:
        extractor: name from the registry ("rules").
        language: ISO 639-1 code of the catalogue's text.
        relearn: an extractor that learns from the catalogue learns again with every ingest ("always"), never by itself
            ("never"), or when more than `relearn_after` of the products changed since it last did ("auto").
        relearn_after: that share.
        llm: the language model that is asked (keys as of `extraction.llm_config.LlmConfig`, which checks them).
    """

    extractor: str = "rules"
    language: str = Field(default="en", pattern=r"^[a-z]{2}$")
    relearn: Literal["auto", "always", "never"] = "auto"
    relearn_after: float = Field(default=0.1, ge=0, le=1)
    llm: dict[str, Any] = {}


class FitSettings(Section):
    """`[train.settings]`: the few numbers of a fit that `clew train --tune` looks for; one that is given here is left alone.

    Args:
        gnn_effort: optimiser steps of the GNN, as a multiple of what the number of people suggests.
        gnn_temperature: of its softmax.
        gnn_identity_dropout: how often a product goes without its identity.
        gnn_towers: how many GNNs are fitted, each from a start of its own; a score is the mean of theirs.
        shrink: what is added to a product's number of buyers where people in common are counted.
        ridge: λ of EASE, in units of the mean diagonal of XᵀX; chosen on validation when not given.
    """

    gnn_effort: float = Field(default=1.0, gt=0)
    gnn_temperature: float = Field(default=0.07, gt=0)
    gnn_identity_dropout: float = Field(default=0.5, ge=0, lt=1)
    gnn_towers: int = Field(default=1, ge=1, le=16)
    shrink: float = Field(default=3.0, ge=0)
    ridge: float | None = Field(default=None, gt=0)


# What a preset says where nothing else is given: parts left out, and settings.
PRESETS: dict[str, tuple[tuple[str, ...], dict[str, float]]] = {
    "fast": (("gnn",), {}),
    "default": ((), {}),
    "best": ((), {"gnn_towers": 4}),
}


# Names of devices, as torch has them, and "auto"; torch itself is not asked here.
DEVICE = r"^(auto|((cpu|mps|cuda)(:(0|[1-9][0-9]{0,2}))?))$"


def checked_device(name: str) -> str:
    """The name, if it is one of a device.

    Raises:
        InputError: it is not.
    """
    if re.fullmatch(DEVICE, name) is None:
        raise InputError(f"{name!r} is no device.", "Use auto, cpu, mps, cuda or, where there are several, cuda:1.")
    return name


class TrainConfig(Section):
    """`[train]`: how a model is fitted.

    Args:
        preset: what is traded for cost: "fast" goes without the GNN, "best" fits four, "default" one.
        seed: every random number is derived from it.
        text_encoder: names of text encoders, joined.
        without: parts that are left out ("gnn", "ease", …).
        valid_fraction: share of the latest events that the weights are chosen on.
        device: what the GNN is fitted on: "auto" (CUDA, then MPS, then the CPU), "cpu", "mps", "cuda" or "cuda:1".
        settings: numbers of the fit.
    """

    preset: Literal["fast", "default", "best"] = "default"
    seed: int = 0
    text_encoder: tuple[str, ...] = ("words", "static")
    without: tuple[str, ...] = ()
    valid_fraction: float = Field(default=0.1, gt=0, lt=1)
    device: str = Field(default="auto", pattern=DEVICE)
    settings: FitSettings = FitSettings()

    def spelled_out(self) -> TrainConfig:
        """The same with what the preset says written into `without` and `settings`; what is given there goes first."""
        without, settings = PRESETS[self.preset]
        left = {name: value for name, value in settings.items() if name not in self.settings.model_fields_set}
        changes = {"without": tuple(dict.fromkeys((*self.without, *without))), "settings": self.settings.model_copy(update=left)}
        return self.model_copy(update=changes)


class RecommendConfig(Section):
    """`[recommend]`: what answers look like when the command line does not say.

    Args:
        k: how many products.
        explain: how many paths each.
        max_per_brand: at most so many of one brand in a list; no limit when not given.
        exclude: deny file, one product key a line.
        repeat: whether products already bought come again.
        out_of_stock: recommend products that are not available.
        language: of the reasons.
    """

    k: int = Field(default=10, ge=1, le=10_000)
    explain: int = Field(default=3, ge=0)
    max_per_brand: int | None = Field(default=None, ge=1)
    exclude: str | None = None
    repeat: Literal["no", "yes", "auto"] = "no"
    out_of_stock: bool = False
    language: str = Field(default="en", pattern=r"^[a-z]{2}$")


class Config(Section):
    """The whole of `clew.toml`; every table may be missing."""

    catalogue: CatalogueSource = CatalogueSource()
    events: EventsSource = EventsSource()
    triples: tuple[TriplesSource, ...] = ()
    extraction: ExtractionConfig = ExtractionConfig()
    train: TrainConfig = TrainConfig()
    recommend: RecommendConfig = RecommendConfig()

    @classmethod
    def load(cls, path: Path) -> Config:
        """Read a file; its relative paths start at the folder it lies in.

        Raises:
            InputError: no such file, not TOML, an unknown key or a wrong value; says where and what would be right.
        """
        config = validated(cls, load_toml(path), str(path))
        folder = path.parent
        recommend = config.recommend
        if recommend.exclude:
            recommend = recommend.model_copy(update={"exclude": _under(folder, recommend.exclude)})
        return config.model_copy(
            update={
                "catalogue": config.catalogue.resolved(folder),
                "events": config.events.resolved(folder),
                "triples": tuple(source.resolved(folder) for source in config.triples),
                "recommend": recommend,
            }
        )


Model = TypeVar("Model", bound=BaseModel)


def load_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        InputError: no such file, a directory, not UTF-8, not TOML.
    """
    from kg.readers import existing_file

    data = existing_file(path).read_bytes()
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}).", "Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}.", "Text stands in quotes; a table starts with [name].") from None


def validated(model: type[Model], data: Any, where: str) -> Model:
    """The data as a model of that type; pydantic's findings as one of our errors.

    Args:
        where: the file, for the message.

    Raises:
        InputError: the first finding, with its place and, for an unknown key, the nearest known one.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        findings = error.errors(include_url=False)
        # An unknown key explains a missing one ("titel" for "title"), so it is told first.
        finding = next((f for f in findings if f["type"] == "extra_forbidden"), findings[0])
        raise _as_input_error(model, finding, where) from None


def _as_input_error(model: type[BaseModel], finding: Any, where: str) -> InputError:
    place = list(finding["loc"])
    dotted = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    if finding["type"] == "extra_forbidden":
        known = _known_keys(model, place[:-1])
        name = str(place[-1])
        table = dotted.rpartition(".")[0]
        inside = f" in [{table}]" if table else ""
        return InputError(f"{where} has an unknown key {name!r}{inside}.", _nearest(name, known))
    if finding["type"] == "missing":
        return InputError(f"{where} misses {dotted}.", f"Add {place[-1]} = … to it.")
    text = str(finding["msg"])
    text = text.removeprefix("Value error, ") if finding["type"] == "value_error" else text[:1].lower() + text[1:]
    shown = "" if isinstance(finding["input"], dict | list) else f" (it is {finding['input']!r})"
    return InputError(f"{where}: {dotted or 'the file'}{shown}: {text}.", "Correct it there.")


def _nearest(name: str, known: list[str]) -> str:
    from rapidfuzz import fuzz, process

    near = process.extractOne(name, known, scorer=fuzz.ratio, score_cutoff=50)
    return f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}."


def _known_keys(model: type[BaseModel], place: list[Any]) -> list[str]:
    """The keys that may stand at a place (a path of field names and list positions)."""
    current: type[BaseModel] = model
    for part in place:
        if isinstance(part, str) and part in current.model_fields:
            current = _model_inside(current.model_fields[part].annotation) or current
    return [*current.model_fields, *(("path", "where") if "files" in current.model_fields else ())]


def _model_inside(annotation: Any) -> type[BaseModel] | None:
    if typing.get_origin(annotation) is None and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _model_inside(part))), None)
