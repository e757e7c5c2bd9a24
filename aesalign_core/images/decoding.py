"""Safe decoding of pictures that nobody vouches for, and finding them.

A file is read once, within a byte limit; its format is chosen by its first bytes from a short list; its pixels are
bounded from the header before anything is decoded; and whatever goes wrong is an `ImageError` with a short reason.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from aesalign_core.errors import GalleryError, ImageError
from aesalign_core.images import pillow
from aesalign_core.messages import describe, warn

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp"})
MAX_PIXELS = 100_000_000
MAX_BYTES = 250_000_000
MAX_ASPECT = 100
"""Longer side over shorter: models enlarge the shorter side, which would blow a thin strip up without bound."""
DRAFT_SIDE = 768
"""Shorter side, in pixels, above which models gain nothing and decoding may be scaled down."""
_LIST_BYTES = 250_000_000


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
    with pillow.quiet():
        try:
            with pillow.open_header(data) as image:
                _check_size(image.size, max_pixels)
                width, height = reversed(image.size) if pillow.is_sideways(image) else image.size
                return Decoded(pillow.scaled(pillow.to_rgb(pillow.load_upright(image, draft)), draft), width, height)
        except ImageError:
            raise
        except MemoryError:
            raise ImageError("too large for this machine's memory") from None
        except Exception as error:
            # Decoders raise whatever they like on broken input: struct.error, SyntaxError, IndexError ...
            raise ImageError(_reason(error)) from None


def upright(image: Image.Image) -> Image.Image:
    """A picture that somebody else has opened, as `decode` gives it.

    Raises:
        ImageError: It cannot be decoded within the bounds.
    """
    with pillow.quiet():
        try:
            _check_size(image.size, MAX_PIXELS)
            image.load()  # only then a TIFF says how it lies
            return pillow.scaled(pillow.to_rgb(pillow.turned(image)), DRAFT_SIDE)
        except ImageError:
            raise
        except Exception as error:
            raise ImageError(_reason(error)) from None


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    short, long = sorted(size)
    if short < 1:
        raise ImageError("has no pixels")
    if short * long > max_pixels:
        raise ImageError(f"{size[0]} x {size[1]} pixels, more than {max_pixels / 1e6:g} million")
    if long > MAX_ASPECT * short:
        raise ImageError(f"{size[0]} x {size[1]} pixels, thinner than 1:{MAX_ASPECT}")


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
