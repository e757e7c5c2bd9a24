"""Judges made of code, behind a server: they look at the pixels that they are sent, and answer what is asked for."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from PIL import Image

from aesalign_core.testing.llm_server import Received

Value = Callable[[Sequence[np.ndarray]], float]
"""What a row is worth, from its pictures: (h, w, 3) uint8 each."""


def schema(request: Received) -> dict[str, Any]:
    """What the answer must look like, from the system message's last line."""
    return dict(json.loads(request.shown.system.rpartition("\n")[2]))


def rows(request: Received) -> list[list[np.ndarray]]:
    """The pictures of each row shown; of a composed picture, its halves."""
    shown = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in request.shown.pictures]
    count = 1 if _mode(request) == "scorer" else 2
    if len(shown) == 1:
        height = shown[0].shape[0] // count
        return [[shown[0][k * height : (k + 1) * height]] for k in range(count)]
    size = len(shown) // count
    return [shown[k * size : (k + 1) * size] for k in range(count)]


def _mode(request: Received) -> Literal["ranker", "scorer", "cp_scorer"]:
    fields = schema(request)["properties"]
    if any(name.startswith("first_") for name in fields):
        return "cp_scorer"
    return "ranker" if any("first" in field.get("enum", ()) for field in fields.values()) else "scorer"


def light(pictures: Sequence[np.ndarray]) -> float:
    """How light a row is. Below 100 it is dim."""
    return float(np.mean([np.percentile(picture, 20) for picture in pictures]))


def answer(request: Received, value: Value = light, *, least: float = 1.0, reason: str = "the lighter one") -> str:
    """An honest answer in every mode: 5 for the row of more value, or of more than 100 if seen alone; else 2.

    Args:
        request: The question.
        value: What a row is worth.
        least: Difference of values that is none.
        reason: Given for everything.
    """
    values, mode = [value(row) for row in rows(request)], _mode(request)
    if mode == "scorer":
        picks = {"": 5 if values[0] > 100 else 2}
    else:
        first, second = values
        pick = "similar" if abs(first - second) < least else "first" if first > second else "second"
        picks = {"first_": 5 if pick == "first" else 2, "second_": 5 if pick == "second" else 2, "": pick}
    return filled(request, picks, reason)


def filled(request: Received, picks: dict[str, Any], reason: str) -> str:
    """An answer of the shape asked for, from what to say of the `first_`, the `second_` or the only row."""
    made = {}
    for name in schema(request)["properties"]:
        start = next((start for start in ("first_", "second_") if name.startswith(start)), "")
        made[name] = reason if name.endswith("reason") else picks[start]
    return json.dumps(made)
