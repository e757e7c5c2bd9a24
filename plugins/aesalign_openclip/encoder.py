"""Any model of the open_clip library as a trainable encoder."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np
from pydantic import Field

from aesalign_core.errors import ModelError
from aesalign_core.fingerprints import fingerprint
from aesalign_core.protocols import BuildContext
from aesalign_core.settings import Settings
from aesalign_core.types import Pixels, Spaces, Tower, Vectors

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
    """

    model: str = Field("ViT-B-32/openai", min_length=1, max_length=4096)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    batch_size: int | None = Field(None, ge=1, le=65_536)
    image_size: int | None = Field(None, ge=16, le=4096)
    resize: Literal["shortest", "longest", "squash"] | None = None


class OpenClipEncoder:
    """A CLIP-like model of open_clip.

    The features of a tower are its raw output, before normalisation. Its head is a bias-free d × d linear map that
    starts as the identity. A tower ends in a linear projection P of its pooled state z (features = z·P), so tuning
    the head H tunes that very projection: z·P·Hᵀ = z·(P·Hᵀ), all of it, at the cost of one small product.
    (A few architectures end otherwise, in an MLP or an attention pool; there the head is one more layer.)

    Attributes:
        name: `open_clip:` and the model's name.
        dim: d.
        temperature: 1 / exp(logit_scale) of the model; a SigLIP model's bias plays no part in a cosine.
        spaces: Fingerprints over architecture, preprocessing, weights and heads, whatever the precision.
        device: Where it computes.
        precision: `fp32`, `bf16` or `fp16`, as chosen.
        batch_size: Items per forward pass.
    """

    Settings = OpenClipSettings

    def __init__(self, settings: OpenClipSettings, context: BuildContext) -> None:
        import torch

        from aesalign_openclip import identity, loading, precision, spec

        loaded = loading.load(spec.parse(settings.model), image_size=settings.image_size, resize=settings.resize)
        self.name = f"open_clip:{settings.model}"
        self.device = context.device
        self.precision = precision.choose(settings.precision, self.device)
        self.batch_size = settings.batch_size or (64 if self.device == "cpu" else 256)
        self.dim = int(loaded.config["embed_dim"])
        self.temperature = float(torch.exp(-loaded.model.logit_scale.float()).item())  # type: ignore[operator]
        self._towers: dict[Tower, str] = {"image": identity.of_tower(loaded, "image")}
        self._towers["text"] = identity.of_tower(loaded, "text")
        self._loaded, self._model = loaded, loaded.model.to(self.device)
        eye = torch.eye(self.dim, device=self.device)
        self._heads: dict[Tower, torch.Tensor] = {"image": eye, "text": eye}
        self.spaces = self._spaces()

    def preprocess(self, image: Image) -> Pixels:
        """The model's own inference transform: (3, h, w) float32."""
        return np.asarray(self._loaded.transform(image).numpy(), dtype=np.float32)

    def encode_pixels(self, pixels: Sequence[Pixels]) -> Vectors:
        """(n, d) float32, rows of unit length."""
        return self._run(pixels, self._image_batch, head="image")

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """(n, d) float32, rows of unit length."""
        return self._run(texts, self._text_batch, head="text")

    def pixel_features(self, pixels: Sequence[Pixels]) -> Vectors:
        """The image tower's raw output: (n, d) float32."""
        return self._run(pixels, self._image_batch)

    def text_features(self, texts: Sequence[str]) -> Vectors:
        """The text tower's raw output: (n, d) float32."""
        return self._run(texts, self._text_batch)

    def image_head(self) -> torch.nn.Linear:
        """A copy of the d × d map after the image tower."""
        return self._head("image")

    def text_head(self) -> torch.nn.Linear:
        """A copy of the d × d map after the text tower."""
        return self._head("text")

    def with_heads(
        self,
        *,
        name: str,
        image: Mapping[str, torch.Tensor] | None = None,
        text: Mapping[str, torch.Tensor] | None = None,
    ) -> OpenClipEncoder:
        """An encoder that shares these towers and has other heads: `{"weight": (d, d)}`.

        Raises:
            ModelError: A head of another shape, or with numbers that are not finite.
        """
        other = copy.copy(self)
        other.name, other._heads = name, dict(self._heads)
        given: tuple[tuple[Tower, Mapping[str, torch.Tensor] | None], ...] = (("image", image), ("text", text))
        for tower, state in given:
            if state is not None:
                other._heads[tower] = self._checked(tower, state)
        other.spaces = other._spaces()
        return other

    def _checked(self, tower: Tower, state: Mapping[str, torch.Tensor]) -> torch.Tensor:
        shapes = {key: tuple(value.shape) for key, value in state.items()}
        if shapes != {"weight": (self.dim, self.dim)}:
            raise ModelError(f"a {tower} head of {self.name} is {{'weight': ({self.dim}, {self.dim})}}, not {shapes}")
        weight = state["weight"].detach().to(self.device, copy=True).float()
        if not weight.isfinite().all():
            raise ModelError(f"the {tower} head for {self.name} holds numbers that are not finite")
        return weight

    def _head(self, tower: Tower) -> torch.nn.Linear:
        import torch

        head = torch.nn.Linear(self.dim, self.dim, bias=False, device=self.device)
        head.load_state_dict({"weight": self._heads[tower]})
        return head.eval()

    def _spaces(self) -> Spaces:
        from aesalign_openclip.identity import of_weights

        image, text = (
            fingerprint(self._towers[t], of_weights({"weight": self._heads[t]})) for t in ("image", "text")
        )
        return Spaces(image, text, image_features=self._towers["image"], text_features=self._towers["text"])

    def _image_batch(self, pixels: Sequence[Pixels]) -> torch.Tensor:
        import torch

        batch = torch.from_numpy(np.stack(pixels)).to(self.device)
        output: torch.Tensor = self._model.encode_image(batch, normalize=False)  # type: ignore[operator]
        return output

    def _text_batch(self, texts: Sequence[str]) -> torch.Tensor:
        limit = CHARACTERS_PER_TOKEN * int(self._loaded.tokenizer.context_length)  # type: ignore[attr-defined]
        bounded = [text if len(text) <= limit else " ".join(text.split())[:limit] for text in texts]
        tokens = self._loaded.tokenizer(bounded).to(self.device)
        output: torch.Tensor = self._model.encode_text(tokens, normalize=False)  # type: ignore[operator]
        return output

    def _run(
        self, items: Sequence[T], forward: Callable[[Sequence[T]], torch.Tensor], head: Tower | None = None
    ) -> Vectors:
        import torch

        from aesalign_openclip.precision import autocast

        found = np.empty((len(items), self.dim), np.float32)
        for start in range(0, len(items), self.batch_size):
            with torch.inference_mode():
                with autocast(self.precision, self.device):
                    output = forward(items[start : start + self.batch_size])
                output = output.float()
                if head is not None:
                    output = torch.nn.functional.normalize(output @ self._heads[head].T, dim=-1)
                found[start : start + self.batch_size] = output.cpu().numpy()
        if not np.isfinite(found).all():
            raise ModelError(f"{self.name} gave numbers that are not finite in {self.precision}", hint="use fp32")
        return found
