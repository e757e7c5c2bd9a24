"""A budget of requests, tokens and money, asked before each request and settled after it."""

from __future__ import annotations

from dataclasses import dataclass, field

from aesalign_core.errors import BudgetError


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per token."""

    prompt: float
    completion: float

    def of(self, prompt: int, completion: int) -> float:
        """US dollars of so many tokens."""
        return self.prompt * prompt + self.completion * completion


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used, or is about to be.

    Attributes:
        requests: HTTP requests, retries included.
        prompt_tokens: Tokens asked.
        completion_tokens: Tokens answered.
        cost: US dollars; 0 where no price is known.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens asked and answered."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost + other.cost,
        )

    def __str__(self) -> str:
        return f"{self.requests:,} requests, {self.tokens:,} tokens, ${self.cost:.4f}"


@dataclass
class Budget:
    """Refuses a request that might overrun it. What is in flight counts at its estimate.

    Attributes:
        max_requests: Most requests.
        max_tokens: Most tokens, asked and answered.
        max_cost: Most US dollars.
        prices: Needed where there is a `max_cost`.
        spent: Settled so far.
    """

    max_requests: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    prices: Prices | None = None
    spent: Usage = field(default_factory=Usage)
    _open: list[Usage] = field(default_factory=list)

    @property
    def in_flight(self) -> int:
        """Reservations that are not settled yet."""
        return len(self._open)

    def reserve(self, *, prompt: int, completion: int) -> Usage:
        """Sets aside one request of so many tokens at most.

        Raises:
            BudgetError: It might not fit; names what was spent.
        """
        wanted = self._usage(prompt, completion)
        total = sum(self._open, self.spent) + wanted
        if over := self._overrun(total):
            setting, limit = over
            raise BudgetError(
                f"the budget {setting} = {limit:,} leaves no room for another request; spent so far: {self.spent}",
                hint=f"raise {setting} and run again: answers so far are in the cache and cost nothing",
            )
        self._open.append(wanted)
        return wanted

    def settle(self, reserved: Usage, *, prompt: int, completion: int) -> None:
        """Replaces a reservation by what was really used."""
        self._open.remove(reserved)
        self.spent += self._usage(prompt, completion)

    def _usage(self, prompt: int, completion: int) -> Usage:
        return Usage(1, prompt, completion, self.prices.of(prompt, completion) if self.prices else 0.0)

    def _overrun(self, total: Usage) -> tuple[str, float] | None:
        limits = (
            ("max_requests", self.max_requests, total.requests),
            ("max_tokens_total", self.max_tokens, total.tokens),
            ("max_cost", self.max_cost, total.cost),
        )
        return next(((name, limit) for name, limit, used in limits if limit is not None and used > limit), None)
