"""From the text of an answer to a validated record."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from aesalign_core.rephrasing import RejectedAnswer
from aesalign_litellm.provider import Reply

MAX_CHARS = 50_000


class AnswerModel(BaseModel):
    """Base of what answers must look like; strict, so that its JSON schema is what providers accept."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


A = TypeVar("A", bound=AnswerModel)


def parsed(reply: Reply, answer: type[A]) -> A:
    """The record that an answer holds.

    Raises:
        RejectedAnswer: It is empty, cut off, no JSON, or of another shape.
    """
    text = reply.text.strip()
    if not text:
        raise RejectedAnswer("empty answer")
    if len(text) > MAX_CHARS:
        raise RejectedAnswer(f"answer too long: {len(text):,} characters")
    value = find_json(text)
    if value is None:
        raise RejectedAnswer("answer is no JSON" + (": cut off at max_tokens" if reply.truncated else ""))
    return validated(value, answer)


def validated(value: Any, answer: type[A]) -> A:
    """A JSON value as a record.

    Raises:
        RejectedAnswer: It is of another shape.
    """
    try:
        return answer.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "answer"
        raise RejectedAnswer(f"answer of the wrong shape: {place[:60]}: {first['msg']}") from None


def find_json(text: str) -> dict[str, Any] | None:
    """The JSON object at the first brace of a text, whatever stands around it (fences, politeness)."""
    start = text.find("{")
    try:
        value, _ = json.JSONDecoder().raw_decode(text, max(start, 0))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
