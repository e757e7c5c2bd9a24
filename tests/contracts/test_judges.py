"""The judges: a reward, an LLM that is a server on loopback, and people who are a thread."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import llm_eyes
import pytest
from vote_page import Person, Shown

from aesalign_core.testing import JudgeContract
from aesalign_core.testing.llm_server import KEY, KEY_VARIABLE, LlmServer, Step


class TestRewardJudge(JudgeContract):
    component = "reward"
    refused = ({"reward": ""}, {"margin": -1}, {"batch_size": 0})


class TestLlmJudge(JudgeContract):
    component = "litellm"
    network = True
    refused = ({"model": ""}, {"aspects": []}, {"mode": "oracle"}, {"photos": 0})

    @pytest.fixture
    def settings(self, llm_server: LlmServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
        monkeypatch.setenv(KEY_VARIABLE, KEY)
        llm_server.script(lambda request: Step(content=llm_eyes.answer(request)))
        return {
            "model": llm_server.dialect.model, "api_base": llm_server.base, "api_key_env": KEY_VARIABLE, "side": 48,
            "cache": str(tmp_path / "cache"), "timeout": 10.0, "retries": 0,
        }  # fmt: skip


def _choice(shown: Shown) -> int:
    """Somebody who always prefers the same photos, on whichever side."""
    return 4 if shown.left == shown.right else 2 if shown.left < shown.right else 6


def _vote(origin: str, enough: threading.Event) -> None:
    """Votes whenever there is a page, and says that nobody else will."""
    while not enough.wait(0.05):
        with (
            contextlib.suppress(httpx.HTTPError, AssertionError),
            httpx.Client(base_url=origin, headers={"origin": origin}, timeout=5) as client,
        ):
            Person(client, "ann").vote_all(lambda shown: [_choice(shown)])
            client.post("/finish")


class TestHumanJudge(JudgeContract):
    component = "human"
    network = True
    refused = ({"aspects": []}, {"annotators": 0}, {"photos": 0}, {"token_env": "not a name"})

    @pytest.fixture
    def port(self) -> int:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            found: int = free.getsockname()[1]
            return found

    @pytest.fixture
    def settings(self, tmp_path: Path, port: int) -> Mapping[str, Any]:
        return {"votes": str(tmp_path / "votes"), "aspects": ["aesthetic"], "port": port}

    @pytest.fixture(autouse=True)
    def voter(self, port: int) -> Iterator[None]:
        """Ann, who votes on whatever is shown."""
        enough = threading.Event()
        ann = threading.Thread(target=_vote, args=(f"http://127.0.0.1:{port}", enough))
        ann.start()
        yield
        enough.set()
        ann.join()
