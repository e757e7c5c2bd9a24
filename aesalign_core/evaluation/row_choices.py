"""Which of two rows an encoder, or a judge, prefers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from aesalign_core.evaluation.hpir import Choice, Item
from aesalign_core.evaluation.judging import Progress, ask
from aesalign_core.images.loading import Loaded, load
from aesalign_core.messages import warn
from aesalign_core.promises import embedded_photos, embedded_texts
from aesalign_core.protocols import Encoder, Judge
from aesalign_core.types import BadFile, Pixels, Vectors

BATCH = 64
_BY_OUTCOME: dict[str | None, Choice | None] = {
    "win": "second", "loss": "first", "similar": "similar", None: None,
}  # fmt: skip


def encoder_choices(encoder: Encoder, items: Sequence[Item]) -> list[Choice | None]:
    """The row whose photos are, on average, more similar to the query; None if one of its photos cannot be read.

    Each photo is read and embedded once, however many rows hold it.
    """
    paths = list(dict.fromkeys(photo for item in items for photo in (*item.first, *item.second)))
    vectors = dict(_embedded(encoder, paths))
    queries = np.concatenate(
        [embedded_texts(encoder, [i.query for i in items[s : s + BATCH]]) for s in range(0, len(items), BATCH)]
    )
    return [_choice(query, item, vectors) for query, item in zip(queries, items, strict=True)]


def judge_choices(
    judge: Judge, items: Sequence[Item], *, progress: Progress | None = None
) -> dict[str, list[Choice | None]]:
    """By aspect, the row that a judge prefers of each item; None where it failed."""
    found: dict[str, list[Choice | None]] = {aspect: [] for aspect in judge.aspects}
    queries, first, second = [i.query for i in items], [i.first for i in items], [i.second for i in items]
    for verdict in ask(judge, queries, first, second, progress=progress):
        found[verdict.aspect].append(_BY_OUTCOME[verdict.outcome])
    return found


def _embedded(encoder: Encoder, paths: Sequence[str]) -> Iterator[tuple[str, Vectors]]:
    waiting: list[tuple[str, Pixels]] = []
    for path, loaded in zip(paths, load([Path(p) for p in paths], [encoder.preprocess]), strict=True):
        if isinstance(loaded, Loaded) and loaded.outputs:
            waiting.append((path, loaded.outputs[0]))
        else:
            warn(f"left out: {path}: {loaded.reason if isinstance(loaded, BadFile) else 'not read'}")
        if len(waiting) == BATCH:
            yield from _batch(encoder, waiting)
            waiting = []
    if waiting:
        yield from _batch(encoder, waiting)


def _batch(encoder: Encoder, waiting: Sequence[tuple[str, Pixels]]) -> Iterator[tuple[str, Vectors]]:
    vectors = embedded_photos(encoder, [pixels for _, pixels in waiting])
    yield from zip([path for path, _ in waiting], vectors, strict=True)


def _choice(query: Vectors, item: Item, vectors: dict[str, Vectors]) -> Choice | None:
    if any(photo not in vectors for photo in (*item.first, *item.second)):
        return None
    first, second = (float(np.mean([vectors[p] @ query for p in row])) for row in (item.first, item.second))
    return "second" if second > first else "first" if first > second else "similar"
