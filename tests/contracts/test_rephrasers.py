"""The LLM rephraser against the contract of rephrasers, asking a server on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from aesalign_core.testing import RephraserContract
from aesalign_core.testing.llm_server import KEY, KEY_VARIABLE, LlmServer


class TestLlmRephraser(RephraserContract):
    component = "litellm"
    network = True
    refused = ({"model": ""}, {"temperature": 3}, {"api_base": "ftp://x"}, {"retries": 11}, {"max_chars": 0})

    @pytest.fixture
    def settings(self, llm_server: LlmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
        monkeypatch.setenv(KEY_VARIABLE, KEY)
        return {
            "model": "openai/local-model", "api_base": llm_server.base, "api_key_env": KEY_VARIABLE,
            "cache": str(tmp_path / "cache"), "min_similarity": -1, "timeout": 10.0, "retries": 0,
        }  # fmt: skip
