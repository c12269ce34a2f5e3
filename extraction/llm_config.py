"""Which language model is asked and what it may cost: `[extraction.llm]` of clew.toml, and `CLEW_LLM_*` in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SecretStr

from kg.config import Section, validated

PREFIX = "CLEW_LLM_"


class LlmConfig(Section):
    """`[extraction.llm]`. Every key can also be given as an environment variable (`CLEW_LLM_MODEL`), which wins.

    Args:
        base_url: address of an OpenAI-compatible endpoint ("http://localhost:11434/v1"); never assumed, so that no text leaves unasked.
        model: the endpoint's name of the model; without `base_url`, the folder of a local model.
        api_key: of the endpoint. Better kept in `CLEW_LLM_API_KEY` than in a file.
        replay: files of recorded answers that stand in for a model.
        timeout: seconds that one answer may take.
        attempts: how often a request is made before it is given up.
        max_wait: seconds that are waited between attempts at most; an endpoint that asks for longer is not waited for.
        parallel: requests under way at a time.
        max_tokens: tokens that one answer may have.
        temperature: 0 for the likeliest answer.
        structured: how the endpoint is held to the schema: by the schema, by "some JSON object", not at all; "auto" tries in this order.
        shots: examples in a prompt.
        budget: what a run may ask: "20%" of the titles, "50000 tokens", "2.50 USD".
        price_prompt, price_completion: what a million tokens read and written cost.
        currency: ISO 4217 code of the prices.
        cache: folder of answers; a workspace's own when not given.
    """

    base_url: str | None = None
    model: str | None = None
    api_key: SecretStr | None = None
    replay: tuple[str, ...] = ()
    timeout: float = Field(default=60.0, gt=0)
    attempts: int = Field(default=4, ge=1, le=20)
    max_wait: float = Field(default=60.0, ge=0)
    parallel: int = Field(default=4, ge=1, le=64)
    max_tokens: int = Field(default=400, ge=16)
    temperature: float = Field(default=0.0, ge=0, le=2)
    structured: Literal["auto", "schema", "object", "none"] = "auto"
    shots: int = Field(default=6, ge=0, le=50)
    budget: str | None = None
    price_prompt: float | None = Field(default=None, ge=0)
    price_completion: float | None = Field(default=None, ge=0)
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    cache: str | None = None

    @classmethod
    def from_environment(cls, table: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None) -> LlmConfig:
        """The configuration of a table of clew.toml with the environment's values over it.

        Args:
            table: the table `[extraction.llm]`; nothing when not given.
            environment: the process's own when not given.

        Raises:
            InputError: an unknown key or variable, or a wrong value.
        """
        environment = os.environ if environment is None else environment
        given = {key.removeprefix(PREFIX).lower(): value for key, value in environment.items() if key.startswith(PREFIX) and value}
        data: dict[str, Any] = {**(table or {}), **given}
        if isinstance(data.get("replay"), str):
            data["replay"] = [part for part in data["replay"].split(os.pathsep) if part]
        return validated(cls, data, "the language model's configuration ([extraction.llm] and CLEW_LLM_*)")
