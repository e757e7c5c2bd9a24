"""Pictures for the tests of the embedded components: drawn, so that no photographs are needed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


@dataclass
class Context:
    """A `BuildContext` that knows only the CPU."""

    device: str = "cpu"
    warnings: list[str] = field(default_factory=list)

    def encoder(self, spec=None):
        raise NotImplementedError

    def reward(self, spec, settings=None):
        raise NotImplementedError

    def warn(self, message):
        self.warnings.append(message)


def scene(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A landscape of soft colours with some sharp things in it."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(0, 1, size[1])[:, None, None]
    sky, ground = rng.integers(90, 220, 3), rng.integers(40, 180, 3)
    values = np.repeat(sky * (1 - rows) + ground * rows, size[0], 1)
    image = Image.fromarray(values.astype(np.uint8)).filter(ImageFilter.GaussianBlur(2))
    draw = ImageDraw.Draw(image)
    for _ in range(8):
        x, y, r = rng.integers(size[0]), rng.integers(size[1]), rng.integers(8, 40)
        colour = tuple(int(c) for c in rng.integers(20, 235, 3))
        (draw.ellipse if rng.random() < 0.5 else draw.rectangle)((x - r, y - r, x + r, y + r), fill=colour)
    return image
