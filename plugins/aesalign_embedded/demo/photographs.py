"""Files to demonstrate on: several views of each source photograph, and flawed copies of every view."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from aesalign_core.files import replacing, write_text
from aesalign_core.images.decoding import decode
from aesalign_core.images.loading import default_workers
from aesalign_embedded import flaws
from aesalign_embedded.demo.sources import SOURCES, Source

VIEWS = 10
COPIES = 4
"""Flawed copies of each view; which flaws goes round, so that all eight are equally frequent."""
SHORTEST = 0.72
"""Of a view's sides, as a share of the photograph's: what is cut closer would be a careless crop."""
SEVERITY = (0.45, 0.9)
LONGEST = 600
"""Longer side of a photograph before it is cut, in pixels: encoders see no more than half of it."""
VERSION = 1
CATALOGUE = "catalogue.json"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Picture:
    """One file.

    Attributes:
        path: Where it is, relative to the folder of photographs.
        source: The photograph it was made from.
        flaw: What is wrong with it; empty: nothing.
    """

    path: str
    source: str
    flaw: str = ""


def prepare(
    folder: Path, *, sources: Sequence[Source] = SOURCES, views: int = VIEWS, copies: int = COPIES,
    progress: Progress | None = None,
) -> list[Picture]:  # fmt: skip
    """Writes the files, or reuses those of an earlier run with the same settings.

    Args:
        folder: Where to; each source gets a folder of its own in there.
        sources: The photographs.
        views: Per photograph, its whole frame first.
        copies: Flawed copies per view, at most one of each flaw.
        progress: Called with (done, total) files.

    Raises:
        AesalignError: A photograph is not there, or a file cannot be written.
    """
    made_with = key(sources, views, copies)
    known = _read(folder, made_with)
    if known is not None:
        return known
    jobs = [(source, view) for source in sources for view in range(views)]
    opened = {source.name: _open(source) for source in sources}

    def write(job: tuple[Source, int]) -> list[Picture]:
        return _write_view(folder, opened[job[0].name], job[0], job[1], copies)

    made: list[Picture] = []
    with ThreadPoolExecutor(default_workers()) as pool:
        for pictures in pool.map(write, jobs):
            made += pictures
            if progress:
                progress(len(made), len(jobs) * (1 + copies))
    document = {"key": made_with, "pictures": [asdict(p) for p in made]}
    write_text(folder / CATALOGUE, json.dumps(document, indent=1))
    return made


def view_box(source: Source, size: tuple[int, int], number: int) -> tuple[int, int, int, int]:
    """The frame of a view, in pixels: the whole photograph, or a window that holds its subject."""
    if number == 0:
        return (0, 0, *size)
    rng = random.Random(f"{source.name}/{number}")  # noqa: S311 - repeatable, not secret
    left, right = _window(rng, source.subject[0], source.subject[2])
    top, bottom = _window(rng, source.subject[1], source.subject[3])
    return round(left * size[0]), round(top * size[1]), round(right * size[0]), round(bottom * size[1])


def _window(rng: random.Random, low: float, high: float) -> tuple[float, float]:
    """An interval within [0, 1] that holds [low, high] and is at least `SHORTEST` long."""
    length = rng.uniform(max(SHORTEST, high - low), 1.0)
    start = rng.uniform(max(0.0, high - length), min(low, 1.0 - length))
    return start, start + length


def _write_view(folder: Path, photo: Image.Image, source: Source, view: int, copies: int) -> list[Picture]:
    image = photo.crop(view_box(source, photo.size, view))
    chosen = [flaws.FLAWS[(view * copies + i) % len(flaws.FLAWS)] for i in range(min(copies, len(flaws.FLAWS)))]
    made = [Picture(f"{_slug(source.name)}/{view:02d}.jpg", source.name)]
    _save(folder / made[0].path, image)
    for flaw in chosen:
        seed = flaws.seed_of(f"{source.name}/{view}/{flaw}")
        severity = random.Random(seed).uniform(*SEVERITY)  # noqa: S311
        made.append(Picture(f"{_slug(source.name)}/{view:02d}-{flaw}.jpg", source.name, flaw))
        _save(folder / made[-1].path, flaws.apply(image, flaw, severity=severity, seed=seed))
    return made


def _open(source: Source) -> Image.Image:
    image = decode(source.path(), draft=None)
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return image


def _slug(name: str) -> str:
    return name.replace(" ", "-")


def _save(path: Path, image: Image.Image) -> None:
    with replacing(path) as temporary:
        image.save(temporary, "JPEG", quality=92)


def key(sources: Sequence[Source], views: int, copies: int) -> str:
    """Equal for equal files."""
    parts = [VERSION, views, copies, SHORTEST, SEVERITY, LONGEST, [(s.name, s.subject) for s in sources], flaws.FLAWS]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _read(folder: Path, made_with: str) -> list[Picture] | None:
    """The catalogue of an earlier run, if it was made with these settings and every file is still there."""
    try:
        document = json.loads((folder / CATALOGUE).read_text(encoding="utf-8"))
        pictures = [Picture(**entry) for entry in document["pictures"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = document.get("key") == made_with and all((folder / p.path).is_file() for p in pictures)
    return pictures if whole else None
