"""What Ray says of workers that fail, as one line with what to do next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)

from aesalign_core.errors import AesalignError, EngineError
from aesalign_core.messages import describe, one_line

T = TypeVar("T")
TRIES = 3
"""How often a call is made again after its worker died."""


def told(call: Callable[[], T], what: str) -> T:
    """What a call gives; what workers raise, as it was, and what Ray says of them as one line.

    Raises:
        EngineError: A worker raised, or died too often.
    """
    goes_on = "what was written stays, and the next run goes on from it"
    try:
        return call()
    except RayTaskError as error:
        if isinstance(error.cause, AesalignError):
            raise error.cause from error
        cause = error.cause if isinstance(error.cause, BaseException) else error
        raise EngineError(f"a Ray worker failed at {what}: {describe(cause)[:300]}", hint=goes_on) from error
    except RayError as error:
        raise _in_words(error, what, goes_on) from error


def _in_words(error: RayError, what: str, goes_on: str) -> EngineError:
    if isinstance(error, ActorDiedError) and "creation task" in str(error):
        last = str(error).strip().splitlines()[-1]
        return EngineError(
            f"a Ray worker cannot be started: {one_line(last, limit=200)}",
            hint="install the same packages on every node of the cluster, aesalign and its plugins among them",
        )
    why = f"{type(error).__name__}: {one_line(str(error), limit=200)}"
    if isinstance(error, (ActorUnavailableError, OutOfMemoryError, WorkerCrashedError)):
        return EngineError(
            f"a Ray worker died {TRIES + 1} times at {what}, or at others it had in hand: {why}",
            hint=f"fewer --workers or a smaller --batch-size need less memory; {goes_on}",
        )
    return EngineError(f"Ray failed at {what}: {why}", hint=goes_on)
