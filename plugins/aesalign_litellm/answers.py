"""From the text of an answer to a validated record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from aesalign_core.messages import one_line
from aesalign_core.rephrasing import RejectedAnswer
from aesalign_litellm.provider import Reply

MAX_CHARS = 50_000
MAX_EXCERPT = 100
_OPENING = re.compile(r'\{(?=\s*["}])')
_THOUGHTS = ("<think>", "</think>")
"""How models that think aloud mark it, where their server does not take it out."""


def _all_asked_for(schema: dict[str, Any]) -> None:
    """Providers' strict schemas know neither optional fields nor defaults; an answer may lack one all the same."""
    schema["required"] = list(schema["properties"])
    for field in schema["properties"].values():
        field.pop("default", None)


class AnswerModel(BaseModel):
    """Base of what answers must look like; strict, so that its JSON schema is what providers accept."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, json_schema_extra=_all_asked_for)


A = TypeVar("A", bound=AnswerModel)


def parsed(reply: Reply, answer: type[A]) -> A:
    """The record that an answer holds.

    Raises:
        RejectedAnswer: It is a refusal, empty, cut off, no JSON, of another shape, or more than one.
    """
    if reply.refusal is not None:
        raise RejectedAnswer(f"refusal: {one_line(reply.refusal, limit=MAX_EXCERPT)}")
    text = _without_thoughts(reply.text)
    if len(text) > MAX_CHARS:
        raise RejectedAnswer(f"answer too long: {len(text):,} characters")
    values = list(find_json(text))
    if not values and reply.truncated:
        raise RejectedAnswer("answer cut off: no whole JSON object within max_tokens")
    if not values:
        raise RejectedAnswer("answer is no JSON" if text else "empty answer")
    return _only(values, answer)


def _without_thoughts(text: str) -> str:
    opening, closing = _THOUGHTS
    text = text.strip()
    return text.partition(closing)[2].strip() if text.startswith(opening) else text


def _only(values: list[dict[str, Any]], answer: type[A]) -> A:
    """The one record among JSON objects; some models repeat the schema, or their answer."""
    good: list[A] = []
    faults: list[RejectedAnswer] = []
    for value in values:
        try:
            good.append(validated(value, answer))
        except RejectedAnswer as fault:
            faults.append(fault)
    if not good:
        raise faults[0]
    if any(one != good[0] for one in good):
        raise RejectedAnswer(f"more than one answer: {len(good)} that differ")
    return good[0]


def validated(value: Any, answer: type[A]) -> A:
    """A JSON value as a record.

    Raises:
        RejectedAnswer: It is of another shape.
    """
    try:
        return answer.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = one_line(".".join(map(str, first["loc"])), limit=60) or "answer"
        raise RejectedAnswer(f"answer of the wrong shape: {place}: {first['msg']}") from None


def find_json(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a text, whatever stands around them (fences, politeness).

    Raises:
        RejectedAnswer: An object has a key twice, so that nobody knows what it says.
    """
    decoder, end = json.JSONDecoder(object_pairs_hook=_once), 0
    while start := _OPENING.search(text, end):
        try:
            value, end = decoder.raw_decode(text, start.start())
        except (json.JSONDecodeError, RecursionError):
            return  # it broke off, and what is inside of it is no answer
        yield value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RejectedAnswer(f"answer of the wrong shape: {one_line(twice, limit=60)}: comes twice")
    return found
