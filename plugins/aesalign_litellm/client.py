"""Many questions to one LLM: cached, budgeted, retried, concurrent; a validated answer or a named failure for each.

Nothing in here knows what is asked. The rephraser uses it; anything else that asks an LLM can.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from aesalign_core.errors import BudgetError, LlmError
from aesalign_core.rephrasing import RejectedAnswer
from aesalign_litellm import failures
from aesalign_litellm.answers import A, AnswerModel, parsed, validated
from aesalign_litellm.asking import Asker
from aesalign_litellm.budget import Budget, Prices, Usage
from aesalign_litellm.cache import AnswerCache, key_of
from aesalign_litellm.failures import AttemptError
from aesalign_litellm.provider import Message, Provider, quiet
from aesalign_litellm.settings import LlmSettings

T = TypeVar("T", bound=AnswerModel)
Progress = Callable[[int, int], None]
"""Told how many requests are done, of how many."""


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One question.

    Attributes:
        messages: Chat messages, as OpenAI's API has them.
        answer: What the answer must look like.
    """

    messages: tuple[Message, ...]
    answer: type[T]


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A validated answer, and whether it came from the cache."""

    value: T
    cached: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer: `kind: detail`, without keys."""

    reason: str


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
        self, requests: Sequence[Request[A]], *, progress: Progress | None = None
    ) -> list[Answer[A] | Failure]:
        """Asks all, concurrently; equal requests are asked once.

        Returns:
            For each request, in order, its answer or why there is none.

        Raises:
            BudgetError: The next request does not fit. What was answered until then is in the cache.
            LlmError: No request can succeed (no key, no such model, no connection).
        """
        keys = [self._key(r) for r in requests]
        found: dict[str, Answer[A] | Failure] = {}
        for key, request in zip(keys, requests, strict=True):
            if key not in found and (answer := self._cached(key, request)):
                found[key] = answer
        missing = {k: r for k, r in zip(keys, requests, strict=True) if k not in found}
        if missing:
            found |= self._ask_all(missing, progress)
        return [found[key] for key in keys]

    def _key(self, request: Request[A]) -> str:
        s = self.settings
        parameters = {
            "api_base": s.api_base,
            "temperature": s.temperature,
            "max_tokens": s.max_tokens,
            "seed": s.seed,
            "answer_format": s.answer_format,
            "schema": request.answer.model_json_schema(),
        }
        return key_of(s.model, request.messages, parameters)

    def _cached(self, key: str, request: Request[A]) -> Answer[A] | None:
        value = self._cache.get(key)
        try:
            return None if value is None else Answer(validated(value, request.answer), cached=True)
        except RejectedAnswer:
            return None

    def _ask_all(self, missing: dict[str, Request[A]], progress: Progress | None) -> dict[str, Answer[A] | Failure]:
        provider = self._provider()
        with quiet():
            return _run(lambda: self._gather(provider, missing, progress))

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

    async def _gather(
        self, provider: Provider, missing: dict[str, Request[A]], progress: Progress | None
    ) -> dict[str, Answer[A] | Failure]:
        asker, slots = Asker(provider, self._budget), asyncio.Semaphore(self.settings.concurrency)
        done: dict[str, Answer[A] | Failure] = {}
        fatal: list[LlmError] = []

        async def one(key: str, request: Request[A]) -> None:
            async with slots:
                if fatal:
                    return
                try:
                    done[key] = await self._answer(asker, provider, key, request)
                except LlmError as error:
                    # Those in flight may finish, for they are paid for; no other is started.
                    fatal.append(error)
            if progress:
                progress(len(done), len(missing))

        try:
            async with asyncio.TaskGroup() as tasks:
                for key, request in missing.items():
                    tasks.create_task(one(key, request))
        finally:
            await provider.close()
        if fatal:
            raise fatal[0]
        return done

    async def _answer(self, asker: Asker, provider: Provider, key: str, request: Request[A]) -> Answer[A] | Failure:
        """One answer, kept in the cache, or its failure.

        Raises:
            LlmError: Every other request would fail too.
        """
        try:
            answer = parsed(await asker.reply(request.messages, request.answer), request.answer)
        except RejectedAnswer as rejection:
            return Failure(provider.redact(str(rejection)))
        except AttemptError as error:
            if fatal := failures.fatal(error, provider=provider, answered=asker.answered):
                raise fatal from None
            return Failure(failures.reason_of(error, provider=provider))
        self._cache.put(key, answer.model_dump(mode="json"))
        return Answer(answer, cached=False)


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
