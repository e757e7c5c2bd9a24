"""Servers that time out, refuse, break or vanish: retries in one layer, and one clear line when nothing can work."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from aesalign_core.errors import LlmError
from aesalign_core.testing.llm_server import LlmServer, Step, good
from aesalign_litellm import retrying
from aesalign_litellm.failures import AttemptError

if TYPE_CHECKING:
    from conftest import Context, Make

FAULTS: dict[str, tuple[Step, str]] = {
    "429": (Step(status=429), "rate limited: 3 attempts"),
    "500": (Step(status=500), "server error: 3 attempts, last: scripted 500"),
    "503": (Step(status=503), "server error: 3 attempts, last: scripted 503"),
    "timeout": (Step(delay=0.6), "timed out: no answer within 0.2 s, 3 attempts"),
    "hang up": (Step(hang_up=True), "connection lost: 3 attempts"),
    "truncated body": (Step(body=b'{"id": "chatcmpl-1", "choi'), "unreadable reply: 3 attempts, last: Unterminated"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_tried_exactly_retries_plus_one_times(
    make: Make, llm_server: LlmServer, context: Context, fault: str
) -> None:
    step, reason = FAULTS[fault]
    llm_server.script(step)
    made = make(retries=2, timeout=0.2 if fault == "timeout" else 5.0).rephrase(["a dog"], strategy="k_list")[0]
    assert made.text == "a dog"
    assert made.fallback is not None
    assert made.fallback.startswith(reason)
    assert len(llm_server.requests) == 3
    assert len(context.warnings) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_costs_one_more_attempt(make: Make, llm_server: LlmServer, fault: str) -> None:
    llm_server.script(FAULTS[fault][0], Step(good))
    made = make(timeout=0.3 if fault == "timeout" else 5.0).rephrase(["a dog"], strategy="k_list")[0]
    assert made.fallback is None
    assert len(llm_server.requests) == 2


def test_what_another_attempt_cannot_mend_is_tried_once(make: Make, llm_server: LlmServer) -> None:
    llm_server.script(Step(status=400), Step(good))
    made = make(concurrency=1).rephrase(["a dog", "a cat"], strategy="k_list")
    assert [m.fallback for m in made] == ["request refused: scripted 400", None]
    assert len(llm_server.requests) == 2


def test_no_retries_means_one_attempt(make: Make, llm_server: LlmServer) -> None:
    llm_server.script(Step(status=500))
    assert make(retries=0).rephrase(["a dog"], strategy="k_list")[0].fallback == (
        "server error: 1 attempt, last: scripted 500"
    )
    assert len(llm_server.requests) == 1


def test_retry_after_is_honoured(make: Make, llm_server: LlmServer) -> None:
    llm_server.script(Step(status=429, headers={"Retry-After": "0.7"}), Step(good))
    assert make(backoff=0.01).rephrase(["a dog"], strategy="k_list")[0].fallback is None
    first, second = llm_server.requests
    assert 0.7 <= second.at - first.at < 3


def _error(**headers: str) -> AttemptError:
    class RefusedError(Exception):
        status_code = 429
        litellm_response_headers = headers

    return AttemptError(RefusedError("slow down"))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"Retry-After": "0"}, 0.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "86400"}, retrying.MAX_WAIT),
        ({"retry-after": format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)}, 0.0),
        # Unreadable: the usual backoff, 0 here.
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "nan"}, 0.0),
        ({}, 0.0),
    ],
)
def test_retry_after_is_read_in_all_its_forms_and_capped(headers: dict[str, str], seconds: float) -> None:
    assert retrying.wait_before(1, _error(**headers), backoff=0.0) == seconds


def test_a_date_is_waited_for() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < retrying.wait_before(1, _error(**{"retry-after": date}), backoff=0.0) <= 30


def test_without_retry_after_waits_double_with_jitter() -> None:
    error = _error()
    for attempt, least in ((1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0)):
        waits = [retrying.wait_before(attempt, error, backoff=0.5) for _ in range(50)]
        assert least <= min(waits) < max(waits) <= least + 0.5
    assert retrying.wait_before(30, error, backoff=0.5) == retrying.MAX_WAIT


@pytest.mark.parametrize(
    ("status", "message", "hint"),
    [
        (401, "refused the API key for openai/local-model (status 401)", "check the key in TEST_LLM_KEY"),
        (403, "refused the API key for openai/local-model (status 403)", "check the key in TEST_LLM_KEY"),
        (404, "knows no model 'openai/local-model' (status 404)", "check `model` and `api_base`"),
    ],
)
def test_what_every_request_would_meet_stops_the_batch_at_once(
    make: Make, llm_server: LlmServer, status: int, message: str, hint: str
) -> None:
    llm_server.script(Step(status=status))
    with pytest.raises(LlmError) as caught:
        make(concurrency=2).rephrase([f"q{i}" for i in range(20)], strategy="k_list")
    assert caught.value.args[0] == f"{llm_server.base} {message}"
    assert caught.value.hint == hint
    assert len(llm_server.requests) <= 2


def test_a_server_that_is_not_there_is_one_clear_line(make: Make, llm_server: LlmServer) -> None:
    gone = LlmServer()
    gone.start()
    gone.stop()
    with pytest.raises(LlmError, match=f"^cannot connect to {gone.base} "):
        make(api_base=gone.base).rephrase(["a dog"], strategy="k_list")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"model": "nonsense"}, "litellm knows no provider for the model 'nonsense'"),
        ({"model": "nosuch/model"}, "litellm knows no provider for the model 'nosuch/model'"),
        ({"api_key_env": "UNSET_VARIABLE"}, "no API key for openai/local-model: UNSET_VARIABLE is not set"),
        (
            {"api_base": None, "api_key_env": None, "model": "openai/gpt-4o-mini"},
            "no API key for openai/gpt-4o-mini: OPENAI_API_KEY is not set",
        ),
        ({"max_cost": 1.0}, "no price is known for openai/local-model, so max_cost cannot be kept"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_sent(
    make: Make, llm_server: LlmServer, settings: dict[str, Any], line: str
) -> None:
    with pytest.raises(LlmError) as caught:
        make(**settings).rephrase(["a dog"], strategy="k_list")
    assert caught.value.args[0] == line
    assert caught.value.hint
    assert not llm_server.requests


def test_the_whole_attempt_is_limited_not_only_its_silences(make: Make, llm_server: LlmServer) -> None:
    llm_server.script(Step(delay=3.0))
    start = time.monotonic()
    made = make(timeout=0.2, retries=1).rephrase([f"q{i}" for i in range(4)], strategy="k_list")
    assert {m.fallback for m in made} == {"timed out: no answer within 0.2 s, 2 attempts"}
    assert time.monotonic() - start < 2.5


def test_it_works_inside_a_running_event_loop_and_again_after(make: Make, llm_server: LlmServer) -> None:
    rephraser = make()

    async def notebook() -> str:
        return rephraser.rephrase(["a dog"], strategy="k_list")[0].text

    assert asyncio.run(notebook()).startswith("a dog, ")
    assert rephraser.rephrase(["a cat"], strategy="k_list")[0].text.startswith("a cat, ")
    assert len(llm_server.requests) == 2
