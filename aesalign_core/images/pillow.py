"""Pillow, kept to a few formats, quiet, and always giving upright RGB."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from PIL import Image, ImageFile

from aesalign_core.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
_WHITE = (255, 255, 255)
_UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""What turns a picture of each EXIF orientation upright, as Pillow numbers it."""


def open_header(data: bytes) -> ImageFile.ImageFile:
    """Reads the header only, without Pillow's own size check: the caller makes a stricter one.

    Raises:
        ImageError: The first bytes are of none of `FORMATS`.
    """
    Image.init()
    for name in FORMATS:
        factory, accepts = Image.OPEN[name]
        if accepts is None or accepts(data[:16]) is True:
            return factory(BytesIO(data), "")
    raise ImageError("not an image of a known format (" + ", ".join(FORMATS) + ")")


def load_upright(image: ImageFile.ImageFile, draft: int | None) -> Image.Image:
    """Decodes the first frame, a JPEG scaled down where `draft` allows, and turns it upright."""
    scale = min(image.size) // draft if draft else 1
    if scale > 1 and image.format in ("JPEG", "MPO"):
        image.draft(None, (image.width // scale, image.height // scale))
    image.load()
    return turned(image)


def scaled(image: Image.Image, draft: int | None) -> Image.Image:
    """A picture reduced by a whole factor, its shorter side still at least `draft`."""
    scale = min(image.size) // draft if draft else 1
    return image.reduce(scale) if scale > 1 else image


def is_sideways(image: Image.Image) -> bool:
    """Whether an opened picture's width and height change places when it is turned upright."""
    # Pillow turns TIFF upright itself, and says so in its size.
    return image.format != "TIFF" and _orientation(image) in (5, 6, 7, 8)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:
        return 1  # a corrupt EXIF block says nothing; the pixels are still good
    return value if isinstance(value, int) else 1


def turned(image: Image.Image) -> Image.Image:
    """A picture turned as its EXIF orientation asks."""
    orientation = _orientation(image)
    return image.transpose(Image.Transpose(_UPRIGHT[orientation])) if orientation in _UPRIGHT else image


def to_rgb(image: Image.Image) -> Image.Image:
    """Any colour model as RGB, transparency over white."""
    if image.mode.startswith(("I", "F")):
        return _from_deep_grey(image)
    if image.has_transparency_data:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, (*_WHITE, 255))
        return Image.alpha_composite(white, over).convert("RGB")
    if image.mode == "RGB":
        return image.copy()  # free of the file it came from
    return image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """16-bit, wider or real-valued grey to 8 bits: by full scale where it is known, else by the largest value."""
    import numpy as np

    grey = np.nan_to_num(np.asarray(image, dtype=np.float32))
    top = 65535.0 if image.mode.startswith("I") and grey.max(initial=0) <= 65535 else float(grey.max(initial=0))
    if image.mode == "F":
        top = 1.0 if top <= 1 else 255.0 if top <= 255 else top
    scaled = (grey * (255.0 / (top or 1.0))).clip(0, 255).round().astype(np.uint8)
    return Image.fromarray(scaled).convert("RGB")


_quiet_lock = threading.Lock()
_quiet_users = 0
_quiet_filter: Any = None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps Pillow's remarks on odd files from becoming Python warnings, or errors, of the program.

    `warnings.catch_warnings` is not safe among threads, so all decoding threads share one narrow filter, put in by
    the first and taken out by the last.
    """
    global _quiet_users, _quiet_filter
    with _quiet_lock:
        if _quiet_users == 0:
            warnings.filterwarnings("ignore", module=r"PIL\.")
            _quiet_filter = warnings.filters[0]
        _quiet_users += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_users -= 1
            if _quiet_users == 0:
                with contextlib.suppress(ValueError):
                    warnings.filters.remove(_quiet_filter)  # type: ignore[attr-defined]
