"""Pictures in terminals: those that say they can, those that cannot, and what is no terminal."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from command_line import Aesalign
from terminal import COLUMNS, in_terminal

needs_library = pytest.mark.skipif(
    importlib.util.find_spec("textual_image") is None, reason="textual-image (extra `pictures`) is not installed"
)
# What terminals answer when they are asked for their attributes, and for a picture in kitty's protocol.
SIXEL, PLAIN, KITTY = b"\x1b[?62;4c", b"\x1b[?62;22c", b"\x1b_Gi=1;OK\x1b\\"
SHOWN = re.compile(r"\x1bP0;0;0q\"1;1;(\d+);(\d+)")


@needs_library
def test_a_terminal_with_sixels_shows_the_hits(gallery: Path, tmp_path: Path) -> None:
    code, seen = in_terminal(
        tmp_path, "search", "a cat", "-g", gallery, "-k", "7", "--show", typed_before=SIXEL, raw=True
    )
    assert code == 0, seen[-500:]
    sizes = [(int(width), int(height)) for width, height in SHOWN.findall(seen)]
    assert len(sizes) == 2  # five photos in the first row, two in the second
    assert sizes[0][0] == COLUMNS * 10
    assert sizes[1][0] == pytest.approx(0.4 * COLUMNS * 10, abs=10)
    assert "cat.jpg" in seen.replace("\r\n", "")


@needs_library
def test_a_terminal_with_kittys_protocol_shows_a_grid(gallery: Path, tmp_path: Path) -> None:
    grid = ("--set", "pairs.rows=2", "--set", "pairs.columns=3", "--set", "pairs.candidates=12")
    code, seen = in_terminal(
        tmp_path, "grid", "a cat", "-g", gallery, *grid, "--show", typed_before=PLAIN + KITTY, raw=True
    )
    assert code == 0, seen[-500:]
    assert seen.count("\x1b_G") > 2  # a question, the picture in parts, its place
    assert "f=100" in seen
    assert "preference pairs" in seen


@needs_library
@pytest.mark.parametrize("answers", [b"", PLAIN, PLAIN + b"\x1b_Gi=1;ENOTSUPPORTED\x1b\\"])
def test_a_terminal_that_cannot_says_what_to_do_before_any_work(tmp_path: Path, answers: bytes) -> None:
    code, seen = in_terminal(tmp_path, "search", "a cat", "-g", "no gallery", "--show", typed_before=answers)
    assert code == 1
    assert "this terminal shows no pictures" in seen
    assert "--open" in seen
    assert "no gallery" not in seen.split("aesalign: error")[1]


@needs_library
def test_blocks_are_drawn_if_they_are_asked_for(gallery: Path, tmp_path: Path) -> None:
    code, seen = in_terminal(tmp_path, "search", "a cat", "-g", gallery, "-k", "2", "--show", "--blocks", raw=True)
    assert code == 0, seen[-500:]
    assert seen.count("▀") + seen.count("▄") > 100
    assert not SHOWN.search(seen)


def test_what_is_no_terminal_gets_no_pictures(aesalign: Aesalign) -> None:
    done = aesalign("search", "a cat", "-g", "g", "--show")
    assert (done.code, done.out) == (1, "")
    assert "--show needs a terminal" in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_flags_that_contradict_each_other_are_usage_errors(aesalign: Aesalign) -> None:
    for flags in (("--show", "--json"), ("--blocks",)):
        for verb in ("search", "grid"):
            done = aesalign(verb, "a cat", "-g", "g", *flags)
            assert (done.code, done.out) == (2, "")


def test_without_the_library_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "textual_image.py").write_text("raise ImportError('not here')")
    code, seen = in_terminal(tmp_path, "search", "a cat", "-g", "g", "--show", typed_before=SIXEL)
    assert code == 1
    assert "pip install 'aesalign[pictures]'" in seen
