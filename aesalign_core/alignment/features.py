"""What the frozen part of an encoder makes of a run's texts and photos: computed once, kept in the RUN folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from aesalign_core.alignment import matrix_files
from aesalign_core.alignment.matrix_files import Matrix
from aesalign_core.errors import AesalignError, AlignmentError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.images.loading import Loaded, load
from aesalign_core.messages import describe, warn
from aesalign_core.types import BadFile, Pixels, Vectors

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import TrainableEncoder

BATCH = 64
VECTORS_BATCH = 16_384
Progress = Callable[[int, int], None]
_Batches = Iterator[Vectors | int]


def of_texts(encoder: TrainableEncoder, texts: Sequence[str], folder: Path, progress: Progress) -> Matrix:
    """(n, f_text) features of texts under the text head."""

    def compute() -> _Batches:
        for start in range(0, len(texts), BATCH):
            yield encoder.text_features(texts[start : start + BATCH])
            progress(min(start + BATCH, len(texts)), len(texts))

    space = encoder.spaces.text_features or encoder.spaces.text
    path = folder / f"texts-{fingerprint('texts', space, _precision(encoder), list(texts))}.npy"
    return _cached(path, len(texts), compute, encoder.device)


def of_gallery(gallery: Gallery, ids: Sequence[str], folder: Path, progress: Progress, device: str) -> Matrix:
    """(n, d) embeddings of photos, from the gallery."""

    def compute() -> _Batches:
        for start in range(0, len(ids), VECTORS_BATCH):
            yield gallery.vectors(ids[start : start + VECTORS_BATCH])
            progress(min(start + VECTORS_BATCH, len(ids)), len(ids))

    path = folder / f"embeddings-{fingerprint('embeddings', gallery.space, list(ids))}.npy"
    return _cached(path, len(ids), compute, device)


def of_photos(
    encoder: TrainableEncoder, gallery: Gallery, ids: Sequence[str], folder: Path, progress: Progress
) -> Matrix:
    """(n, f_image) features of photos under the image head; each is decoded once.

    A photo that can no longer be read, or has changed since it was indexed, is missing.
    """

    def compute() -> _Batches:
        return _decode(encoder, [Path(p) for p in gallery.paths(ids)], ids, progress)

    space = encoder.spaces.image_features or encoder.spaces.image
    path = folder / f"photos-{fingerprint('photos', space, _precision(encoder), list(ids))}.npy"
    known = path.exists()
    found = _cached(path, len(ids), compute, encoder.device, some=True)
    if known and (missing := int((~found.present).sum())):
        warn(f"{missing} photos could not be read when {path} was made, and are left out; delete it to try again")
    return found


def _precision(encoder: TrainableEncoder) -> str:
    """What an encoder that has a choice computes in; fingerprints of spaces leave it out, for features it counts."""
    return str(getattr(encoder, "precision", ""))


def _decode(encoder: TrainableEncoder, paths: Sequence[Path], ids: Sequence[str], progress: Progress) -> _Batches:
    """Batches of features, in order, and 1 for each photo without."""
    waiting: list[Pixels] = []
    found = 0
    for row, loaded in enumerate(load(paths, [encoder.preprocess])):
        same = isinstance(loaded, Loaded) and loaded.id == ids[row]
        pixels = loaded.outputs[0] if isinstance(loaded, Loaded) and same and loaded.outputs else None
        if pixels is not None:
            waiting.append(pixels)
        if waiting and (pixels is None or len(waiting) == BATCH or row + 1 == len(paths)):
            found += len(waiting)
            yield encoder.pixel_features(waiting)
            waiting.clear()
        if pixels is None:
            reason = loaded.reason if isinstance(loaded, BadFile) else "changed since it was indexed"
            warn(f"left out of the training: {paths[row]}: {reason}")
            yield 1
        progress(row + 1, len(paths))
    if not found:
        raise AesalignError("none of the photos can be read again", hint="tune the text tower, or index them again")


def _cached(path: Path, rows: int, compute: Callable[[], _Batches], device: str, *, some: bool = False) -> Matrix:
    """What the file holds, if it is whole; else it is computed and written first. `some`: rows may be missing."""
    if not rows:
        return Matrix(np.empty((0, 1), np.float32), torch.device(device))
    if path.exists():
        try:
            return _read(path, rows, device, some=some)
        except (OSError, ValueError) as error:
            warn(f"{path} is computed again: {describe(error)[:160]}")
    matrix_files.write(path, rows, compute())
    try:
        return _read(path, rows, device, some=some)
    except (OSError, ValueError) as error:
        raise AlignmentError(f"the encoder's features cannot be used: {describe(error)[:160]}") from None


def _read(path: Path, rows: int, device: str, *, some: bool) -> Matrix:
    found = Matrix(matrix_files.read(path, rows), torch.device(device))
    if not (some or bool(found.present.all())):
        raise ValueError("it holds numbers that are not finite")
    return found
