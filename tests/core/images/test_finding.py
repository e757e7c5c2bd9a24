"""Finding photos in folders and lists."""

from __future__ import annotations

from pathlib import Path

import colours
import pytest

from aesalign_core.errors import GalleryError
from aesalign_core.images.decoding import find_photos


def test_folders_are_searched_through_in_order(tmp_path):
    names = ["b.JPG", "a/z.png", "a/deep/er/x.WebP", "c.jpeg"]
    for name in [*names, ".hidden.jpg", ".git/y.jpg", "notes.txt", "movie.mp4", "a/.DS_Store"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in find_photos(tmp_path)] == [
        "a/deep/er/x.WebP", "a/z.png", "b.JPG", "c.jpeg",
    ]  # fmt: skip


def test_paths_are_absolute(tmp_path, monkeypatch):
    colours.write_photos(tmp_path / "p", each=1)
    monkeypatch.chdir(tmp_path)
    assert all(p.is_absolute() for p in find_photos(Path("p")))
    assert find_photos(Path("p/red-0.png")) == [tmp_path / "p" / "red-0.png"]


def test_links_to_folders_do_not_loop(tmp_path):
    colours.write_photos(tmp_path / "p", each=1)
    (tmp_path / "p" / "again").symlink_to(tmp_path / "p")
    assert len(find_photos(tmp_path / "p")) == 3


def test_a_list_is_relative_to_itself_and_keeps_its_order(tmp_path):
    listing = tmp_path / "sub" / "list.txt"
    listing.parent.mkdir()
    listing.write_text("\ufeff../b.png\n\n  a.png \n/abs/c.jpg\n../b.png\n#odd name.png\n", encoding="utf-8")
    assert find_photos(listing) == [
        tmp_path / "b.png", tmp_path / "sub" / "a.png", Path("/abs/c.jpg"), tmp_path / "sub" / "#odd name.png",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing", None, "no such file"),
        ("missing.jpg", None, "no photos in"),
        ("empty.txt", b"", "no photos in"),
        ("blank.txt", b"\n \n", "no photos in"),
        ("binary.bin", b"\xff\xfe\x00\x80", "neither a folder, nor a photo, nor a text file"),
    ],
)
def test_sources_without_photos_say_so(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(GalleryError, match=words) as caught:
        find_photos(tmp_path / name)
    assert caught.value.hint


def test_an_empty_folder_says_what_photos_look_like(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(GalleryError, match=r"no photos in .*\.jpg"):
        find_photos(tmp_path)
