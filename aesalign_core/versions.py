"""Versions of a gallery, beside each other, one of which is in use.

    GALLERY/               version 1, as `aesalign index` made it
    GALLERY/versions/2/    another, from `aesalign reindex`
    GALLERY/current.json   which one GALLERY means; without it, version 1

`GALLERY@1` means a version whichever is in use. Any retriever has versions this way: each is a store of its own.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Self

from pydantic import Field, ValidationError, model_validator

from aesalign_core.errors import GalleryError
from aesalign_core.locations import locate, read_bytes, write_bytes
from aesalign_core.settings import Settings

CURRENT, FOLDER = "current.json", "versions"
NAMES = (CURRENT, FOLDER)
"""What versions add to a gallery's folder."""
_LIMIT = 1_000_000
_NUMBERED = re.compile(r"(.+)@([1-9][0-9]{0,8})", flags=re.DOTALL)


class Versions(Settings):
    """Which versions a gallery has.

    Attributes:
        current: The one in use.
        known: All, in the order they were begun; one that is not in use may not be whole yet.
        before: Those that were in use before, oldest first: a rollback goes to the last.
        highest: Number given so far; a deleted version's is not given again.
    """

    current: int = Field(1, ge=1)
    known: tuple[int, ...] = (1,)
    before: tuple[int, ...] = ()
    highest: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _knows_what_it_names(self) -> Self:
        if not {self.current, *self.before} <= set(self.known) or min(self.known) < 1:
            raise ValueError("it names versions that it does not know")
        return self

    def begun(self) -> tuple[Versions, int]:
        """With one more, not in use; and its number."""
        number = max(*self.known, self.highest) + 1
        return self.model_copy(update={"known": (*self.known, number), "highest": number}), number

    def using(self, number: int) -> Versions:
        """With another in use."""
        earlier = tuple(n for n in (*self.before, self.current) if n != number)
        return self.model_copy(update={"current": number, "before": tuple(dict.fromkeys(earlier))})

    def without(self, number: int) -> Versions:
        """With one less, which is not in use."""
        known, before = (tuple(n for n in numbers if n != number) for numbers in (self.known, self.before))
        return self.model_copy(update={"known": known, "before": before})


def read(gallery: PurePath) -> Versions:
    """The versions of a gallery.

    Raises:
        GalleryError: The record cannot be read, or is damaged.
    """
    data = read_bytes(gallery / CURRENT, limit=_LIMIT)
    if data is None:
        return Versions()
    try:
        return Versions.model_validate_json(data)
    except ValidationError as error:
        raise GalleryError(
            f"{gallery / CURRENT}, which says which version of the gallery is in use, is damaged",
            hint=f"name the version: {gallery}@1, or one of {gallery / FOLDER}; or delete the file, for version 1",
        ) from error


def write(gallery: PurePath, versions: Versions) -> None:
    """Replaces the record, at once: who opens the gallery after it sees the version that it names."""
    write_bytes(gallery / CURRENT, versions.model_dump_json(indent=1).encode() + b"\n")


def place(gallery: PurePath, number: int) -> PurePath:
    """Where the store of a version is."""
    return gallery if number == 1 else gallery / FOLDER / str(number)


def in_use(gallery: PurePath | str) -> PurePath:
    """Where the store is that `GALLERY`, or `GALLERY@VERSION`, means.

    Raises:
        GalleryError: There is no such version, or the record of versions cannot be read.
    """
    whole = locate(gallery)
    named = _NUMBERED.fullmatch(str(whole))
    if named is None or (isinstance(whole, Path) and whole.exists()):
        return place(whole, read(whole).current)
    folder, number = locate(named[1]), int(named[2])
    if isinstance(folder, Path) and not folder.is_dir():
        return whole  # a name like any other
    known = read(folder).known
    if number not in known:
        raise GalleryError(
            f"{folder} has no version {number}", hint="it has " + ", ".join(map(str, known)) + "; see reindex --list"
        )
    return place(folder, number)
