"""The accurate tier: an encoder beside the CRFs, its loss, its inputs, what is kept, and how the two become one."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from extraction.accurate import train_accurate
from extraction.base import Extractor, build_extractor
from extraction.cli import extract
from extraction.encoder_inputs import HINT_ROWS, MAX_PIECES, inputs_of
from extraction.encoder_net import negative_log_likelihood
from extraction.encoder_training import Schedule
from extraction.evaluate import GoldRow
from extraction.tag_decode import chains
from extraction.tag_features import NO_HINTS, Hints, tokens_of
from extraction.tag_mix import MEAN, Mix, fit_mix
from extraction.tag_training import Lesson
from extraction.tagger import ENCODER, MANIFEST, TaggerModel
from extraction.testing import ExtractorContract
from kg.errors import InputError, StateError
from kg.model import Product

BRANDS = ("Acme", "Zorbo", "Kite & Co", "Lumen")
THINGS = ("Steel Mug", "Oak Table", "Cotton Towel", "Desk Lamp")
COLORS = ("Black", "Red", "Navy Blue")
SHORT = Schedule(epochs=3, batch=8, body_rate=2e-4)


def gold_rows() -> list[GoldRow]:
    """Titles whose brand is always labelled, and whose colour in two of three."""
    rows = []
    for i, (brand, thing, color) in enumerate(itertools.product(BRANDS, THINGS, COLORS)):
        values = {"Brand Name": frozenset({brand})}
        if i % 3:
            values["Color"] = frozenset({color}) if i % 2 else frozenset()
        rows.append(GoldRow(Product(str(i), f"{brand} {thing}{f', {color}' if i % 2 else ''}, {i % 7 + 1} Pack"), values))
    return rows


@pytest.fixture(scope="module")
def model() -> TaggerModel:
    return train_accurate(gold_rows(), Lesson(["Brand Name"], "made up"), schedule=SHORT)[0]


@pytest.fixture(scope="module")
def folder(model: TaggerModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accurate")
    model.save(folder)
    return folder


def test_it_reads_what_it_was_taught(folder: Path) -> None:
    extractor = build_extractor(f"accurate:{folder}", [row.product for row in gold_rows()])
    read = list(extractor.extract(row.product for row in gold_rows()))
    right = [any(m.extractor == "tagger" and m.raw in r.values["Brand Name"] for m in ms) for r, ms in zip(gold_rows(), read, strict=True)]
    assert sum(right) >= 0.95 * len(right)


def test_what_is_kept_is_what_was_trained(model: TaggerModel, folder: Path) -> None:
    loaded = TaggerModel.load(folder)
    assert loaded.digest == model.digest
    assert loaded.encoder is not None
    assert loaded.encoder.attributes == ("brand",)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 60_000_000
    tokens, hints = [tokens_of("Zorbo Desk Lamp, Red, 2 Pack")], [NO_HINTS]
    [[first], [second]] = ([found["brand"][0] for found in m.read(tokens, hints)] for m in (model, loaded))
    assert first[:2] == second[:2] == (0, 1)
    assert first.probability == pytest.approx(second.probability, abs=0.02)  # float32 before, float16 after


def test_the_encoder_alone_reads_too(model: TaggerModel) -> None:
    assert model.encoder is not None
    [found] = model.encoder.read([tokens_of("Kite & Co Oak Table, 2 Pack")], [NO_HINTS])
    assert found["brand"][0][:2] == (0, 3)
    assert model.encoder.read([tokens_of("")], [NO_HINTS]) == [{}]


def test_a_damaged_or_foreign_encoder_is_told(folder: Path, tmp_path: Path) -> None:
    def copied(name: str) -> Path:
        copy = tmp_path / name
        copy.mkdir()
        for file in folder.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        return copy

    damaged = copied("damaged")
    (damaged / ENCODER).write_bytes((damaged / ENCODER).read_bytes()[:-1])
    with pytest.raises(StateError, match="is not the file that was saved"):
        TaggerModel.load(damaged)
    foreign = copied("foreign")
    manifest = json.loads((foreign / MANIFEST).read_text("utf-8"))
    manifest["encoder"]["base"] = "0" * 64
    (foreign / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(StateError, match="was trained on other weights"):
        TaggerModel.load(foreign)
    more = copied("more")
    manifest = json.loads((more / MANIFEST).read_text("utf-8"))
    manifest["encoder"]["attributes"] = ["brand", "color"]
    (more / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(StateError, match="has 1 heads for 2 attributes"):
        TaggerModel.load(more)


def test_a_tagger_without_an_encoder_is_not_accurate(model: TaggerModel, tmp_path: Path) -> None:
    TaggerModel(model.learned, model.about, model.weights).save(tmp_path)
    with pytest.raises(StateError, match="has no encoder") as caught:
        build_extractor(f"accurate:{tmp_path}", [])
    assert "--tier accurate" in (caught.value.hint or "")


def test_labels_within_words_teach_no_encoder() -> None:
    rows = [GoldRow(Product(str(i), f"Zorbo{i} Mug"), {"brand": frozenset({"orb"})}) for i in range(12)]
    with pytest.raises(InputError, match="stands on whole words"):
        train_accurate(rows, schedule=SHORT)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 3))
def test_the_loss_is_that_of_the_decoder(seed: int, tokens: int, attributes: int) -> None:
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=(2, tokens, attributes, 3))
    transitions = draw.normal(size=(attributes, 3, 3))
    tags = draw.integers(0, 3, (2, tokens, attributes))
    lengths = np.array([tokens, draw.integers(1, tokens + 1)])
    known = draw.integers(0, 2, (2, attributes)).astype(float)
    _, _, log_z = chains(scores, lengths, transitions)
    total = 0.0
    for title, a in itertools.product(range(2), range(attributes)):
        own = tags[title, : lengths[title], a]
        said = scores[title, np.arange(len(own)), a, own].sum() + transitions[a, own[:-1], own[1:]].sum()
        total += known[title, a] * (log_z[title, a] - said)
    loss = negative_log_likelihood(*(torch.from_numpy(part) for part in (scores, transitions, tags, lengths, known)))
    assert float(loss) == pytest.approx(total / max(known.sum(), 1.0), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=40).filter(lambda text: bool(text.strip())), min_size=1, max_size=4))
def test_any_text_has_inputs_and_every_token_its_pieces(texts: list[str]) -> None:
    titles = [tokens_of(text) for text in texts]
    made = inputs_of(titles, [Hints({0: ["c:new"]}, kind="shoes")] * len(titles))
    assert made.lengths.tolist() == [len(tokens) for tokens in titles]
    assert made.hints.max() < HINT_ROWS
    for k, tokens in enumerate(titles):
        first, last = made.first[k, : len(tokens)], made.last[k, : len(tokens)]
        assert np.all(first <= last)
        assert np.all(last < made.sizes[k])
        assert np.all(np.diff(first) > 0)


def test_a_long_title_is_cut_to_what_the_encoder_takes() -> None:
    tokens = tokens_of("antidisestablishmentarianism " * 150)
    made = inputs_of([tokens], [NO_HINTS])
    assert made.pieces.shape == (1, MAX_PIECES)
    assert int(made.last.max()) < MAX_PIECES


def test_a_mix_believes_whoever_was_right() -> None:
    draw = np.random.default_rng(0)
    slots = []
    for _ in range(300):
        right, wrong = (0, 1), (0, 2)
        crf = {right: 0.5, wrong: 0.5} if draw.random() < 0.5 else {right: 0.3, wrong: 0.7}
        slots.append((crf, {right: 0.9, wrong: 0.05}, frozenset({right})))
    mix = fit_mix(slots)
    assert mix.encoder > 0.5 > abs(mix.crf)
    read = mix({(0, 2): 0.9}, {(0, 1): 0.9})
    assert read[0, 1] > read[0, 2]
    assert MEAN({}, {}) == {}
    assert fit_mix([]) == Mix() == MEAN


def test_a_mix_of_few_or_odd_slots_stays_finite() -> None:
    few = [({(0, 1): 1.0}, {(0, 1): 1.0}, frozenset[tuple[int, int]]()), ({(0, 1): 0.0}, {}, frozenset({(0, 1)}))]
    for slots in (few, few * 50):
        assert all(abs(weight) < 20 for weight in (fit_mix(slots).bias, fit_mix(slots).crf, fit_mix(slots).encoder))


class TestAccurate(ExtractorContract):
    @pytest.fixture(scope="class")
    def extractor(self, folder: Path) -> Extractor:
        return build_extractor(f"accurate:{folder}", self.products())


@pytest.mark.long
def test_the_command_line_trains_and_reads_with_it(tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    brands = [next(iter(row.values["Brand Name"])) for row in gold_rows()]
    titles = [row.product.title for row in gold_rows()]
    lines = [{"input": title, "target_scores": {"Brand Name": {brand: 1}}} for title, brand in zip(titles, brands, strict=True)]
    gold.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    model, out = str(tmp_path / "model"), str(tmp_path / "out.jsonl")
    trained = CliRunner().invoke(extract, ["train", str(gold), "--tier", "accurate", "--model", model, "--json"])
    assert trained.exit_code == 0, trained.output
    assert json.loads(trained.stdout)["attributes"]["brand"]["rows"] == len(lines)
    read = CliRunner().invoke(extract, ["run", str(gold), "--extractor", "accurate", "--model", model, "--out", out])
    assert read.exit_code == 0, read.output
    said = [json.loads(line)["mentions"] for line in Path(out).read_text("utf-8").splitlines()]
    assert sum(any(m["attribute"] == "brand" and m["extractor"] == "tagger" for m in mentions) for mentions in said) >= 0.9 * len(lines)
