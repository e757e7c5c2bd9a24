"""What tests of the LLM plugin share: a server that can misbehave, a key, an encoder with known cosines, photos."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from aesalign_core.settings import validate
from aesalign_core.testing.llm_server import KEY, KEY_VARIABLE, LlmServer
from aesalign_core.types import Vectors
from aesalign_litellm.judge import LitellmJudge
from aesalign_litellm.rephraser import LitellmRephraser


class WordEncoder:
    """Embeds a text as the set of its words, one dimension each: two texts that share no word have cosine 0."""

    name, dim = "words", 4096

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.casefold().replace(",", " ").replace(".", " ").split():
                row[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) % self.dim] = 1
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


MakeJudge = Callable[..., LitellmJudge]


@pytest.fixture
def judge(llm_server: LlmServer, context: Context, tmp_path: Path) -> MakeJudge:
    """Builds a judge that asks the server, in whatever dialect it speaks by then."""

    def build(**settings: Any) -> LitellmJudge:
        values = {
            "model": llm_server.dialect.model, "api_base": llm_server.base, "api_key_env": KEY_VARIABLE, "side": 48,
            "cache": str(tmp_path / "cache"), "backoff": 0.01, "timeout": 10.0, "retries": 0, **settings,
        }  # fmt: skip
        return LitellmJudge(validate(LitellmJudge.Settings, values, where="[judge]"), context)

    return build


Rows = tuple[list[str], list[str]]


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """A dim row and a light one. Their photos are no even grey: JPEG must have something to say in base64."""

    def paint(name: str, base: int) -> str:
        noise = np.random.default_rng(base).integers(0, 20, (40, 60, 3))
        Image.fromarray((base + noise).astype(np.uint8)).save(tmp_path / f"{name}.png")
        return str(tmp_path / f"{name}.png")

    return [paint(f"dim{k}", 20 + k) for k in range(2)], [paint(f"light{k}", 200 + k) for k in range(2)]
