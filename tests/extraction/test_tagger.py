"""The tagger: decoding against CRFsuite's own, training on partly labelled rows, what is kept, and how sure it is."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extraction.base import Extractor, build_extractor, model_digest
from extraction.calibrate import IDENTITY, Calibration, calibration_error, fit_calibration
from extraction.crf import read_crf, reference_tags, train_crf
from extraction.evaluate import GoldRow
from extraction.tag_decode import Decoder
from extraction.tag_features import NO_HINTS, Hints, Tokens, features_of, tokens_of
from extraction.tag_known import KnownValues
from extraction.tag_part import known_value
from extraction.tag_pipeline import build_tagger
from extraction.tag_training import FEWEST, Lesson, aligned, best_threshold, rows_of_products, tags_of, train_tagger
from extraction.tagger import MANIFEST, TaggerModel
from extraction.testing import ExtractorContract
from kg.errors import InputError, StateError, UnknownKeyError
from kg.model import Product

BRANDS = ("Acme", "Zorbo", "Kite & Co", "Lumen", "Pella")
THINGS = ("Steel Mug", "Oak Table", "Cotton Towel", "Desk Lamp", "Garden Hose", "Tea Pot")
COLORS = ("Black", "Red", "Navy Blue")


def gold_rows() -> list[GoldRow]:
    """Titles whose brand is always labelled, whose colour in two of three, whose size never."""
    rows = []
    for i, (brand, thing, color) in enumerate(itertools.product(BRANDS, THINGS, COLORS)):
        values = {"Brand Name": frozenset({brand})}
        if i % 3:
            values["Color"] = frozenset({color}) if i % 2 else frozenset()
        title = f"{brand} {thing}, {color}, {i % 7 + 1} Pack" if i % 2 else f"{brand} {thing}, {i % 7 + 1} Pack"
        rows.append(GoldRow(Product(str(i), title), values))
    return rows


@pytest.fixture(scope="module")
def model() -> TaggerModel:
    return train_tagger(gold_rows(), Lesson(about="made up"))[0]


@pytest.fixture(scope="module")
def folder(model: TaggerModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tagger")
    model.save(folder)
    return folder


@given(st.text(max_size=60))
def test_tokens_quote_their_text_and_leave_out_only_blanks(text: str) -> None:
    tokens = tokens_of(text)
    assert [text[s:e] for s, e in zip(tokens.starts, tokens.ends, strict=True)] == tokens.texts
    left = list(text)
    for start, end in zip(tokens.starts, tokens.ends, strict=True):
        left[start:end] = [" "] * (end - start)
    assert not "".join(left).strip()


@pytest.fixture(scope="module")
def one_crf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("crf") / "brand.crf"
    examples = []
    for row in gold_rows():
        tokens = tokens_of(row.product.title)
        tags = tags_of(tokens, row.values["Brand Name"])
        assert tags is not None
        examples.append((features_of(tokens, Hints({0: ["h:first"]})), tags))
    train_crf(examples, path)
    return path


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["Acme", "Kite", "&", "Co", "Mug", ",", "3", "Pack", "unheard", "茶"]), min_size=1, max_size=9))
def test_decoding_gives_the_probabilities_of_crfsuite(one_crf: Path, words: list[str]) -> None:
    tokens, hints = tokens_of(" ".join(words)), Hints({0: ["h:first"]})
    [found] = Decoder({"brand": read_crf(one_crf)}).read([tokens], [hints])
    tags, probability = reference_tags(one_crf, features_of(tokens, hints))
    spans = found.get("brand", [])
    if tags.count("B") == 1:
        first = tags.index("B")
        last = first + 1 + sum(1 for _ in itertools.takewhile(lambda tag: tag == "I", tags[first + 1 :]))
        [own] = [span for span in spans if (span.first, span.last) == (first, last)]
        # One sequence of tags holds the span; the span's probability is the sum over all that hold it.
        assert own.probability >= probability - 1e-6
    elif "B" not in tags:
        assert sum(span.probability for span in spans) <= 9 * (1 - probability) + 1e-6


def test_titles_of_a_batch_do_not_touch_each_other(one_crf: Path) -> None:
    titles = [tokens_of(text) for text in ("Acme Mug", "Kite & Co Garden Hose, Red, 4 Pack", "x", "", "Zorbo Lamp")]
    decoder = Decoder({"brand": read_crf(one_crf)})
    together = decoder.read(titles, [NO_HINTS] * len(titles))
    for title, found in zip(titles, together, strict=True):
        [alone] = decoder.read([title], [NO_HINTS])
        assert [(s.first, s.last) for s in alone.get("brand", [])] == [(s.first, s.last) for s in found.get("brand", [])]
        assert np.allclose([s.probability for s in alone.get("brand", [])], [s.probability for s in found.get("brand", [])])


def test_a_file_that_is_no_crf_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.crf").write_bytes(b"nothing")
    with pytest.raises(StateError, match="holds no CRF") as caught:
        read_crf(tmp_path / "x.crf")
    assert caught.value.hint


def test_values_are_aligned_to_whole_tokens() -> None:
    tokens = tokens_of("Whitening White 40mm Kite & Co")
    assert aligned(tokens, "White") == (1, 2)
    assert aligned(tokens, "Kite & Co") == (4, 7)
    assert aligned(tokens, "hite") is None
    assert tags_of(tokens, frozenset({"hite"})) is None
    assert tags_of(tokens, frozenset({"Kite & Co", "40mm"})) == ["O", "O", "B", "I", "B", "I", "I"]


def test_it_reads_what_it_was_taught_under_the_names_of_the_file(model: TaggerModel, folder: Path) -> None:
    assert set(model.learned) == {"brand", "color"}
    assert model.learned["brand"].name == "Brand Name"
    assert model.learned["color"].rows == 60  # the slots without a label were not learned from
    reader = build_tagger([row.product for row in gold_rows()], folder)
    [mentions] = reader.extract([Product("new", "Kite & Co Wooden Bench, Navy Blue, 2 Pack")])
    assert {(m.attribute, m.raw, m.value) for m in mentions if m.extractor == "tagger"} == {
        ("brand", "Kite & Co", "Kite & Co"),
        ("color", "Navy Blue", "blue"),
    }
    assert any(m.attribute == "quantity" and m.extractor == "rules" for m in mentions)


def test_a_name_brings_its_model_along(folder: Path, model: TaggerModel) -> None:
    [mentions] = build_extractor(f"tagger:{folder}", []).extract([Product("new", "Kite & Co Wooden Bench, 2 Pack")])
    assert any(m.extractor == "tagger" and m.raw == "Kite & Co" for m in mentions)
    assert model_digest(f"tagger:{folder}") == model.digest
    assert model_digest("tagger") == model_digest("rules:x") == ""
    with pytest.raises(UnknownKeyError):
        build_extractor("rules:x", [])


def test_a_column_outdoes_the_tagger(folder: Path) -> None:
    [mentions] = build_tagger([], folder).extract([Product("x", "Acme Steel Mug, Red", {"brand": "Zorbo"})])
    assert [m.value for m in mentions if m.attribute == "brand"] == ["Zorbo"]


def test_the_same_rows_make_the_same_model(model: TaggerModel) -> None:
    assert train_tagger(gold_rows(), Lesson(about="made up"))[0].digest == model.digest


def test_a_model_is_read_as_it_was_saved(model: TaggerModel, folder: Path) -> None:
    kept = TaggerModel.load(folder)
    assert kept.digest == model.digest
    titles = [tokens_of(row.product.title) for row in gold_rows()[:5]]
    assert kept.read(titles, [NO_HINTS] * 5) == model.read(titles, [NO_HINTS] * 5)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "brand-0.crf").write_bytes((f / "brand-0.crf").read_bytes() + b"x"), "SHA-256 differs"),
        (lambda f: (f / "brand-0.crf").unlink(), "brand-0.crf is missing"),
        (lambda f: (f / MANIFEST).unlink(), "model.json is missing"),
        (lambda f: (f / MANIFEST).write_text("{}"), "describes no tagger"),
        (lambda f: (f / MANIFEST).write_text('{"schema_version": 9}'), "is of version 9"),
    ],
)
def test_a_damaged_model_is_told(model: TaggerModel, tmp_path: Path, damage: Callable[[Path], object], message: str) -> None:
    model.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(StateError, match=message) as caught:
        TaggerModel.load(tmp_path)
    assert "train" in caught.value.hint.lower()


def test_too_few_values_and_unknown_attributes_are_told() -> None:
    with pytest.raises(InputError, match=f"the {FEWEST} values that a tagger needs.*Brand Name: 3"):
        train_tagger(gold_rows()[:3])
    with pytest.raises(UnknownKeyError, match="Colour"):
        train_tagger(gold_rows(), Lesson(["Colour"]))


def test_a_catalogue_teaches_by_its_columns() -> None:
    rows = rows_of_products(
        [
            Product("a", "ACME steel mug", {"brand": "Acme", "color": "", "material": "Steel; Cork"}),
            Product("b", "Fine mug", {"brand": "Zorbo"}),
            Product("c", "Kite mug", {"brand": "Kite & Co"}),
        ]
    )
    assert rows[0].values == {"brand": frozenset({"ACME"}), "material": frozenset({"steel"})}
    assert rows[1].values == {"brand": frozenset()}  # none of its words: known to be absent
    assert rows[2].values == {}  # a part of it: says nothing


def test_the_threshold_is_the_best_for_f1() -> None:
    said = [(0.9, True, True)] * 8 + [(0.35, False, False)] * 5 + [(0.6, True, True)] * 3
    assert 0.35 < best_threshold(said, 11) <= 0.6
    assert best_threshold([(0.03, True, True)] * 5, 5) == 0.02


def test_known_values_leave_out_the_row_itself() -> None:
    known = KnownValues.count([{"brand": frozenset({"樊文花"})}, {"brand": frozenset({"苹果"})}, {"brand": frozenset({"苹果"})}])
    tokens = tokens_of("樊文花和苹果")
    assert known.hints(tokens, NO_HINTS).names[0] == ["g:brand:B:3"]
    own = known.hints(tokens, NO_HINTS, {"brand": frozenset({"樊文花"})})
    assert 0 not in own.names and own.names[4] == ["g:brand:B:2"]
    kept = KnownValues.from_dict(json.loads(json.dumps(known.to_dict())))
    assert kept.hints(tokens, NO_HINTS) == known.hints(tokens, NO_HINTS)


def test_a_gazetteer_travels_with_its_model(tmp_path: Path) -> None:
    model, _ = train_tagger(gold_rows(), Lesson(gazetteer=True))
    model.save(tmp_path)
    kept = TaggerModel.load(tmp_path)
    assert kept.known is not None and "kite & co" in kept.known.values
    assert kept.digest == model.digest


def test_a_colour_of_several_words_has_the_base_colour_of_its_last() -> None:
    assert known_value("color", "Heather Navy Blue") == "blue"
    assert known_value("color", "Mystery") == "Mystery"
    assert known_value("brand", "Navy") == "Navy"


def test_calibration_sets_an_overconfident_score_right() -> None:
    draw = np.random.default_rng(0)
    scores = draw.random(4000)
    right = draw.random(4000) < scores**2
    calibration = fit_calibration(scores[:2000], right[:2000])
    assert calibration_error(scores[2000:], right[2000:]) > 0.1
    assert calibration_error(calibration(scores[2000:]), right[2000:]) <= 0.03
    assert np.all(np.diff(calibration(np.linspace(0, 1, 50))) >= 0)
    assert Calibration.from_dict(calibration.to_dict()) == calibration


def test_few_rows_calibrate_nothing_and_bad_knots_are_told() -> None:
    assert fit_calibration([0.5] * 3, [True] * 3) == IDENTITY
    assert calibration_error([], []) == 0.0
    with pytest.raises(InputError, match="rising scores"):
        Calibration((0.5, 0.5), (0.1, 0.2))
    with pytest.raises(InputError, match="rising scores"):
        Calibration((0.1, 0.5), (0.3, 0.2))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=80))
def test_any_scores_can_be_calibrated(pairs: list[tuple[float, bool]]) -> None:
    calibration = fit_calibration([p for p, _ in pairs], [y for _, y in pairs])
    assert 0 <= calibration.one(0.0) <= calibration.one(0.5) <= calibration.one(1.0) <= 1


def test_the_filled_columns_of_a_shop_teach_the_rows_without() -> None:
    shop = [
        Product(str(i), r.product.title, {"brand": next(iter(r.values["Brand Name"]))} if i % 3 else {}) for i, r in enumerate(gold_rows())
    ]
    read = list(build_extractor("tagger", shop).extract(shop))
    empty = [(r, mentions) for i, (r, mentions) in enumerate(zip(gold_rows(), read, strict=True)) if not i % 3]
    right = [any(m.extractor == "tagger" and m.raw in r.values["Brand Name"] for m in mentions) for r, mentions in empty]
    assert sum(right) >= 0.9 * len(right)
    with pytest.raises(InputError, match="none at all"):
        build_extractor("tagger", [Product("x", "Acme Mug")])


def test_a_long_text_is_read_to_its_limit(folder: Path) -> None:
    [mentions] = build_tagger([], folder).extract([Product("x", "Acme Steel Mug, Red " + "very " * 500 + "Black")])
    assert all(m.start < 1000 for m in mentions if m.extractor == "tagger")
    assert Tokens("", [], [], []) == tokens_of("")


class TestTrainedTagger(ExtractorContract):
    @pytest.fixture(scope="class")
    def extractor(self, folder: Path) -> Extractor:
        return build_tagger(self.products(), folder)


def test_a_kind_of_product_without_labels_is_told_from_one_with() -> None:
    rows = [
        GoldRow(Product(row.product.key, row.product.title, {"category": "LAMP" if "Lamp" in row.product.title else "OTHER"}), row.values)
        for row in gold_rows()
    ]
    rows = [
        GoldRow(r.product, {name: v for name, v in r.values.items() if name != "Color" or r.product.fields["category"] == "OTHER"})
        for r in rows
    ]
    kinds = train_tagger(rows)[0].learned["color"].kinds
    assert kinds["LAMP"] < 0.1 < 0.5 < kinds["OTHER"]
