"""The one layer of retries: exponential backoff with jitter, and Retry-After where the server gives it."""

from __future__ import annotations

import random

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from aesalign_litellm.failures import AttemptError, is_transient

MAX_WAIT = 60.0
"""Seconds: the longest wait before one retry, whatever the server asks for."""


def wait_before(attempt: int, error: BaseException | None, *, backoff: float) -> float:
    """Seconds to wait after a failed attempt.

    Args:
        attempt: Which attempt failed, from 1.
        error: What it raised.
        backoff: Seconds after the first; doubles with each.
    """
    # Jitter keeps requests that failed together from coming back together.
    jitter = random.uniform(0, backoff)  # noqa: S311
    asked = error.retry_after if isinstance(error, AttemptError) else None
    return float(min((backoff * 2 ** (attempt - 1) if asked is None else asked) + jitter, MAX_WAIT))


def attempts(*, retries: int, backoff: float) -> AsyncRetrying:
    """An asynchronous loop over attempts that raises the last one's own error."""

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return wait_before(state.attempt_number, error, backoff=backoff)

    return AsyncRetrying(
        stop=stop_after_attempt(retries + 1), wait=wait, retry=retry_if_exception(is_transient), reraise=True
    )
