"""The seven steps from `left` to `right` that one click answers with: which row, and how sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aesalign_core.evaluation.hpir import Choice, Label

Row = Literal["first", "second"]
Side = Literal["left", "similar", "right"]
SURE, FAIRLY, GUESS = 1.0, 0.6, 0.3
"""Confidences of HPIR labels. `similar` is one step and counts as sure: it says that nothing is seen."""


@dataclass(frozen=True, slots=True)
class Step:
    """One answer.

    Attributes:
        value: 1 to 7, from left to right; also its key.
        side: The better row, as the page shows them.
        confidence: From 0 to 1.
        word: Under the button.
        words: For who cannot see where the button stands.
    """

    value: int
    side: Side
    confidence: float
    word: str
    words: str


STEPS = (
    Step(1, "left", SURE, "sure", "left, sure"),
    Step(2, "left", FAIRLY, "fairly", "left, fairly sure"),
    Step(3, "left", GUESS, "guess", "left, a guess"),
    Step(4, "similar", SURE, "similar", "similar"),
    Step(5, "right", GUESS, "guess", "right, a guess"),
    Step(6, "right", FAIRLY, "fairly", "right, fairly sure"),
    Step(7, "right", SURE, "sure", "right, sure"),
)


def label(value: int, *, left: Row, annotator: str, aspect: str) -> Label:
    """A step as a label; `left` is the row that was shown there.

    Raises:
        ValueError: There is no such step.
    """
    step = next((step for step in STEPS if step.value == value), None)
    if step is None:
        raise ValueError(f"no answer is numbered {value}")
    right: Row = "second" if left == "first" else "first"
    choice: Choice = {"left": left, "similar": "similar", "right": right}[step.side]
    return Label(annotator=annotator, aspect=aspect, choice=choice, confidence=step.confidence)


def value(given: Label, *, left: Row) -> int:
    """The step that a label came from, or the nearest in confidence."""
    side: Side = "similar" if given.choice == "similar" else "left" if given.choice == left else "right"
    steps = [step for step in STEPS if step.side == side]
    return min(steps, key=lambda step: abs(step.confidence - given.confidence)).value
