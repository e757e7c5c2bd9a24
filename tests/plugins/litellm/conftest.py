"""What the tests of the LLM rephraser share: a server that can misbehave, a key, an encoder with known cosines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llm_server import KEY, KEY_VARIABLE, LlmServer, llm_server

from aesalign_core.settings import validate
from aesalign_core.types import Vectors
from aesalign_litellm.rephraser import LitellmRephraser

__all__ = ["llm_server"]


class WordEncoder:
    """Embeds a text as the set of its words, one dimension each: two texts that share no word have cosine 0."""

    DIM = 4096

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self.DIM), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.casefold().replace(",", " ").replace(".", " ").split():
                row[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) % self.DIM] = 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


class Context:
    """A `BuildContext` that keeps its warnings."""

    device = "cpu"

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.encoders_built = 0

    def encoder(self, spec: str | None = None) -> WordEncoder:
        self.encoders_built += 1
        return WordEncoder()

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(KEY_VARIABLE, KEY)


@pytest.fixture
def context() -> Context:
    return Context()


Make = Callable[..., LitellmRephraser]


@pytest.fixture
def make(llm_server: LlmServer, context: Context, tmp_path: Path) -> Make:
    """Builds a rephraser that talks to the server; settings may be overridden."""

    def build(**settings: Any) -> LitellmRephraser:
        values = {
            "model": "openai/local-model",
            "api_base": llm_server.base,
            "api_key_env": KEY_VARIABLE,
            "cache": str(tmp_path / "cache"),
            "min_similarity": None,
            "backoff": 0.01,
            "timeout": 5.0,
            "retries": 2,
            **settings,
        }
        return LitellmRephraser(validate(LitellmRephraser.Settings, values, where="[rephraser]"), context)  # type: ignore[arg-type]

    return build
