"""Captions: reading the CSV, and finding its photos in a gallery."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_alignment import World

from aesalign_core import captions
from aesalign_core.captions import Caption, match, read_captions
from aesalign_core.errors import AesalignError


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_plain_file(tmp_path: Path) -> None:
    path = written(tmp_path / "c.csv", 'file,caption\na.jpg,A dog .\nb.jpg,"A cat, asleep"\n\na.jpg,Two "dogs"\n')
    assert read_captions(path) == [
        Caption("a.jpg", "A dog ."),
        Caption("b.jpg", "A cat, asleep"),
        Caption("a.jpg", 'Two "dogs"'),
    ]


def test_other_columns_any_order_a_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    path = written(tmp_path / "c.csv", "\ufeffid,Caption,split,FILE\r\n1, a dog ,train, a.jpg\r\n")
    assert read_captions(path) == [Caption("a.jpg", "a dog")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must name the columns file and caption"),
        ("image,text\na,b\n", "must name the columns file and caption, not 'image,text'"),
        ("file,caption\n", "holds no caption"),
        ("file,caption\na.jpg,x\nb.jpg\n", "line 3: no file or no caption"),
        ("file,caption\na.jpg,\n", "line 2: no file or no caption"),
        ("file,caption\n,x\n", "line 2: no file or no caption"),
        ("file,caption\na.jpg," + "x" * 10_001 + "\n", "line 2: a caption of 10,001 characters"),
        ("file,caption\na.jpg," + "x" * 200_000 + "\n", "line 2: field larger than"),
        ('file,caption\na.jpg,"x\n', "line 2: unexpected end"),
        (b"file,caption\na.jpg,\xff\xfe\n", "not UTF-8"),
    ],
)
def test_what_is_no_captions_file_is_one_clear_error(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(AesalignError, match=told):
        read_captions(written(tmp_path / "c.csv", text))


def test_a_missing_or_huge_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AesalignError, match="No such file"):
        read_captions(tmp_path / "none.csv")
    monkeypatch.setattr(captions, "MAX_BYTES", 10)
    with pytest.raises(AesalignError, match="larger than"):
        read_captions(written(tmp_path / "c.csv", "file,caption\na,b\n"))


def test_photos_are_found_by_name(world: World) -> None:
    gallery = world.open()
    found = match([Caption("red-1.png", "one"), Caption("nowhere.png", "two"), Caption("x/red-1.png", "3")], gallery)
    assert found.texts == ("one", "3")
    assert {Path(p).name for p in gallery.paths(found.ids)} == {"red-1.png"}
    assert found.missing == ("nowhere.png",)


def test_a_name_that_two_photos_have_needs_the_folder(tmp_path: Path) -> None:
    import colours

    from aesalign_core.gallery import Gallery
    from aesalign_core.indexing.index import index

    for folder, colour in (("a", "red"), ("b", "blue")):
        colours.paint(tmp_path / "photos" / folder / "1.png", colour)
    index(tmp_path / "photos", tmp_path / "gallery", colours.builder())
    gallery = Gallery.open(tmp_path / "gallery", colours.builder())
    with pytest.raises(AesalignError, match="none of the 1 captioned files is in the gallery"):
        match([Caption("1.png", "which?")], gallery)
    found = match([Caption("b/1.png", "blue"), Caption("a/1.png", "red")], gallery, photos_root=tmp_path / "photos")
    assert [Path(p).parent.name for p in gallery.paths(found.ids)] == ["b", "a"]
