"""The only door to litellm: imported late, kept quiet, given its key here."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

from pydantic import BaseModel

from aesalign_core.errors import LlmError
from aesalign_litellm.budget import Prices
from aesalign_litellm.redaction import redact
from aesalign_litellm.settings import LlmSettings

NO_KEY = "none"
"""Sent to a server of the user's own that needs no key; the client library insists on one."""
Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Attributes:
        text: The answer; may be empty.
        refusal: What the model says instead of an answer, or that a filter kept it back; None if neither.
        truncated: Whether it was cut at `max_tokens`.
        prompt_tokens: As the provider counted; None if it does not say.
        completion_tokens: As the provider counted; None if it does not say.
    """

    text: str
    refusal: str | None
    truncated: bool
    prompt_tokens: int | None
    completion_tokens: int | None


@contextmanager
def quiet() -> Iterator[None]:
    """Hides two pydantic warnings about litellm's own types, which no user can do anything about."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Items? '.*' on TypedDict class", category=UserWarning)
        warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="litellm")
        yield


@cache
def load() -> Any:
    """Imports litellm (about three seconds) without its fetching a price list or printing banners."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    with quiet():
        import litellm
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.disable_aiohttp_transport = True  # httpx closes cleanly when a request is cancelled
    from aesalign_litellm import wire

    wire.watch(litellm)
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        # Its log lines repeat requests, headers included; ours say what users need.
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return litellm


class Provider:
    """One model behind litellm.

    Raises:
        LlmError: The model's name is no litellm name, or its key is missing.
    """

    def __init__(self, settings: LlmSettings) -> None:
        self.settings = settings
        self._litellm = load()
        self.name = self._provider_name()
        self.key_variable, self._key = self._find_key()
        if self.name in ("ollama", "ollama_chat"):
            # Of a model that it does not know litellm would ask ollama, after each answer and with no limit in time.
            about = {
                "litellm_provider": self.name,
                "mode": "chat",
                "input_cost_per_token": 0,
                "output_cost_per_token": 0,
            }
            self._litellm.model_cost.setdefault(settings.model, about)

    @property
    def address(self) -> str:
        """The server, or the provider's name."""
        return self.settings.api_base or self.name

    @property
    def key_hint(self) -> str:
        """What to do when the key is refused."""
        if self.key_variable:
            return f"check the key in {self.key_variable}"
        return "with `api_base`, a key is sent only if `api_key_env` names its variable"

    def redact(self, text: str) -> str:
        """A text without keys, this provider's before all."""
        return redact(text, secrets=[self._key] if self._key and self._key != NO_KEY else [])

    def _provider_name(self) -> str:
        try:
            with quiet():
                return str(self._litellm.get_llm_provider(self.settings.model)[1])
        except Exception:
            raise LlmError(
                f"litellm knows no provider for the model {self.settings.model!r}",
                hint="name it PROVIDER/MODEL, for example openai/gpt-4o-mini or ollama/llama3",
            ) from None

    def _find_key(self) -> tuple[str | None, str | None]:
        """The key's variable and the key, as far as we need to know them; litellm finds the usual ones itself."""
        if variable := self.settings.api_key_env:
            if key := os.environ.get(variable, "").strip():
                return variable, key
            raise self._no_key([variable])
        if self.settings.api_base:
            # The provider's own key must not go to just any server.
            return None, NO_KEY
        with quiet():
            missing = self._litellm.validate_environment(self.settings.model).get("missing_keys") or []
        if names := [n for n in missing if n.endswith("_API_KEY")]:
            raise self._no_key(names)
        usual = f"{self.name.upper()}_API_KEY"
        if not os.environ.get(usual, "-").strip():  # set, to nothing: for litellm it is there
            raise self._no_key([usual])
        return usual, None

    def _no_key(self, variables: Sequence[str]) -> LlmError:
        return LlmError(
            f"no API key for {self.settings.model}: {' or '.join(variables)} is not set",
            hint=f"export {variables[0]}=…; the rephraser `template` and the judge `reward` need none",
        )

    def prices(self) -> Prices | None:
        """The model's prices in litellm's list, if it is there."""
        try:
            with quiet():
                info = self._litellm.get_model_info(self.settings.model)
        except Exception:
            return None
        prompt, completion = info.get("input_cost_per_token"), info.get("output_cost_per_token")
        return None if prompt is None or completion is None else Prices(float(prompt), float(completion))

    @cached_property
    def answer_format(self) -> Literal["schema", "object", "text"]:
        """The strictest way of asking for JSON that litellm knows this model to support."""
        if self.settings.answer_format != "auto":
            return self.settings.answer_format
        model = self.settings.model
        with quiet():
            if self._litellm.supports_response_schema(model=model):
                return "schema"
            supported = self._litellm.get_supported_openai_params(model=model) or []
        return "object" if "response_format" in supported else "text"

    def _response_format(self, answer: type[BaseModel]) -> dict[str, Any] | None:
        match self.answer_format:
            case "schema":
                schema = {"name": answer.__name__, "strict": True, "schema": answer.model_json_schema()}
                return {"type": "json_schema", "json_schema": schema}
            case "object":
                return {"type": "json_object"}
            case "text":
                return None

    async def ask(self, messages: Sequence[Message], answer: type[BaseModel]) -> Reply:
        """One HTTP request, with no retries of litellm's or the client library's own."""
        settings = self.settings
        response = await self._litellm.acompletion(
            model=settings.model,
            messages=[dict(m) for m in messages],
            api_base=settings.api_base,
            api_key=self._key,
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            seed=settings.seed,
            response_format=self._response_format(answer),
            timeout=settings.timeout,
            num_retries=0,
            max_retries=0,
            drop_params=True,
        )
        choice, usage = response.choices[0], getattr(response, "usage", None)
        return Reply(
            text=str(choice.message.content or ""),
            refusal=_refusal(choice),
            truncated=choice.finish_reason == "length",
            prompt_tokens=getattr(usage, "prompt_tokens", None),
            completion_tokens=getattr(usage, "completion_tokens", None),
        )

    async def close(self) -> None:
        """Closes the connections that litellm keeps for the running event loop, and forgets them."""
        try:
            await self._litellm.close_litellm_async_clients()
        finally:
            self._litellm.in_memory_llm_clients_cache.flush_cache()


def _refusal(choice: Any) -> str | None:
    """OpenAI's `refusal`; or `content_filter`, which litellm makes of Anthropic's refusals and Gemini's blocks."""
    if said := getattr(choice.message, "refusal", None):
        return str(said)
    return "kept back by a filter" if choice.finish_reason == "content_filter" else None
