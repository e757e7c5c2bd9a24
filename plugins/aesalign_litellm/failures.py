"""What an exception of litellm means: try again, give up on this request, or give up altogether."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from aesalign_core.errors import LlmError
from aesalign_core.messages import describe

if TYPE_CHECKING:
    from aesalign_litellm.provider import Provider

MAX_REASON_CHARS = 160
_TIMEOUT = 408
_WRAPPERS = re.compile(r"\A(?:(?:litellm\.)?\w*(?:Error|Exception)(?:: | - ))+")


class AttemptError(Exception):
    """One attempt that failed, read from whatever litellm raised.

    It is read at once because a re-raised exception loses its context, which alone tells a refused connection.

    Attributes:
        status: The HTTP status, real or as litellm sees it (408 for a timeout, 500 for a lost connection).
        retry_after: Seconds that the server asks to wait, if it does.
        unreachable: Whether no connection was made at all.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(_WRAPPERS.sub("", " ".join(str(error).split())) or describe(error))
        status = _TIMEOUT if isinstance(error, TimeoutError) else getattr(error, "status_code", None)
        self.status = status if isinstance(status, int) else 0
        self.retry_after = _retry_after(_headers(error))
        self.unreachable = any(type(e).__name__ in ("ConnectError", "ClientConnectorError") for e in _chain(error))

    @property
    def timed_out(self) -> bool:
        """Whether no answer came in time. It may be billed all the same."""
        return self.status == _TIMEOUT

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later: timeouts, 429, 5xx, lost connections."""
        return self.unreachable or self.status in (_TIMEOUT, 429) or self.status >= 500


def is_transient(error: BaseException) -> bool:
    """Whether to try again."""
    return isinstance(error, AttemptError) and error.transient


def _retry_after(headers: Mapping[str, str]) -> float | None:
    if "retry-after-ms" in headers:
        milliseconds = _seconds(headers["retry-after-ms"])
        return None if milliseconds is None else milliseconds / 1000
    value = headers.get("retry-after", "")
    return _until(value) if _seconds(value) is None else _seconds(value)


def _seconds(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return max(number, 0.0) if math.isfinite(number) else None


def _until(date: str) -> float | None:
    try:
        return max(parsedate_to_datetime(date).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def _headers(error: BaseException) -> Mapping[str, str]:
    places = (
        getattr(error, "litellm_response_headers", None),
        getattr(getattr(error, "response", None), "headers", None),
    )
    return next(({str(k).lower(): str(v) for k, v in headers.items()} for headers in places if headers), {})


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def reason_of(error: AttemptError, *, provider: Provider) -> str:
    """Why one request failed, as `kind: detail`, without keys."""
    settings = provider.settings
    count = settings.retries + 1 if error.transient else 1
    tries = f"{count} attempt{'s' if count != 1 else ''}"
    if error.unreachable:
        return f"no connection: {tries}"
    if error.timed_out:
        return f"timed out: no answer within {settings.timeout:g} s, {tries}"
    if error.status == 429:
        return f"rate limited: {tries}"
    text = provider.redact(str(error))
    text = text if len(text) <= MAX_REASON_CHARS else text[: MAX_REASON_CHARS - 1] + "…"
    return f"server error: {tries}, last: {text}" if error.status >= 500 else f"request refused: {text}"


def fatal(error: AttemptError, *, provider: Provider, answered: bool) -> LlmError | None:
    """The error that every further request would meet too; None if only this one failed.

    Args:
        error: The last attempt.
        provider: Who was asked.
        answered: Whether they ever answered; then a lost connection is one request's trouble.
    """
    model, address = provider.settings.model, provider.address
    wrong: dict[int, tuple[str, str]] = {
        401: (f"{address} refused the API key for {model}", provider.key_hint),
        402: (f"{address} wants payment for {model}", "check the account's credit"),
        403: (f"{address} refused the API key for {model}", provider.key_hint),
        404: (f"{address} knows no model {model!r}", "check `model` and `api_base`"),
    }
    if error.status in wrong:
        message, hint = wrong[error.status]
        return LlmError(f"{message} (status {error.status})", hint=hint)
    if error.unreachable and not answered:
        hint = "check the network and `api_base`; the rephraser `template` and the judge `reward` work offline"
        return LlmError(f"cannot connect to {address}", hint=hint)
    return None
