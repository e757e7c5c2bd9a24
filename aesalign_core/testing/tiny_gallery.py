"""A gallery of a dozen drawn pictures, by a tiny open_clip model: everything real, and made in a second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aesalign_core.build import Builder
from aesalign_core.gallery import Gallery
from aesalign_core.indexing.index import index
from aesalign_core.recipe import Recipe, Use
from aesalign_core.testing.pictures import write_scenes

COUNT = 12


@dataclass(frozen=True)
class TinyGallery:
    """A gallery, and what it was made of.

    Attributes:
        path: Of the gallery.
        photos: The folder of its pictures.
        encoder: The model's name, as `--encoder` takes it.
    """

    path: Path
    photos: Path
    encoder: str

    def builder(self, **recipe: Use) -> Builder:
        """A builder with the gallery's encoder, and other components by kind: `retriever=Use(use="…")`."""
        return Builder(Recipe(device="cpu", encoder=Use(use=self.encoder), **{"rewards": (), **recipe}))

    def open(self) -> Gallery:
        """The gallery."""
        return Gallery.open(self.path, self.builder())


def tiny_gallery(folder: Path, encoder: str) -> TinyGallery:
    """Draws pictures in a folder, and indexes them beside it.

    Args:
        folder: Where both go.
        encoder: A model's name, such as `tiny_clip.tiny_model` gives.
    """
    write_scenes(folder / "photos", range(COUNT))
    made = TinyGallery(folder / "gallery", folder / "photos", encoder)
    index(made.photos, made.path, made.builder())
    return made
