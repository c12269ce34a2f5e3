"""The endpoint client against a real HTTP server that misbehaves in every way we could think of."""

from __future__ import annotations

import email.utils
import json
import time
from pathlib import Path
from typing import Any

import pytest

from extraction.llm import LlmExtractor
from extraction.llm_config import LlmConfig
from extraction.llm_http import EndpointModel
from extraction.llm_model import PART_OF, LanguageModel, Message, NoAnswerError, Usage
from extraction.llm_testing import Server, answer, drip, error, half, hang_up, raw, serving, silence
from kg.errors import EngineError, InputError
from kg.model import Product

ASK = [Message("system", "s"), Message("user", '{"title": "Acme Mug"}')]
SCHEMA = {"type": "object", "properties": {"brand": {"type": "array", "items": {"type": "string", PART_OF: "Acme Mug"}}}}
GOOD = answer({"brand": ["Acme"]}, usage={"prompt_tokens": 11, "completion_tokens": 7})
KEY = "sk-secret-123"


@pytest.fixture(autouse=True)
def _straight_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-strangers")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-not-for-strangers")


def model(server: Server, waits: list[float] | None = None, notes: list[str] | None = None, **options: Any) -> EndpointModel:
    config = LlmConfig(base_url=server.url, model="m", **{"timeout": 5.0, **options})
    return EndpointModel(config, sleep=(waits if waits is not None else []).append, note=(notes if notes is not None else []).append)


def test_a_good_answer_and_what_was_sent() -> None:
    with serving(GOOD) as server:
        asked = model(server, api_key=KEY)
        completion = asked.complete(ASK, SCHEMA)
    assert (json.loads(completion.text), completion.usage, completion.finish) == ({"brand": ["Acme"]}, Usage(11, 7), "stop")
    (request,) = server.requests
    assert request["messages"] == [m.to_dict() for m in ASK] and request["model"] == "m" and request["temperature"] == 0
    form = request["response_format"]["json_schema"]
    assert form["strict"] is True and PART_OF not in json.dumps(form)
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert isinstance(asked, LanguageModel)
    assert KEY not in json.dumps([asked.name, asked.digest]) and KEY not in repr(asked.config)


def test_nothing_of_the_environment_goes_to_a_stranger() -> None:
    with serving(GOOD) as server:
        model(server).complete(ASK)
    assert "not-for-strangers" not in json.dumps(server.headers)
    assert "response_format" not in server.requests[0]


@pytest.mark.parametrize(
    "bad",
    [
        error(500, "oops"),
        error(502, "oops"),
        error(503, "busy"),
        error(408, "slow"),
        error(429, "slow down"),
        raw(200, b"<html>welcome</html>", {"Content-Type": "text/html"}),
        raw(200, b""),
        raw(200, b"\xff\xfe\x00garbage"),
        raw(200, b'{"choices": [{"message": {"content": "{\\"brand\\": '),
        raw(200, b'{"choices": []}'),
        raw(200, b"[1, 2]"),
        raw(200, b"[" * 100_000),
        raw(200, b'{"error": {"message": "in a 200"}}'),
        answer(None),
        half(b'{"choices": [{"message"', promised=5000),
        hang_up,
    ],
    ids=lambda reply: getattr(reply, "__name__", "reply"),
)
def test_what_may_pass_is_asked_again(bad: Any) -> None:
    waits: list[float] = []
    with serving(bad, bad, GOOD) as server:
        completion = model(server, waits, timeout=2.0).complete(ASK, SCHEMA)
    assert json.loads(completion.text) == {"brand": ["Acme"]} and len(server.requests) == 3
    assert 0.5 <= waits[0] <= 0.625 and 1.0 <= waits[1] <= 1.25


def test_retries_are_bounded() -> None:
    waits: list[float] = []
    with serving(error(500, "the  disk\nis full")) as server:
        asked = model(server, waits, attempts=3)
        with pytest.raises(NoAnswerError) as caught:
            asked.complete(ASK)
    assert len(server.requests) == 3 and len(waits) == 2
    assert caught.value.message == f"m at 127.0.0.1:{server.server_address[1]} gave no answer in 3 attempts: HTTP 500: the disk is full."
    assert "run again later" in caught.value.hint


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"Retry-After": "0"}, 0, 0),
        ({"retry-after-ms": "1500"}, 1.5, 1.5),
        ({"Retry-After": "soon"}, 0.5, 0.625),
        ({"Retry-After": email.utils.formatdate(time.time() + 900, usegmt=True)}, 300, 901),
        ({"Retry-After": email.utils.formatdate(0, usegmt=True)}, 0, 0),
    ],
)
def test_retry_after_is_kept_to(headers: dict[str, str], least: float, most: float) -> None:
    waits: list[float] = []
    with serving(error(429, "slow down", headers), GOOD) as server:
        model(server, waits, max_wait=1000.0).complete(ASK)
    assert least <= waits[0] <= most


def test_a_wait_that_is_too_long_is_not_waited_for() -> None:
    waits: list[float] = []
    with serving(error(429, "come back tomorrow", {"Retry-After": "86400"})) as server, pytest.raises(EngineError) as caught:
        model(server, waits, max_wait=30.0).complete(ASK)
    assert not waits and len(server.requests) == 1
    assert "asks to wait 86400 s (HTTP 429: come back tomorrow)" in caught.value.message and "CLEW_LLM_MAX_WAIT" in caught.value.hint


@pytest.mark.parametrize("slow", [silence(20), drip(20), half(b'{"choices"')], ids=["silence", "drip", "half"])
def test_silence_ends_at_the_timeout(slow: Any) -> None:
    started = time.monotonic()
    with (
        serving(slow) as server,
        pytest.raises(NoAnswerError, match=r"no (whole )?answer within 0\.4 s|the connection broke|no connection"),
    ):
        model(server, timeout=0.4, attempts=2).complete(ASK)
    assert time.monotonic() - started < 15


def test_a_body_without_end_is_not_read_to_it() -> None:
    with serving(raw(200, b" " * 5_000_000)) as server, pytest.raises(NoAnswerError, match="more than 4000000 bytes"):
        model(server, attempts=1).complete(ASK)


@pytest.mark.parametrize(
    ("reply", "message", "hint"),
    [
        (error(401, "bad key"), "refuses the key (HTTP 401: bad key)", "CLEW_LLM_API_KEY"),
        (error(403, "no"), "refuses the key (HTTP 403: no)", "CLEW_LLM_API_KEY"),
        (error(404, "model m not found"), "has no model 'm' (HTTP 404: model m not found)", "CLEW_LLM_MODEL"),
        (error(429, "pay first", code="insufficient_quota"), "has no credit left (HTTP 429: pay first)", "Top it up"),
        (error(400, "prompt too long"), "refuses the request (HTTP 400: prompt too long)", "what CLEW_LLM_MODEL can take"),
    ],
)
def test_what_does_not_pass_is_not_asked_again(reply: Any, message: str, hint: str) -> None:
    with serving(reply) as server, pytest.raises(EngineError) as caught:
        model(server, api_key=KEY).complete(ASK)
    assert len(server.requests) == 1 and not isinstance(caught.value, NoAnswerError)
    assert message in caught.value.message and hint in caught.value.hint
    assert KEY not in caught.value.message + caught.value.hint


def test_nobody_there() -> None:
    with serving(GOOD) as server:
        url = server.url
    gone = EndpointModel(LlmConfig(base_url=url, model="m", attempts=2, timeout=2.0), sleep=lambda s: None)
    with pytest.raises(NoAnswerError, match="no connection"):
        gone.complete(ASK)


def test_a_server_without_schemas_is_asked_in_a_looser_form_and_says_so() -> None:
    notes: list[str] = []
    refusals = (error(400, "response_format json_schema is not supported"), error(422, "unknown field response_format"))
    with serving(*refusals, GOOD, GOOD) as server:
        asked = model(server, notes=notes)
        asked.complete(ASK, SCHEMA)
        asked.complete(ASK, SCHEMA)
    forms = [request.get("response_format", {}).get("type") for request in server.requests]
    assert forms == ["json_schema", "json_object", None, None]
    assert len(notes) == 2 and "does not know a JSON schema" in notes[0]


def test_a_form_that_was_asked_for_is_not_loosened() -> None:
    with serving(error(400, "response_format is not supported")) as server, pytest.raises(EngineError, match="refuses the request"):
        model(server, structured="schema").complete(ASK, SCHEMA)
    assert len(server.requests) == 1


def test_reasoning_models_are_asked_as_they_want() -> None:
    first = error(400, "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
    second = error(400, "Unsupported value: 'temperature' does not support 0 with this model.")
    with serving(first, second, GOOD) as server:
        model(server).complete(ASK, SCHEMA)
    assert "max_tokens" in server.requests[0]
    assert server.requests[2]["max_completion_tokens"] == 400 and "temperature" not in server.requests[2]


def test_finishes_and_missing_usage() -> None:
    with serving(answer('{"brand": [', finish="length"), answer(None, refusal="no"), answer("", finish="content_filter")) as server:
        asked = model(server)
        cut, refused, filtered = (asked.complete(ASK) for _ in range(3))
    assert (cut.finish, refused.finish, filtered.finish) == ("length", "declined", "declined")
    assert cut.usage.estimated and cut.usage.tokens > 0


@pytest.mark.parametrize("url", ["localhost:11434", "ftp://x/v1", "https://", "file:///etc/passwd"])
def test_an_address_is_one(url: str) -> None:
    with pytest.raises(InputError, match="is no address of an endpoint"):
        EndpointModel(LlmConfig(base_url=url, model="m"))


# What the extractor makes of it, through the same server.


PRODUCTS = [Product(f"p{i}", f"Acme{i} Steel Mug {i} oz") for i in range(12)]


def extractor(server: Server, cache: Path | None = None, **options: Any) -> LlmExtractor:
    return LlmExtractor(model(server, **options), ("brand", "material"), shots=0, cache=cache)


def by_title(request: dict[str, Any]) -> Any:
    title = json.loads(request["messages"][-1]["content"])["title"]
    return answer({"brand": [title.split()[0]], "material": ["Steel"]}, usage={"prompt_tokens": 100, "completion_tokens": 10})


def test_products_are_asked_in_parallel_and_answered_in_order(tmp_path: Path) -> None:
    with serving(GOOD) as server:
        server.by_request = by_title
        asked = extractor(server, tmp_path / "llm", parallel=4)
        found = list(asked.extract(PRODUCTS))
        assert [[m.raw for m in mentions] for mentions in found] == [[f"Acme{i}", "Steel"] for i in range(12)]
        assert len(server.requests) == 12
        again = extractor(server, tmp_path / "llm")
        assert list(again.extract(PRODUCTS)) == found
        assert len(server.requests) == 12, "a second run asks nothing"
    assert asked.report.spent == Usage(1200, 120) and again.report.spent == Usage() and again.report.kept == 12
    assert asked.digest == again.digest


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("I cannot find any brand here.", "no JSON"),
        ('{"brand": ["Acme0"', "cut off"),
        ("[1, 2, 3]", "not of the asked form"),
        ('"Acme0"', "not of the asked form"),
        ('{"answer": "Acme0"}', "not of the asked form"),
        ('{"brand": {"name": "Acme0"}}', "not of the asked form"),
        ('{"brand": true}', "not of the asked form"),
        ('{"brand": "Nike"}', "not in the text"),
        ('{"brand": "Acm"}', "only a part of a word of the text"),
        ('{"brand": [], "price": "3"}', "an attribute that was not asked for"),
    ],
)
def test_what_is_no_answer_is_refused_and_counted(content: str, reason: str) -> None:
    with serving(answer(content)) as server:
        asked = extractor(server)
        assert list(asked.extract(PRODUCTS[:1])) == [[]]
    assert dict(asked.report.refused) == {reason: 1}
    assert reason in asked.spent_sentence()


@pytest.mark.parametrize(
    "content",
    [
        '```json\n{"brand": ["Acme0"]}\n```',
        'Sure! Here it is: {"brand": "acme0", "material": null}. Anything else?',
        'I looked {at it}. {"Brand": "ACME0", "material": "n/a"}',
    ],
)
def test_prose_around_the_answer_is_passed_over(content: str) -> None:
    with serving(answer(content)) as server:
        ((mention,),) = extractor(server).extract(PRODUCTS[:1])
    assert (mention.attribute, mention.raw, mention.entity) == ("brand", "Acme0", "brand:acme0")


def test_an_unreadable_answer_is_asked_for_once_more_with_the_reason() -> None:
    with serving(answer("hm"), answer({"brand": ["Acme0"]})) as server:
        asked = extractor(server)
        ((mention,),) = asked.extract(PRODUCTS[:1])
    assert mention.raw == "Acme0" and not asked.report.refused
    assert "could not be used: no JSON" in server.requests[1]["messages"][0]["content"]
    assert server.requests[0]["messages"][-1] == server.requests[1]["messages"][-1]


def test_one_failing_product_does_not_stop_the_rest_but_a_dead_endpoint_does(tmp_path: Path) -> None:
    with serving(GOOD) as server:
        server.by_request = lambda request: error(500, "oops") if "Acme3" in request["messages"][-1]["content"] else by_title(request)
        asked = extractor(server, tmp_path, attempts=2, parallel=1)
        found = list(asked.extract(PRODUCTS))
        assert [len(mentions) for mentions in found] == [2, 2, 2, 0] + [2] * 8
        assert asked.report.refused["the endpoint failed"] == 1
        server.by_request = lambda request: error(503, "down")
        with pytest.raises(NoAnswerError, match="HTTP 503: down"):
            list(extractor(server, None, attempts=1, parallel=1).extract(PRODUCTS))
        server.by_request = by_title
        before = len(server.requests)
        assert all(extractor(server, tmp_path).extract(PRODUCTS))
        assert len(server.requests) == before + 1, "only what failed is asked again"


def test_a_refused_key_stops_at_once() -> None:
    with serving(error(401, "bad key")) as server, pytest.raises(EngineError, match="refuses the key"):
        list(extractor(server, parallel=1).extract(PRODUCTS))
    assert len(server.requests) == 1
