"""Settings of a training run; a module of its own because recipes are validated without torch."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from aesalign_core.settings import Settings
from aesalign_core.types import Tower

Schedule = Literal["cosine", "linear", "constant"]


class AlignSettings(Settings):
    """How an encoder is aligned. `docs/paper.md` maps each setting to its quantity in the paper.

    The defaults are what `docs/alignment.md` measured best for the text tower.

    Attributes:
        tune: Which towers' heads are trained. `text` leaves every gallery valid. `adapter` does, too: it trains a map
            on text embeddings instead of the text head, for any encoder, also one that has no heads.
        steps: Optimiser steps.
        batch_size: Queries (grids) per step; all of them if there are fewer.
        learning_rate: AdamW's peak rate.
        weight_decay: AdamW's, on matrices only.
        warmup: Share of the steps over which the rate rises linearly.
        schedule: How it goes on from there: falling to 0 as a `cosine` or `linear`ly, or `constant`.
        clip: Largest gradient norm.
        pretraining_weight: w_pt, of the contrastive loss on caption pairs; without captions that loss is off.
        pretraining_batch: Caption pairs per step for that loss.
        kl_weight: Of the KL divergence from the reference's ranking; 0: off.
        kl_candidates: Photos, drawn anew for each step, over which rankings are compared; all of the run's photos
            if there are fewer.
        text_lora_rank: Train low-rank adapters on the linear maps of the text head, instead of all of it (LoRA; needs
            the extra `lora`); 0: all of it.
        image_lora_rank: Likewise of the image head.
        micro_batch: Texts, and photos, that go through a head at once, for less memory and the same result: the
            losses still see the whole batch; None: all of a step.
        precision: That the heads compute in; weights, losses and optimiser stay float32.
        gradient_checkpointing: Compute a head's blocks again for the gradient rather than keep what is inside them,
            for heads that have blocks (`encoder.trainable_blocks`).
        recall_floor: Share of the base's recall on held-out captions that the step to be kept must have; of those
            steps the one that gained most reward is kept. None: nothing is held out, and the last step is kept.
        held_out: Share of the captioned photos that are held out for it: their captions are not learnt from, and they
            are masked in all grids.
        watch_reward: A reward of the gallery that is not trained on: a step where it falls while the trained one
            rises is told and not kept.
        watch_every: Steps between looks at what is held out.
        seed: Of the batch order, of what is held out and of adapters.
        checkpoint_every: Steps between checkpoints.
        keep_checkpoints: How many of the newest are kept; the best one always is.
        log_every: Steps between lines of `metrics.jsonl`.
    """

    tune: Literal["text", "image", "both", "adapter"] = "text"
    steps: int = Field(600, ge=1, le=100_000_000)
    batch_size: int = Field(256, ge=1, le=1_000_000)
    learning_rate: float = Field(2e-4, gt=0, le=1000)
    weight_decay: float = Field(0.0, ge=0)
    warmup: float = Field(0.05, ge=0, le=1)
    schedule: Schedule = "cosine"
    clip: float = Field(1.0, gt=0)
    pretraining_weight: float = Field(3.0, ge=0)
    pretraining_batch: int = Field(512, ge=2, le=1_000_000)
    kl_weight: float = Field(0.0, ge=0)
    kl_candidates: int = Field(1024, ge=2, le=1_000_000)
    text_lora_rank: int = Field(0, ge=0, le=4096)
    image_lora_rank: int = Field(0, ge=0, le=4096)
    micro_batch: int | None = Field(None, ge=1, le=1_000_000)
    precision: Literal["fp32", "bf16"] = "fp32"
    gradient_checkpointing: bool = False
    recall_floor: float | None = Field(None, ge=0, le=2)
    held_out: float = Field(0.1, gt=0, lt=1)
    watch_reward: str | None = None
    watch_every: int = Field(50, ge=1)
    seed: int = Field(0, ge=0, lt=2**62)
    checkpoint_every: int = Field(50, ge=1)
    keep_checkpoints: int = Field(2, ge=1)
    log_every: int = Field(1, ge=1)

    @property
    def towers(self) -> tuple[Tower, ...]:
        """The towers that are trained."""
        if self.tune == "both":
            return "text", "image"
        return ("image",) if self.tune == "image" else ("text",)

    @model_validator(mode="after")
    def _adapters_are_trained(self) -> Self:
        for tower, rank in (("text", self.text_lora_rank), ("image", self.image_lora_rank)):
            if rank and tower not in self.towers:
                raise ValueError(f"{tower}_lora_rank is set, but tune = {self.tune!r} does not train that head")
        return self
