"""Photos as small pictures that fit into a page."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from aesalign_core.errors import ImageError
from aesalign_core.images.decoding import decode
from aesalign_core.images.loading import default_workers

SIDES = (256, 192, 144, 112, 80, 56)
"""Longer sides tried in turn, in pixels, until all thumbnails fit their budget."""
BUDGET = 7_000_000
"""Characters that all thumbnails of a page may take together."""
QUALITY = 78
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture.

    Attributes:
        uri: `data:image/webp;base64,…`; empty where the photo could not be read.
        width: In pixels.
        height: In pixels.
        problem: Why there is no picture; empty if there is one.
    """

    uri: str
    width: int
    height: int
    problem: str = ""


def thumbnail(path: Path, *, side: int = SIDES[0]) -> Thumbnail:
    """A photo scaled so that its longer side is at most `side`; one that cannot be decoded says why instead."""
    try:
        image = decode(path, draft=side)
    except ImageError as error:
        return Thumbnail("", side, side, error.args[0])
    image.thumbnail((side, side))
    stream = BytesIO()
    image.save(stream, "WEBP", quality=QUALITY, method=4)
    uri = "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
    return Thumbnail(uri, image.width, image.height)


def thumbnails(
    paths: Sequence[Path], *, budget: int = BUDGET, progress: Progress | None = None
) -> Mapping[Path, Thumbnail]:
    """Thumbnails of many photos, as large as the budget allows.

    The size is chosen on an even sample, then kept, so that no photo is sharper than its neighbour.

    Args:
        paths: The files, each once.
        budget: Characters that all data URIs may take together.
        progress: Called with (done, total).
    """
    if not paths:
        return {}
    made: dict[Path, Thumbnail] = {}
    for side in _sides_that_fit(paths, budget):
        made = _make(paths, side, progress)
        if sum(len(t.uri) for t in made.values()) <= budget:
            break
    return made


def _sides_that_fit(paths: Sequence[Path], budget: int) -> list[int]:
    """The sides worth trying, largest first; the last one always is."""
    sample = paths[:: max(1, len(paths) // 24)]
    share = budget * len(sample) / len(paths)
    fitting = [s for s in SIDES if sum(len(t.uri) for t in _make(sample, s, None).values()) <= share]
    return fitting or [SIDES[-1]]


def _make(paths: Sequence[Path], side: int, progress: Progress | None) -> dict[Path, Thumbnail]:
    made: dict[Path, Thumbnail] = {}
    with ThreadPoolExecutor(default_workers()) as pool:
        for path, small in zip(paths, pool.map(lambda p: thumbnail(p, side=side), paths), strict=True):
            made[path] = small
            if progress:
                progress(len(made), len(paths))
    return made
