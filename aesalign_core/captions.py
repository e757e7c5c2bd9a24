"""Captions of photos: a CSV file with the columns `file` and `caption`, and which photo each file is."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aesalign_core.errors import AesalignError
from aesalign_core.files import read_text, write_text
from aesalign_core.photo_names import PhotoNames

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery

MAX_BYTES = 2_000_000_000
MAX_CHARS = 10_000
"""Of one caption."""


@dataclass(frozen=True, slots=True)
class Caption:
    """One caption of one photo.

    Attributes:
        file: The photo's file, as the CSV names it.
        text: What it shows.
    """

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Matched:
    """Captions whose photos are in a gallery.

    Attributes:
        texts: n captions.
        ids: (n) the photo of each.
        missing: Files that the gallery does not hold, each once.
    """

    texts: tuple[str, ...]
    ids: tuple[str, ...]
    missing: tuple[str, ...]


def read_captions(path: Path) -> list[Caption]:
    """Reads a captions CSV: a header with `file` and `caption`, other columns are left alone.

    Raises:
        AesalignError: It cannot be read, lacks a column, or a line is empty or too long; the error names the line.
    """
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if not {"file", "caption"} <= set(header):
            raise _wrong(
                path, f"its first line must name the columns file and caption, not {','.join(header)[:60]!r}"
            )
        file, caption = header.index("file"), header.index("caption")
        filled = ((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))
        captions = [_caption(path, line, row, file, caption) for line, row in filled]
    except csv.Error as error:
        raise _wrong(path, f"line {reader.line_num}: {error}") from None
    if not captions:
        raise _wrong(path, "it holds no caption")
    return captions


def write_captions(path: Path, captions: Sequence[Caption]) -> None:
    """Writes a captions CSV that `read_captions` reads."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["file", "caption"])
    writer.writerows([c.file, c.text] for c in captions)
    write_text(path, stream.getvalue())


def _text(path: Path) -> str:
    try:
        return read_text(path, limit=MAX_BYTES)
    except ValueError as error:
        raise _wrong(path, str(error)) from None


def _caption(path: Path, line: int, row: Sequence[str], file: int, caption: int) -> Caption:
    if len(row) <= max(file, caption) or not row[file].strip() or not row[caption].strip():
        raise _wrong(path, f"line {line}: no file or no caption")
    if len(row[caption]) > MAX_CHARS:
        raise _wrong(path, f"line {line}: a caption of {len(row[caption]):,} characters")
    return Caption(row[file].strip(), row[caption].strip())


def _wrong(path: Path, reason: str) -> AesalignError:
    return AesalignError(f"cannot use the captions {path}: {reason}", hint="write one file,caption a line")


def match(captions: Sequence[Caption], gallery: Gallery, *, photos_root: Path | None = None) -> Matched:
    """Finds the photo of each caption in a gallery.

    A file is looked for below `photos_root`, if that is given; else, or if it is not there, by its name alone, as
    long as one photo of the gallery has that name.

    Args:
        captions: As read.
        gallery: Whose photos are meant.
        photos_root: The folder that the files are relative to.

    Raises:
        AesalignError: No caption's photo is in the gallery.
    """
    if photos_root is not None and not photos_root.is_dir():
        raise AesalignError(
            f"there is no folder {photos_root}", hint="name the folder that the files are relative to"
        )
    names = PhotoNames(zip(gallery.paths(), gallery.ids(), strict=True))
    found = {c.file: names.find(c.file, photos_root) for c in captions}
    kept = [(c.text, photo) for c in captions if (photo := found[c.file]) is not None]
    missing = tuple(file for file, photo in found.items() if photo is None)
    if not kept:
        raise AesalignError(
            f"none of the {len(found)} captioned files is in the gallery {gallery.path}: {missing[0]}, …",
            hint="index those photos, or name the folder that the files are relative to",
        )
    return Matched(tuple(text for text, _ in kept), tuple(photo for _, photo in kept), missing)
