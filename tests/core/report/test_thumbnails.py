"""Thumbnails: small, whole, within a budget, and never an exception."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from aesalign_core.report.thumbnails import USUAL, Thumbnail, thumbnail, thumbnails


def opened(small: Thumbnail) -> Image.Image:
    kind, _, data = small.uri.partition(",")
    assert kind == "data:image/webp;base64"
    return Image.open(BytesIO(base64.b64decode(data)))


def test_the_whole_photo_is_kept_in_its_shape_and_colours(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (1200, 800), (200, 40, 40)).save(path)
    small = thumbnail(path, side=120)
    picture = opened(small)
    assert picture.size == (120, 80) == (small.width, small.height)
    assert np.abs(np.asarray(picture.convert("RGB")).mean((0, 1)) - (200, 40, 40)).max() < 6


def test_sideways_photos_stand_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (200, 100)).save(tmp_path / "a.jpg", exif=exif)
    assert opened(thumbnail(tmp_path / "a.jpg", side=100)).size == (50, 100)


def test_a_small_photo_is_not_enlarged(tmp_path: Path) -> None:
    Image.new("RGB", (9, 7)).save(tmp_path / "a.png")
    assert opened(thumbnail(tmp_path / "a.png")).size == (9, 7)


def test_bad_files_say_why(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("not a picture")
    found = thumbnails([tmp_path / "empty.jpg", tmp_path / "text.png", tmp_path / "gone.jpg", tmp_path]).pictures
    assert all(t.problem and not t.uri for t in found.values())
    assert found[tmp_path / "gone.jpg"].problem == "no such file"


def test_a_smaller_budget_gives_smaller_pictures_all_of_one_size(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(40)]
    for path, pixels in zip(
        paths, np.random.default_rng(0).integers(0, 256, (40, 300, 300, 3), np.uint8), strict=True
    ):
        Image.fromarray(pixels).save(path)
    rich, poor = thumbnails(paths), thumbnails(paths, budget=200_000)
    assert {t.width for t in rich.pictures.values()} == {USUAL}
    assert not rich.is_reduced
    assert {t.width for t in poor.pictures.values()} == {poor.side}
    assert poor.is_reduced
    assert sum(len(t.uri) for t in poor.pictures.values()) == poor.length <= 200_000


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    seen: list[tuple[int, int]] = []
    thumbnails([tmp_path / "a.png", tmp_path / "b.png"], progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2, 2)
    assert thumbnails([]).pictures == {}
