"""What every request must pass, and what every answer carries, before anything of the service runs.

- *DNS rebinding*: without a token, which is on loopback, only names of loopback are answered.
- *Other people's pages*: a browser says where a request comes from; another site's pages are not answered.
- *Other people*: with a token, nothing but health and the form that asks for it is given without.
- *Too many requests*: each client has a bucket of tokens that fills at `rate` a second.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aesalign_core.listening import host_name, is_loopback_host
from aesalign_serve.documents import problem

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
}
HEALTH = frozenset({"/healthz", "/readyz"})
ENTER = "/enter"
YEAR = 365 * 24 * 3600
MAX_CLIENTS = 10_000
"""Whose buckets are remembered; beyond, the longest unseen starts afresh."""
_MAX_FORM = 4_096


class Rates:
    """A bucket for each client.

    Args:
        rate: Requests a second; 0: no limit. Twice as many may come at once.
        clock: Seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._most, self._clock = rate, max(1.0, 2 * rate), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """Takes one request; the seconds to wait for it, 0 if it may go on."""
        if not self._rate:
            return 0.0
        now = self._clock()
        left, since = self._buckets.pop(client, (self._most, now))
        left = min(self._most, left + self._rate * (now - since))
        allowed = left >= 1
        self._buckets[client] = (left - 1 if allowed else left, now)
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate


class Door:
    """ASGI middleware.

    Args:
        app: The service.
        token: What is asked for; None, on loopback only: nothing.
        rates: Of its clients.
        form: Makes the page that asks a person for the token, from whether one was wrong.
    """

    def __init__(self, app: ASGIApp, token: str | None, rates: Rates, form: Callable[[bool], Response]) -> None:
        self._app, self._token, self._rates, self._form = app, token, rates, form
        self._cookie = f"aesalign-serve-{_mark(token)[:8]}" if token else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or hands it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                added = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in given]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        request = Request(scope, receive)
        answer = self._refusal(request) or await self._asking(request) or self._app
        await answer(scope, receive, guarded)

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if not (host_name(host) if self._token else is_loopback_host(host)):
            return problem(421, "this service has another address", code="host")
        if _is_foreign(request.headers, host, request.scope["path"]):
            return problem(403, "that came from another site's page", code="origin")
        if request.scope["path"] in HEALTH:
            return None
        seconds = self._rates.wait(request.client.host if request.client else "")
        if seconds:
            wait = {"retry-after": str(max(1, round(seconds + 0.5)))}
            return problem(429, "too many requests", code="rate_limit_exceeded", headers=wait)
        return None

    async def _asking(self, request: Request) -> Response | None:
        """Whoever has no token is told so; a person is asked for it and keeps it as a cookie."""
        path = request.scope["path"]
        if self._token is None or path in HEALTH:
            return None
        if path == ENTER and request.method == "POST":
            return self._entered(await _form(request))
        header = request.headers.get("authorization", "")
        if header:
            scheme, _, given = header.partition(" ")
            right = scheme.lower() == "bearer" and self._opens(given.strip())
            return None if right else problem(403, "that is not the token", code="invalid_api_key")
        if hmac.compare_digest(request.cookies.get(self._cookie, "").encode(), _mark(self._token).encode()):
            return None
        if path == "/" and request.method in ("GET", "HEAD"):
            return self._form(False)
        asked = {"www-authenticate": "Bearer"}
        return problem(401, "a token is asked for: Authorization: Bearer TOKEN", code="no_api_key", headers=asked)

    def _entered(self, form: Mapping[str, list[str]]) -> Response:
        if not self._opens(form.get("token", [""])[0].strip()):
            return self._form(True)
        entered = RedirectResponse("/", status_code=303)
        # Not the token itself, which opens more than this browser.
        entered.set_cookie(self._cookie, _mark(self._token or ""), max_age=YEAR, httponly=True, samesite="strict")
        return entered

    def _opens(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), (self._token or "").encode())


def _mark(token: str) -> str:
    return hashlib.sha256(b"aesalign serve\0" + token.encode()).hexdigest()


def _is_foreign(headers: Mapping[str, str], host: str, path: str) -> bool:
    """Whether a browser asks on behalf of another site's page. Links to the search page are welcome."""
    origin = headers.get("origin")
    if origin is not None and origin.lower().partition("://")[2] != host.lower():
        return True
    return path != "/" and headers.get("sec-fetch-site") in ("cross-site", "same-site")


async def _form(request: Request) -> Mapping[str, list[str]]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_FORM:
            return {}
    return parse_qs(body.decode("utf-8", "replace"), max_num_fields=10) if body.count(b"&") < 10 else {}
