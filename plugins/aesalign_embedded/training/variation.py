"""Harmless differences between photographs, so that a flaw detector does not learn them.

All photographs of the training set have one size and one history of compression. A detector that sees only those, and
flawed copies, takes any other size, sharpness or quality of compression for a flaw.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

SHORTEST = 0.75
"""Of the frame's sides, as a share of the photograph's."""
SCALE = (0.8, 2.0)
BRIGHTNESS, CONTRAST, COLOUR = 0.1, 0.15, 0.25
"""Largest change of each, as a share."""
GREY, SHARPENED = 0.15, 0.6
"""How often a photograph loses its colours, and how often it is sharpened."""
QUALITY = (80, 97)


def vary(image: Image.Image, *, seed: int) -> Image.Image:
    """Another frame, size, sharpness, light and compression, all within what people take for good."""
    rng = np.random.default_rng(seed)
    image = _resized(_framed(image, rng), rng)
    for enhancer, most in (
        (ImageEnhance.Brightness, BRIGHTNESS), (ImageEnhance.Contrast, CONTRAST), (ImageEnhance.Color, COLOUR),
    ):  # fmt: skip
        image = enhancer(image).enhance(rng.uniform(1 - most, 1 + most))
    if rng.random() < GREY:
        image = image.convert("L").convert("RGB")
    if rng.random() < SHARPENED:
        image = image.filter(ImageFilter.UnsharpMask(rng.uniform(0.6, 2.0), int(rng.integers(20, 120)), 0))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=int(rng.integers(*QUALITY)))
    return Image.open(stream).convert("RGB")


def _framed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    share = rng.uniform(SHORTEST, 1.0)
    width, height = round(image.width * share), round(image.height * share)
    left, top = int(rng.integers(image.width - width + 1)), int(rng.integers(image.height - height + 1))
    image = image.crop((left, top, left + width, top + height))
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else image


def _resized(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    scale = rng.uniform(*SCALE)
    size = max(8, round(image.width * scale)), max(8, round(image.height * scale))
    return image.resize(size, (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC)[int(rng.integers(2))])
