"""The HTTP clients of litellm, watched: replies are bounded, no redirect is followed, and what came is remembered.

litellm makes its clients itself, one kind per provider, and keeps them in a cache. Each that is put in there is given
a hook here, which httpx calls for every reply before its body is read. Requests that are not ours are left alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from aesalign_litellm.exchanges import MAX_BYTES, Exchange, current

MAX_EXPANSION = 1_000
"""What a byte of a compressed reply can become at most. None is asked for, but some servers compress all the same."""
MAX_KEPT = 64_000
"""Bytes of a reply that are looked at for an error's message."""


class RefusedReplyError(httpx.TransportError):
    """A reply that is not read on: a redirect, or too large."""


def watch(litellm: Any) -> None:
    """Has every client that litellm makes from now on watched."""
    kept = litellm.in_memory_llm_clients_cache
    keep = kept.set_cache

    def watching(key: Any, value: Any, *arguments: Any, **options: Any) -> Any:
        for client in _clients(value):
            _hook(client)
        return keep(key, value, *arguments, **options)

    kept.set_cache = watching


def _clients(value: Any) -> Iterator[httpx.AsyncClient]:
    """The httpx client of what litellm keeps: its own handler's, or that inside a provider's library."""
    if getattr(value, "event_hooks", ...) is None:
        value.event_hooks = {"request": [_on_request], "response": [_on_reply]}  # for clients that it makes again
    for name in ("client", "_client"):
        client = getattr(value, name, None)
        if isinstance(client, httpx.AsyncClient):
            yield client
            return


def _hook(client: httpx.AsyncClient) -> None:
    hooks = client.event_hooks
    if _on_reply not in hooks["response"]:
        client.event_hooks = {
            "request": [*hooks["request"], _on_request],
            "response": [*hooks["response"], _on_reply],
        }


async def _on_request(request: httpx.Request) -> None:
    if current() is not None:
        request.headers["Accept-Encoding"] = "identity"


async def _on_reply(response: httpx.Response) -> None:
    seen = current()
    if seen is None:
        return
    seen.status = response.status_code
    seen.headers = {name.lower(): value for name, value in response.headers.items()}
    if response.has_redirect_location:
        # Followed, it would take the key and the photos to a server that nobody named.
        seen.redirect = _target(response)
        raise RefusedReplyError("redirected")
    if isinstance(response.stream, httpx.AsyncByteStream):
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        limit = MAX_BYTES if encoding == "identity" else MAX_BYTES // MAX_EXPANSION
        response.stream = _Bounded(response.stream, seen, limit)


def _target(response: httpx.Response) -> str:
    try:
        return str(response.url.join(response.headers["Location"]).copy_with(query=None, userinfo=b""))
    except httpx.InvalidURL:
        return "nowhere"


class _Bounded(httpx.AsyncByteStream):
    """A body that is read up to a limit, and noticed when it breaks off."""

    def __init__(self, stream: httpx.AsyncByteStream, seen: Exchange, limit: int) -> None:
        self._stream, self._seen, self._left = stream, seen, limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                self._left -= len(chunk)
                if self._left < 0:
                    self._seen.is_too_large = True
                    raise RefusedReplyError("too large")
                self._seen.body += chunk[: MAX_KEPT - len(self._seen.body)]
                yield chunk
        except httpx.TransportError:
            self._seen.is_lost = True
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()
