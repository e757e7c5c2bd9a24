"""Everything a training step reads, as tensors on the encoder's device: grids, captions, and the two towers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from aesalign_core.alignment import features
from aesalign_core.alignment.matrix_files import Matrix
from aesalign_core.alignment.towers import Tower, embed, similarities
from aesalign_core.captions import Matched
from aesalign_core.errors import AlignmentError
from aesalign_core.preferences.records import PairsResult, bands

if TYPE_CHECKING:
    from aesalign_core.alignment.held_out import HeldOut
    from aesalign_core.alignment.inputs import Inputs
    from aesalign_core.alignment.settings import AlignSettings
    from aesalign_core.gallery import Gallery
    from aesalign_core.protocols import TrainableEncoder

CHUNK = 1024
PhaseProgress = Callable[[str, int, int, Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class WatchedRows:
    """What is held out, as rows of the towers.

    Attributes:
        texts: (h,) captions.
        photos: (m,) the photos they are searched among: those held out, and all others of the run.
        own: (h,) each caption's photo, as its place among them.
        rewards: (m, r) in standard deviations of the gallery: the trained reward, and another one.
    """

    texts: Tensor
    photos: Tensor
    own: Tensor
    rewards: Tensor


@dataclass
class TrainingData:
    """What was prepared.

    Attributes:
        text: Over queries, then captions.
        image: Over the photos of grids and captions.
        temperature: τ.
        grid_photos: (q, n) rows of `image`.
        reference: (q, n) similarities of the frozen model, ÷ τ.
        rewards: (q, n) in standard deviations of the gallery.
        bands: (n,) the row of the grid.
        readable: Per row of `image`, whether it may be learnt from: it can be read and is not held out.
        caption_texts: (c,) rows of `text`.
        caption_photos: (c,) rows of `image`.
        half: Whether heads compute in bfloat16.
        at_once: Items that go through a head at once where no gradient is wanted.
        watched: What is held out, if anything is.
    """

    text: Tower
    image: Tower
    temperature: float
    grid_photos: Tensor
    reference: Tensor
    rewards: Tensor
    bands: Tensor
    readable: Tensor
    caption_texts: Tensor
    caption_photos: Tensor
    half: bool = False
    at_once: int = CHUNK
    watched: WatchedRows | None = None

    @functools.cached_property
    def usable(self) -> Tensor:
        """Rows of `image` that may be learnt from."""
        return self.readable.nonzero().squeeze(1)

    def heads(self) -> dict[str, nn.Module]:
        """The heads being trained, by tower."""
        towers = {"text": self.text.head, "image": self.image.head}
        return {name: head for name, head in towers.items() if head is not None}

    def replace_heads(self, heads: Mapping[str, nn.Module]) -> None:
        """Has other modules trained in the heads' places, by tower."""
        self.text.head, self.image.head = heads.get("text"), heads.get("image")


def prepare(inputs: Inputs, settings: AlignSettings, folder: Path, progress: PhaseProgress) -> TrainingData:
    """Computes, or reads from the run's cache, all features, and the reference similarities once."""
    pairs, encoder, gallery, held = inputs.pairs, inputs.encoder, inputs.gallery, inputs.held_out
    device = torch.device(encoder.device)
    captions = _used(inputs.captions, settings) if inputs.captions else Matched((), (), ())
    texts = [grid.query for grid in pairs.grids] + list(captions.texts) + list(held.texts if held else ())
    photos = {name: row for row, name in enumerate(_distinct(pairs, captions, held.ids if held else ()))}
    text = _text_tower(encoder, texts, settings, folder, progress)
    image, readable = _image_tower(encoder, gallery, list(photos), settings, folder, progress)
    watched = None
    if held:
        watched = _watched(held, gallery, len(texts) - len(held.texts), photos, readable, device)
        readable = readable.clone()
        readable[[photos[name] for name in held.ids]] = False
    grid_photos = _long([[photos[i] for row in grid.ids for i in row] for grid in pairs.grids]).to(device)
    rewards = np.stack([(g.rewards.reshape(-1) - pairs.header.mean) / pairs.header.std for g in pairs.grids])
    usable = [k for k, name in enumerate(captions.ids) if readable[photos[name]]]
    return TrainingData(
        text=text,
        image=image,
        temperature=encoder.temperature,
        grid_photos=grid_photos,
        reference=_reference(text, image, grid_photos, encoder.temperature),
        rewards=torch.from_numpy(rewards.astype(np.float32)).to(device),
        bands=torch.from_numpy(bands(pairs.grids[0])).to(device),
        readable=readable.to(device),
        caption_texts=_long([len(pairs.grids) + k for k in usable]).to(device),
        caption_photos=_long([photos[captions.ids[k]] for k in usable]).to(device),
        half=settings.precision == "bf16",
        at_once=settings.micro_batch or CHUNK,
        watched=watched,
    )


def _watched(
    held: HeldOut, gallery: Gallery, texts: int, photos: Mapping[str, int], readable: Tensor, device: torch.device
) -> WatchedRows:
    """Rows of what is held out, among all photos of the run that can be read and have the rewards."""
    names, rewards = list(photos), held.rewards(gallery, list(photos))
    whole = np.isfinite(rewards).all(1) & readable.numpy()
    places = {names[row]: place for place, row in enumerate(np.flatnonzero(whole))}
    kept = [(texts + k, places[held.ids[own]]) for k, own in enumerate(held.own) if held.ids[own] in places]
    if not kept:
        raise AlignmentError("none of the held-out photos can be read again", hint="index the photos again")
    return WatchedRows(
        texts=_long([text for text, _ in kept]).to(device),
        photos=torch.from_numpy(np.flatnonzero(whole)).to(device),
        own=_long([place for _, place in kept]).to(device),
        rewards=torch.from_numpy(rewards[whole]).to(device),
    )


def _used(captions: Matched, settings: AlignSettings) -> Matched:
    """No more captions than the steps can see, so that no feature is computed in vain."""
    needed = settings.steps * settings.pretraining_batch
    if len(captions.texts) <= needed:
        return captions
    kept = np.sort(np.random.default_rng([settings.seed, 2]).permutation(len(captions.texts))[:needed])
    return Matched(tuple(captions.texts[k] for k in kept), tuple(captions.ids[k] for k in kept), captions.missing)


def _distinct(pairs: PairsResult, captions: Matched, held: Sequence[str]) -> list[str]:
    in_grids = (name for grid in pairs.grids for row in grid.ids for name in row)
    # In an order that other grids of the same photos share, so that their features are the same file.
    return sorted({*in_grids, *captions.ids, *held})


def _long(values: Sequence[object]) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.int64))


def _text_tower(
    encoder: TrainableEncoder, texts: Sequence[str], settings: AlignSettings, folder: Path, progress: PhaseProgress
) -> Tower:
    read = features.of_texts(encoder, texts, folder, lambda done, total: progress("texts", done, total, {}))
    reference = _embed_all(encoder.text_head(), read, settings)
    return Tower(reference, read, encoder.text_head()) if "text" in settings.towers else Tower(reference)


def _image_tower(
    encoder: TrainableEncoder,
    gallery: Gallery,
    ids: Sequence[str],
    settings: AlignSettings,
    folder: Path,
    progress: PhaseProgress,
) -> tuple[Tower, Tensor]:
    def report(done: int, total: int) -> None:
        progress("photos", done, total, {})

    if "image" not in settings.towers:
        vectors = features.of_gallery(gallery, ids, folder, report, encoder.device)
        return Tower(torch.cat(list(vectors.parts()))), vectors.present
    read = features.of_photos(encoder, gallery, ids, folder, report)
    return Tower(_embed_all(encoder.image_head(), read, settings), read, encoder.image_head()), read.present


@torch.no_grad()
def _embed_all(head: nn.Module, read: Matrix, settings: AlignSettings) -> Tensor:
    # In the policy's own precision, so that the policy begins at the reference.
    half = settings.precision == "bf16"
    return torch.cat([embed(head, part, half=half) for part in read.parts(settings.micro_batch or CHUNK)])


@torch.no_grad()
def _reference(text: Tower, image: Tower, grid_photos: Tensor, temperature: float) -> Tensor:
    chunk = max(1, CHUNK // grid_photos.shape[1])
    parts = [
        similarities(text.reference[start : start + len(rows)], image.reference[rows.flatten()], temperature)
        for start, rows in zip(range(0, len(grid_photos), chunk), torch.split(grid_photos, chunk), strict=True)
    ]
    return torch.cat(parts)
