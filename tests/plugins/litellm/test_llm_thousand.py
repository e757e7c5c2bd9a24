"""A thousand comparisons, killed again and again: what was kept is not asked again, and no paid answer is lost."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llm_eyes import answer
from PIL import Image

from aesalign_core.testing.llm_server import KEY_VARIABLE, LlmServer, Received, Step
from aesalign_litellm.cache import FILE

QUERIES, CONCURRENCY = 1000, 8
KILLS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGINT)
LIGHTS = range(20, 240, 20)


def digest(request: Received) -> str:
    return hashlib.sha256(request.raw).hexdigest()[:16]


@dataclass(frozen=True)
class Comparisons:
    """Rows of one grey photo each: the lighter one is better, and equal ones are the same photo."""

    folder: Path
    outcomes: list[str]

    @property
    def questions(self) -> int:
        """Two for each, but one where both orders show the same."""
        return 2 * len(self.outcomes) - self.outcomes.count("similar")

    def command(self, server: LlmServer, cache: str, queries: int = QUERIES) -> list[str]:
        for name in ("old", "new"):
            lines = (self.folder / f"{name}.jsonl").read_text().splitlines(keepends=True)
            (self.folder / f"{name}-{queries}.jsonl").write_text("".join(lines[:queries]))
        settings = {
            "model": "openai/local-model", "api_base": server.base, "api_key_env": KEY_VARIABLE, "cache": cache,
            "side": 32, "aspects": '["aesthetic"]', "concurrency": CONCURRENCY, "backoff": 0.01,
        }  # fmt: skip
        flags = [flag for name, value in settings.items() for flag in ("--set", f"judge.{name}={value}")]
        lists = [f"old-{queries}.jsonl", f"new-{queries}.jsonl"]
        return [
            sys.executable, "-m", "aesalign_core", "judge", "compare", *lists, "--judge", "litellm", *flags, "--json",
        ]  # fmt: skip


@pytest.fixture
def comparisons(tmp_path: Path) -> Comparisons:
    for level in LIGHTS:
        Image.fromarray(np.full((24, 32, 3), level, np.uint8)).save(tmp_path / f"{level}.png")
    drawn = np.random.default_rng(0).choice(list(LIGHTS), (QUERIES, 2))
    for k, name in enumerate(("old", "new")):
        lines = [json.dumps({"query": f"query {n}", "hits": [f"{pair[k]}.png"]}) for n, pair in enumerate(drawn)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    outcomes = ["win" if new > old else "loss" if new < old else "similar" for old, new in drawn]
    return Comparisons(tmp_path, outcomes)


def kept(folder: Path) -> set[str]:
    """Whose answers are in the cache: each gives the digest of its question as the reason."""
    if not (folder / "cache" / FILE).exists():
        return set()
    database = sqlite3.connect(folder / "cache" / FILE)
    try:
        return {json.loads(value)["reason"] for (value,) in database.execute("SELECT value FROM answers")}
    finally:
        database.close()


def run(command: list[str], folder: Path) -> tuple[dict[str, Any], str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_comparisons_survive_being_killed(llm_server: LlmServer, comparisons: Comparisons) -> None:
    folder = comparisons.folder
    llm_server.script(Step(lambda request: answer(request, reason=digest(request))))
    command = comparisons.command(llm_server, "cache")
    seed = int.from_bytes(os.urandom(4))
    chance = random.Random(seed)
    points = sorted(chance.sample(range(1, comparisons.questions - 10), len(KILLS)))
    print(f"seed {seed}: killed after {points} answers")
    in_cache: set[str] = set()
    for point, how in zip(points, chance.sample(KILLS, len(KILLS)), strict=True):
        begun, came_before = len(llm_server.requests), len(llm_server.answered)
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # Tests in the background of a shell ignore Ctrl-C, and so would their children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        while len(llm_server.answered) < point:
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.05))
        process.send_signal(how)
        out, err = process.communicate(timeout=60)
        while llm_server.in_flight:
            time.sleep(0.002)
        if how == signal.SIGINT:
            assert (process.returncode, out) == (130, "")
            assert err.splitlines()[-1] == "aesalign: interrupted; run the same command again to go on"
            assert "Traceback" not in err
        asked_now = {digest(request) for request in llm_server.requests[begun:]}
        assert not asked_now & in_cache, "what was kept is not asked again"
        came = {digest(request) for request in llm_server.answered[came_before:]}
        assert kept(folder) >= in_cache, "what was kept stays"
        in_cache = kept(folder)
        assert len(came - in_cache) <= CONCURRENCY, "of the answers that came, only those in flight can be lost"
    begun = len(llm_server.requests)
    found, first = run(command, folder)
    assert not {digest(request) for request in llm_server.requests[begun:]} & in_cache
    times = Counter(map(digest, llm_server.requests))
    assert len(times) == comparisons.questions
    assert len(llm_server.requests) - len(times) <= len(KILLS) * CONCURRENCY
    assert max(times.values()) <= 1 + len(KILLS)
    # The verdicts are those of a run that nobody killed, and all that was paid for is in them.
    assert [verdict["outcome"] for verdict in found["verdicts"]] == comparisons.outcomes
    asked = len(llm_server.requests)
    assert run(command, folder)[1] == first
    assert len(llm_server.requests) == asked, "a run that is all in the cache asks nothing"
    part, _ = run(comparisons.command(llm_server, "another cache", queries=100), folder)
    assert part["verdicts"] == found["verdicts"][:100]
