"""What components promise to return, checked where it comes in, so that an error names who broke the promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aesalign_core.errors import AlignmentError, EvaluationError, ModelError, PluginError
from aesalign_core.protocols import Encoder, Judge, Objective, ObjectiveOutput, Reward
from aesalign_core.types import Match, Pixels, Scores, Vectors, Verdict


def scores_of(reward: Reward, scores: Scores, count: int) -> Scores:
    """A reward's scores as (count,) float32; what is not finite becomes NaN, which means no score.

    Raises:
        ModelError: They are no numbers, or of another shape.
    """
    values = _numbers(scores, f"reward {reward.name!r} gave scores")
    if values.shape != (count,):
        raise ModelError(f"reward {reward.name!r} gave scores of shape {values.shape} for {count} photos")
    return np.where(np.isfinite(values), values, np.float32(np.nan))


def embedded_texts(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    """(n, d) embeddings of n texts.

    Raises:
        ModelError: The encoder gave something else.
    """
    return _rows(encoder, encoder.encode_texts(texts), len(texts), "texts")


def embedded_photos(encoder: Encoder, pixels: Sequence[Pixels]) -> Vectors:
    """(n, d) embeddings of n prepared photos.

    Raises:
        ModelError: The encoder gave something else.
    """
    return _rows(encoder, encoder.encode_pixels(pixels), len(pixels), "photos")


def _rows(encoder: Encoder, vectors: Vectors, count: int, what: str) -> Vectors:
    values = _numbers(vectors, f"encoder {encoder.name!r} gave embeddings")
    if values.shape != (count, encoder.dim):
        shape = f"of shape {values.shape} for {count} {what}, not {(count, encoder.dim)}"
        raise ModelError(f"encoder {encoder.name!r} gave embeddings {shape}")
    return values


def _numbers(values: object, whose: str) -> NDArray[np.float32]:
    try:
        return np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError):
        raise ModelError(f"{whose} that are no array of numbers, but {type(values).__name__}") from None


def matches_of(retriever: object, found: Any, count: int) -> list[list[Match]]:
    """A retriever's answer to `count` queries.

    Raises:
        PluginError: It is something else than a list of matches per query.
    """
    whole = isinstance(found, Sequence) and len(found) == count
    if not whole or not all(isinstance(one, Sequence) and all(isinstance(m, Match) for m in one) for one in found):
        name = f"{type(retriever).__module__}.{type(retriever).__qualname__}"
        raise PluginError(f"the retriever {name} gave no list of matches for each of {count} queries")
    return list(found)


def output_of(objective: Objective, output: Any) -> ObjectiveOutput:
    """What an objective says of a batch.

    Raises:
        AlignmentError: It is no `ObjectiveOutput`, or its loss has no gradients: the training would not follow it.
    """
    if not isinstance(output, ObjectiveOutput):
        raise AlignmentError(
            f"the objective {objective.name!r} gives {type(output).__name__}, and not an ObjectiveOutput"
        )
    if not output.loss.requires_grad:
        raise AlignmentError(f"the objective {objective.name!r} gives a loss without gradients")
    return output


OUTCOMES = ("win", "similar", "loss", None)


def verdicts_of(judge: Judge, queries: Sequence[str], found: Any) -> list[Verdict]:
    """A judge's verdicts: one per query and aspect, query by query.

    Raises:
        EvaluationError: They are something else.
    """
    expected = [(query, aspect) for query in queries for aspect in judge.aspects]
    whole = isinstance(found, Sequence) and all(isinstance(verdict, Verdict) for verdict in found)
    if not whole or [(v.query, v.aspect) for v in found] != expected:
        raise EvaluationError(f"the judge {judge.name!r} does not give a verdict per query and aspect, in order")
    if odd := [v.outcome for v in found if v.outcome not in OUTCOMES]:
        raise EvaluationError(f"the judge {judge.name!r} gave the outcome {odd[0]!r:.60}, and not one of {OUTCOMES}")
    return list(found)
