"""Captions of photos: from CSV, COCO's or Karpathy's JSON, and which photo of a gallery each file is."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aesalign_core.caption_json import MAX_CHARS, parse
from aesalign_core.errors import AesalignError
from aesalign_core.files import read_text, write_text
from aesalign_core.photo_names import PhotoNames

if TYPE_CHECKING:
    from aesalign_core.gallery import Gallery

MAX_BYTES = 2_000_000_000
MAX_JSON = 1_000_000_000
"""Characters. COCO's own files have up to 150 million."""
TRAINING = ("train", "restval")
"""The splits of Karpathy's form that are for training."""


@dataclass(frozen=True, slots=True)
class Caption:
    """One caption of one photo.

    Attributes:
        file: The photo's file, as the captions name it.
        text: What it shows.
    """

    file: str
    text: str


Split = tuple[Caption, str | None]
"""A caption, and the split that its photo is of, if the file says."""


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


def read_captions(path: Path, *, splits: Sequence[str] = (), default: Sequence[str] = ()) -> list[Caption]:
    """Reads captions: a CSV whose header names `file` and `caption`, or the JSON of COCO or of Karpathy's splits.

    Args:
        path: The file; which form it has is seen from its content.
        splits: Take only photos of these, in Karpathy's form or by a CSV's column `split`.
        default: What to take, if `splits` is empty, of Karpathy's form, in which splits must not be mixed by
            accident; empty: refuse. Of a CSV everything is taken then.

    Raises:
        AesalignError: It cannot be read, something in it is wrong (the error says where), or it has no such split.
    """
    text = _text(path)
    is_json = text.lstrip()[:1] == "{"
    found = _from_json(path, text) if is_json else _from_csv(path, text)
    if not found:
        raise _wrong(path, "it holds no caption")
    known = Counter(split for _, split in found if split)
    if not splits and not (is_json and known):
        return [caption for caption, _ in found]
    if not splits and not default:
        raise AesalignError(
            f"{path} has splits, and none is named", hint=f"add --split test, for example; it has {_told(known)}"
        )
    for name in splits:
        if name not in known:
            raise AesalignError(f"{path} has no split {name[:40]!r}", hint=f"it has {_told(known)}")
    kept = [caption for caption, split in found if split in (splits or default)]
    if not kept:
        raise AesalignError(f"{path} has no split {' or '.join(default)}", hint=f"it has {_told(known)}")
    return kept


def first_of_each(captions: Sequence[Caption], count: int) -> list[Caption]:
    """The first `count` captions of each file, in order: some published protocols take five."""
    seen: Counter[str] = Counter()
    kept = []
    for caption in captions:
        seen[caption.file] += 1
        if seen[caption.file] <= count:
            kept.append(caption)
    return kept


def _told(known: Counter[str]) -> str:
    return ", ".join(f"{name[:40]} ({count:,} captions)" for name, count in known.most_common(10)) or "none at all"


def _from_json(path: Path, text: str) -> list[Split]:
    if len(text) > MAX_JSON:
        raise _wrong(path, f"JSON of {len(text):,} characters")
    try:
        return [(Caption(file, caption), split) for file, caption, split in parse(text)]
    except ValueError as error:
        raise _wrong(path, str(error)) from None


def _from_csv(path: Path, text: str) -> list[Split]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if not {"file", "caption"} <= set(header):
            raise _wrong(
                path, f"its first line must name the columns file and caption, not {','.join(header)[:60]!r}"
            )
        file, caption = header.index("file"), header.index("caption")
        split = header.index("split") if "split" in header else None
        filled = ((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))
        return [(_caption(path, n, row, file, caption), _cell(row, split)) for n, row in filled]
    except csv.Error as error:
        raise _wrong(path, f"line {reader.line_num}: {error}") from None


def _cell(row: Sequence[str], column: int | None) -> str | None:
    return row[column].strip() if column is not None and column < len(row) else None


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
    hint = "write one file,caption a line, or give COCO's or Karpathy's JSON"
    return AesalignError(f"cannot use the captions {path}: {reason}", hint=hint)


class PhotoFinder:
    """Which photo of a gallery a file is.

    A file is looked for by its path, below `photos_root` if that is given; if it is not there, by its name alone, as
    long as one photo of the gallery has that name.

    Args:
        gallery: Whose photos are meant.
        photos_root: The folder that files are relative to.

    Raises:
        AesalignError: There is no such folder.
    """

    def __init__(self, gallery: Gallery, photos_root: Path | None = None) -> None:
        if photos_root is not None and not photos_root.is_dir():
            raise AesalignError(
                f"there is no folder {photos_root}", hint="name the folder that the files are relative to"
            )
        self._root = photos_root
        self._names = PhotoNames(zip(gallery.paths(), gallery.ids(), strict=True))

    def find(self, file: str) -> str | None:
        """The photo's id; None if it is not in the gallery, or if only its name is known and several have it."""
        return self._names.find(file, self._root)


def match(captions: Sequence[Caption], gallery: Gallery, *, photos_root: Path | None = None) -> Matched:
    """Finds the photo of each caption in a gallery; see `PhotoFinder`.

    Args:
        captions: As read.
        gallery: Whose photos are meant.
        photos_root: The folder that the files are relative to.

    Raises:
        AesalignError: No caption's photo is in the gallery.
    """
    finder = PhotoFinder(gallery, photos_root)
    found = {c.file: finder.find(c.file) for c in captions}
    kept = [(c.text, photo) for c in captions if (photo := found[c.file]) is not None]
    missing = tuple(file for file, photo in found.items() if photo is None)
    if not kept:
        raise AesalignError(
            f"none of the {len(found)} captioned files is in the gallery {gallery.path}: {missing[0]}, …",
            hint="index those photos, or name the folder that the files are relative to",
        )
    return Matched(tuple(text for text, _ in kept), tuple(photo for _, photo in kept), missing)
