"""Many questions to one LLM: cached, budgeted, retried, concurrent; a validated answer or a named failure for each.

Nothing in here knows what is asked. The rephraser uses it; anything else that asks an LLM can.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from aesalign_core.errors import BudgetError
from aesalign_core.rephrasing import RejectedAnswer
from aesalign_litellm.answers import A, AnswerModel, validated
from aesalign_litellm.asking import Asker
from aesalign_litellm.batch import Batch, Progress
from aesalign_litellm.budget import Budget, Prices, Usage
from aesalign_litellm.cache import AnswerCache, key_of
from aesalign_litellm.provider import Provider, quiet
from aesalign_litellm.questions import Answer, Failure, Request
from aesalign_litellm.settings import LlmSettings


class LlmClient:
    """Asks one model.

    Args:
        settings: Which model, how, and for how much.
        warn: Told what users must know.
    """

    def __init__(self, settings: LlmSettings, *, warn: Callable[[str], None]) -> None:
        self.settings = settings
        self._cache = AnswerCache(_cache_folder(settings), warn=warn)
        self._budget = Budget(settings.max_requests, settings.max_tokens_total, settings.max_cost)
        self._made: Provider | None = None

    @property
    def usage(self) -> Usage:
        """What was spent so far; the cost is 0 unless `max_cost` is set."""
        return self._budget.spent

    def prices(self) -> Prices | None:
        """What litellm's price list says of the model; None if nothing."""
        return self._provider().prices()

    def complete(
        self, requests: Iterable[Request[A]], *, progress: Progress | None = None
    ) -> list[Answer[A] | Failure]:
        """Asks all, concurrently; equal questions are asked once.

        Args:
            requests: The questions. They are taken one by one, in a thread, as there is room for another in flight,
                so that an iterator may make them meanwhile.
            progress: Told how many are done.

        Returns:
            For each question, in order, its answer or why there is none.

        Raises:
            BudgetError: The next question does not fit. What was answered until then is in the cache.
            LlmError: No question can succeed (no key, no such model, no connection).
        """
        with self._cache.open(), quiet():
            return _run(lambda: Batch(self, requests, progress).run())

    def key(self, request: Request[A]) -> str:
        """What the answer to a question is kept under."""
        s = self.settings
        parameters = {
            "api_base": s.api_base,
            "temperature": s.temperature,
            "max_tokens": s.max_tokens,
            "seed": s.seed,
            "answer_format": s.answer_format,
            "schema": _schema(request.answer),
        }
        return key_of(s.model, request.messages, parameters)

    def cached(self, key: str, request: Request[A]) -> Answer[A] | None:
        """The answer that is kept under a key, if there is one and it still fits."""
        value = self._cache.get(key)
        try:
            return None if value is None else Answer(validated(value, request.answer), cached=True)
        except RejectedAnswer:
            return None

    def keep(self, key: str, answer: AnswerModel) -> None:
        """Keeps an answer."""
        self._cache.put(key, answer.model_dump(mode="json"))

    def asker(self) -> Asker:
        """Whom to ask, within one event loop."""
        return Asker(self._provider(), self._budget)

    def _provider(self) -> Provider:
        if self._made is None:
            provider = Provider(self.settings)
            if self.settings.max_cost is not None:
                self._budget.prices = provider.prices()
                if self._budget.prices is None:
                    raise BudgetError(
                        f"no price is known for {self.settings.model}, so max_cost cannot be kept",
                        hint="limit max_requests or max_tokens_total instead",
                    )
            self._made = provider
        return self._made


@cache
def _schema(answer: type[AnswerModel]) -> dict[str, Any]:
    return answer.model_json_schema()


def _cache_folder(settings: LlmSettings) -> Path:
    from platformdirs import user_cache_path

    return settings.cache or user_cache_path("aesalign") / "llm"


R = TypeVar("R")


def _run(work: Callable[[], Coroutine[None, None, R]]) -> R:
    """Runs a coroutine to its end, also where an event loop is running already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result()
