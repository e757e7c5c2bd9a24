"""Several photos as one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from aesalign_core.report.contact_sheet import GAP, sheet


def test_photos_stand_in_their_squares_and_whole(tmp_path: Path) -> None:
    Image.new("RGB", (400, 200), (200, 0, 0)).save(tmp_path / "wide.png")
    Image.new("RGB", (200, 400), (0, 0, 200)).save(tmp_path / "tall.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    made = sheet([[tmp_path / "wide.png", tmp_path / "tall.png"], [tmp_path / "broken.jpg"]], side=80)
    assert made.size == (2 * 80 + GAP, 2 * 80 + GAP)
    pixels = np.asarray(made)
    assert pixels[40, 60].tolist() == [200, 0, 0]
    assert pixels[75, 40].tolist() == [0, 0, 0]  # under the wide one
    assert pixels[40, 80 + GAP + 40].tolist() == [0, 0, 200]
    assert pixels[80 + GAP + 60, 60].tolist() == [60, 60, 60]  # nothing could be read


def test_numbers_go_on_where_they_are_told_to(tmp_path: Path) -> None:
    Image.new("RGB", (80, 80), (120, 120, 120)).save(tmp_path / "a.png")
    one, other = (np.asarray(sheet([[tmp_path / "a.png"]], first=n)) for n in (1, 7))
    assert (one != other).any()
    assert (one[40:] == other[40:]).all()
