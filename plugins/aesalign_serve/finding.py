"""`/search` and `/photos/{id}`."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as PathPart
from pydantic import BaseModel, ConfigDict, Field

from aesalign_core.errors import ImageError
from aesalign_core.images.serving import MEDIA_TYPE
from aesalign_core.types import SearchResult
from aesalign_serve.documents import RESPONSES, busy
from aesalign_serve.door import YEAR
from aesalign_serve.embeddings import check_text
from aesalign_serve.photos import FullError, Size
from aesalign_serve.service import Service
from aesalign_serve.settings import MAX_K, MAX_STRENGTH

router = APIRouter(tags=["search"], responses=RESPONSES)
K = Annotated[int, Field(ge=1, le=MAX_K, description="Hits.")]
Strength = Annotated[
    float | None,
    Field(
        ge=0, le=MAX_STRENGTH, allow_inf_nan=False,
        description="Of the alignment: 0 before, 1 as aligned. Left out: the service's own.",
    ),
]  # fmt: skip
Reward = Annotated[str | None, Field(max_length=200, description="A reward column of the gallery.")]
Weight = Annotated[
    float, Field(ge=-100, le=100, allow_inf_nan=False, description="w of similarity + w · reward (in std).")
]


class SearchRequest(BaseModel):
    """A query and its options."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[str, Field(min_length=1, description="What the photos should show.")]
    k: K = 10
    strength: Strength = None
    reward: Reward = None
    reward_weight: Weight = 0.0


class FoundPhoto(BaseModel):
    """One photo in the answer.

    Attributes:
        id: sha256 of its file, in hex; `/photos/{id}` shows it.
        name: Of its file.
        score: What the answer is ordered by.
        similarity: Cosine of query and photo.
        rewards: By name.
    """

    id: str
    name: str
    score: float
    similarity: float
    rewards: dict[str, float]


class SearchDocument(BaseModel):
    """The answer, best first."""

    query: str
    strength: float
    hits: list[FoundPhoto]


@router.post("/search", operation_id="search", summary="Search the gallery")
async def search(request: Request, asked: SearchRequest) -> SearchDocument:
    """The photos that answer a query."""
    service: Service = request.app.state.service
    check_text(asked.query, service)
    strength = service.strength(asked.strength)
    found = await service.search(
        asked.query, strength, k=asked.k, reward=asked.reward, reward_weight=asked.reward_weight
    )
    return _document(found, strength)


@router.get("/search", operation_id="searchByAddress", summary="Search the gallery by an address")
async def search_by_address(
    request: Request,
    q: Annotated[str, Query(min_length=1, description="What the photos should show.")],
    k: K = 10,
    strength: Strength = None,
    reward: Reward = None,
    reward_weight: Weight = 0.0,
) -> SearchDocument:
    """As `POST /search`."""
    asked = SearchRequest(query=q, k=k, strength=strength, reward=reward, reward_weight=reward_weight)
    return await search(request, asked)


@router.get(
    "/photos/{id}",
    operation_id="photo",
    summary="One photo, scaled",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "A JPEG."}},
)
async def photo(
    request: Request,
    id: Annotated[str, PathPart(pattern="^[0-9a-f]{64}$", description="A hit's id.")],  # noqa: A002 - its public name
    size: Annotated[Size, Query(description="320 or 1280 pixels, the longer side.")] = "small",
) -> Response:
    """A photo of the gallery; files of no gallery are never read."""
    service: Service = request.app.state.service
    try:
        data = await service.photos.get(id, size)
    except KeyError:
        raise HTTPException(404, "there is no such photo") from None
    except ImageError:
        raise HTTPException(404, "the photo can no longer be read") from None
    except FullError:
        return busy()
    # Named by content: a browser may keep it for good.
    return Response(data, media_type=MEDIA_TYPE, headers={"cache-control": f"private, max-age={YEAR}, immutable"})


def _document(found: SearchResult, strength: float) -> SearchDocument:
    hits = [
        FoundPhoto(
            id=hit.id, name=PurePath(hit.path).name, score=hit.score, similarity=hit.similarity,
            rewards=dict(hit.rewards),
        )
        for hit in found.hits
    ]  # fmt: skip
    return SearchDocument(query=found.query, strength=strength, hits=hits)
