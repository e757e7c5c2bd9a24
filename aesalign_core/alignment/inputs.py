"""What a training run is made from: read, and checked, before any folder is touched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath

from aesalign_core import captions as captions_files
from aesalign_core.alignment import run_folder
from aesalign_core.alignment.adapted import AdaptedEncoder
from aesalign_core.alignment.held_out import HeldOut, hold_out
from aesalign_core.alignment.runs import BaseSpaces, RunRecord
from aesalign_core.alignment.settings import AlignSettings
from aesalign_core.build import Builder
from aesalign_core.captions import Matched
from aesalign_core.encoder_names import MODEL_PREFIX, is_model_spec, run_name, run_of
from aesalign_core.errors import AlignmentError, SpaceMismatchError
from aesalign_core.fingerprints import fingerprint, of_file
from aesalign_core.gallery import Gallery
from aesalign_core.preferences import store as preference_store
from aesalign_core.preferences.records import PairsResult
from aesalign_core.protocols import Encoder, TrainableEncoder
from aesalign_core.recipe import Recipe, Use

_FREE_TO_CHANGE = {"checkpoint_every", "keep_checkpoints", "log_every", "micro_batch", "gradient_checkpointing"}
"""Settings that do not change what is learnt, up to rounding."""


@dataclass(frozen=True)
class Inputs:
    """Everything a run is made from.

    Attributes:
        pairs: The grids.
        pairs_digest: sha256 of their file.
        gallery: The one they were made from.
        encoder: The one to align.
        captions: Caption pairs for the pre-training loss; None if it is off.
        pretraining: `on`, or why it is off.
        held_out: Captioned photos that are watched and not learnt from; None: nothing is.
        recipe: Of the run: it builds the same encoder from any folder.
    """

    pairs: PairsResult
    pairs_digest: str
    gallery: Gallery
    encoder: TrainableEncoder
    captions: Matched | None
    pretraining: str
    held_out: HeldOut | None
    recipe: Recipe


def read(
    pairs_path: Path, gallery_path: PurePath, builder: Builder, captions: Path | None, photos_root: Path | None
) -> Inputs:
    """Reads and checks everything; see `alignment.align` for the arguments and errors."""
    pairs = preference_store.read(pairs_path)
    if not pairs.grids:
        raise AlignmentError(f"{pairs_path} holds no grid", hint="make pairs from more queries or photos")
    gallery = Gallery.open(gallery_path, builder)
    if pairs.header.space != gallery.space:
        raise SpaceMismatchError(
            f"{pairs_path} was made from a gallery of {pairs.header.encoder!r} ({pairs.header.space}), and"
            f" {gallery_path} is one of {gallery.encoder_name!r} ({gallery.space})",
            hint="name the gallery that the pairs were made from",
        )
    encoder, recipe = _base(builder, gallery)
    gallery.check_encoder(encoder)
    settings, digest = builder.recipe.align, of_file(pairs_path)
    matched = held = None
    if captions is not None and (settings.pretraining_weight or settings.recall_floor is not None):
        read = captions_files.read_captions(captions, default=captions_files.TRAINING)
        matched = captions_files.match(read, gallery, photos_root=photos_root)
    if settings.recall_floor is not None:
        if matched is None:
            raise AlignmentError("align.recall_floor needs captions to measure recall with", hint="give --captions")
        matched, pairs, held = hold_out(matched, pairs, gallery, settings)
    elif settings.watch_reward is not None:
        raise AlignmentError(
            "align.watch_reward is watched on what is held out, and nothing is", hint="set align.recall_floor"
        )
    elif settings.held_out != AlignSettings().held_out:
        builder.warn("align.held_out holds nothing out without align.recall_floor")
    pretraining = "on" if matched else "off: no captions were given"
    if not settings.pretraining_weight:
        matched, pretraining = None, "off: its weight is 0"
        if captions is not None and held is None:
            builder.warn(f"{captions} is not used: align.pretraining_weight is 0")
    recipe = recipe.model_copy(update={"pairs": pairs.header.settings})
    return Inputs(pairs, digest, gallery, encoder, matched, pretraining, held, recipe)


def _base(builder: Builder, gallery: Gallery) -> tuple[TrainableEncoder, Recipe]:
    """The encoder to align, and the recipe that will build it again from any folder."""
    chosen = "encoder" in builder.recipe.model_fields_set
    given = builder.encoder() if chosen else builder.encoder(gallery.encoder_name)
    encoder = _with_heads(given, builder.recipe.align)
    use = builder.recipe.encoder if chosen else Use(use=gallery.encoder_name)
    if run := run_of(use.use):
        folder, strength = run
        use = use.model_copy(update={"use": run_name(folder.resolve(), strength)})
    elif encoder.name.startswith(MODEL_PREFIX) and is_model_spec(use.use):
        use = use.model_copy(update={"use": encoder.name})  # which names a local file by its whole path
    return encoder, builder.recipe.model_copy(update={"encoder": use})


def _with_heads(encoder: Encoder, settings: AlignSettings) -> TrainableEncoder:
    """The encoder with what is to be trained."""
    if settings.tune == "adapter":
        return AdaptedEncoder(encoder)
    if not isinstance(encoder, TrainableEncoder):
        raise AlignmentError(
            f"the encoder {encoder.name!r} has no heads to train",
            hint="tune its text embeddings with --tune adapter, or use one that has, such as embedded or open_clip",
        )
    if isinstance(encoder, AdaptedEncoder) and "image" in settings.towers:
        raise AlignmentError(
            f"the encoder {encoder.name!r} ends in an adapter on text embeddings, and has no image head to train",
            hint="use --tune text, or the encoder it was aligned from",
        )
    return encoder


def _rewards_of(inputs: Inputs, held: HeldOut) -> list[str]:
    return [f"{name} {inputs.gallery.reward_fingerprints[name]}" for name in held.names]


def describe(inputs: Inputs, builder: Builder) -> RunRecord:
    """What a new run's `run.json` says."""
    recipe, spaces = builder.recipe, inputs.encoder.spaces
    settings = recipe.align.model_dump(mode="json", exclude=_FREE_TO_CHANGE)
    captions, held = inputs.captions, inputs.held_out
    return RunRecord(
        encoder=inputs.encoder.name,
        base=BaseSpaces(
            image=spaces.image,
            text=spaces.text,
            image_features=spaces.image_features,
            text_features=spaces.text_features,
        ),
        tuned=recipe.align.towers,
        made_from={
            "encoder": f"{spaces.text}/{spaces.image}",
            "pairs": inputs.pairs_digest[:16],
            "captions": fingerprint(captions.texts, captions.ids) if captions else "none",
            "held out": fingerprint(held.texts, held.ids, *_rewards_of(inputs, held)) if held else "none",
            "objective": recipe.objective.model_dump_json(),
            **{f"align.{name}": str(value) for name, value in settings.items()},
        },
        versions=run_folder.versions(),
    )
