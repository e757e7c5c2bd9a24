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
    (512, 80),
    (256, 78), (192, 78), (144, 78), (112, 75), (112, 60), (88, 60), (72, 50), (56, 45), (48, 35), (40, 20), (32, 5),
)  # fmt: skip
"""Longer sides in pixels and WebP qualities, tried in turn until all thumbnails fit their budget."""
USUAL = 256
"""Side of a photo among many; one that stands alone may have more."""
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
        is_reduced: Whether they are smaller or worse than they would be on a page with fewer of them.
    """

    pictures: Mapping[Path, Thumbnail] = field(default_factory=dict)
    side: int = USUAL
    quality: int = 0
    is_reduced: bool = False

    @property
    def length(self) -> int:
        """Characters of all data URIs."""
        return sum(len(picture.uri) for picture in self.pictures.values())


def thumbnail(path: Path, *, side: int = USUAL, quality: int = 78) -> Thumbnail:
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


def thumbnails(
    paths: Sequence[Path], *, budget: int = BUDGET, largest: int = USUAL, progress: Progress | None = None
) -> Album:
    """Thumbnails of many photos, as large and as good as the budget allows.

    The size is chosen on an even sample, then kept, so that no photo is sharper than its neighbour.

    Args:
        paths: The files, each once.
        budget: Characters that all data URIs may take together; the smallest size is used even if it takes more.
        largest: Side of the largest pictures tried.
        progress: Called with (done, total).
    """
    album, sizes = Album(), [size for size in SIZES if size[0] <= largest]
    for size in _that_fit(sizes, paths, budget) if paths else ():
        album = Album(_make(paths, *size, progress), *size, is_reduced=size != sizes[0])
        if album.length <= budget:
            break
    return album


def _that_fit(sizes: Sequence[tuple[int, int]], paths: Sequence[Path], budget: int) -> Sequence[tuple[int, int]]:
    """The sizes worth trying, largest first; the last one always is."""
    sample = paths[:: max(1, len(paths) // SAMPLE)]
    share = budget * len(sample) / len(paths)
    for place, size in enumerate(sizes):
        if Album(_make(sample, *size, None)).length <= share:
            return sizes[place:]
    return sizes[-1:]


def _make(paths: Sequence[Path], side: int, quality: int, progress: Progress | None) -> dict[Path, Thumbnail]:
    made: dict[Path, Thumbnail] = {}
    with ThreadPoolExecutor(default_workers()) as pool:
        small = pool.map(lambda path: thumbnail(path, side=side, quality=quality), paths)
        for path, picture in zip(paths, small, strict=True):
            made[path] = picture
            if progress:
                progress(len(made), len(paths))
    return made
