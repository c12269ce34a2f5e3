"""Who is believed, what is asked within a budget, and what goes to a person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from extraction.base import Extractor, Mention, build_extractor
from extraction.bootstrap import asked_rows, corrected_rows, is_gold, training_rows
from extraction.combine import Policy, Slot, Verdict, combined
from extraction.corrections import Corrections
from extraction.evaluate import GoldRow
from extraction.hybrid import HybridExtractor, build_hybrid
from extraction.llm import LlmExtractor
from extraction.llm_budget import Budget
from extraction.llm_config import LlmConfig
from extraction.llm_replay import ReplayModel
from extraction.tag_training import train_tagger
from extraction.testing import PRODUCTS, ExtractorContract
from kg.errors import EngineError, InputError
from kg.model import Product

TITLES = [Product(str(i), f"Zibb Plain Thing {i}, Ecru Melange") for i in range(10)]


def recorded(path: Path, answers: dict[str, dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps({"input": t, "answer": json.dumps(a)}) + "\n" for t, a in answers.items()), "utf-8")
    return path


def mention(raw: str, confidence: float = 0.5) -> Mention:
    return Mention("brand", raw, raw, f"brand:{raw.lower()}", "title", 0, len(raw), confidence, "tagger")


def slot(raw: str, confidence: float) -> Slot:
    return Slot((mention(raw, confidence),) if raw else (), confidence)


def test_agreement_makes_sure_and_the_surer_one_wins() -> None:
    agreed = combined(slot("Acme", 0.6), slot("Acme", 0.8))
    assert agreed.mentions[0].raw == "Acme" and agreed.confidence > 0.95
    assert agreed.mentions[0].confidence == agreed.confidence
    assert combined(slot("Acme", 0.6), slot("Zorbo", 0.8)).mentions[0].raw == "Zorbo"
    kept = combined(slot("Acme", 0.95), slot("Zorbo", 0.8))
    assert kept.mentions[0].raw == "Acme" and kept.confidence < 0.95
    assert combined(slot("", 0.5), slot("Zorbo", 0.8)).mentions[0].raw == "Zorbo"
    assert combined(slot("Acme", 0.5), slot("", 0.8)).mentions == ()
    assert combined(slot("", 0.7), slot("", 0.8)).confidence > 0.9
    assert combined(slot("Acme", 1.0), slot("Zorbo", 1.0)).mentions[0].raw == "Zorbo"


def test_verdicts_follow_the_policy() -> None:
    policy = Policy(reliability=0.88, review=0.6)
    assert policy.verdict(0.9, may_ask=True) is Verdict.ACCEPTED
    assert policy.verdict(0.7, may_ask=True) is Verdict.ASK
    assert policy.verdict(0.7, may_ask=False) is Verdict.ACCEPTED
    assert policy.verdict(0.5, may_ask=False) is Verdict.REVIEW
    with pytest.raises(InputError, match="between 0 and 1"):
        Policy(reliability=88)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tagger that has seen colours of other shapes: unsure about "Ecru Melange", sure that no title states a material."""
    rows = [
        GoldRow(
            Product(str(i), f"Acme Thing {i}, {color}" if color else f"Acme Thing {i}, Large"),
            {"Color": frozenset({color} if color else ()), "Material": frozenset()},
        )
        for i, color in enumerate(("Red", "Navy Blue", "", "Black", "Dark Green", "") * 12)
    ]
    folder = tmp_path_factory.mktemp("tagger")
    train_tagger(rows)[0].save(folder)
    return folder


def hybrid(model: Path, tmp_path: Path, budget: str, policy: Policy = Policy()) -> HybridExtractor:  # noqa: B008
    answers = recorded(tmp_path / "answers.jsonl", {p.title: {"Color": ["Ecru"], "Material": []} for p in TITLES})
    return build_hybrid(TITLES, model, config=LlmConfig(replay=(str(answers),)), budget=budget, policy=policy)


def test_it_asks_within_its_budget_where_it_is_unsure(model: Path, tmp_path: Path) -> None:
    reader = hybrid(model, tmp_path, "30%", Policy(reliability=0.9999))
    read = list(reader.extract(TITLES))
    told = [[m for m in mentions if m.attribute == "color" and m.extractor == "llm"] for mentions in read]
    assert reader.llm.report.asked == 3
    assert sum(map(bool, told)) == 3
    assert all(m.raw == "Ecru" and m.accepted for mentions in told for m in mentions)
    assert reader.verdicts[Verdict.ASK] == 3 * len(reader.local.component.model.learned)


def test_a_value_that_stays_unsure_is_shown_but_no_fact(model: Path, tmp_path: Path) -> None:
    reader = hybrid(model, tmp_path, "100%", Policy(reliability=0.9999, review=1.0))
    mentions = [m for listed in reader.extract(TITLES) for m in listed if m.extractor == "llm"]
    assert mentions and not any(m.accepted for m in mentions)
    assert reader.verdicts[Verdict.REVIEW] > 0


def test_a_model_that_the_hybrid_does_not_own_is_refused(model: Path, tmp_path: Path) -> None:
    reader = hybrid(model, tmp_path, "100%")
    with pytest.raises(InputError, match="other products than were read"):
        list(reader.llm.answers(TITLES))


def test_without_a_language_model_there_is_no_hybrid(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BASE_URL", "MODEL", "REPLAY"):
        monkeypatch.delenv(f"CLEW_LLM_{name}", raising=False)
    with pytest.raises(EngineError, match="No language model is configured"):
        build_extractor("hybrid", TITLES)


def asker(path: Path, answers: dict[str, dict[str, object]], budget: Budget = Budget()) -> LlmExtractor:  # noqa: B008
    return LlmExtractor(ReplayModel([recorded(path, answers)]), ("brand", "color"), budget=budget)


def test_answers_become_labels_and_what_was_labelled_stays(tmp_path: Path) -> None:
    rows = [
        GoldRow(Product("a", "Zibb Mug, Ecru"), {"Brand Name": frozenset({"Zibb Mug"})}),
        GoldRow(Product("b", "Pongo Mug"), {}),
    ]
    llm = asker(tmp_path / "a.jsonl", {"Zibb Mug, Ecru": {"brand": "Zibb", "color": "Ecru"}, "Pongo Mug": {"brand": "Pongo"}})
    labelled = asked_rows(rows, llm, 2)
    assert labelled[0].values == {"Brand Name": frozenset({"Zibb Mug"}), "color": frozenset({"Ecru"})}
    assert labelled[1].values == {"brand": frozenset({"Pongo"}), "color": frozenset()}
    assert asked_rows(rows, asker(tmp_path / "b.jsonl", {"Pongo Mug": {"brand": "Pongo"}}, Budget(share=0.0)), 2) == rows


def test_corrections_are_learned_from() -> None:
    rows = [GoldRow(Product("a", "Zibb Mug"), {"Brand Name": frozenset({"Mug"})}), GoldRow(Product("b", "Cup"), {})]
    said = Corrections(right={"a": {"brand": ("Zibb",)}, "b": {"brand": ("Not There",)}})
    assert corrected_rows(rows, said)[0].values == {"Brand Name": frozenset({"Zibb"})}
    assert corrected_rows(rows, said)[1].values == {}


def test_files_of_both_kinds_teach(tmp_path: Path) -> None:
    gold, shop = tmp_path / "gold.jsonl", tmp_path / "shop.jsonl"
    gold.write_text(json.dumps({"input": "Zibb Mug", "target_scores": {"Brand": {"Zibb": 1}}}) + "\n")
    shop.write_text(json.dumps({"key": "k", "title": "Pongo Mug", "brand": "Pongo"}) + "\n")
    assert is_gold(gold) and not is_gold(shop) and not is_gold(tmp_path / "none.jsonl")
    rows, products = training_rows([gold, shop])
    assert [row.values for row in rows] == [{"Brand": frozenset({"Zibb"})}, {"brand": frozenset({"Pongo"})}]
    assert [p.title for p in products] == ["Zibb Mug", "Pongo Mug"]


class TestHybrid(ExtractorContract):
    @pytest.fixture(scope="class")
    def extractor(self, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Extractor:
        answers: dict[str, dict[str, object]] = {p.title: {"Color": []} for p in PRODUCTS}
        path = recorded(tmp_path_factory.mktemp("answers") / "a.jsonl", answers)
        return build_hybrid(PRODUCTS, model, config=LlmConfig(replay=(str(path),)), budget="0%")
