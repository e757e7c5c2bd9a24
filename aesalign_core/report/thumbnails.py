"""Photos as small pictures that fit into a page."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from aesalign_core.errors import ImageError
from aesalign_core.images.decoding import decode
from aesalign_core.images.loading import default_workers

SIZES = (
    (256, 78), (192, 78), (144, 78), (112, 75), (112, 60), (88, 60), (72, 50), (56, 45), (48, 35), (40, 20), (32, 5),
)  # fmt: skip
"""Longer sides in pixels and WebP qualities, tried in turn until all thumbnails fit their budget."""
BUDGET = 7_000_000
"""Characters that all thumbnails of a page may take together."""
SAMPLE = 24
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


@dataclass(frozen=True)
class Album:
    """The thumbnails of a page, all of one size.

    Attributes:
        pictures: By file, in the order asked for.
        side: Their longer side at most, in pixels.
        quality: Of their WebP files.
    """

    pictures: Mapping[Path, Thumbnail] = field(default_factory=dict)
    side: int = SIZES[0][0]
    quality: int = SIZES[0][1]

    @property
    def is_reduced(self) -> bool:
        """Whether pictures are worse than they would be on a page with fewer of them."""
        return (self.side, self.quality) != SIZES[0]

    @property
    def length(self) -> int:
        """Characters of all data URIs."""
        return sum(len(picture.uri) for picture in self.pictures.values())


def thumbnail(path: Path, *, side: int = SIZES[0][0], quality: int = SIZES[0][1]) -> Thumbnail:
    """A photo scaled so that its longer side is at most `side`; one that cannot be decoded says why instead."""
    try:
        image = decode(path, draft=side)
    except ImageError as error:
        return Thumbnail("", side, side, error.args[0])
    image.thumbnail((side, side))
    stream = BytesIO()
    image.save(stream, "WEBP", quality=quality, method=4)
    uri = "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
    return Thumbnail(uri, image.width, image.height)


def thumbnails(paths: Sequence[Path], *, budget: int = BUDGET, progress: Progress | None = None) -> Album:
    """Thumbnails of many photos, as large and as good as the budget allows.

    The size is chosen on an even sample, then kept, so that no photo is sharper than its neighbour.

    Args:
        paths: The files, each once.
        budget: Characters that all data URIs may take together; the smallest size is used even if it takes more.
        progress: Called with (done, total).
    """
    album = Album()
    for side, quality in _sizes_that_fit(paths, budget) if paths else ():
        album = Album(_make(paths, side, quality, progress), side, quality)
        if album.length <= budget:
            break
    return album


def _sizes_that_fit(paths: Sequence[Path], budget: int) -> Sequence[tuple[int, int]]:
    """The sizes worth trying, largest first; the last one always is."""
    sample = paths[:: max(1, len(paths) // SAMPLE)]
    share = budget * len(sample) / len(paths)
    for place, size in enumerate(SIZES):
        if Album(_make(sample, *size, None)).length <= share:
            return SIZES[place:]
    return SIZES[-1:]


def _make(paths: Sequence[Path], side: int, quality: int, progress: Progress | None) -> dict[Path, Thumbnail]:
    made: dict[Path, Thumbnail] = {}
    with ThreadPoolExecutor(default_workers()) as pool:
        small = pool.map(lambda path: thumbnail(path, side=side, quality=quality), paths)
        for path, picture in zip(paths, small, strict=True):
            made[path] = picture
            if progress:
                progress(len(made), len(paths))
    return made
