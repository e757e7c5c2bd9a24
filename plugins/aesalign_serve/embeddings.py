"""`/v1/embeddings` and `/v1/models`, as OpenAI's clients ask for them."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator

from aesalign_core.errors import QueryError
from aesalign_core.searching import check_query
from aesalign_core.types import Vectors
from aesalign_serve.documents import RESPONSES
from aesalign_serve.service import Service

router = APIRouter(prefix="/v1", tags=["embeddings"], responses=RESPONSES)


class EmbeddingsRequest(BaseModel):
    """Texts to embed.

    Attributes:
        input: A text, or several.
        model: `base`, `aligned`, or `aligned@STRENGTH`.
        encoding_format: `base64`: little-endian float32.
        dimensions: Only the model's own number.
        user: Taken, and not looked at.
    """

    model_config = ConfigDict(extra="forbid")

    input: str | Annotated[list[str], Field(min_length=1)]
    model: Annotated[str, Field(min_length=1, max_length=100)] = "base"
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    user: str | None = None

    @field_validator("input", mode="before")
    @classmethod
    def _is_text(cls, value: object) -> object:
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, int | list) for item in items):
            raise ValueError("lists of token ids are not taken: send texts")
        return value

    @property
    def texts(self) -> list[str]:
        """All of them."""
        return [self.input] if isinstance(self.input, str) else self.input


class Embedding(BaseModel):
    """One text's."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Words, as encoders do not tell their tokens."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsDocument(BaseModel):
    """The embeddings, in the order of the texts."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


class Model(BaseModel):
    """What `model` may be."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "aesalign"


class ModelsDocument(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[Model]


@router.post("/embeddings", operation_id="embed", summary="Embed texts")
async def embed(request: Request, asked: EmbeddingsRequest) -> EmbeddingsDocument:
    """Embeddings of unit length, in the space of the gallery's photos."""
    service: Service = request.app.state.service
    strength = service.strength_of(asked.model)
    check(asked, service)
    rows = await service.embed(asked.texts, strength)
    words = sum(len(text.split()) for text in asked.texts)
    return EmbeddingsDocument(
        data=[Embedding(index=i, embedding=_written(row, asked.encoding_format)) for i, row in enumerate(rows)],
        model=asked.model,
        usage=Usage(prompt_tokens=words, total_tokens=words),
    )


@router.get("/models", operation_id="models", summary="List the models")
async def models(request: Request) -> ModelsDocument:
    """What `model` may be."""
    service: Service = request.app.state.service
    return ModelsDocument(data=[Model(id=name) for name in service.models()])


def check(asked: EmbeddingsRequest, service: Service) -> None:
    """Refuses what is too much, or no text.

    Raises:
        QueryError: Says which.
    """
    limits = service.settings
    if len(asked.texts) > limits.max_texts:
        raise QueryError(f"{len(asked.texts):,} texts", hint=f"send at most {limits.max_texts:,} in one request")
    if asked.dimensions not in (None, service.towers.dim):
        raise QueryError(
            f"dimensions is {asked.dimensions}", hint=f"the model has {service.towers.dim}, and no other"
        )
    for text in asked.texts:
        check_text(text, service)


def check_text(text: str, service: Service) -> None:
    """Refuses one text.

    Raises:
        QueryError: It is empty, too long, or no text.
    """
    most = service.settings.max_characters
    if len(text) > most:
        raise QueryError(f"a text has {len(text):,} characters", hint=f"send at most {most:,}")
    if any("\ud800" <= character <= "\udfff" for character in text):
        # JSON can spell half a pair; tokenizers cannot read it, and no answer could repeat it.
        raise QueryError("a text holds half a surrogate pair", hint="send whole characters")
    check_query(text)


def _written(row: Vectors, form: str) -> Any:
    if form == "float":
        return row.tolist()
    return base64.b64encode(np.asarray(row, dtype="<f4").tobytes()).decode("ascii")
