"""`/healthz`, `/readyz` and `/metrics`: for whatever watches the service."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from aesalign_serve import measures
from aesalign_serve.documents import RESPONSES, problem
from aesalign_serve.service import Service

router = APIRouter(tags=["health"], responses=RESPONSES)


class Health(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The service answers."""

    status: Literal["ready"] = "ready"
    photos: int
    aligned: bool


@router.get("/healthz", operation_id="health", summary="Whether the process runs")
async def health() -> Health:
    """It does, if this is answered."""
    return Health()


@router.get("/readyz", operation_id="ready", summary="Whether it answers", response_model=Readiness)
async def ready(request: Request) -> Response | Readiness:
    """It does, from when the model is loaded until it is told to stop, and while the gallery is there."""
    service: Service = request.app.state.service
    if not service.is_ready:
        return problem(503, "the service does not answer yet, or no more", code="not_ready")
    if not await service.has_gallery():
        return problem(503, "the gallery is gone", code="not_ready")
    return Readiness(photos=request.app.state.photos, aligned=service.towers.is_aligned)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="What Prometheus reads",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus' text format."}},
)
async def metrics(request: Request) -> Response:
    """Requests, seconds, texts of a pass, what waits."""
    service: Service = request.app.state.service
    service.measures.waiting.set(service.batcher.depth)
    return Response(service.measures.page(), headers={"content-type": measures.MEDIA_TYPE})
