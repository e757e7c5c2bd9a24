"""Pictures for tests: drawn, so that no photographs are needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZES = ((320, 240), (240, 320), (64, 48), (500, 40), (1, 1), (33, 400))
"""Wide, upright, small, a strip, a single pixel, a tower: (width, height)."""


def scene(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A landscape of soft colours with some sharp things in it; RGB.

    Args:
        seed: Which.
        size: (width, height) in pixels.
    """
    rng = np.random.default_rng(seed)
    rows = np.linspace(0, 1, size[1])[:, None, None]
    sky, ground = rng.integers(90, 220, 3), rng.integers(40, 180, 3)
    values = np.repeat(sky * (1 - rows) + ground * rows, size[0], 1)
    image = Image.fromarray(values.astype(np.uint8)).filter(ImageFilter.GaussianBlur(2))
    draw = ImageDraw.Draw(image)
    for _ in range(8):
        x, y, r = int(rng.integers(size[0])), int(rng.integers(size[1])), int(rng.integers(8, 40))
        colour = (int(rng.integers(20, 235)), int(rng.integers(20, 235)), int(rng.integers(20, 235)))
        (draw.ellipse if rng.random() < 0.5 else draw.rectangle)((x - r, y - r, x + r, y + r), fill=colour)
    return image


def scenes(count: int = 7) -> list[Image.Image]:
    """Scenes of all sorts of sizes, all different."""
    return [scene(number, SIZES[number % len(SIZES)]) for number in range(count)]


def write_scenes(folder: Path, seeds: Sequence[int], *, blur: float = 0.0) -> list[Path]:
    """Writes scenes as PNG files, `scene-<seed>.png`, and gives their paths.

    Args:
        folder: Where; it is made.
        seeds: Which.
        blur: Radius of a blur in pixels, which anybody thinks uglier; 0: none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"scene-{seed}.png" for seed in seeds]
    for seed, path in zip(seeds, paths, strict=True):
        image = scene(seed)
        (image.filter(ImageFilter.GaussianBlur(blur)) if blur else image).save(path)
    return paths
