"""Flawed copies of photographs: what the reward must rank below the original.

Every flaw is a pure function of (photograph, severity, seed): same input, same bytes. Lengths are relative to
the photograph's size, so that a flaw looks alike on a thumbnail and on a large file.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from aesalign_core.errors import SettingsError

Flaw = Literal["blur", "noise", "underexposure", "overexposure", "colour_cast", "jpeg", "tilt", "crop"]
FLAWS: tuple[Flaw, ...] = get_args(Flaw)

_Values = NDArray[np.float32]


def apply(image: Image.Image, flaw: str, *, severity: float = 0.5, seed: int = 0) -> Image.Image:
    """Makes a flawed copy.

    Args:
        image: An RGB photograph; it is left unchanged.
        flaw: One of `FLAWS`.
        severity: How bad, in (0, 1]: near 0 an attentive viewer notices, at 1 anybody does.
        seed: Chooses what the flaw leaves open: direction, tint, grain, position.

    Returns:
        An RGB image of the same size; a careless crop is smaller.

    Raises:
        SettingsError: Unknown flaw, or a severity outside (0, 1].
    """
    if flaw not in _MAKERS:
        raise SettingsError(f"unknown flaw {flaw!r}", hint="known: " + ", ".join(FLAWS))
    if not 0.0 < severity <= 1.0:
        raise SettingsError(f"severity must be in (0, 1], not {severity}")
    digest = hashlib.sha256(f"{flaw}/{seed}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    return _MAKERS[flaw](image.convert("RGB"), float(severity), rng)


def seed_of(name: str, salt: int = 0) -> int:
    """A seed for a photograph, from its file name: the same on every machine and in every order."""
    return int.from_bytes(hashlib.sha256(f"{salt}/{name}".encode()).digest()[:4], "big")


def _between(low: float, high: float, severity: float) -> float:
    return low + (high - low) * severity


def _linear(image: Image.Image) -> _Values:
    """Pixels as light, roughly: sRGB's curve taken as a power of 2.2."""
    return (np.asarray(image, dtype=np.float32) / 255.0) ** np.float32(2.2)


def _encoded(light: _Values) -> Image.Image:
    values = np.clip(light, 0.0, 1.0) ** (1 / 2.2)
    return Image.fromarray(np.rint(values * 255.0).astype(np.uint8))


def _blur(image: Image.Image, severity: float, rng: np.random.Generator) -> Image.Image:
    """Out of focus, or shaken: the same amount spread along a line."""
    radius = _between(0.006, 0.022, severity) * min(image.size)
    if rng.random() < 0.5:
        return image.filter(ImageFilter.GaussianBlur(radius))
    steps = max(5, round(radius * 4) | 1)
    angle = rng.uniform(0, np.pi)
    shifts = np.linspace(-1.7 * radius, 1.7 * radius, steps)
    total = np.zeros((image.height, image.width, 3), np.float32)
    for shift in shifts:
        matrix = (1, 0, float(shift * np.cos(angle)), 0, 1, float(shift * np.sin(angle)))
        moved = _padded(image, matrix)
        total += np.asarray(moved, np.float32)
    return Image.fromarray(np.rint(total / steps).astype(np.uint8))


def _padded(image: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    """An affine move whose uncovered rim repeats the edge instead of turning black."""
    pad = 1 + int(max(abs(matrix[2]), abs(matrix[5])))
    wide = Image.fromarray(np.pad(np.asarray(image), ((pad, pad), (pad, pad), (0, 0)), mode="edge"))
    moved = wide.transform(wide.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return moved.crop((pad, pad, pad + image.width, pad + image.height))


def _noise(image: Image.Image, severity: float, rng: np.random.Generator) -> Image.Image:
    """Sensor noise: stronger grain in brightness than in colour, grains of about 1/300 of the width."""
    scale = max(1, round(min(image.size) / 300))
    shape = (-(-image.height // scale), -(-image.width // scale))
    grain = rng.normal(0, 1, (*shape, 1)) + 0.6 * rng.normal(0, 1, (*shape, 3))
    grains = np.kron(grain, np.ones((scale, scale, 1)))[: image.height, : image.width]
    noisy = np.asarray(image, np.float32) + grains * _between(10.0, 38.0, severity)
    return Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))


def _underexposure(image: Image.Image, severity: float, rng: np.random.Generator) -> Image.Image:
    """1.3 to 3.5 stops too dark, shadows drowned."""
    stops = _between(1.3, 3.5, severity) * rng.uniform(0.95, 1.05)
    return _encoded(_linear(image) * np.float32(2.0**-stops) - np.float32(0.002))


def _overexposure(image: Image.Image, severity: float, rng: np.random.Generator) -> Image.Image:
    """1 to 2.8 stops too bright, highlights burnt out, veiled blacks."""
    stops = _between(1.0, 2.8, severity) * rng.uniform(0.95, 1.05)
    return _encoded(_linear(image) * np.float32(2.0**stops) + np.float32(0.01 + 0.03 * severity))


def _colour_cast(image: Image.Image, severity: float, rng: np.random.Generator) -> Image.Image:
    """A wrong white balance: orange, blue, green or magenta."""
    tints = np.array([[1.0, 0.1, -1.2], [-1.1, -0.1, 1.0], [-0.8, 1.0, -0.8], [0.8, -1.1, 0.8]])
    tint = tints[rng.integers(len(tints))] + rng.uniform(-0.1, 0.1, 3)
    gains = 2.0 ** (tint * _between(0.5, 1.4, severity))
    return _encoded(_linear(image) * gains.astype(np.float32))


def _jpeg(image: Image.Image, severity: float, rng: np.random.Generator) -> Image.Image:
    """Blocks and ringing: JPEG of quality 16 down to 5, written at a quarter megapixel at most."""
    quality = round(_between(16.0, 5.0, severity) * rng.uniform(0.95, 1.05))
    small = image.copy()
    small.thumbnail((512, 512), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=quality, subsampling=2)
    with Image.open(buffer) as coded:
        return coded.convert("RGB").resize(image.size, Image.Resampling.BICUBIC)


def _tilt(image: Image.Image, severity: float, rng: np.random.Generator) -> Image.Image:
    """Turned by 7 to 25 degrees, the corners left empty: black, grey or white, as careless scans and edits do."""
    angle = _between(7.0, 25.0, severity) * rng.choice([-1.0, 1.0]) * rng.uniform(0.95, 1.05)
    fill = int(rng.choice([0, 0, 128, 255]))
    return image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(fill, fill, fill))


def _crop(image: Image.Image, severity: float, rng: np.random.Generator) -> Image.Image:
    """Cut to 60 down to 30 percent of each side, hard against one corner: the subject is cut off."""
    share = _between(0.60, 0.30, severity)
    width, height = max(1, round(image.width * share)), max(1, round(image.height * share))
    left = (image.width - width) * int(rng.integers(2))
    top = (image.height - height) * int(rng.integers(2))
    return image.crop((left, top, left + width, top + height))


_MAKERS: dict[str, Callable[[Image.Image, float, np.random.Generator], Image.Image]] = {
    "blur": _blur,
    "noise": _noise,
    "underexposure": _underexposure,
    "overexposure": _overexposure,
    "colour_cast": _colour_cast,
    "jpeg": _jpeg,
    "tilt": _tilt,
    "crop": _crop,
}
