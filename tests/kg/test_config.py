"""clew.toml: read whole, refused with the place and the nearest key."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from kg.config import (
    CatalogueSource,
    Config,
    EventsSource,
    FitSettings,
    Section,
    SourceFile,
    TrainConfig,
    TriplesSource,
    load_toml,
    validated,
)
from kg.errors import InputError


def config(text: str, tmp_path: Path) -> Config:
    path = tmp_path / "clew.toml"
    path.write_text(text, encoding="utf-8")
    return Config.load(path)


def told(text: str, tmp_path: Path) -> str:
    with pytest.raises(InputError) as caught:
        config(text, tmp_path)
    assert str(tmp_path) in caught.value.message
    return f"{caught.value.message} | {caught.value.hint}".replace(f"{tmp_path}/", "")


def test_an_empty_file_has_every_default(tmp_path: Path) -> None:
    assert config("", tmp_path) == Config()


def test_a_whole_file(tmp_path: Path) -> None:
    found = config(
        """
        [catalogue]
        files = ["products.csv", { path = "more.parquet", where = { shop = "de" } }]
        columns = { item = "sku", title = "name", other = ["bullets"] }
        currency = "EUR"
        [[catalogue.join]]
        path = "names.csv"
        on = "sku"
        key = "id"
        take = { title = "name" }
        [events]
        path = "-"
        kinds = { kauf = "purchase", klick = "view" }
        timezone = "Europe/Berlin"
        columns = { user = "kunde", item = "sku", time = "datum" }
        [[triples]]
        path = "facts.csv"
        relation = "DIRECTED_BY"
        where = { lang = "en" }
        [[triples]]
        path = "kg.parquet"
        relations = { brand = "HAS_BRAND", director = "DIRECTED_BY" }
        kinds = { DIRECTED_BY = "person" }
        [extraction]
        language = "de"
        [train]
        seed = 7
        [recommend]
        max_per_brand = 2
        exclude = "deny.txt"
        """,
        tmp_path,
    )
    assert [file.path for file in found.catalogue.files] == [str(tmp_path / "products.csv"), str(tmp_path / "more.parquet")]
    assert found.catalogue.files[1].where == {"shop": "de"}
    assert found.catalogue.join[0].path == str(tmp_path / "names.csv")
    assert found.catalogue.columns is not None
    assert found.catalogue.columns.other == ("bullets",)
    assert found.events.files == (SourceFile(path="-"),)
    assert [source.files[0].where for source in found.triples] == [{"lang": "en"}, {}]
    assert found.recommend.exclude == str(tmp_path / "deny.txt")
    assert (found.extraction.language, found.train.seed, found.recommend.max_per_brand) == ("de", 7, 2)


@pytest.mark.parametrize("form", ['path = "a.csv"', 'files = "a.csv"', 'files = ["a.csv"]', 'files = { path = "a.csv" }'])
def test_one_file_may_be_said_in_any_way(tmp_path: Path, form: str) -> None:
    assert config(f"[catalogue]\n{form}", tmp_path).catalogue.files == (SourceFile(path=str(tmp_path / "a.csv")),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[catalog]\n", "clew.toml has an unknown key 'catalog'. | Did you mean catalogue?"),
        ("[catalogue]\ncurency = 'EUR'", "clew.toml has an unknown key 'curency' in [catalogue]. | Did you mean currency?"),
        (
            "[catalogue]\ncolumns = { item = 'a', titel = 'b' }",
            "clew.toml has an unknown key 'titel' in [catalogue.columns]. | Did you mean title?",
        ),
        ("[[triples]]\n[[triples]]\npth = 'a'", "clew.toml has an unknown key 'pth' in [triples[2]]. | Did you mean path?"),
        ("[[triples]]\nfiels = 'a'", "clew.toml has an unknown key 'fiels' in [triples[1]]. | Did you mean files?"),
        ("[recommend]\nmax_per_bran = 1", "clew.toml has an unknown key 'max_per_bran' in [recommend]. | Did you mean max_per_brand?"),
        ("[train]\nzzzzzzzzz = 1", "in [train]. | Known are "),
        ("[catalogue]\ncolumns = { title = 'b' }", "clew.toml misses catalogue.columns.item. | Add item = … to it."),
        ("[catalogue]\ncurrency = 'euro'", "clew.toml: catalogue.currency (it is 'euro'): string should match pattern"),
        ("[recommend]\nk = 0", "clew.toml: recommend.k (it is 0): input should be greater than or equal to 1. | Correct it there."),
        ("[recommend]\nrepeat = 'maybe'", "recommend.repeat (it is 'maybe'): input should be 'no', 'yes' or 'auto'."),
        ("[catalogue]\nfiles = [7]", "catalogue.files[1]"),
        (
            "[events]\nkind = 'buy'",
            "clew.toml: events: 'buy' is no kind of event; there are purchase, view, cart, rating, return, dislike.",
        ),
        ("[events]\nkinds = { kauf = 'buy' }", "'buy' is no kind of event"),
        ("[events]\ntimezone = 'Berlin'", "clew.toml: events: 'Berlin' is no time zone; give one such as Europe/Berlin."),
        ("[events]\ntimezone = '../x'", "is no time zone"),
        ("[events]\ncolumns = { user = 'u', item = 'i', time = 't', order = 'o' }", "events.columns: give time or order, not both."),
        ("[[triples]]\nrelations = { a = 'has brand' }", "triples[1]: 'has brand' cannot be a relation. Use capitals"),
        ("[[triples]]\nrelation = 'BOUGHT'", "triples[1]: BOUGHT is made by clew itself; a file cannot state it."),
        ("a = ", "clew.toml is not TOML: Invalid value"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    assert message in told(text, tmp_path)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "clew.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(InputError, match="is not UTF-8"):
        load_toml(tmp_path / "clew.toml")
    with pytest.raises(InputError, match="There is no file") as caught:
        load_toml(tmp_path / "clew.tml")
    assert "clew.toml" in caught.value.hint
    with pytest.raises(InputError, match="is a directory"):
        load_toml(tmp_path)


def test_a_bom_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "clew.toml").write_bytes(b"\xef\xbb\xbf[train]\nseed = 3")
    assert Config.load(tmp_path / "clew.toml").train.seed == 3


def test_another_file_can_use_the_same_models() -> None:
    class Part(Section):
        name: str
        events: EventsSource

    class Other(Section):
        catalogue: CatalogueSource
        triples: tuple[TriplesSource, ...] = ()
        valid: tuple[Part, ...] = ()

    found = validated(Other, {"catalogue": {"path": "a"}, "valid": [{"name": "cold", "events": {"path": "b"}}]}, "beauty.toml")
    assert found.valid[0].events.files[0].path == "b"
    with pytest.raises(InputError) as caught:
        validated(Other, {"catalogue": {}, "valid": [{"name": "cold", "evnts": {}}]}, "beauty.toml")
    assert caught.value.message == "beauty.toml has an unknown key 'evnts' in [valid[1]]."
    assert caught.value.hint == "Did you mean events?"


def _sections(model: type[BaseModel]) -> set[type[BaseModel]]:
    import typing

    found = {model}
    for info in model.model_fields.values():
        stack = [info.annotation]
        while stack:
            annotation = stack.pop()
            stack += typing.get_args(annotation)
            if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in found:
                found |= _sections(annotation)
    return found


def test_every_table_refuses_unknown_keys_and_is_frozen() -> None:
    for section in _sections(Config):
        assert section.model_config["extra"] == "forbid", section
        assert section.model_config["frozen"] is True, section


def test_a_preset_says_what_is_not_given() -> None:
    assert TrainConfig().spelled_out() == TrainConfig()
    fast = TrainConfig(preset="fast", without=("ease",)).spelled_out()
    assert (fast.without, fast.settings) == (("ease", "gnn"), FitSettings())
    best = TrainConfig(preset="best", settings=FitSettings(shrink=9.0)).spelled_out()
    assert best.without == () and best.settings.gnn_towers > 1 and best.settings.shrink == 9.0
    own = TrainConfig(preset="best", settings=FitSettings(gnn_towers=1))
    assert own.spelled_out() == own and own.spelled_out().settings.gnn_towers == 1
    with pytest.raises(InputError, match=r"train\.preset.*should be 'fast', 'default' or 'best'"):
        validated(Config, {"train": {"preset": "quick"}}, "clew.toml")
