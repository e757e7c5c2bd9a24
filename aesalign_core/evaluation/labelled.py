"""Photos laid out in a folder for each class."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aesalign_core.errors import EvaluationError, GalleryError
from aesalign_core.images.decoding import SUFFIXES, find_photos


@dataclass(frozen=True)
class Labelled:
    """Photos and the class of each.

    Attributes:
        folders: C, the classes, by the names of their folders.
        paths: n photos.
        labels: (n,) which of `folders` each is in.
    """

    folders: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: NDArray[np.int64]


def find_labelled(folder: Path) -> Labelled:
    """The photos of a folder that has a folder for each class. A class without photos can still be answered.

    Raises:
        EvaluationError: The folder is missing, or there are not two classes, or no photo at all.
    """
    hint = f"lay photos out as {folder}/CLASS/PHOTO"
    try:
        inside = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise EvaluationError(f"cannot read the folder {folder}: {error.strerror}", hint=hint) from None
    if len(inside) < 2:
        raise EvaluationError(f"{folder} holds {len(inside)} folders, and each is a class", hint=hint)
    for entry in inside:
        if shown(entry.name) != entry.name:
            raise EvaluationError(f"the name of the folder {shown(entry)} is not valid UTF-8", hint="rename it")
    photos = [_photos(entry) for entry in inside]
    paths = tuple(path for found in photos for path in found)
    if not paths:
        raise EvaluationError(
            f"no photos in the folders of {folder}", hint="photos end in " + ", ".join(sorted(SUFFIXES))
        )
    labels = np.repeat(np.arange(len(inside)), [len(found) for found in photos])
    return Labelled(tuple(entry.name for entry in inside), paths, labels)


def _photos(folder: Path) -> list[Path]:
    try:
        return find_photos(folder)
    except GalleryError:
        return []


def shown(path: str | os.PathLike[str]) -> str:
    """A path as text that can be printed, whatever bytes its name has."""
    return os.fsencode(path).decode(errors="replace")
