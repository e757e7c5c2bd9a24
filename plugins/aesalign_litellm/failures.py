"""What a failed attempt was: try again, give up on this question, or give up altogether."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal

from aesalign_core.errors import LlmError
from aesalign_core.messages import describe, one_line
from aesalign_litellm.exchanges import MAX_BYTES, Exchange

if TYPE_CHECKING:
    from aesalign_litellm.provider import Provider

Kind = Literal[
    "redirected",
    "reply too large",
    "timed out",
    "no connection",
    "connection lost",
    "unreadable reply",
    "rate limited",
    "server error",
    "refusal",
    "request refused",
]
TRANSIENT: frozenset[Kind] = frozenset(
    {"timed out", "no connection", "connection lost", "unreadable reply", "rate limited", "server error"}
)
FREE: frozenset[Kind] = frozenset(
    {"no connection", "redirected", "rate limited", "server error", "refusal", "request refused"}
)
MAX_REASON_CHARS = 160
MOST_IN_VAIN = 25
"""Questions that fail before any is answered; then all others would fail, too."""
_TIMEOUT = 408
_WRAPPERS = re.compile(r"\A(?:(?:litellm\.)?\w+(?:Error|Exception)(?:: | - | ))+")
_TRACES = re.compile(
    r"\s*(?:Traceback \(most recent call last\)|\. Handle with `litellm|\. File an issue if).*", re.DOTALL
)
_LOST = {"ReadError", "WriteError", "CloseError", "RemoteProtocolError", "ClientOSError", "ServerDisconnectedError"}
_REFUSALS = re.compile(
    r"content[ _-]?(?:filter|policy|management policy)|responsible_?ai|safety system|\bmoderation\b|flagged",
    re.IGNORECASE,
)
_BAD_KEYS = re.compile(r"api[ _-]?key[ _-]?(?:is )?(?:not valid|invalid)|invalid[ _-]api[ _-]?key", re.IGNORECASE)
_NO_CREDIT = re.compile(r"insufficient_quota|credit balance is too low", re.IGNORECASE)


class AttemptError(Exception):
    """One attempt that failed, read from whatever litellm raised and from what was seen on the wire.

    It is read at once because a re-raised exception loses its context, which alone tells a refused connection.

    Attributes:
        kind: What failed, in the words that failures are counted under.
        status: The HTTP status; what litellm makes of it where there was no reply (408 for a timeout); 0: none.
        code: What the provider calls the error, if it calls it anything.
        retry_after: Seconds that the server asks to wait, if it does.
    """

    def __init__(self, error: BaseException, seen: Exchange | None = None) -> None:
        seen = seen or Exchange()
        told, self.code = seen.told()
        super().__init__(one_line(told or _plain(error)))
        status = _TIMEOUT if isinstance(error, TimeoutError) else getattr(error, "status_code", None)
        self.status = seen.status if seen.is_error and seen.status else status if isinstance(status, int) else 0
        self.retry_after = _retry_after(seen.headers or _headers(error))
        self.redirect = seen.redirect
        self.kind = self._kind(seen, {type(e).__name__ for e in _chain(error)})

    def _kind(self, seen: Exchange, names: set[str]) -> Kind:
        if seen.redirect:
            return "redirected"
        if seen.is_too_large:
            return "reply too large"
        if self.status == _TIMEOUT:
            return "timed out"
        if seen.status is None and names & {"ConnectError", "ClientConnectorError"}:
            return "no connection"
        if seen.is_lost or (seen.status is None and names & _LOST):
            return "connection lost"
        if seen.status is not None and not seen.is_error:
            return "unreadable reply"
        if self.status == 429:
            return "rate limited"
        if self.status >= 500:
            return "server error"
        return "refusal" if _REFUSALS.search(f"{self} {self.code}") else "request refused"

    @property
    def transient(self) -> bool:
        """Whether the same question may succeed later."""
        return self.kind in TRANSIENT and not self.has_no_credit

    @property
    def is_free(self) -> bool:
        """Whether nothing can have been answered, so that nothing is billed."""
        return self.kind in FREE

    @property
    def timed_out(self) -> bool:
        """Whether no answer came in time. It may be billed all the same."""
        return self.kind == "timed out"

    @property
    def has_bad_key(self) -> bool:
        """Whether the key is refused; not every provider says so with 401."""
        return self.status == 401 or (
            self.kind == "request refused" and bool(_BAD_KEYS.search(f"{self} {self.code}"))
        )

    @property
    def has_no_credit(self) -> bool:
        """Whether the account is empty; then waiting is of no use, whatever the status."""
        return self.status == 402 or (400 <= self.status < 500 and bool(_NO_CREDIT.search(f"{self} {self.code}")))


def _plain(error: BaseException) -> str:
    """What litellm says, without the names of its classes and without where in its code it happened."""
    text = _TRACES.sub("", " ".join(str(error).split()))
    return _WRAPPERS.sub("", text) or describe(error)


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
    """Why one question failed, as `kind: detail`, without keys and photos."""
    settings = provider.settings
    count = settings.retries + 1 if error.transient else 1
    tries = f"{count} attempt{'s' if count != 1 else ''}"
    text = one_line(provider.redact(str(error)), limit=MAX_REASON_CHARS)
    match error.kind:
        case "timed out":
            return f"timed out: no answer within {settings.timeout:g} s, {tries}"
        case "no connection" | "connection lost" | "rate limited":
            return f"{error.kind}: {tries}"
        case "server error" | "unreadable reply":
            return f"{error.kind}: {tries}, last: {text}"
        case "reply too large":
            return f"reply too large: more than {MAX_BYTES:,} bytes"
        case _:
            return f"{error.kind}: {text}"


def fatal(error: AttemptError, *, provider: Provider, answered: bool) -> LlmError | None:
    """The error that every further question would meet too; None if only this one failed.

    Args:
        error: The last attempt.
        provider: Who was asked.
        answered: Whether they ever answered; then a lost connection is one question's trouble.
    """
    model, address = provider.settings.model, provider.address
    if error.kind == "redirected":
        return LlmError(
            f"{address} wants {model} to be asked at {provider.redact(error.redirect)}, which was not followed",
            hint="set `api_base` to the server that answers itself",
        )
    status = f"(status {error.status})"
    if error.has_no_credit:
        return LlmError(f"{address} wants payment for {model} {status}", hint="check the account's credit")
    if error.has_bad_key or (error.status == 403 and error.kind != "refusal"):
        return LlmError(f"{address} refused the API key for {model} {status}", hint=provider.key_hint)
    if error.status == 404:
        return LlmError(f"{address} knows no model {model!r} {status}", hint="check `model` and `api_base`")
    if error.kind == "no connection" and not answered:
        hint = "check the network and `api_base`; the rephraser `template` and the judge `reward` work offline"
        return LlmError(f"cannot connect to {address}", hint=hint)
    return None


def hopeless(reason: str, *, provider: Provider) -> LlmError:
    """The error after so many failures that nobody can be expected to answer any more."""
    model, address = provider.settings.model, provider.address
    return LlmError(
        f"{address} answered none of {MOST_IN_VAIN} questions to {model}; the last: {reason}",
        hint="check the model, and whether it takes what is sent; then run again",
    )
