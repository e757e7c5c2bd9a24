"""What the training benchmark trains on: a gallery of real photographs, grids on it, and their tensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from aesalign_core import Builder, Gallery, Recipe, TrainableEncoder, index, make_pairs
from aesalign_core.alignment import inputs
from aesalign_core.alignment.data import TrainingData, prepare
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.captions import Caption, read_captions, write_captions
from aesalign_core.images.decoding import find_photos
from aesalign_core.preferences.settings import PairSettings
from aesalign_core.recipe import Use

QUERIES = 256
PAIRS = PairSettings(rows=5, columns=5, candidates=100, strategy="original")
EMBEDDED = Use(use="embedded")
_ROWS = 10_000
"""Made-up rows that are added at a time."""


@dataclass(frozen=True)
class World:
    """Where everything is.

    Attributes:
        gallery: Of some photographs.
        pairs: Grids of some of their captions.
        captions: All of their captions.
        encoder: That is aligned.
    """

    gallery: Path
    pairs: Path
    captions: Path
    encoder: Use

    def data(self, settings: AlignSettings, features: Path) -> TrainingData:
        """The tensors of a run with these settings."""
        read = inputs.read(self.pairs, self.gallery, builder(settings, self.encoder), self.captions, None)
        return prepare(read, settings, features, lambda *_: None)


def builder(settings: AlignSettings | None = None, encoder: Use = EMBEDDED) -> Builder:
    """Of an encoder, on the CPU."""
    recipe = Recipe(device="cpu", encoder=encoder, rewards=(Use(use="embedded"),), objective=Use(use="ranked_dpo"))
    return Builder(recipe.model_copy(update={"align": settings or AlignSettings()}))


def make(photos: Path, count: int, folder: Path, encoder: Use = EMBEDDED) -> World:
    """Indexes photographs and cuts grids of their captions."""
    build = builder(encoder=encoder)
    paths = find_photos(photos / "images")[:count]
    index(paths, folder / "gallery", build)
    names = {path.name for path in paths}
    known: list[Caption] = [c for c in read_captions(photos / "captions.csv") if Path(c.file).name in names]
    write_captions(folder / "captions.csv", known)
    drawn = np.random.default_rng(0).permutation(len(known))[:QUERIES]
    gallery, built = Gallery.open(folder / "gallery", build), build.encoder()
    queries = [known[i].text for i in drawn]
    make_pairs(queries, gallery, built, build.rephraser(), PAIRS, out=folder / "pairs.parquet")
    return World(folder / "gallery", folder / "pairs.parquet", folder / "captions.csv", encoder)


def random_vit(folder: Path, blocks: int) -> Use:
    """open_clip's ViT-B/32 with random weights, the last blocks of its towers trainable."""
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    path = folder / "vit_b_32.safetensors"
    save_file({k: v.contiguous() for k, v in open_clip.create_model("ViT-B-32").state_dict().items()}, path)
    return Use(use=f"ViT-B-32/{path}", trainable_blocks=blocks)


def enlarge(gallery: Path, rows: int) -> None:
    """Adds made-up photos to a gallery: random unit vectors and rewards, and files that are not there."""
    retriever = builder().retriever(gallery)
    dim, reward, rng = int(Gallery.open(gallery, builder()).dim), "embedded", np.random.default_rng(0)
    for start in range(0, rows, _ROWS):
        vectors = rng.standard_normal((min(_ROWS, rows - start), dim), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        count = len(vectors)
        columns = {
            "id": pa.array([f"{start + k:064x}" for k in range(count)], pa.string()),
            "path": pa.array([f"/made-up/{start + k}.jpg" for k in range(count)], pa.string()),
            "width": pa.array([224] * count, pa.int32()),
            "height": pa.array([224] * count, pa.int32()),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dim),
            reward: pa.array(rng.standard_normal(count).astype(np.float32)),
        }
        retriever.add(pa.table(columns))


def encoder_of(build: Builder) -> TrainableEncoder:
    """The encoder, as one that can be trained."""
    found = build.encoder()
    assert isinstance(found, TrainableEncoder)
    return found
