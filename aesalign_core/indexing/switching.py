"""Which version of a gallery is in use: looking, going back, deleting."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from aesalign_core import locations, versions
from aesalign_core.errors import GalleryError, PluginError
from aesalign_core.gallery import ENCODER_KEY, read_metadata
from aesalign_core.indexing import manifest
from aesalign_core.protocols import Droppable

if TYPE_CHECKING:
    from aesalign_core.build import Builder


@dataclass(frozen=True)
class Version:
    """One version of a gallery.

    Attributes:
        number: From 1.
        place: Where its store is.
        state: `in use`; `before`: was, and a rollback can go there; `beside`: neither, as it is not finished yet, was
            made without switching, or was left by a rollback.
        encoder: Who filled it; empty if nothing is in it.
        photos: How many it holds.
    """

    number: int
    place: str
    state: str
    encoder: str
    photos: int

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON types."""
        return asdict(self)


def listing(gallery: PurePath | str, builder: Builder) -> list[Version]:
    """All versions of a gallery, by number.

    Raises:
        GalleryError: There is no gallery, or one of them cannot be read.
    """
    where = locations.locate(gallery)
    known = versions.read(where)
    found = []
    for number in sorted(known.known):
        place = versions.place(where, number)
        store = builder.retriever(place)
        there = store.exists()
        state = "in use" if number == known.current else "before" if number in known.before else "beside"
        encoder = read_metadata(place, store)[ENCODER_KEY] if there else ""
        found.append(Version(number, str(place), state, encoder, store.count() if there else 0))
    if not any(version.encoder for version in found):
        raise GalleryError(f"there is no gallery at {where}", hint=f"make one: aesalign index PHOTOS -g {where}")
    return found


def rollback(gallery: PurePath | str, builder: Builder) -> int:
    """Has a gallery mean the version that was in use before; gives its number.

    Raises:
        GalleryError: There was none, or its store is gone.
    """
    where = locations.locate(gallery)
    known = versions.read(where)
    if not known.before:
        raise GalleryError(f"no version of {where} was in use before", hint="see aesalign reindex --list")
    number = known.before[-1]
    if not builder.retriever(versions.place(where, number)).exists():
        raise GalleryError(f"version {number} of {where} is gone", hint="see aesalign reindex --list")
    # Back is not in use before: two rollbacks do not end where they began.
    versions.write(where, known.model_copy(update={"current": number, "before": known.before[:-1]}))
    return number


def delete(gallery: PurePath | str, number: int, builder: Builder) -> None:
    """Removes a version that is not in use.

    Raises:
        GalleryError: There is none of this number, it is in use, or another process writes it.
        PluginError: The retriever cannot remove a store.
    """
    where = locations.locate(gallery)
    known = versions.read(where)
    if number not in known.known:
        raise GalleryError(f"{where} has no version {number}", hint="see aesalign reindex --list")
    if number == known.current:
        raise GalleryError(f"version {number} of {where} is in use", hint="switch to another one first")
    place = versions.place(where, number)
    store = builder.retriever(place)
    if store.exists():
        if not isinstance(store, Droppable):
            raise PluginError(
                f"the retriever {builder.recipe.retriever.use!r} cannot remove a store",
                hint=f"remove {place} yourself",
            )
        store.drop()
    locations.delete(place if number != 1 else place / manifest.NAME)
    versions.write(where, known.without(number))
