"""Many questions on their way at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic

from aesalign_core.errors import LlmError
from aesalign_core.rephrasing import RejectedAnswer
from aesalign_litellm import failures
from aesalign_litellm.answers import A, parsed
from aesalign_litellm.asking import Asker
from aesalign_litellm.failures import AttemptError
from aesalign_litellm.questions import Answer, Failure, Request

if TYPE_CHECKING:
    from aesalign_litellm.client import LlmClient

Progress = Callable[[int], None]
"""Told how many questions are done."""


class Batch(Generic[A]):
    """Takes questions one by one, as slots become free, and asks what is not in the cache.

    A question holds its slot until its answer is on the disk. So whatever happens, no more than `concurrency` answers
    that came can be lost.

    Args:
        client: Whose cache, budget and model.
        requests: The questions; taken in a thread, never two at once.
        progress: Told of each that is done.
    """

    def __init__(self, client: LlmClient, requests: Iterable[Request[A]], progress: Progress | None) -> None:
        self._client, self._progress = client, progress
        self._source = (request for request in requests)
        self._slots = asyncio.Semaphore(client.settings.concurrency)
        self._keys: list[str] = []
        self._found: dict[str, Answer[A] | Failure] = {}
        self._asked: set[str] = set()
        self._asker: Asker | None = None
        self._in_vain = self._done = 0
        self._stop: Exception | None = None

    async def run(self) -> list[Answer[A] | Failure]:
        """For each question, in order, its answer or why there is none.

        Raises:
            LlmError: No other question can succeed, or be paid. Those in flight have been waited for.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                while await self._start(tasks):
                    pass
        finally:
            if self._asker is not None:
                await self._asker.provider.close()
        if self._stop is not None:
            raise self._stop
        return [self._found[key] for key in self._keys]

    async def _start(self, tasks: asyncio.TaskGroup) -> bool:
        """Sets the next question going, as soon as a slot is free; False if there is none."""
        await self._slots.acquire()
        try:
            taken = None if self._stop else await asyncio.to_thread(self._take)
            if taken is not None and taken[0] not in self._found and taken[0] not in self._asked:
                self._asker = self._asker or self._client.asker()
        except Exception as error:
            # Those in flight may finish, for they are paid for; no other is started.
            self._stop, taken = error, None
        if taken is None:
            self._slots.release()
            self._source.close()
            return False
        key, request = taken
        self._keys.append(key)
        if self._asker is not None and key not in self._found and key not in self._asked:
            self._asked.add(key)
            tasks.create_task(self._one(self._asker, key, request))
        else:
            self._finish()
        return True

    def _take(self) -> tuple[str, Request[A]] | None:
        """The next question and its key; what the cache knows of it is among the answers then."""
        request = next(self._source, None)
        if request is None:
            return None
        key = self._client.key(request)
        if key not in self._found and key not in self._asked and (known := self._client.cached(key, request)):
            self._found[key] = known
        return key, request

    def _finish(self) -> None:
        self._slots.release()
        self._done += 1
        if self._progress:
            self._progress(self._done)

    async def _one(self, asker: Asker, key: str, request: Request[A]) -> None:
        try:
            self._found[key] = await self._answer(asker, key, request)
        except LlmError as error:
            self._stop = self._stop or error
        finally:
            self._finish()

    async def _answer(self, asker: Asker, key: str, request: Request[A]) -> Answer[A] | Failure:
        """One answer, kept in the cache, or its failure.

        Raises:
            LlmError: Every other question would fail, too.
        """
        provider = asker.provider
        try:
            answer = parsed(await asker.reply(request.messages, request.answer), request.answer)
        except RejectedAnswer as rejection:
            return Failure(provider.redact(str(rejection)))
        except AttemptError as error:
            if fatal := failures.fatal(error, provider=provider, answered=asker.answered):
                raise fatal from None
            reason = failures.reason_of(error, provider=provider)
            self._in_vain += not asker.answered
            if self._in_vain == failures.MOST_IN_VAIN:
                raise failures.hopeless(reason, provider=provider) from None
            return Failure(reason)
        await asyncio.to_thread(self._client.keep, key, answer)
        return Answer(answer, cached=False)
