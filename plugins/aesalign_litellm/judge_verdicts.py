"""From what an LMM judge answers to verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aesalign_core.messages import one_line
from aesalign_core.types import Verdict
from aesalign_litellm.answers import AnswerModel
from aesalign_litellm.judge_prompts import Mode, reason_field
from aesalign_litellm.questions import Answer, Failure

Outcome = Literal["win", "similar", "loss"]
MAX_REASON_CHARS = 300
_OLD_FIRST: dict[str, Outcome] = {"first": "loss", "second": "win", "similar": "similar"}
_NEW_FIRST: dict[str, Outcome] = {"first": "win", "second": "loss", "similar": "similar"}


@dataclass(frozen=True, slots=True)
class Reading:
    """How answers are read.

    Attributes:
        mode: Of the judge.
        aspects: What it was asked for.
        margin: Mean scores that differ by no more than this are `similar`.
    """

    mode: Mode
    aspects: Sequence[str]
    margin: float


def of(reading: Reading, query: str, reason: str, given: Sequence[Answer[AnswerModel] | Failure]) -> list[Verdict]:
    """One verdict per aspect.

    Args:
        reading: How to read.
        query: That was judged.
        reason: Why nothing was asked; empty if something was.
        given: The answers: of the old row and of the new one (`scorer`), else with the old row first and, if the
            judge was asked again, with the new row first. One that failed fails the verdict.
    """
    failed = reason or next((one.reason for one in given if isinstance(one, Failure)), "")
    if failed:
        return [Verdict(query, aspect, None, reason=failed) for aspect in reading.aspects]
    said = [one.value.model_dump() for one in given if isinstance(one, Answer)]
    read = _picked if reading.mode == "ranker" else _scored
    return [read(reading, query, aspect, said) for aspect in reading.aspects]


def _picked(reading: Reading, query: str, aspect: str, said: Sequence[Mapping[str, Any]]) -> Verdict:
    found = [meaning[one[aspect]] for meaning, one in zip((_OLD_FIRST, _NEW_FIRST), said, strict=False)]
    flipped = found[0] != found[-1]
    outcome: Outcome = "similar" if flipped else found[0]
    return Verdict(
        query, aspect, outcome, None, None, _why(reading, aspect, said), flipped if len(found) > 1 else None
    )


def _scored(reading: Reading, query: str, aspect: str, said: Sequence[Mapping[str, Any]]) -> Verdict:
    if reading.mode == "scorer":
        pairs = [(said[0][aspect], said[1][aspect])]
    else:
        seen = [(one[f"first_{aspect}"], one[f"second_{aspect}"]) for one in said]
        pairs = [seen[0], *((second, first) for first, second in seen[1:])]
    old, new = (sum(pair[k] for pair in pairs) / len(pairs) for k in (0, 1))
    is_close = abs(new - old) <= reading.margin
    outcome: Outcome = "similar" if is_close else "win" if new > old else "loss"
    signs = {(after > before) - (after < before) for before, after in pairs}
    flipped = len(signs) > 1 if len(pairs) > 1 else None
    return Verdict(query, aspect, outcome, old, new, _why(reading, aspect, said), flipped)


def _why(reading: Reading, aspect: str, said: Sequence[Mapping[str, Any]]) -> str:
    """The judge's words on an aspect, or on all; of two answers each with what was shown, for they name places."""
    labels = ("old row", "new row") if reading.mode == "scorer" else ("old row first", "new row first")
    words = [one_line(one.get(reason_field(aspect)) or one["reason"], limit=MAX_REASON_CHARS) for one in said]
    if len(words) == 1:
        return words[0]
    return " / ".join(f"{label}: {why}" for label, why in zip(labels, words, strict=True) if why)
