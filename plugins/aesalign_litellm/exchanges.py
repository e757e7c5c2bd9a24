"""What HTTP alone says of one attempt; what libraries make of it differs by provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

MAX_BYTES = 8_000_000
"""Of one reply. The longest answers, thoughts included, have a tenth of that."""


@dataclass
class Exchange:
    """One attempt on the wire. `wire` fills it in.

    Attributes:
        status: Of the reply; None if none came.
        headers: Of the reply, names in lower case.
        redirect: Where the server wanted the question sent instead; nothing was sent there.
        is_too_large: Whether the reply was larger than any answer can be.
        is_lost: Whether the connection broke before the reply was whole.
        body: The beginning of the reply's body.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    redirect: str = ""
    is_too_large: bool = False
    is_lost: bool = False
    body: bytes = b""

    @property
    def is_error(self) -> bool:
        """Whether the server itself said that it gives no answer."""
        return self.status is not None and self.status >= 400

    def told(self) -> tuple[str, str]:
        """An error's message and its codes, as the server put them; empty where it says nothing that can be read."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return "", ""
        return _told(document, itself=self.is_error)


def _told(document: Any, *, itself: bool) -> tuple[str, str]:
    """`{"error": {"message", "code", "type", "status"}}`, or `{"error": "message"}`, as most providers have it.

    Args:
        document: The reply's.
        itself: Whether the document may be the error, without `error` around it.
    """
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return "", ""
    error = document.get("error", document if itself else {})
    if not isinstance(error, dict):
        return str(error), ""
    message = error.get("message") or error.get("detail") or ""
    codes = [str(error[name]) for name in ("code", "type", "status") if error.get(name)]
    return str(message), " ".join(codes)


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


@contextmanager
def exchange() -> Iterator[Exchange]:
    """The exchange that replies belong to while it is open, in this task and in those that it starts."""
    opened = Exchange()
    token = _current.set(opened)
    try:
        yield opened
    finally:
        _current.reset(token)


def current() -> Exchange | None:
    """The exchange that is open, if one is."""
    return _current.get()
