"""The answer to what cannot be answered: one document of OpenAI's shape, of one line, whatever went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from aesalign_core.errors import AesalignError, QueryError
from aesalign_core.messages import describe, one_line, warn

RETRY = {"retry-after": "1"}
_LONGEST = 300


class Problem(BaseModel):
    """What is wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorDocument(BaseModel):
    """The answer to a request that cannot be answered."""

    error: Problem


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorDocument, "description": "The request is at fault; the message says how."},
    503: {"model": ErrorDocument, "description": "Too much waits, or it took too long; see Retry-After."},
}


def problem(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error document."""
    kind = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error", 503: "overloaded_error"}
    default = "server_error" if status >= 500 else "invalid_request_error"
    told = Problem(message=one_line(message, limit=_LONGEST), type=kind.get(status, default), param=param, code=code)
    return JSONResponse({"error": told.model_dump()}, status_code=status, headers=dict(headers or {}))


def busy() -> JSONResponse:
    """More waits than may."""
    return problem(503, "the service is busy; try again", code="busy", headers=RETRY)


def on_busy(_: Request, __: Exception) -> JSONResponse:
    """More texts wait than may."""
    return busy()


def on_bug(_: Request, __: Exception) -> JSONResponse:
    """What nobody expected; `Whole` logs it."""
    return problem(500, "internal error", code="internal")


def on_http(_: Request, error: HTTPException) -> JSONResponse:
    """No such page, or not so."""
    message = str(error.detail or HTTPStatus(error.status_code).phrase)
    return problem(error.status_code, message, headers=error.headers)


def on_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    """A request of the wrong shape: one thing that is wrong, without repeating what was given."""
    told = error.errors()[-1]  # of what may be a text or several, this one speaks of several
    place = told["loc"][1] if len(told["loc"]) > 1 else ""
    param = one_line(str(place), limit=60) if isinstance(place, str) else None
    said = str(told["msg"]).removeprefix("Value error, ")
    message = f"{param}: {said}" if param else said
    return problem(400, message, param=param, code=str(told["type"]))


def on_expected(_: Request, error: AesalignError) -> JSONResponse:
    """A query or an option that cannot be searched, or a gallery that has gone."""
    if isinstance(error, QueryError):
        return problem(400, f"{error.args[0]}; {error.hint}" if error.hint else str(error.args[0]))
    # Its words may name folders of this machine: they go to whoever runs the service.
    warn(describe(error))
    return problem(500, "the service cannot answer this now; its log says why", code="internal")
