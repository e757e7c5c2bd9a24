"""The photographs and their split, by photograph.

Test: 1,000 photographs: all that carry a LAION score, and the rest by the sha256 of the file name, lowest first.
Validation: the next 500 by that hash. Training: all others. Recipes are chosen on validation; the shipped
projections are then fitted on training and validation together, and the test part is looked at once.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aesalign_core.errors import EvaluationError

TEST_SIZE = 1000
VALIDATION_SIZE = 500

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Photographs:
    """n photographs with their captions, split.

    Attributes:
        folder: Where the image files lie.
        names: n file names, in the order of the captions file.
        captions: All captions.
        photo_of: For each caption, which photograph it describes.
        scores: LAION's score of each photograph that has one, by file name.
        train: Indices of the photographs, likewise `validation` and `test`.
    """

    folder: Path
    names: list[str]
    captions: list[str]
    photo_of: Indices
    scores: dict[str, float]
    train: Indices
    validation: Indices
    test: Indices

    def captions_of(self, photos: Indices) -> Indices:
        """Indices of all captions of some photographs, in order."""
        return np.flatnonzero(np.isin(self.photo_of, photos))


def read(photos: Path) -> Photographs:
    """Reads `images/`, `captions.csv` and `laion_b32.csv` of a folder and splits them.

    Raises:
        EvaluationError: One of them is missing, or lacks a column.
    """
    rows = _table(photos / "captions.csv", "file", "caption")
    scores = {name: float(score) for name, score in _table(photos / "laion_b32.csv", "file", "laion_v1_vit_b_32")}
    names = list(dict.fromkeys(name for name, _ in rows))
    index = {name: i for i, name in enumerate(names)}
    ranked = sorted((n for n in names if n not in scores), key=lambda n: hashlib.sha256(n.encode()).hexdigest())
    cut = max(0, TEST_SIZE - len(scores))
    test = {*scores, *ranked[:cut]}
    validation = set(ranked[cut : cut + VALIDATION_SIZE])

    def where(chosen: set[str]) -> Indices:
        return np.array([i for i, n in enumerate(names) if n in chosen], np.int64)

    return Photographs(
        folder=photos / "images",
        names=names,
        captions=[caption for _, caption in rows],
        photo_of=np.array([index[name] for name, _ in rows], np.int64),
        scores=scores,
        train=where(set(names) - test - validation),
        validation=where(validation),
        test=where(test),
    )


def _table(path: Path, *columns: str) -> list[tuple[str, ...]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [tuple(row[c] for c in columns) for row in csv.DictReader(file)]
    except OSError as error:
        raise EvaluationError(f"cannot read {path}: {error.strerror}", hint="--photos names the folder") from None
    except KeyError as error:
        raise EvaluationError(f"{path} has no column {error}") from None
