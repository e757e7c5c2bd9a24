"""Budgets: what is refused, when, and what was spent; against the server and in arithmetic by hand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from aesalign_core.errors import BudgetError
from aesalign_core.testing.llm_server import LlmServer, Step, good
from aesalign_litellm.budget import Budget, Prices, Usage
from aesalign_litellm.tokens import PER_IMAGE, PER_MESSAGE, estimate, of_text

if TYPE_CHECKING:
    from conftest import Make


def test_requests_stop_before_the_one_too_many_and_nothing_answered_is_lost(
    make: Make, llm_server: LlmServer
) -> None:
    queries = [f"q{i}" for i in range(6)]
    rephraser = make(max_requests=4, concurrency=2)
    with pytest.raises(BudgetError) as caught:
        rephraser.rephrase(queries, strategy="k_list")
    # The server reports 100 + 20 tokens for each of the four.
    assert caught.value.args[0] == (
        "the budget max_requests = 4 leaves no room for another request;"
        " spent so far: 4 requests, 480 tokens, $0.0000"
    )
    assert "raise max_requests" in caught.value.hint
    assert len(llm_server.requests) == 4
    again = make(max_requests=2).rephrase(queries, strategy="k_list")
    assert [m.cached for m in again].count(True) == 4
    assert len(llm_server.requests) == 6


def test_retries_count(make: Make, llm_server: LlmServer) -> None:
    llm_server.script(Step(status=500))
    with pytest.raises(BudgetError, match="2 requests, 0 tokens"):
        make(max_requests=2, retries=5).rephrase(["a dog"], strategy="k_list")
    assert len(llm_server.requests) == 2


def test_a_budget_of_nothing_sends_nothing(make: Make, llm_server: LlmServer) -> None:
    for limit in ({"max_requests": 0}, {"max_tokens_total": 0}, {"max_cost": 0.0, "model": "openai/gpt-4o-mini"}):
        with pytest.raises(BudgetError, match=f"{next(iter(limit))} = 0"):
            make(**limit).rephrase(["a dog"], strategy="k_list")
    assert not llm_server.requests


def test_money_is_counted_at_the_price_list(make: Make, llm_server: LlmServer) -> None:
    # gpt-4o-mini: $0.15 and $0.60 per million tokens; 2 x (100 x 0.15 + 20 x 0.60) / 1e6 = $0.000054.
    rephraser = make(model="openai/gpt-4o-mini", max_cost=0.01)
    rephraser.rephrase(["a dog", "a cat"], strategy="k_list")
    assert rephraser.client.usage.cost == pytest.approx(0.000054)
    assert rephraser.client.usage.requests == 2


def test_an_answer_that_came_too_late_counts_at_its_estimate(make: Make, llm_server: LlmServer) -> None:
    llm_server.script(Step(delay=0.6))
    rephraser = make(timeout=0.2, retries=0, max_tokens=400)
    rephraser.rephrase(["a dog"], strategy="k_list")
    assert rephraser.client.usage.completion_tokens == 400
    assert rephraser.client.usage.prompt_tokens > 100


def test_usage_that_the_server_does_not_tell_is_estimated(make: Make, llm_server: LlmServer) -> None:
    llm_server.script(Step(good, usage=None))
    rephraser = make()
    rephraser.rephrase(["a dog"], strategy="k_list")
    assert rephraser.client.usage.prompt_tokens > 100
    assert rephraser.client.usage.completion_tokens > 5


def test_estimates_in_flight_delay_a_request_but_do_not_refuse_it(make: Make, llm_server: LlmServer) -> None:
    # Two estimates (about 450 prompt + 400 answer tokens each) exceed the budget; two real usages (120) do not.
    llm_server.script(Step(good, delay=0.2))
    made = make(max_tokens_total=1400, concurrency=4).rephrase(["a", "b", "c"], strategy="k_list")
    assert [m.fallback for m in made] == [None] * 3
    assert llm_server.most_in_flight == 1


def test_a_budget_in_numbers() -> None:
    budget = Budget(max_requests=3, max_tokens=100, max_cost=0.5, prices=Prices(prompt=0.001, completion=0.01))
    first = budget.reserve(prompt=40, completion=10)  # $0.04 + $0.10
    assert first == Usage(1, 40, 10, pytest.approx(0.14))
    with pytest.raises(BudgetError, match="max_tokens_total = 100"):
        budget.reserve(prompt=41, completion=10)
    budget.settle(first, prompt=40, completion=2)
    assert budget.spent == Usage(1, 40, 2, pytest.approx(0.06))
    assert budget.in_flight == 0
    with pytest.raises(BudgetError, match=r"max_cost = 0.5.*1 requests, 42 tokens, \$0.0600"):
        budget.reserve(prompt=5, completion=50)
    for _ in range(2):
        budget.settle(budget.reserve(prompt=1, completion=1), prompt=1, completion=1)
    with pytest.raises(BudgetError, match="max_requests = 3"):
        budget.reserve(prompt=0, completion=0)


def test_tokens_are_estimated_on_the_safe_side() -> None:
    from aesalign_litellm.prompts import Description

    text = "The quick brown fox jumps over the lazy dog."  # 10 tokens for most tokenizers
    assert 10 <= of_text(text) <= 20
    assert of_text("山と海") == 3
    schema = estimate([], Description)
    picture = {"role": "user", "content": [{"type": "text", "text": "abc"}, {"type": "image_url", "image_url": {}}]}
    assert estimate([picture], Description) == schema + PER_MESSAGE + 1 + PER_IMAGE


def test_a_spent_budget_stops_soon(make: Make, llm_server: LlmServer) -> None:
    llm_server.script(Step(good, delay=0.1))
    start = time.monotonic()
    with pytest.raises(BudgetError):
        make(max_requests=1, concurrency=8).rephrase([f"q{i}" for i in range(50)], strategy="k_list")
    assert time.monotonic() - start < 3
    assert len(llm_server.requests) == 1
