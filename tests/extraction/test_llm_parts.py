"""Configuration, budget, cache, examples, answers: the small parts around a language model."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.llm import build_llm
from extraction.llm_align import Refusal
from extraction.llm_answer import Values, list_parts, read_answer
from extraction.llm_budget import NO_LIMIT, Budget, Ledger, Prices
from extraction.llm_cache import AnswerCache, CachedModel, MemoryCache, prompt_digest
from extraction.llm_choice import language_model
from extraction.llm_config import LlmConfig
from extraction.llm_examples import ExampleIndex, shipped_examples
from extraction.llm_http import EndpointModel
from extraction.llm_model import Completion, Message, Usage, estimated_tokens, plain_schema
from extraction.llm_prompt import MEANINGS, Example
from extraction.llm_replay import RecordingModel, ReplayModel
from kg.errors import EngineError, InputError, StateError

ASK = [Message("system", "s"), Message("user", '{"kind": "MUG", "title": "Acme Mug"}')]


# Configuration


def test_the_environment_wins_over_the_file() -> None:
    environment = {"CLEW_LLM_MODEL": "big", "CLEW_LLM_TIMEOUT": "7.5", "CLEW_LLM_API_KEY": "k", "CLEW_LLM_BUDGET": "", "PATH": "/bin"}
    config = LlmConfig.from_environment({"model": "small", "shots": 3, "base_url": "http://localhost:1/v1"}, environment)
    assert (config.model, config.shots, config.timeout, config.budget) == ("big", 3, 7.5, None)
    assert config.api_key is not None and config.api_key.get_secret_value() == "k" and "k'" not in repr(config)
    assert isinstance(language_model(config), EndpointModel)


def test_a_misspelt_key_is_refused() -> None:
    with pytest.raises(InputError, match="unknown key 'modle'") as caught:
        LlmConfig.from_environment({}, {"CLEW_LLM_MODLE": "x"})
    assert "model" in caught.value.hint
    with pytest.raises(InputError, match="timeout"):
        LlmConfig.from_environment({}, {"CLEW_LLM_TIMEOUT": "soon"})


def test_no_model_is_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from extraction import build_extractor

    monkeypatch.chdir(tmp_path)
    with pytest.raises(EngineError, match="No language model is configured") as caught:
        build_extractor("llm", [])
    assert "CLEW_LLM_BASE_URL" in caught.value.hint
    with pytest.raises(InputError, match="No model is named for http://x/v1"):
        language_model(LlmConfig(base_url="http://x/v1"))


def test_the_registry_builds_it_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from extraction import Extractor, build_extractor

    recorded = tmp_path / "a.jsonl"
    recorded.write_text('{"input": "Acme Mug", "category": "MUG", "answer": "{}"}\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLEW_LLM_REPLAY", str(recorded))
    monkeypatch.setenv("CLEW_LLM_BUDGET", "20%")
    built = build_extractor("llm", [])
    assert isinstance(built, Extractor) and built.name == "llm"
    (tmp_path / "clew-data").mkdir()
    with_prices = build_llm(config=LlmConfig(replay=(str(recorded),), price_prompt=1.0, price_completion=2.0, budget="1 USD"))
    assert with_prices.budget == Budget(money=1.0)


# Budget


@pytest.mark.parametrize(
    ("text", "budget", "shown"),
    [
        ("20%", Budget(share=0.2), "20% of the titles"),
        ("12.5 %", Budget(share=0.125), "0.125 of the titles"),
        ("50000 tokens", Budget(tokens=50_000), "50,000 tokens"),
        ("50k", Budget(tokens=50_000), "50,000 tokens"),
        ("1.5M tokens", Budget(tokens=1_500_000), "1,500,000 tokens"),
        ("2.50 USD", Budget(money=2.5), "2.5 USD"),
        ("$2.50", Budget(money=2.5), "2.5 USD"),
        ("2,50 €", Budget(money=2.5, currency="EUR"), "2.5 EUR"),
    ],
)
def test_budgets(text: str, budget: Budget, shown: str) -> None:
    assert Budget.parse(text) == budget and str(budget) == shown
    assert str(NO_LIMIT) == "no limit"


@pytest.mark.parametrize("text", ["", "lots", "-5", "20 %%", "5 bananas"])
def test_what_is_no_budget(text: str) -> None:
    with pytest.raises(InputError, match="is no budget"):
        Budget.parse(text)


def test_budgets_that_cannot_be_kept() -> None:
    with pytest.raises(InputError, match="more titles than there are"):
        Budget.parse("120%")
    with pytest.raises(InputError, match="needs to know what tokens cost"):
        Ledger(Budget(money=1.0))
    with pytest.raises(InputError, match="The budget is in EUR, the prices are in USD"):
        Ledger(Budget(money=1.0, currency="EUR"), Prices(1, 1))


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 100)), max_size=40), st.integers(0, 5000))
def test_what_is_booked_as_expected_never_passes_the_budget(costs: list[tuple[int, int]], limit: int) -> None:
    ledger = Ledger(Budget(tokens=limit))
    for read, written in costs:
        usage = Usage(read, written)
        if ledger.set_aside(usage):
            ledger.book(usage, usage)
    assert ledger.spent.tokens <= limit


def test_requests_under_way_count() -> None:
    ledger = Ledger(Budget(money=1.0), Prices(1e6, 2e6))
    assert not ledger.set_aside(Usage(0, 1)) and ledger.set_aside(Usage(1, 0)) and not ledger.set_aside(Usage(1, 0))
    ledger.book(Usage(1, 0), Usage())
    assert ledger.set_aside(Usage(1, 0))


def test_expectations_that_were_too_low_are_raised() -> None:
    ledger = Ledger(Budget(tokens=1000))
    assert ledger.set_aside(Usage(100, 0))
    ledger.book(Usage(100, 0), Usage(300, 0))
    assert ledger.set_aside(Usage(200, 0)) and not ledger.set_aside(Usage(200, 0))
    assert ledger.shown(Usage(1500, 5, estimated=True)) == "about 1,505 tokens"
    assert Ledger(NO_LIMIT, Prices(2, 10, "EUR")).shown(Usage(1_000_000, 100_000)) == "1,100,000 tokens, 3.00 EUR"


# Cache


def test_answers_are_kept_across_processes_threads_and_kills(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "llm")
    digests = [prompt_digest("m", [Message("user", f"é{i}")], None) for i in range(300)]
    threads = [threading.Thread(target=lambda k=k: [cache.put(d, Completion(d, Usage(1, 2))) for d in digests[k::4]]) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    torn = next((tmp_path / "llm").iterdir())
    with torn.open("ab") as file:
        file.write(b'{"digest": "sha256:half')
    again = AnswerCache(tmp_path / "llm")
    assert all(again.get(d) == Completion(d, Usage(1, 2), cached=True) for d in digests)
    extra = f"sha256:{torn.stem}" + "0" * 62
    again.put(extra, Completion("x\ny", Usage()))
    third = AnswerCache(tmp_path / "llm")
    assert third.get(extra) is not None and again.get(extra) is not None
    assert third.get("sha256:" + "f" * 64) is None


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="Answers cannot be kept in"):
        AnswerCache(tmp_path / "file" / "llm").put("sha256:00", Completion("x", Usage()))


def test_what_decides_an_answer_is_in_its_digest() -> None:
    one = prompt_digest("m", ASK, None)
    assert len({one, prompt_digest("n", ASK, None), prompt_digest("m", ASK[:1], None), prompt_digest("m", ASK, {"type": "null"})}) == 4


class Counting:
    """Counts how often it is asked."""

    name, digest, parallel = "counting", "c", 1

    def __init__(self, finish: str = "stop") -> None:
        self.asked, self.finish = 0, finish

    def count(self, text: str) -> int:
        return estimated_tokens(text)

    def complete(self, messages: object, schema: object = None) -> Completion:
        self.asked += 1
        return Completion('{"brand": ["Acme"]}', Usage(3, 4), self.finish)  # type: ignore[arg-type]


def test_any_caller_may_put_the_cache_before_a_model(tmp_path: Path) -> None:
    counting = Counting()
    model = CachedModel(counting, AnswerCache(tmp_path))
    first, second = model.complete(ASK), model.complete(ASK)
    assert counting.asked == 1 and second.cached and second.text == first.text
    assert (model.name, model.digest, model.parallel, model.count("a b")) == ("counting", "c", 1, 2)
    unsure = Counting("length")
    for _ in range(2):
        CachedModel(unsure, AnswerCache(tmp_path / "other")).complete(ASK)
    assert unsure.asked == 2, "a cut-off answer is not kept"


def test_memory_forgets_the_oldest() -> None:
    memory = MemoryCache(size=2)
    for name in "abc":
        memory.put(name, Completion(name, Usage()))
    assert memory.get("a") is None and memory.get("c") == Completion("c", Usage(), cached=True)


# Record and replay


def test_what_is_recorded_is_replayed_without_the_model(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    counting = Counting()
    recorder = RecordingModel(counting, path)
    recorder.complete(ASK)
    recorder.complete([Message("user", "Say it better.")])
    assert (recorder.name, recorder.digest, recorder.parallel, recorder.count("a")) == ("counting", "c", 1, 1)
    replay = ReplayModel([path])
    assert replay.complete(ASK).text == '{"brand": ["Acme"]}' and replay.complete([Message("user", "Say it better.")]).usage.estimated
    other_prompt = [Message("system", "new"), ASK[-1]]
    assert replay.complete(other_prompt).text == '{"brand": ["Acme"]}', "found by its title"
    with pytest.raises(EngineError, match="No answer was recorded for 'Bolt'"):
        replay.complete([Message("user", '{"title": "Bolt"}')])
    assert counting.asked == 2 and replay.name == "recorded answers (r.jsonl)" and replay.digest == ReplayModel([path]).digest


@pytest.mark.parametrize("line", ["{", "[]", '{"input": "x"}', '{"answer": "x"}', '{"input": "x", "answer": 3}'])
def test_what_is_no_recorded_answer(tmp_path: Path, line: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(line)
    with pytest.raises(InputError, match=r"r\.jsonl:1 is no recorded answer"):
        ReplayModel([path])
    with pytest.raises(InputError, match=r"gone\.jsonl cannot be read"):
        ReplayModel([tmp_path / "gone.jsonl"])


# Examples


def test_the_nearest_examples_stand_last_and_a_text_is_never_its_own() -> None:
    examples = [
        Example("Acme Steel Mug 12 oz", "MUG", {"brand": ("Acme",)}),
        Example("Bolt Steel Mug 16 oz", "MUG", {"brand": ("Bolt",)}),
        Example("Cora Cotton Shirt Large", "SHIRT", {"brand": ("Cora",)}),
        Example("保温杯 膳魔师", "杯", {"brand": ("膳魔师",)}),
    ]
    index = ExampleIndex(examples)
    (mug, shirt, chinese) = index.nearest(["Acme Steel Mug 12 oz", "Dune Shirt", "保温杯 虎牌"], ["MUG", "", ""], 2)
    assert mug[-1].text == "Bolt Steel Mug 16 oz" and examples[0] not in mug
    assert shirt[-1].kind == "SHIRT" and chinese[-1].kind == "杯"
    (by_kind,) = index.nearest(["Acme Steel Mug"], ["SHIRT"], 1)
    assert by_kind[0].kind == "SHIRT"
    assert index.nearest(["x"], [""], 0) == [[]] and ExampleIndex([]).nearest(["x"], [""], 3) == [[]]
    assert index.digest != ExampleIndex(examples[:2]).digest


def test_an_example_says_what_it_holds() -> None:
    with pytest.raises(InputError, match="gives 'Bolt', which it does not say"):
        ExampleIndex([Example("Acme Mug", "", {"brand": ("Bolt",)})])


def test_the_shipped_examples_are_whole() -> None:
    shipped = ExampleIndex(shipped_examples()).examples
    assert len(shipped) == len(shipped_examples()) >= 8
    assert all(set(example.values) <= set(MEANINGS) for example in shipped)


# Answers


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading_of_answers(text: str) -> None:
    assert isinstance(read_answer(text, ["brand"]), Values | Refusal)
    assert isinstance(read_answer('{"brand": ' + text, ["brand"]), Values | Refusal)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3),
    )
)
def test_no_value_breaks_it_either(value: object) -> None:
    found = read_answer(json.dumps({"brand": value}), ["brand"])
    assert isinstance(found, Values) and all(name == "brand" and isinstance(text, str) for name, text in found.values)


def test_forms_of_answers() -> None:
    said = '{"Brand": ["A", "n/a"], "pack_size": 12, "size": null, "nan": NaN, "x": "y"}'
    found = read_answer(said, ["brand", "Pack size", "size"])
    assert isinstance(found, Values) and found.values == (("brand", "A"), ("Pack size", "12"))
    assert {reason for _, _, reason in found.refused} == {Refusal.NOT_ASKED}
    many = read_answer(json.dumps({"brand": ["x"] * 25}), ["brand"])
    assert isinstance(many, Values) and len(many.values) == 20 and len(many.refused) == 5
    assert read_answer("{" * 100_001, ["brand"]) is Refusal.WRONG_FORM
    assert read_answer('{"a":' * 5000, ["brand"]) is Refusal.CUT_OFF
    assert read_answer('{"brand": "' + "x" * 600 + '"}', ["brand"]) == Values((), (("brand", "x" * 500, Refusal.WRONG_FORM),))
    assert list_parts("Quick-dry, Breathable and Soft") == ["Quick-dry", "Breathable", "Soft"] and list_parts("Red") == []


# Tokens and schemas


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("mug", 1), ("stainless steel", 3), ("12 oz", 2), ("保温杯", 2), ("a-b", 3)])
def test_estimated_tokens(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == tokens


def test_an_endpoint_sees_a_plain_schema() -> None:
    assert plain_schema({"type": "array", "items": {"type": "string", "x-part-of": "t"}, "anyOf": [{"x-y": 1}]}) == {
        "type": "array",
        "items": {"type": "string"},
        "anyOf": [{}],
    }
