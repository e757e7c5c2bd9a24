"""One request to its end: paid from the budget, limited in time, retried."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import BaseModel

from aesalign_core.errors import BudgetError
from aesalign_litellm.budget import Budget, Usage
from aesalign_litellm.exchanges import exchange
from aesalign_litellm.failures import AttemptError
from aesalign_litellm.provider import Message, Provider, Reply
from aesalign_litellm.retrying import attempts
from aesalign_litellm.tokens import estimate, of_text


class Asker:
    """Asks one provider. Belongs to one event loop, whose tasks share it.

    Attributes:
        provider: Who is asked.
        answered: Whether they ever answered.
    """

    def __init__(self, provider: Provider, budget: Budget) -> None:
        self.answered = False
        self.provider = provider
        self._settings = provider.settings
        self._budget = budget
        self._settled = asyncio.Event()

    async def reply(self, messages: Sequence[Message], answer: type[BaseModel]) -> Reply:
        """The provider's reply.

        Raises:
            BudgetError: There is no room for the next attempt.
            AttemptError: The last attempt failed.
        """
        async for attempt in attempts(retries=self._settings.retries, backoff=self._settings.backoff):
            with attempt:
                return await self._attempt(messages, answer)
        raise AssertionError("unreachable: the last attempt raises")

    async def _attempt(self, messages: Sequence[Message], answer: type[BaseModel]) -> Reply:
        """One HTTP request, paid before it is sent."""
        prompt = estimate(messages, answer)
        reserved = await self._reserve(prompt)
        used = (prompt, self._settings.max_tokens)
        try:
            with exchange() as seen:
                try:
                    async with asyncio.timeout(self._settings.timeout):
                        reply = await self.provider.ask(messages, answer)
                except Exception as error:
                    # litellm passes on whatever its providers' code raises, so no narrower class would do.
                    raise AttemptError(error, seen) from None
            self.answered = True
            used = _used(reply, prompt)
        except AttemptError as failed:
            if failed.is_free:
                used = (0, 0)
            raise
        finally:
            self._budget.settle(reserved, prompt=used[0], completion=used[1])
            self._settled.set()
        return reply

    async def _reserve(self, prompt: int) -> Usage:
        """Before it gives up, waits for requests in flight to settle for less than their estimates."""
        while True:
            try:
                return self._budget.reserve(prompt=prompt, completion=self._settings.max_tokens)
            except BudgetError:
                if not self._budget.in_flight:
                    raise
                self._settled.clear()
                await self._settled.wait()


def _used(reply: Reply, prompt: int) -> tuple[int, int]:
    """Tokens asked and answered, as the provider counted them or else as estimated."""
    return _counted(reply.prompt_tokens, prompt), _counted(reply.completion_tokens, of_text(reply.text))


def _counted(count: int | None, estimated: int) -> int:
    # Where the provider says nothing, litellm says 0; neither may make a request free.
    return count if count and count > 0 else estimated
