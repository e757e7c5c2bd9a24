"""The records of asking an LLM: a question, and its answer or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from aesalign_litellm.answers import AnswerModel
from aesalign_litellm.provider import Message

T = TypeVar("T", bound=AnswerModel)


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One question.

    Attributes:
        messages: Chat messages, as OpenAI's API has them.
        answer: What the answer must look like.
    """

    messages: tuple[Message, ...]
    answer: type[T]


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A validated answer, and whether it came from the cache."""

    value: T
    cached: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer: `kind: detail`, without keys and photos."""

    reason: str
