"""Settings of whatever asks an LLM. Validated without litellm; they name keys, never hold one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator

from aesalign_core.settings import Settings

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class LlmSettings(Settings):
    """Which model is asked, how, and for how much.

    Attributes:
        model: As litellm names it: `openai/gpt-4o-mini`, `anthropic/…`, `ollama/…`.
        api_base: Another server that speaks the provider's protocol. It is sent a key only if `api_key_env` is set.
        api_key_env: Name of the environment variable that holds the key; None: the provider's usual one.
        temperature: 0 for the most likely answer.
        max_tokens: Most tokens of one answer.
        seed: For providers that take one.
        answer_format: How JSON is asked for: by `schema`, as some JSON `object`, in plain `text`; `auto`: the best
            that litellm knows the model to support.
        concurrency: Requests in flight.
        timeout: Seconds that one attempt may take in all.
        retries: Attempts after the first, on timeouts, 429, 5xx and lost connections only.
        backoff: Seconds before the first retry; doubles with each, plus jitter. Retry-After goes first.
        max_requests: Most requests of this run, retries included.
        max_tokens_total: Most tokens of this run, asked and answered.
        max_cost: Most US dollars of this run, by litellm's price list.
        cache: Folder of the answer cache; None: the user's cache folder.
    """

    # The settings may hold a key that somebody put in the wrong place: errors never repeat what was given.
    model_config = ConfigDict(hide_input_in_errors=True)

    model: str = Field(min_length=1, max_length=200)
    api_base: str | None = None
    api_key_env: str | None = None
    temperature: float = Field(0.0, ge=0, le=2)
    max_tokens: int = Field(400, ge=16, le=100_000)
    seed: int | None = Field(0, ge=0)
    answer_format: Literal["auto", "schema", "object", "text"] = "auto"
    concurrency: int = Field(8, ge=1, le=256)
    timeout: float = Field(30.0, gt=0, le=3600)
    retries: int = Field(3, ge=0, le=10)
    backoff: float = Field(0.5, ge=0, le=60)
    max_requests: int | None = Field(None, ge=0)
    max_tokens_total: int | None = Field(None, ge=0)
    max_cost: float | None = Field(None, ge=0)
    cache: Path | None = None

    @field_validator("api_key_env")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        # An upper-case-only rule would be too strict; a key has dashes or a known beginning.
        if value is not None and (not _VARIABLE.match(value) or value.startswith(("sk_", "gsk_", "AIza"))):
            raise ValueError("must be the NAME of an environment variable; the key itself belongs in that variable")
        return value

    @field_validator("api_base")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an http(s) address, such as http://127.0.0.1:8000/v1")
        if parts.username or parts.password or parts.query:
            raise ValueError("must hold no user name, password or parameters; name the key's variable in api_key_env")
        return value


class RephraserSettings(LlmSettings):
    """How queries are rephrased by an LLM.

    Attributes:
        expectations: k of `k_list`, and most keywords per aspect of `kw_dict` is half of it.
        max_chars: Most characters that an answer may add to a query.
        min_similarity: Least cosine of query and answer in the recipe's text tower; -1 (or None) switches the check
            off. The default suits the embedded encoder.
    """

    expectations: int = Field(5, ge=1, le=20)
    max_chars: int = Field(400, ge=20, le=10_000)
    min_similarity: float | None = Field(0.25, ge=-1, le=1)
