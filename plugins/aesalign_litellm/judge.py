"""A large multimodal model as judge of two rows of photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from aesalign_core.errors import EvaluationError, ImageError
from aesalign_core.protocols import BuildContext
from aesalign_core.types import Row, Verdict
from aesalign_litellm import judge_prompts as prompts
from aesalign_litellm.answers import AnswerModel
from aesalign_litellm.client import Answer, Failure, LlmClient, Request
from aesalign_litellm.judge_pictures import rows_as_parts
from aesalign_litellm.judge_prompts import FIRST, SECOND, Aspect, Mode
from aesalign_litellm.settings import LlmSettings
from aesalign_litellm.tokens import estimate

Outcome = Literal["win", "similar", "loss"]


class JudgeSettings(LlmSettings):
    """Who judges, and how.

    Attributes:
        mode: `ranker` picks the better row, `scorer` scores each row alone, `cp_scorer` scores both seen together.
        aspects: What rows are compared in.
        both_orders: Ask again with the rows in each other's place: verdicts that differ are `similar`, scores are
            averaged. `scorer` sees one row at a time and needs none of it.
        photos: Most photos of a row that are shown.
        side: Of the square, in pixels, that each photo is fitted into.
        pictures: Both rows as one labelled picture (`composed`), or photo by photo (`separate`).
        margin: Mean scores that differ by no more than this are `similar`.
    """

    mode: Mode = "ranker"
    aspects: tuple[Aspect, ...] = Field(("accuracy", "aesthetic", "diversity"), min_length=1)
    both_orders: bool = True
    photos: int = Field(5, ge=1, le=20)
    side: int = Field(256, ge=32, le=1024)
    pictures: Literal["composed", "separate"] = "composed"
    margin: float = Field(0.0, ge=0, le=4)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a judgement would cost at most, if nothing is in the cache.

    Attributes:
        requests: Questions.
        tokens: Asked and answered.
        cost: US dollars; None where litellm knows no price.
    """

    requests: int
    tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """The one or two questions about a query, or why there are none."""

    requests: tuple[Request[AnswerModel], ...] = ()
    reason: str = ""


class LitellmJudge:
    """Any model that litellm knows, shown photos.

    A photo that cannot be read, a refusal, an answer of another shape or no answer is a verdict without outcome, with
    the reason; it never becomes a verdict.

    Attributes:
        name: `litellm:`, the model and the mode.
        aspects: As set.
    """

    Settings = JudgeSettings

    def __init__(self, settings: JudgeSettings, context: BuildContext) -> None:
        if len(set(settings.aspects)) < len(settings.aspects):
            raise EvaluationError("an aspect comes twice", hint="name each once in judge.aspects")
        self.name = f"litellm:{settings.model}:{settings.mode}"
        self.aspects: Sequence[str] = settings.aspects
        self.settings = settings
        self.client = LlmClient(settings, warn=context.warn)

    def compare(self, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row]) -> list[Verdict]:
        """One verdict per query and aspect, query by query.

        Raises:
            BudgetError: The budget leaves no room for another question; answers so far are in the cache.
            LlmError: No question can succeed: no key, no such model, no connection.
        """
        asked = [self._asked(*triple) for triple in zip(queries, old, new, strict=True)]
        answers = iter(self.client.complete([request for one in asked for request in one.requests]))
        verdicts: list[Verdict] = []
        for query, one in zip(queries, asked, strict=True):
            given = [next(answers) for _ in one.requests]
            verdicts += self._verdicts(query, one.reason, given)
        return verdicts

    def estimate(self, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row]) -> Estimate:
        """What comparing them would cost at most; nothing is asked."""
        count = tokens = 0
        for triple in zip(queries, old, new, strict=True):
            for request in self._asked(*triple).requests:
                count, tokens = count + 1, tokens + estimate(request.messages, request.answer)
        prices = self.client.prices()
        answered = count * self.settings.max_tokens
        return Estimate(count, tokens + answered, prices.of(tokens, answered) if prices else None)

    def _asked(self, query: str, old: Row, new: Row) -> _Asked:
        given = self.settings
        old, new = old[: given.photos], new[: given.photos]
        if not old or not new:
            return _Asked(reason=f"empty row: the {'new' if old else 'old'} one")
        if given.mode == "scorer":
            shown = [{"Row": old}, {"Row": new}]
        else:
            shown = [{FIRST: old, SECOND: new}, {FIRST: new, SECOND: old}][: 2 if given.both_orders else 1]
        try:
            pictures = [rows_as_parts(rows, side=given.side, compose=given.pictures == "composed") for rows in shown]
        except ImageError as error:
            return _Asked(reason=f"unreadable photo: {error}")
        return _Asked(tuple(prompts.request(query, given.mode, given.aspects, parts) for parts in pictures))

    def _verdicts(self, query: str, reason: str, given: Sequence[Answer[AnswerModel] | Failure]) -> list[Verdict]:
        failed = reason or next((one.reason for one in given if isinstance(one, Failure)), "")
        if failed:
            return [Verdict(query, aspect, None, reason=failed) for aspect in self.aspects]
        said = [one.value.model_dump() for one in given if isinstance(one, Answer)]
        read = _picked if self.settings.mode == "ranker" else self._scored
        words = " / ".join(answer["reason"] for answer in said)[:2000]
        return [read(query, aspect, said, words) for aspect in self.aspects]

    def _scored(self, query: str, aspect: str, said: Sequence[dict[str, int]], words: str) -> Verdict:
        if self.settings.mode == "scorer":
            pairs = [(said[0][aspect], said[1][aspect])]
        else:
            seen = [(answer[f"first_{aspect}"], answer[f"second_{aspect}"]) for answer in said]
            pairs = [seen[0], *((second, first) for first, second in seen[1:])]
        old, new = (sum(pair[k] for pair in pairs) / len(pairs) for k in (0, 1))
        is_close = abs(new - old) <= self.settings.margin
        outcome: Outcome = "similar" if is_close else "win" if new > old else "loss"
        signs = {(after > before) - (after < before) for before, after in pairs}
        return Verdict(query, aspect, outcome, old, new, words, len(signs) > 1 if len(pairs) > 1 else None)


def _picked(query: str, aspect: str, said: Sequence[dict[str, str]], words: str) -> Verdict:
    """Of one or two picks, the second with the rows in each other's place."""
    first: dict[str, Outcome] = {"first": "loss", "second": "win", "similar": "similar"}
    swapped: dict[str, Outcome] = {"first": "win", "second": "loss", "similar": "similar"}
    found = [reading[answer[aspect]] for reading, answer in zip((first, swapped), said, strict=False)]
    flipped = found[0] != found[-1]
    outcome: Outcome = "similar" if flipped else found[0]
    return Verdict(query, aspect, outcome, reason=words, flipped=flipped if len(found) > 1 else None)
