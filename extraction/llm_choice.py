"""The language model that a configuration names; what each kind needs is loaded when it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from extraction.llm_config import LlmConfig
from kg.errors import EngineError, InputError

if TYPE_CHECKING:
    from extraction.llm_model import LanguageModel


def language_model(config: LlmConfig, note: Callable[[str], None] = lambda message: None) -> LanguageModel:
    """The model that a configuration names: recorded answers, an endpoint, or a local folder.

    Args:
        config: names it.
        note: hears when an endpoint has to be asked in a looser form.

    Raises:
        EngineError: none is named.
        InputError: the folder or file is not there or is no model.
    """
    if config.replay:
        from extraction.llm_replay import ReplayModel

        return ReplayModel([Path(path) for path in config.replay])
    if config.base_url and config.model:
        from extraction.llm_http import EndpointModel

        return EndpointModel(config, note=note)
    if config.base_url:
        raise InputError(f"No model is named for {config.base_url}.", "Set CLEW_LLM_MODEL to one that the endpoint serves.")
    if config.model:
        from extraction.llm_local import LocalModel

        if not Path(config.model).is_dir():
            raise InputError(
                f"{config.model} is no folder with a model.",
                "For an endpoint's model set CLEW_LLM_BASE_URL too (https://api.openai.com/v1, http://localhost:11434/v1).",
            )
        return LocalModel(Path(config.model), max_tokens=config.max_tokens)
    raise EngineError(
        "No language model is configured.",
        "Set CLEW_LLM_BASE_URL and CLEW_LLM_MODEL (and CLEW_LLM_API_KEY), or CLEW_LLM_MODEL to the folder of a local model.",
    )
