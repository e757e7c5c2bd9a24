"""The ASGI application: routes, their errors, and what stands before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from aesalign_core import __version__
from aesalign_core.errors import AesalignError
from aesalign_core.messages import one_line
from aesalign_serve import documents, embeddings, finding, health, page
from aesalign_serve.batching import BusyError
from aesalign_serve.door import Door, Rates
from aesalign_serve.measures import Measured
from aesalign_serve.service import Service, UnknownModelError
from aesalign_serve.whole import Whole


def application(service: Service, token: str | None = None) -> ASGIApp:
    """The service, guarded, limited and measured.

    Args:
        service: What answers.
        token: What is asked for; None, which is for loopback only: nothing.
    """
    settings = service.settings
    whole = Whole(routes(service), limit=settings.max_body, timeout=settings.timeout)
    return Measured(Door(whole, token, Rates(settings.rate), page.asking), service.measures)


def routes(service: Service) -> FastAPI:
    """The routes alone."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await service.close()

    handlers: Any = {
        RequestValidationError: documents.on_invalid,
        HTTPException: documents.on_http,
        UnknownModelError: _on_unknown_model,
        AesalignError: documents.on_expected,
        BusyError: documents.on_busy,
        Exception: documents.on_bug,
    }
    app = FastAPI(
        title="aesalign",
        summary="Search of one gallery of photos, and the embeddings that it searches by.",
        version=__version__,
        lifespan=lifespan,
        exception_handlers=handlers,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service, app.state.photos = service, len(service.gallery)
    for part in (embeddings, finding, health, page):
        app.include_router(part.router)
    return app


def _on_unknown_model(_: Request, error: UnknownModelError) -> JSONResponse:
    message = one_line(f"{error.args[0]}; {error.hint}")
    return documents.problem(404, message, param="model", code="model_not_found")
