"""Features of all photographs, their views and flawed copies, and of all captions: computed once, then kept."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from aesalign_core.files import replacing
from aesalign_core.images.decoding import decode
from aesalign_core.types import Pixels, Vectors
from aesalign_embedded import flaws
from aesalign_embedded.towers import ImageTower, TextTower, squeeze
from aesalign_embedded.training import variation
from aesalign_embedded.training.split import Indices, Photographs

VIEWS = ("plain", "flip", "crop")
"""As it is; mirrored; a random part (at least 55 percent of the area, mirrored or not)."""
_BATCH = 64


class FeatureStore:
    """Computes features on first use and keeps them in a folder, by what they were computed from.

    Args:
        photographs: All of them.
        cache: Where arrays are kept, float16.
    """

    def __init__(self, photographs: Photographs, cache: Path) -> None:
        self.photographs = photographs
        self._cache = cache
        self._tower: ImageTower | None = None

    def view(self, view: str) -> Vectors:
        """(n, f) features of one view of every photograph."""
        photos = self.photographs
        return self._images(f"view-{view}", photos.names, partial(_view, view=view))

    def varied(self, photos: Indices) -> Vectors:
        """(m, f) features of m photographs, each with harmless differences."""
        return self._images("varied", [self.photographs.names[i] for i in photos], _varied)

    def flawed(self, flaw: str, photos: Indices, *, salt: int, varied: bool = False) -> Vectors:
        """(m, f) features of a flawed copy of each of m photographs; severity is drawn evenly from 0.15 to 1.

        Args:
            flaw: One of `FLAWS`.
            photos: Which photographs.
            salt: Another one gives other copies.
            varied: Copies of what `varied` gives.
        """
        names = [self.photographs.names[i] for i in photos]
        key = f"{flaw}-{salt}" + ("-varied" if varied else "")
        return self._images(key, names, partial(_flawed, flaw=flaw, salt=salt, varied=varied))

    def captions(self) -> Vectors:
        """(c, f) features of every caption."""

        def compute() -> Vectors:
            tower = TextTower()
            return _joined(tower.features(part) for part in _told("captions", self.photographs.captions))

        return self._kept("captions", self.photographs.captions, compute)

    def _images(self, key: str, names: list[str], make: Callable[[Image.Image, str], Image.Image]) -> Vectors:
        def compute() -> Vectors:
            self._tower = tower = self._tower or ImageTower()

            def load(name: str) -> Pixels:
                return squeeze(make(decode(self.photographs.folder / name), name))

            with ThreadPoolExecutor(2) as pool:
                return _joined(tower.features(list(pool.map(load, part))) for part in _told(key, names))

        return self._kept(key, names, compute)

    def _kept(self, key: str, items: list[str], compute: Callable[[], Vectors]) -> Vectors:
        source = repr(items).encode()
        if key.split("-")[0] in flaws.FLAWS:
            source = Path(flaws.__file__).read_bytes() + source
        if key.endswith("varied"):
            source = Path(variation.__file__).read_bytes() + source
        path = self._cache / f"{key}-{hashlib.sha256(source).hexdigest()[:8]}.npy"
        if not path.exists():
            found = compute().astype(np.float16)
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.save(file, found)
        kept: Vectors = np.load(path).astype(np.float32)
        return kept


def _view(image: Image.Image, name: str, *, view: str) -> Image.Image:
    rng = np.random.default_rng(flaws.seed_of(name))
    if view == "crop":
        share, shape = rng.uniform(0.55, 1.0), np.exp(rng.uniform(-0.2, 0.2))
        width = max(1, min(image.width, int(image.width * np.sqrt(share * shape))))
        height = max(1, min(image.height, int(image.height * np.sqrt(share / shape))))
        left, top = rng.integers(image.width - width + 1), rng.integers(image.height - height + 1)
        image = image.crop((int(left), int(top), int(left) + width, int(top) + height))
    if view == "flip" or (view == "crop" and rng.random() < 0.5):
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image


def _varied(image: Image.Image, name: str) -> Image.Image:
    return variation.vary(image, seed=flaws.seed_of(name))


def _flawed(image: Image.Image, name: str, *, flaw: str, salt: int, varied: bool) -> Image.Image:
    image = _varied(image, name) if varied else image
    seed = flaws.seed_of(f"{flaw}/{name}", salt)
    severity = float(np.random.default_rng(seed).uniform(0.15, 1.0))
    return flaws.apply(image, flaw, severity=severity, seed=seed)


def _joined(parts: Iterator[Vectors]) -> Vectors:
    return np.concatenate(list(parts))


def _told(what: str, items: Sequence[str]) -> Iterator[list[str]]:
    """Batches, with a line of progress on stderr."""
    for start in range(0, len(items), _BATCH):
        print(f"\r{what}: {start}/{len(items)}", end="", file=sys.stderr, flush=True)  # noqa: T201
        yield list(items[start : start + _BATCH])
    print(f"\r{what}: {len(items)}/{len(items)}", file=sys.stderr)  # noqa: T201
