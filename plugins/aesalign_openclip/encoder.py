"""Any model of the open_clip library as a trainable encoder."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import Field

from aesalign_core.errors import ModelError
from aesalign_core.protocols import BuildContext
from aesalign_core.settings import Settings
from aesalign_core.types import Pixels, Tower, Vectors
from aesalign_openclip import exports

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

T = TypeVar("T")
# No natural text has longer tokens on average; the tokenizer's time grows with the square of a word's length.
CHARACTERS_PER_TOKEN = 26


class OpenClipSettings(Settings):
    """Which model, and how it is run.

    Attributes:
        model: `ARCH/PRETRAINED`, `hf-hub:organisation/name`, or `ARCH/path/to/weights.safetensors`.
        precision: Number format of the forward pass; `auto` is fp32, on CUDA bf16 (fp16 where the GPU lacks bf16).
        batch_size: Items per forward pass; None: 64 on the CPU, 256 elsewhere.
        image_size: Side in pixels instead of the model's own; position embeddings are interpolated.
        resize: How photos are made square instead of the model's own way: cut (`shortest`), padded (`longest`) or
            squeezed (`squash`).
        trainable_blocks: How many of a tower's last blocks belong to its head, to be trained with its projection; 0:
            the projection alone. What goes into the first of them is kept for each photo and text, so that the
            frozen blocks run once. `all`: the whole tower, with its patch or token embeddings; then pixels are kept.
    """

    model: str = Field("ViT-B-32/openai", min_length=1, max_length=4096)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    batch_size: int | None = Field(None, ge=1, le=65_536)
    image_size: int | None = Field(None, ge=16, le=4096)
    resize: Literal["shortest", "longest", "squash"] | None = None
    trainable_blocks: Annotated[int, Field(ge=0, le=1000)] | Literal["all"] = 0


class OpenClipEncoder:
    """A CLIP-like model of open_clip.

    The features of a tower are its raw output, before normalisation. Its head is a bias-free d × d linear map that
    starts as the identity. A tower ends in a linear projection P of its pooled state z (features = z·P), so tuning
    the head H tunes that very projection: z·P·Hᵀ = z·(P·Hᵀ), all of it, at the cost of one small product.
    (A few architectures end otherwise, in an MLP or an attention pool; there the head is one more layer.)

    With `trainable_blocks` the head is a copy of the tower's last blocks, norm and projection, and the features are
    what goes into them (`tails.Tail`); with `all` it is a copy of the tower, and the features are pixels or tokens
    (`wholes`). Untrained, all kinds of head give the very same space.

    Attributes:
        name: `open_clip:` and the model's name.
        dim: d.
        temperature: 1 / exp(logit_scale) of the model; a SigLIP model's bias plays no part in a cosine.
        spaces: Fingerprints over architecture, preprocessing, weights and heads, whatever the precision.
        device: Where it computes.
        precision: `fp32`, `bf16` or `fp16`, as chosen.
        batch_size: Items per forward pass.
        blocks: How many of the last blocks are trainable, or `all`.
        export_formats: What `export` can write.
    """

    Settings = OpenClipSettings
    export_formats = exports.FORMATS

    def __init__(self, settings: OpenClipSettings, context: BuildContext) -> None:
        import torch

        from aesalign_openclip import heads, loading, precision, spec

        loaded = loading.load(spec.parse(settings.model), image_size=settings.image_size, resize=settings.resize)
        self.name = f"open_clip:{spec.absolute(settings.model)}"
        self.device = context.device
        self.precision = precision.choose(settings.precision, self.device)
        self.batch_size = settings.batch_size or (64 if self.device == "cpu" else 256)
        self.dim = int(loaded.config["embed_dim"])
        self.temperature = float(torch.exp(-loaded.model.logit_scale.float()).item())  # type: ignore[operator]
        self._loaded, self._model = loaded, loaded.model.to(self.device)
        self.blocks = settings.trainable_blocks
        self._heads = heads.Heads(loaded, self.dim, self.blocks, self.name, self.device)
        self.spaces = self._heads.spaces()

    def preprocess(self, image: Image) -> Pixels:
        """The model's own inference transform: (3, h, w) float32."""
        return np.asarray(self._loaded.transform(image).numpy(), dtype=np.float32)

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Vectors:
        """(n, d) float32, rows of unit length."""
        return self._run(pixels, lambda batch: self._embedded("image", self._stacked(batch)), self.dim)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, d) float32, rows of unit length."""
        return self._run(texts, lambda batch: self._embedded("text", self._tokens(batch)), self.dim)

    def pixel_features(self, pixels: Sequence[Pixels]) -> Vectors:
        """What the image head reads: (n, f) float32."""
        if self.blocks and not pixels:  # only a picture tells how wide the input of a block is
            from PIL import Image

            return self.pixel_features([self.preprocess(Image.new("RGB", (1, 1)))])[:0]
        return self._run(pixels, lambda batch: self._features("image", self._stacked(batch)))

    def text_features(self, texts: Sequence[str]) -> Vectors:
        """What the text head reads: (n, f) float32."""
        if self.blocks and not texts:
            return self.text_features([""])[:0]
        return self._run(texts, lambda batch: self._features("text", self._tokens(batch)))

    def image_head(self) -> torch.nn.Module:
        """A copy of the image head: a d × d map, or the last blocks."""
        return self._heads.of("image")

    def text_head(self) -> torch.nn.Module:
        """A copy of the text head."""
        return self._heads.of("text")

    def with_heads(
        self,
        *,
        name: str,
        image: Mapping[str, torch.Tensor] | None = None,
        text: Mapping[str, torch.Tensor] | None = None,
    ) -> OpenClipEncoder:
        """An encoder that shares these towers and has heads of other weights.

        Raises:
            ModelError: A head of another shape, or with numbers that are not finite.
        """
        other = copy.copy(self)
        given: tuple[tuple[Tower, Mapping[str, torch.Tensor] | None], ...] = (("image", image), ("text", text))
        other._heads = self._heads.replaced({tower: state for tower, state in given if state is not None})
        other.name, other.spaces = name, other._heads.spaces()
        return other

    def export(self, to: str, folder: Path) -> None:
        """Writes the model, with these heads, in one of `export_formats`.

        Raises:
            ExportError: Its architecture does not fit the format, or an extra is not installed.
        """
        exports.write(to, folder, self._loaded, self._heads, self.name)

    def _stacked(self, pixels: Sequence[Pixels]) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.stack(pixels)).to(self.device)

    def _tokens(self, texts: Sequence[str]) -> torch.Tensor:
        limit = CHARACTERS_PER_TOKEN * int(self._loaded.tokenizer.context_length)  # type: ignore[attr-defined]
        bounded = [text if len(text) <= limit else " ".join(text.split())[:limit] for text in texts]
        tokens: torch.Tensor = self._loaded.tokenizer(bounded).to(self.device)
        return tokens

    def _raw(self, tower: Tower, batch: torch.Tensor) -> torch.Tensor:
        """A tower's output as open_clip gives it."""
        model: Any = self._model
        encode = model.encode_image if tower == "image" else model.encode_text
        with self._autocast():
            raw: torch.Tensor = encode(batch, normalize=False)
        return raw.float()

    def _features(self, tower: Tower, batch: torch.Tensor) -> torch.Tensor:
        from aesalign_openclip import tails, wholes

        if not self.blocks:
            return self._raw(tower, batch)
        if self.blocks == "all":
            return wholes.features(batch)
        with self._autocast():
            return tails.features(self._model, tower, self.blocks, batch, self.name)

    def _embedded(self, tower: Tower, batch: torch.Tensor) -> torch.Tensor:
        import torch

        head = self._heads.changed(tower)
        if head is None:
            output = self._raw(tower, batch)
        else:
            features = self._features(tower, batch)
            with self._autocast() if self.blocks else contextlib.nullcontext():
                output = head(features)
        return torch.nn.functional.normalize(output.float(), dim=-1)

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        from aesalign_openclip.precision import autocast

        return autocast(self.precision, self.device)

    def _run(
        self, items: Sequence[T], forward: Callable[[Sequence[T]], torch.Tensor], width: int | None = None
    ) -> Vectors:
        """Batch by batch; `width` says what none of them gives."""
        import torch

        parts: list[Vectors] = [np.empty((0, width), np.float32)] if width else []
        for start in range(0, len(items), self.batch_size):
            with torch.inference_mode():
                output = forward(items[start : start + self.batch_size])
            parts.append(output.float().cpu().numpy())
        found = np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)
        if not np.isfinite(found).all():
            raise ModelError(f"{self.name} gave numbers that are not finite in {self.precision}", hint="use fp32")
        return found
