"""What the frozen part of an encoder makes of a run's texts and photos: computed once, kept in the RUN folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from aesalign_core.errors import AesalignError
from aesalign_core.files import replacing
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
_Arrays = dict[str, NDArray[np.float32]]


def of_texts(encoder: TrainableEncoder, texts: Sequence[str], folder: Path, progress: Progress) -> Vectors:
    """(n, f_text) features of texts under the text head."""

    def compute() -> _Arrays:
        parts = []
        for start in range(0, len(texts), BATCH):
            parts.append(encoder.text_features(texts[start : start + BATCH]))
            progress(min(start + BATCH, len(texts)), len(texts))
        return {"features": np.concatenate(parts)}

    space = encoder.spaces.text_features or encoder.spaces.text
    return _cached(folder / "texts.safetensors", fingerprint("texts", space, list(texts)), len(texts), compute)[
        "features"
    ]


def of_gallery(gallery: Gallery, ids: Sequence[str], folder: Path, progress: Progress) -> Vectors:
    """(n, d) embeddings of photos, from the gallery."""

    def compute() -> _Arrays:
        parts = []
        for start in range(0, len(ids), VECTORS_BATCH):
            parts.append(gallery.vectors(ids[start : start + VECTORS_BATCH]))
            progress(min(start + VECTORS_BATCH, len(ids)), len(ids))
        return {"embeddings": np.concatenate(parts)}

    key = fingerprint("embeddings", gallery.space, list(ids))
    return _cached(folder / "embeddings.safetensors", key, len(ids), compute)["embeddings"]


def of_photos(
    encoder: TrainableEncoder, gallery: Gallery, ids: Sequence[str], folder: Path, progress: Progress
) -> tuple[Vectors, NDArray[np.bool_]]:
    """Decodes photos, once, for the image head.

    Returns:
        (n, f_image) features and (n,) whether there are any: a photo that can no longer be read, or has changed
        since it was indexed, has none.
    """

    def compute() -> _Arrays:
        return _decode(encoder, [Path(p) for p in gallery.paths(ids)], ids, progress)

    space = encoder.spaces.image_features or encoder.spaces.image
    found = _cached(folder / "photos.safetensors", fingerprint("photos", space, list(ids)), len(ids), compute)
    return found["features"], found["readable"][:, 0] > 0


def _decode(encoder: TrainableEncoder, paths: Sequence[Path], ids: Sequence[str], progress: Progress) -> _Arrays:
    features: list[Vectors] = []
    rows: list[int] = []
    waiting: list[tuple[int, Pixels]] = []

    def flush() -> None:
        if waiting:
            features.append(encoder.pixel_features([pixels for _, pixels in waiting]))
            rows.extend(row for row, _ in waiting)
            waiting.clear()

    for row, loaded in enumerate(load(paths, [encoder.preprocess])):
        if isinstance(loaded, Loaded) and loaded.outputs is not None and loaded.id == ids[row]:
            waiting.append((row, loaded.outputs[0]))
        else:
            reason = loaded.reason if isinstance(loaded, BadFile) else "changed since it was indexed"
            warn(f"left out of the training: {paths[row]}: {reason}")
        if len(waiting) == BATCH:
            flush()
        progress(row + 1, len(paths))
    flush()
    if not rows:
        raise AesalignError("none of the photos can be read again", hint="tune the text tower, or index them again")
    return _spread(np.concatenate(features), rows, len(ids))


def _spread(features: Vectors, rows: Sequence[int], count: int) -> _Arrays:
    whole, readable = np.zeros((count, features.shape[1]), np.float32), np.zeros((count, 1), np.float32)
    whole[rows], readable[rows] = features, 1
    return {"features": whole, "readable": readable}


def _cached(path: Path, key: str, rows: int, compute: Callable[[], _Arrays]) -> _Arrays:
    """What `path` holds, if it was made under this key and is whole; else computes and writes it."""
    if path.exists():
        try:
            return _read(path, key, rows)
        except (SafetensorError, OSError, ValueError) as error:
            warn(f"{path} is computed again: {describe(error)[:160]}")
    arrays = {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in compute().items()}
    with replacing(path) as temporary:
        _write(temporary, arrays, {"key": key})
    return arrays


def _read(path: Path, key: str, rows: int) -> _Arrays:
    with safe_open(path, framework="numpy") as file:
        if (file.metadata() or {}).get("key") != key:
            raise ValueError("it was made from something else")
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    for values in arrays.values():
        if values.ndim != 2 or len(values) != rows or values.dtype != np.float32 or not np.isfinite(values).all():
            raise ValueError("its arrays are not what they should be")
    return arrays


def _write(path: Path, arrays: _Arrays, metadata: Mapping[str, str]) -> None:
    try:
        save_file(arrays, path, metadata=dict(metadata))
    except SafetensorError as error:
        raise OSError(str(error)) from error
