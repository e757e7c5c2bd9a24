"""Answers of every kind, and the forms that are posted."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from aesalign_human import pages
from aesalign_human.guard import ASK

MAX_BODY = 16_384
_FRESH = {"cache-control": "no-store"}
Form = Mapping[str, str]


def page(template: str, *, status: int = 200, **values: object) -> Response:
    """A page, which no browser keeps."""
    return HTMLResponse(pages.render(template, **values), status_code=status, headers=_FRESH)


def to(path: str) -> Response:
    """Sends the browser on."""
    return RedirectResponse(path, status_code=303, headers=_FRESH)


def refusal(status: int, title: str, advice: str) -> Response:
    """The page for what cannot be answered."""
    return page("message", status=status, title=title, advice=advice, ask=advice == ASK)


def http_error(_: Request, error: Exception) -> Response:
    """No such page, too large a form, or an answer to something else than what is asked now."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 409:
        return refusal(409, "The work has changed", "Nothing was kept of that answer. Go on with what is there now.")
    return refusal(status, HTTPStatus(status).phrase, "Go on with what is there.")


def not_kept(_: Request, error: Exception) -> Response:
    """The disk is full, or worse: whoever voted must know."""
    return refusal(507, "Your answer was not kept", str(error))


async def form_of(request: Request) -> Form:
    """The fields of a posted form.

    Raises:
        HTTPException: It is larger than any form of ours, or none.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413)
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=50, keep_blank_values=True))
    except ValueError:
        raise HTTPException(400) from None
