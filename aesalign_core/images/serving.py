"""A photo as a web page shows it: decoded safely and scaled by us, never a file's own bytes."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

from aesalign_core.errors import ImageError
from aesalign_core.images.decoding import decode_bytes, read_bytes

MEDIA_TYPE = "image/jpeg"
_QUALITY = 88


def scaled_jpeg(path: Path, *, digest: str, side: int) -> bytes:
    """A photo as JPEG whose longer side is at most `side` pixels.

    Args:
        path: Where it was.
        digest: sha256 of its file, in hex, when it was looked at first.
        side: In pixels.

    Raises:
        ImageError: It cannot be decoded, or is no longer what it was.
    """
    data = read_bytes(path)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ImageError("changed since it was looked at first")
    image = decode_bytes(data, draft=side).image
    image.thumbnail((side, side))
    stream = BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()
