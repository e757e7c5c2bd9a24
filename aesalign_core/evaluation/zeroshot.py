"""Zero-shot classification: photos in a folder per class, named by the class whose prompts are most similar.

Classes as CLIP's authors ask for them (Radford et al., 2021): a class's vector is the mean of the normalised
embeddings of its name in every template, normalised. Ties count by their chance, as in `metrics.expected_hit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aesalign_core.errors import EvaluationError
from aesalign_core.evaluation.class_names import fill
from aesalign_core.evaluation.labelled import Labelled, shown
from aesalign_core.evaluation.metrics import PerQuery, expected_hit
from aesalign_core.evaluation.statistics import Difference, paired_difference
from aesalign_core.images.loading import Loaded, load
from aesalign_core.promises import embedded_photos, embedded_texts
from aesalign_core.protocols import Encoder
from aesalign_core.types import BadFile, Vectors

PROMPTS = 512
"""Texts embedded at a time."""
DEPTHS = (1, 5)
Progress = Callable[[str, int, int], None]
"""Takes what is being done, how much of it is done, and of how much."""


@dataclass(frozen=True)
class ZeroShotReport:
    """How often an encoder, or each of two, names the right class.

    Attributes:
        classes: The classes' names.
        photos: How many were classified.
        metrics: Means by name (`top-1`, `top-5`, `mean per class`) and encoder.
        per_class: By folder the class's name, its number of photos, and top-1 by encoder.
        differences: New minus old, by name of the metric; empty for one encoder.
        bad: Photos that could not be read.
    """

    classes: tuple[str, ...]
    photos: int
    metrics: dict[str, dict[str, float]]
    per_class: dict[str, dict[str, Any]]
    differences: dict[str, Difference]
    bad: tuple[BadFile, ...] = ()

    @property
    def chance(self) -> float:
        """What top-1 would be by guessing."""
        return 1 / len(self.classes)

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return {
            "photos": self.photos,
            "classes": len(self.classes),
            "chance": self.chance,
            "metrics": self.metrics,
            "differences": {name: d.as_dict() for name, d in self.differences.items()},
            "per_class": self.per_class,
            "bad": [{"path": b.path, "reason": b.reason} for b in self.bad],
        }


@dataclass
class _Hits:
    """What is kept of every photo that was read: its class, and per encoder and depth whether it was named right."""

    labels: list[int] = field(default_factory=list)
    found: dict[tuple[int, int], list[float]] = field(default_factory=dict)
    bad: list[BadFile] = field(default_factory=list)


def class_vectors(
    encoder: Encoder,
    names: Sequence[str],
    templates: Sequence[str],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Vectors:
    """One vector for each of C names: (C, d) float32, rows of unit length."""
    step = max(1, PROMPTS // len(templates))
    parts = []
    for start in range(0, len(names), step):
        some = names[start : start + step]
        texts = [fill(template, name) for name in some for template in templates]
        vectors = np.concatenate(
            [embedded_texts(encoder, texts[at : at + PROMPTS]) for at in range(0, len(texts), PROMPTS)]
        )
        means = vectors.reshape(len(some), len(templates), -1).mean(axis=1)
        parts.append(means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12))
        if progress:
            progress(min(start + step, len(names)), len(names))
    return np.concatenate(parts).astype(np.float32)


def classify(
    photos: Labelled,
    names: Sequence[str],
    templates: Sequence[str],
    encoders: Sequence[Encoder],
    *,
    batch_size: int = 64,
    workers: int | None = None,
    progress: Progress | None = None,
) -> ZeroShotReport:
    """Classifies every photo with one encoder, or with two (old, new); memory follows the batch.

    Each photo is read once, and embedded once by encoders that have the same image tower.

    Args:
        photos: What to classify.
        names: (C,) what the classes are called; those of equal names tie.
        templates: Each with one `{}`.
        encoders: One or two.
        batch_size: Photos per forward pass.
        workers: Threads that decode; None: one per core.
        progress: Told of each phase.

    Raises:
        EvaluationError: No photo can be read.
    """
    told = progress or _silent
    numbers: dict[str, int] = {}
    column = np.array([numbers.setdefault(name, len(numbers)) for name in names])
    unique = list(numbers)  # classes of equal names get equal scores, to the last bit
    asked = [class_vectors(e, unique, templates, progress=partial(told, f"prompts, {e.name}")) for e in encoders]
    hits = _Hits()
    for done, labels, vectors in _batches(photos, encoders, hits, batch_size, workers):
        for number, (encoder, classes) in enumerate(zip(encoders, asked, strict=True)):
            if len(labels):
                _score(hits, number, labels, (vectors[encoder.spaces.image] @ classes.T)[:, column])
        told("classifying", done, len(photos.paths))
    if not hits.labels:
        raise EvaluationError(f"none of the {len(photos.paths)} photos can be read", hint=hits.bad[0].reason)
    return _report(photos, names, [e.name for e in encoders], hits)


def _silent(what: str, done: int, total: int) -> None:
    """Nobody wants to know."""


def _batches(
    photos: Labelled, encoders: Sequence[Encoder], hits: _Hits, size: int, workers: int | None
) -> Iterator[tuple[int, NDArray[np.int64], Mapping[str, Vectors]]]:
    """Photos done so far, and labels and vectors by image space of the next batch; bad files are noted."""
    towers = {encoder.spaces.image: encoder for encoder in encoders}
    loaded = load(photos.paths, [e.preprocess for e in towers.values()], workers=workers, ahead=3 * size)
    numbered = zip(photos.labels.tolist(), loaded, strict=True)
    done = 0
    while batch := list(islice(numbered, size)):
        good = [(label, item.outputs) for label, item in batch if isinstance(item, Loaded) and item.outputs]
        hits.bad += [BadFile(shown(item.path), item.reason) for _, item in batch if isinstance(item, BadFile)]
        hits.labels += [label for label, _ in good]
        done += len(batch)
        vectors = {
            space: embedded_photos(encoder, [outputs[position] for _, outputs in good])
            for position, (space, encoder) in enumerate(towers.items())
        } if good else {}  # fmt: skip
        yield done, np.array([label for label, _ in good], dtype=np.int64), vectors


def _score(hits: _Hits, number: int, labels: NDArray[np.int64], scores: Vectors) -> None:
    right = scores[np.arange(len(labels)), labels][:, None]
    above, tied = (scores > right).sum(axis=1), (scores == right).sum(axis=1) - 1
    for k in DEPTHS:
        hits.found.setdefault((number, k), []).extend(expected_hit(above, tied, 1, k).tolist())


def _report(photos: Labelled, names: Sequence[str], encoders: Sequence[str], hits: _Hits) -> ZeroShotReport:
    labels = np.array(hits.labels)
    sizes = np.bincount(labels, minlength=len(names))
    top = {k: [np.array(hits.found[n, k]) for n in range(len(encoders))] for k in DEPTHS}
    measured: dict[str, tuple[list[PerQuery], PerQuery]] = {"top-1": (top[1], np.ones(len(labels)))}
    if len(names) > max(DEPTHS):  # else it says nothing
        measured["top-5"] = (top[5], np.ones(len(labels)))
    measured["mean per class"] = (top[1], 1 / sizes[labels])  # every class counts the same, whatever its size
    means = {
        metric: {e: float(np.average(v, weights=weights)) for e, v in zip(encoders, values, strict=True)}
        for metric, (values, weights) in measured.items()
    }
    differences = {
        metric: paired_difference(*values, weights=weights)
        for metric, (values, weights) in measured.items()
        if len(encoders) == 2
    }
    per_class = {
        folder: _of_class(name, labels == number, dict(zip(encoders, top[1], strict=True)))
        for number, (folder, name) in enumerate(zip(photos.folders, names, strict=True))
    }
    return ZeroShotReport(tuple(names), len(labels), means, per_class, differences, tuple(hits.bad))


def _of_class(name: str, mine: NDArray[np.bool_], hits: Mapping[str, PerQuery]) -> dict[str, Any]:
    found = {encoder: float(values[mine].mean()) if mine.any() else None for encoder, values in hits.items()}
    return {"name": name, "photos": int(mine.sum()), "top-1": found}
