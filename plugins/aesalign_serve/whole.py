"""A request is taken whole or not at all, answered in time, and dropped with its client; none ends in a traceback."""

from __future__ import annotations

import asyncio
import os
import traceback
from contextlib import suppress

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aesalign_core.messages import describe, warn
from aesalign_serve.documents import RETRY, problem


class TooLargeError(Exception):
    """A body is larger than any of ours."""


class Whole:
    """ASGI middleware.

    Args:
        app: The service.
        limit: Bytes of a body.
        timeout: Seconds that a body may take to come, and then its answer to be made.
    """

    def __init__(self, app: ASGIApp, *, limit: int, timeout: float) -> None:
        self._app, self._limit, self._timeout = app, limit, timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._timeout):
                body = await _read(scope, receive, self._limit)
        except TooLargeError:
            # The rest of it is not waited for.
            refused = problem(
                413, f"the request is larger than {self._limit:,} bytes", headers={"connection": "close"}
            )
            await refused(scope, receive, send)
        except TimeoutError:
            await problem(408, "the request did not come in time")(scope, receive, send)
        except ClientDisconnect:
            return
        else:
            await self._answer(body, scope, receive, send)

    async def _answer(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        work = asyncio.ensure_future(self._app(scope, _once(body), watched))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({work, gone}, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
            elif not gone.done() and not started:
                await problem(503, "that took too long", code="timeout", headers=RETRY)(scope, receive, send)
        except Exception as error:
            _log(scope, error)
            if not started:
                await problem(500, "internal error", code="internal")(scope, receive, send)
        finally:
            for task in (work, gone):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes:
    stated = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if stated.isdigit() and int(stated[:20]) > limit:
        raise TooLargeError
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise TooLargeError
        if not message.get("more_body", False):
            return b"".join(parts)


def _once(body: bytes) -> Receive:
    """Gives a body that was read; then nothing, as whoever waits for the client to leave is `Whole` itself."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            await asyncio.Event().wait()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _log(scope: Scope, error: Exception) -> None:
    """One line, for whoever runs the service."""
    warn(f"{scope['method']} {scope['path'][:100]!r}: {describe(error)}")
    if os.environ.get("AESALIGN_DEBUG"):
        traceback.print_exception(error)
