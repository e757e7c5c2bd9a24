"""What every request must pass, and what every answer carries: before anything of the page is run.

- *DNS rebinding*: without a token, which is on loopback, only names of loopback are answered. With one, a foreign
  name has no cookie that holds it.
- *Forged posts*: a post must come from a page of the very host that it is sent to.
- *Other people*: where there is a token, nothing but the page's own style is given without it.
- *Markup from queries and names*: the policy lets no script run but the page's own file, and no address be loaded
  but the page's own.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aesalign_core.listening import host_name, is_loopback_host

POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # without any, browsers would not say where a post comes from
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
METHODS = frozenset({"GET", "HEAD", "POST"})
PUBLIC = "/static/"
YEAR = 365 * 24 * 3600
Refuse = Callable[[int, str, str], Response]
"""Makes the answer to who is not let in: from a status, what is wrong, and what to do."""
ASK = "token"
"""What `Refuse` is told to do where a token is to be asked for."""


@dataclass(frozen=True, slots=True)
class Door:
    """Who is let in.

    Attributes:
        port: Where the page listens; in the cookies' names, since cookies are shared among ports.
        token: What is asked for; None, on loopback only: nothing.
    """

    port: int
    token: str | None

    def is_known(self, host: str) -> bool:
        """Whether a `Host` header may be answered."""
        return bool(host_name(host)) and (self.token is not None or is_loopback_host(host))

    def opens(self, given: str) -> bool:
        """Whether this is the token."""
        return self.token is None or hmac.compare_digest(given.encode(), self.token.encode())

    def cookie(self, what: str) -> str:
        """The name of a cookie of this page."""
        return f"aesalign-{what}-{self.port}"


class Guard:
    """ASGI middleware.

    Args:
        app: The page.
        door: Who is let in.
        refuse: Makes the answer to who is not.
    """

    def __init__(self, app: ASGIApp, door: Door, refuse: Refuse) -> None:
        self._app = app
        self._door = door
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or hands it on."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        refusal = self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if not self._door.is_known(host):
            return self._refuse(421, "This page has another address", "Open it at the address that was printed.")
        if request.method not in METHODS:
            return self._refuse(405, "This page cannot do that", "Go back and try something else.")
        if request.method == "POST" and not _is_same_origin(request, host):
            return self._refuse(403, "That came from another page", "Open this page by itself and try again.")
        return self._without_token(request)

    def _without_token(self, request: Request) -> Response | None:
        if self._door.token is None or request.url.path.startswith(PUBLIC):
            return None
        given = request.query_params.get("token", "").strip()
        name = self._door.cookie("token")
        if given and self._door.opens(given):
            # Sent on without it, so that it stays in no history and no address bar.
            entered = RedirectResponse("/", status_code=303)
            entered.set_cookie(name, given, max_age=YEAR, httponly=True, samesite="lax")
            return entered
        if self._door.opens(request.cookies.get(name, "")):
            return None
        return self._refuse(403, "That is not the token" if given else "This page asks for a token", ASK)


def _is_same_origin(request: Request, host: str) -> bool:
    """Whether a post comes from a page of this host. Behind a proxy the scheme may differ; the host may not."""
    origin = request.headers.get("origin")
    if origin is not None:
        return origin.lower().partition("://")[2] == host.lower()
    return request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
