"""Protocol files: what is fitted on, what is chosen on, what is tested. The form is that of `interfaces.md`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from kg.config import CatalogueSource, EventsSource, Section, SourceFile, TrainConfig, TriplesSource, load_toml, validated
from kg.errors import InputError
from recommend.metrics import parse_metric

KINDS_OF_CANDIDATES = ("unseen", "seen", "all")


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


class Reveal(Section):
    """What a new person shows before the ranking.

    Args:
        events: the file.
        where: only its rows with these values.
        last: of each person, so many of the last; all when not given.
    """

    events: SourceFile
    where: dict[str, str | int | float | bool] = Field(default_factory=dict)
    last: int | None = Field(default=None, ge=1)

    def source(self) -> SourceFile:
        """The file with its condition."""
        return self.events.model_copy(update={"where": {**self.events.where, **self.where}})


class Part(Section):
    """`[[valid]]` and `[[test]]`: whose targets are looked for among which candidates.

    Args:
        name: name in the answer.
        events: files of targets; none with `[split]`, whose later part it is.
        candidates: "unseen" (no event in train), "seen", "all", or a file with an item column.
        users: "any" (every person with a target) or "in_every_file" (a target in each of the files).
        reveal: a new person's first events.
        profile: files whose events speak for the person beside train (and are no candidates).
        exclude: files whose products are no candidates for the person.
        gap: hide as many of each person's last events in train as there are targets (they are no candidates either), one at least stays:
            for choosing what a test needs that does not know the events just before its targets.
        metrics: further figures, such as "ndcg_pub@10".
    """

    name: str = Field(min_length=1)
    events: tuple[SourceFile, ...] = ()
    candidates: str = "all"
    users: Literal["any", "in_every_file"] = "any"
    reveal: Reveal | None = None
    profile: tuple[SourceFile, ...] = ()
    exclude: tuple[SourceFile, ...] = ()
    gap: bool = False
    metrics: tuple[str, ...] = ()

    @field_validator("events", "profile", "exclude", "metrics", mode="before")
    @classmethod
    def _many(cls, value: Any) -> Any:
        return _listed(value)

    @field_validator("metrics")
    @classmethod
    def _known_metrics(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            try:
                parse_metric(name)
            except InputError as error:
                raise ValueError(f"{error.message} {error.hint}") from None
        return value


class Split(Section):
    """`[split]`: train up to and including a day, the rest is test; a pair of train is no target.

    Args:
        time: the day (ISO), or a moment in seconds.
    """

    time: date | int


class ProtocolEvents(EventsSource):
    """`[events]`: the columns that all event files share, and those of train.

    Args:
        train: files of train; with `[split]` the one log to cut may stand here or in `path`.
    """

    train: tuple[SourceFile, ...] = ()

    @field_validator("train", mode="before")
    @classmethod
    def _many(cls, value: Any) -> Any:
        return _listed(value)


class Protocol(Section):
    """A whole protocol file.

    Args:
        name: what it is called.
        k: cutoffs of all metrics.
        catalogue, triples, events: where data lies; without a catalogue the products are those of the events, called by their keys.
        text: columns of the catalogue that are read as text beside the title.
        extractor: what reads attributes out of the catalogue ("columns": nothing but its columns).
        split: a cut in time instead of files.
        valid: what weights are chosen on; without any, slices of train.
        test: scored once.
        metrics: further figures for every test.
        train: settings of the fit.
    """

    name: str = Field(min_length=1)
    k: tuple[int, ...] = (10, 20)
    catalogue: CatalogueSource = CatalogueSource()
    triples: tuple[TriplesSource, ...] = ()
    events: ProtocolEvents
    text: tuple[str, ...] = ("brand",)
    extractor: str = "rules"
    split: Split | None = None
    valid: tuple[Part, ...] = ()
    test: tuple[Part, ...] = Field(min_length=1)
    metrics: tuple[str, ...] = ()
    train: TrainConfig = TrainConfig()

    @field_validator("k", mode="before")
    @classmethod
    def _many(cls, value: Any) -> Any:
        return _listed(value)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.k or min(self.k) < 1:
            raise ValueError("k must be 1 or more")
        if not self.split and not self.events.train:
            raise ValueError("give events.train, or [split] time and one event file")
        for part in (*self.valid, *self.test):
            if not part.events and not self.split:
                raise ValueError(f"the part {part.name!r} names no events")
        for kind, parts in (("valid", self.valid), ("test", self.test)):
            names = [part.name for part in parts]
            if len(set(names)) < len(names):
                raise ValueError(f"two parts of {kind} have one name")
        return self

    @classmethod
    def load(cls, path: Path, data: Path | None = None) -> Protocol:
        """Read a protocol file; its paths start at its own folder, or at `data`.

        Raises:
            InputError: no such file, not TOML, an unknown key (the nearest is named) or a wrong value.
        """
        protocol = validated(cls, load_toml(path), str(path))
        return protocol._under(data if data is not None else path.parent)

    def _under(self, folder: Path) -> Protocol:
        def many(files: tuple[SourceFile, ...]) -> tuple[SourceFile, ...]:
            return tuple(file.model_copy(update={"path": str(folder / file.path)}) for file in files)

        def part(one: Part) -> Part:
            changes: dict[str, Any] = {name: many(getattr(one, name)) for name in ("events", "profile", "exclude")}
            if one.reveal is not None:
                changes["reveal"] = one.reveal.model_copy(update={"events": many((one.reveal.events,))[0]})
            if one.candidates not in KINDS_OF_CANDIDATES:
                changes["candidates"] = str(folder / one.candidates)
            return one.model_copy(update=changes)

        return self.model_copy(
            update={
                "catalogue": self.catalogue.resolved(folder),
                "triples": tuple(source.resolved(folder) for source in self.triples),
                "events": self.events.resolved(folder).model_copy(update={"train": many(self.events.train)}),
                "valid": tuple(part(one) for one in self.valid),
                "test": tuple(part(one) for one in self.test),
            }
        )
