"""Safe decoding of pictures that nobody vouches for, and finding them.

A file is read once, within a byte limit; its format is chosen by its first bytes from a short list; its pixels are
bounded from the header before anything is decoded; and whatever goes wrong is an `ImageError` with a short reason.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageFile, UnidentifiedImageError

from aesalign_core.errors import GalleryError, ImageError
from aesalign_core.messages import describe, warn

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp"})
MAX_PIXELS = 100_000_000
MAX_BYTES = 250_000_000
MAX_ASPECT = 100
"""Longer side over shorter: models enlarge the shorter side, which would blow a thin strip up without bound."""
DRAFT_SIDE = 768
"""Shorter side, in pixels, above which models gain nothing and decoding may be scaled down."""
_LIST_BYTES = 250_000_000
_WHITE = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture.

    Attributes:
        image: Upright RGB, perhaps scaled down.
        width: Of the upright picture in the file, in pixels.
        height: Likewise.
    """

    image: Image.Image
    width: int
    height: int


def decode(path: Path, *, max_pixels: int = MAX_PIXELS, draft: int | None = DRAFT_SIDE) -> Image.Image:
    """Reads a photo: JPEG, PNG, WEBP, TIFF, BMP, or the first frame of a GIF or another animation.

    Args:
        path: The file.
        max_pixels: Refused above this, before decoding.
        draft: A picture whose shorter side is at least twice this may be decoded at a fraction of its size, but
            with the shorter side no less than this; None: at full size.

    Returns:
        Upright (EXIF orientation applied), RGB, transparency over white.

    Raises:
        ImageError: It is no such file, or cannot be decoded within the bounds; the message is a short reason.
    """
    return decode_bytes(read_bytes(path), max_pixels=max_pixels, draft=draft).image


def read_bytes(path: Path, *, limit: int = MAX_BYTES) -> bytes:
    """A regular file's bytes.

    Raises:
        ImageError: Missing, unreadable, too large, empty, or no regular file; a FIFO or device is never waited for.
    """
    try:
        # Non-blocking, or opening a FIFO that nobody writes to would hang.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ImageError("not a regular file")
            data = file.read(limit + 1) if status.st_size <= limit else None
    except (OSError, ValueError) as error:
        raise ImageError(_reason(error)) from None
    if data is None or len(data) > limit:
        raise ImageError(f"larger than {limit / 1e6:,.0f} MB")
    if not data:
        raise ImageError("empty file")
    return data


def decode_bytes(data: bytes, *, max_pixels: int = MAX_PIXELS, draft: int | None = DRAFT_SIDE) -> Decoded:
    """As `decode`, from a file's bytes, together with the picture's size in the file."""
    with _quiet_pillow():
        try:
            with _open(data) as image:
                _check_size(image.size, max_pixels)
                width, height = reversed(image.size) if _is_sideways(image) else image.size
                return Decoded(_scaled(_to_rgb(_load(image, draft)), draft), width, height)
        except ImageError:
            raise
        except MemoryError:
            raise ImageError("too large for this machine's memory") from None
        except Exception as error:
            # Decoders raise whatever they like on broken input: struct.error, SyntaxError, IndexError ...
            raise ImageError(_reason(error)) from None


def _open(data: bytes) -> ImageFile.ImageFile:
    """Reads the header only. Pillow's own size check is left out in favour of `_check_size`, which bounds more."""
    Image.init()
    for name in FORMATS:
        factory, accepts = Image.OPEN[name]
        if accepts is None or accepts(data[:16]) is True:
            return factory(BytesIO(data), "")
    raise ImageError("not an image of a known format (" + ", ".join(FORMATS) + ")")


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    short, long = sorted(size)
    if short < 1:
        raise ImageError("has no pixels")
    if short * long > max_pixels:
        raise ImageError(f"{size[0]} x {size[1]} pixels, more than {max_pixels / 1e6:g} million")
    if long > MAX_ASPECT * short:
        raise ImageError(f"{size[0]} x {size[1]} pixels, thinner than 1:{MAX_ASPECT}")


def _load(image: ImageFile.ImageFile, draft: int | None) -> Image.Image:
    """Decodes the first frame, a JPEG scaled down where `draft` allows, and turns it upright."""
    scale = min(image.size) // draft if draft else 1
    if scale > 1 and image.format in ("JPEG", "MPO"):
        image.draft(None, (image.width // scale, image.height // scale))
    image.load()
    return _transpose(image)


def _scaled(image: Image.Image, draft: int | None) -> Image.Image:
    scale = min(image.size) // draft if draft else 1
    return image.reduce(scale) if scale > 1 else image


def _is_sideways(image: Image.Image) -> bool:
    # Pillow turns TIFF upright itself, and says so in its size.
    return image.format != "TIFF" and _orientation(image) in (5, 6, 7, 8)


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:
        return 1  # a corrupt EXIF block says nothing; the pixels are still good
    return value if isinstance(value, int) else 1


def _transpose(image: Image.Image) -> Image.Image:
    methods = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    orientation = _orientation(image)
    return image.transpose(Image.Transpose(methods[orientation])) if orientation in methods else image


def _to_rgb(image: Image.Image) -> Image.Image:
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
def _quiet_pillow() -> Iterator[None]:
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


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, IsADirectoryError):
        return "is a folder"
    if isinstance(error, OSError) and error.errno == errno.ENXIO:
        return "not a regular file"
    if isinstance(error, UnidentifiedImageError | SyntaxError):  # SyntaxError: how Pillow says "not my format"
        return "its header is broken"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error) if isinstance(error, OSError) else describe(error)
    return f"cannot be decoded: {' '.join(text.split())[:120]}"


def find_photos(source: Path) -> list[Path]:
    """The photos of a folder, or of a list.

    Args:
        source: A folder, searched through all subfolders but hidden ones, for names that end like pictures; or a
            text file that names one photo a line, relative to itself; or one photo.

    Returns:
        Absolute paths, sorted; a list's in its own order, each once. Symbolic links to folders are not followed.

    Raises:
        GalleryError: The source is missing, cannot be read, or holds no photo.
    """
    if source.is_dir():
        found = sorted(_walk(source))
        hint = "photos end in " + ", ".join(sorted(SUFFIXES))
    elif source.suffix.lower() in SUFFIXES:
        found, hint = [_absolute(source)] if source.exists() else [], "check the path"
    else:
        found, hint = _read_list(source), "name one photo a line"
    if not found:
        raise GalleryError(f"no photos in {source}", hint=hint)
    return found


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would replace links by what they point to


def _walk(folder: Path) -> Iterator[Path]:
    def skipped(error: OSError) -> None:
        if error.filename and Path(error.filename) == _absolute(folder):
            raise GalleryError(f"cannot read the folder {folder}: {error.strerror}") from None
        warn(f"left out the folder {error.filename}: {error.strerror}")

    for root, folders, names in os.walk(_absolute(folder), onerror=skipped):
        folders[:] = [f for f in folders if not f.startswith(".")]
        for name in names:
            path = Path(root, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES:
                yield path


def _read_list(source: Path) -> list[Path]:
    try:
        text = read_bytes(source, limit=_LIST_BYTES).decode("utf-8-sig")
    except ImageError as error:
        if error.args[0] == "empty file":
            return []
        raise GalleryError(f"cannot read {source}: {error.args[0]}", hint="give a folder of photos") from None
    except UnicodeDecodeError:
        raise GalleryError(
            f"{source} is neither a folder, nor a photo, nor a text file", hint="give a folder of photos"
        ) from None
    lines = [line.strip() for line in text.splitlines()]
    return list(dict.fromkeys(_absolute(source.parent / line) for line in lines if line))
