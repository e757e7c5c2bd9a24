"""Pictures that nobody vouches for: what decodes, into what, and what is refused."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
import sys
import threading
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aesalign_core.errors import ImageError
from aesalign_core.images.decoding import MAX_PIXELS, decode, decode_bytes, upright

LEFT, RIGHT = (250, 10, 10), (10, 10, 250)


def halves(width: int = 40, height: int = 20) -> Image.Image:
    """Red on the left, blue on the right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = LEFT, RIGHT
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    found = image.getpixel(place)
    return image.mode == "RGB" and max(abs(a - b) for a, b in zip(found, colour, strict=True)) < 40


def png(width: int, height: int) -> bytes:
    """A PNG whose header claims this size, over next to no data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_every_format_becomes_upright_rgb(kind, tmp_path):
    path = tmp_path / "picture.dat"  # the name says nothing; the bytes do
    path.write_bytes(encoded(halves(), kind))
    image = decode(path)
    assert image.size == (40, 20)
    assert near(image, (5, 10), LEFT)
    assert near(image, (35, 10), RIGHT)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(kind, orientation):
    # What a camera does: the stored picture is the upright one turned the other way.
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = halves() if orientation == 1 else halves().transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode_bytes(encoded(stored, kind, exif=exif))
    assert (decoded.width, decoded.height) == decoded.image.size == (40, 20)
    assert near(decoded.image, (5, 10), LEFT)
    assert near(decoded.image, (35, 10), RIGHT)
    with Image.open(BytesIO(encoded(stored, kind, exif=exif))) as opened:
        assert upright(opened).tobytes() == decoded.image.tobytes()


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr"])
def test_other_colour_models(mode):
    source = Image.new("RGB", (8, 8), (255, 255, 255)).convert(mode)
    image = decode_bytes(encoded(source, "TIFF")).image
    assert near(image, (4, 4), (255, 255, 255))


def test_cmyk_jpeg_is_not_inverted():
    image = decode_bytes(encoded(halves().convert("CMYK"), "JPEG")).image
    assert near(image, (5, 10), LEFT)


def test_sixteen_bit_grey_keeps_its_middle():
    deep = Image.fromarray(np.full((8, 8), 32768, np.uint16))
    for kind in ("PNG", "TIFF"):
        assert near(decode_bytes(encoded(deep, kind)).image, (4, 4), (128, 128, 128))


def test_real_valued_grey():
    real = Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
    image = decode_bytes(encoded(real, "TIFF")).image
    assert (image.getpixel((0, 0)), image.getpixel((7, 7))) == ((0, 0, 0), (255, 255, 255))


def test_transparency_lies_over_white():
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert near(decode_bytes(encoded(clear, "PNG")).image, (4, 4), (255, 255, 255))
    assert near(upright(clear), (4, 4), (255, 255, 255))
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert near(decode_bytes(encoded(half, "WEBP", lossless=True)).image, (4, 4), (127, 127, 127))
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0, 9, 9, 9])
    assert near(decode_bytes(encoded(palette, "PNG", transparency=0)).image, (4, 4), (255, 255, 255))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animations_give_their_first_frame(kind):
    frames = [Image.new("RGB", (16, 16), colour) for colour in (LEFT, RIGHT, (0, 250, 0))]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    assert near(decode_bytes(data).image, (8, 8), LEFT)


def test_large_pictures_are_scaled_down_but_their_size_is_told():
    for kind in ("JPEG", "PNG"):
        decoded = decode_bytes(encoded(halves(800, 400), kind), draft=100)
        assert (decoded.width, decoded.height) == (800, 400)
        assert decoded.image.size == (200, 100)
        assert near(decoded.image, (50, 50), LEFT)
    assert decode_bytes(encoded(halves(800, 400), "JPEG"), draft=None).image.size == (800, 400)
    # never below what was asked for: 400 // 150 = 2
    assert decode_bytes(encoded(halves(800, 400), "PNG"), draft=150).image.size == (400, 200)


def test_a_scaled_decode_is_the_same_picture(photos_dir):
    path = min((photos_dir / "images").iterdir())
    big = Image.open(path).convert("RGB").resize((2000, 1500))
    data = encoded(big, "JPEG", quality=95)
    scaled, full = (decode_bytes(data, draft=d).image.resize((224, 224)) for d in (500, None))
    assert np.abs(np.asarray(scaled, float) - np.asarray(full, float)).mean() < 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_truncated_files_are_refused_wherever_they_are_cut(kind):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    data = encoded(noise, kind)
    for part in (10, len(data) // 3, len(data) // 2):
        with pytest.raises(ImageError) as caught:
            decode_bytes(data[:part])
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200


def test_broken_bytes_never_raise_anything_else():
    rng = np.random.default_rng(1)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"):
        data = np.frombuffer(encoded(halves(), kind), np.uint8)
        for _ in range(60):
            broken = data.copy()
            broken[rng.integers(4, len(data), 6)] = rng.integers(0, 255, 6)
            with contextlib.suppress(ImageError):
                decode_bytes(broken.tobytes(), max_pixels=1_000_000)


@pytest.mark.parametrize(
    ("size", "words"),
    [((50_000, 50_000), "million"), ((10_001, 10_000), "million"), ((3, 1000), "thinner"), ((0, 5), "header")],
)
def test_size_is_bounded_by_the_header(size, words):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError, match=words):
        decode_bytes(png(*size))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KB; 50,000² pixels would be 7 GB
    assert MAX_PIXELS < 10_001 * 10_000


def test_a_webp_bomb_costs_no_memory():
    # VP8L, 16,383 x 16,383: the largest a WEBP header can claim
    body = b"\x2f" + struct.pack("<I", (16382) | (16382 << 14)) + b"\0" * 16
    data = b"VP8L" + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    data = b"RIFF" + struct.pack("<I", len(data) + 4) + b"WEBP" + data
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError):
        decode_bytes(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_max_pixels_is_the_callers():
    with pytest.raises(ImageError, match="40 x 20 pixels"):
        decode_bytes(encoded(halves(), "PNG"), max_pixels=799)
    assert decode_bytes(encoded(halves(), "PNG"), max_pixels=800).width == 40


@pytest.mark.parametrize("data", [b"<svg/>", b"%PDF-1.4", b"hello", b"\x00" * 100, b"8BPS" + b"\0" * 100])
def test_only_listed_formats_are_opened(data):
    with pytest.raises(ImageError, match="known format"):
        decode_bytes(data)


def test_postscript_is_not_run():
    with pytest.raises(ImageError, match="known format"):
        decode_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")


def test_things_that_are_no_files(tmp_path):
    for path, words in [
        (tmp_path / "missing.jpg", "no such file"),
        (tmp_path, "is a folder"),
        (Path("/dev/zero"), "not a regular file"),
        (Path("nul\0byte.jpg"), "null byte|embedded null"),
    ]:
        with pytest.raises(ImageError, match=words):
            decode(path)
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ImageError, match="empty file"):
        decode(tmp_path / "empty.jpg")


def test_a_fifo_or_socket_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s.jpg"))
    try:
        for name in ("pipe.jpg", "s.jpg"):
            with pytest.raises(ImageError, match="not a regular file"):
                decode(tmp_path / name)
    finally:
        server.close()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() == 0, reason="permissions do not bind the superuser")
def test_unreadable_files(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(encoded(halves(), "PNG"))
    path.chmod(0)
    with pytest.raises(ImageError, match="no permission"):
        decode(path)


def test_huge_files_are_not_read(tmp_path):
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(10**10)  # sparse
    with pytest.raises(ImageError, match="larger than"):
        decode(tmp_path / "huge.jpg")


def test_corrupt_exif_is_ignored_in_silence():
    data = encoded(halves(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\xff\xff\xff\xff\0\0")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert decode_bytes(data).image.size == (40, 20)
    assert not caught


def test_filters_are_as_before_whatever_threads_do():
    before = list(warnings.filters)
    bad = b"II*\0\x08\0\0\0\xff\xff"

    def work() -> None:
        for _ in range(30):
            with pytest.raises(ImageError):
                decode_bytes(bad)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
