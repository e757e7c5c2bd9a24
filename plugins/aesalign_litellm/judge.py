"""A large multimodal model as judge of two rows of photos."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from aesalign_core.errors import EvaluationError, ImageError
from aesalign_core.images.loading import in_threads
from aesalign_core.messages import one_line
from aesalign_core.protocols import BuildContext
from aesalign_core.types import Row, Verdict
from aesalign_litellm import judge_prompts as prompts
from aesalign_litellm import judge_verdicts as verdicts
from aesalign_litellm.answers import AnswerModel
from aesalign_litellm.client import LlmClient
from aesalign_litellm.judge_pictures import Album, Part, blank
from aesalign_litellm.judge_prompts import FIRST, SECOND, Aspect, Mode
from aesalign_litellm.questions import Request
from aesalign_litellm.settings import LlmSettings
from aesalign_litellm.tokens import estimate


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
        self._reading = verdicts.Reading(settings.mode, settings.aspects, settings.margin)
        self._is_composed = settings.pictures == "composed"
        self._views = 2 if settings.mode == "scorer" or settings.both_orders else 1

    def compare(self, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row]) -> list[Verdict]:
        """One verdict per query and aspect, query by query; see `compare_all`."""
        return self.compare_all(queries, old, new)

    def compare_all(
        self,
        queries: Sequence[str],
        old: Sequence[Row],
        new: Sequence[Row],
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Verdict]:
        """One verdict per query and aspect, query by query. Pictures are made while other questions are on their way.

        Raises:
            BudgetError: The budget leaves no room for another question; answers so far are in the cache.
            LlmError: No question can succeed: no key, no such model, no connection.
        """
        asked: list[tuple[int, str]] = []  # questions and reasons alone: pictures go as soon as they have been sent
        without = 0

        def requests() -> Iterator[Request[AnswerModel]]:
            nonlocal without
            with closing(self._made(zip(queries, old, new, strict=True))) as made:
                for one in made:
                    asked.append((len(one.requests), one.reason))
                    without += bool(one.reason)
                    yield from one.requests

        def tell(answered: int) -> None:
            if progress:
                progress(min(without + answered // self._views, len(queries)), len(queries))

        answers = iter(self.client.complete(requests(), progress=tell))
        found = [
            verdicts.of(self._reading, query, reason, [next(answers) for _ in range(count)])
            for query, (count, reason) in zip(queries, asked, strict=True)
        ]
        tell(self._views * len(queries))
        return [verdict for per_aspect in found for verdict in per_aspect]

    def estimate(self, queries: Sequence[str], old: Sequence[Row], new: Sequence[Row]) -> Estimate:
        """What comparing them would cost at most; nothing is asked, and no photo is read."""
        count = tokens = 0
        for query, *rows in zip(queries, old, new, strict=True):
            for view in self._shown(*rows) if all(rows) else ():
                asked = self._request(query, blank(view, compose=self._is_composed))
                count, tokens = count + 1, tokens + estimate(asked.messages, asked.answer)
        prices = self.client.prices()
        answered = count * self.settings.max_tokens
        return Estimate(count, tokens + answered, prices.of(tokens, answered) if prices else None)

    def _made(self, comparisons: Iterable[tuple[str, Row, Row]]) -> Generator[_Asked, None, None]:
        """The questions of each comparison, made in threads, some ahead of being asked."""
        album = Album(side=self.settings.side, compose=self._is_composed)
        room = self.settings.concurrency // self._views + 2
        return in_threads(lambda one: self._asked(album, *one), comparisons, ahead=room)

    def _asked(self, album: Album, query: str, old: Row, new: Row) -> _Asked:
        if not old or not new:
            return _Asked(reason=f"empty row: the {'new' if old else 'old'} one")
        try:
            return _Asked(tuple(self._request(query, album.parts(view)) for view in self._shown(old, new)))
        except ImageError as error:
            return _Asked(reason=f"unreadable photo: {one_line(str(error))}")

    def _shown(self, old: Row, new: Row) -> Sequence[Mapping[str, Row]]:
        """Which labelled rows a question shows; one or two questions."""
        given = self.settings
        old, new = old[: given.photos], new[: given.photos]
        if given.mode == "scorer":
            return [{"Row": old}, {"Row": new}]
        return [{FIRST: old, SECOND: new}, {FIRST: new, SECOND: old}][: self._views]

    def _request(self, query: str, pictures: Sequence[Part]) -> Request[AnswerModel]:
        return prompts.request(query, self.settings.mode, self.settings.aspects, pictures)
